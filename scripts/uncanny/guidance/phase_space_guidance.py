"""A guided walk in an augmented state: the classifier sees z_t, and pushes position and momentum.

grad log p(z_t | y) = score + scale * grad log p(y | z_t) (arXiv 2303.01748, section 5.3); the
classifier is told forward time, with which it was trained.
"""

from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.guidance.guidances import Account, Bent, root_mean_square

NAMES = ("gradient_rms", "rho_score", "log_p")


def account() -> Account:
    """An empty account by tenth of t: gradient_rms as in `Account`; rho_score, G^T gradient over
    G^T score, root mean squares; log_p, log p(y | z_t) by the judge, of the first images of a draw.
    """
    return Account(None, NAMES)


class GuidedPhase(Bent):
    """See `guidances.Bent`. model: score(z, t) with its `process`. times: [S + 1], falling."""

    def __init__(self, guidance, model, times, labels, seeds, *, account=None):
        super().__init__(guidance, model, times, labels, seeds, account)
        self.process = model.process

    def effects(self, g: Tensor, t: float) -> dict[str, Tensor]:
        (z, score), chosen = self._seen, self._judged.to(g.device)
        G = self.process.recipe.G
        moved, against = (root_mean_square(apply(G, push)) for push in (g, score))
        kept = {"gradient_rms": root_mean_square(g), "rho_score": (moved / against)[against > 0]}
        if chosen.any():
            kept["log_p"] = self.guidance.judge.log_p(z[chosen], t, self.labels[chosen])
        return kept
