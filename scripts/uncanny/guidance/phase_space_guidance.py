"""Guided sampling in an augmented state: the gradient acts on position and momentum.

grad log p(z_t | y) = score + scale * grad log p(y | z_t) (arXiv 2303.01748, section 5.3). The
classifier takes z_t and forward time t, with which it was trained.
"""

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply
from uncanny.guidance.guided_batches import GuidanceStatistics, GuidedBatch, root_mean_square

NAMES = ("gradient_rms", "rho_score", "log_p")


def statistics() -> GuidanceStatistics:
    """Empty statistics by tenth of t.

    gradient_rms: as in `GuidanceStatistics`. rho_score: root mean square of G^T gradient over that
    of G^T score. log_p: log p(y | z_t) by the reference classifier, of the first images of a
    sampling seed.
    """
    return GuidanceStatistics(None, NAMES)


class GuidedPhase(GuidedBatch):
    """Guided sampling of a phase-space process. See `GuidedBatch`.

    model: score(z, t) with its `process`. times: [S + 1], falling.
    """

    def __init__(self, guidance, model, times, labels, seeds, *, statistics=None):
        super().__init__(guidance, model, times, labels, seeds, statistics)
        # For G of the recipe
        self.process = model.process

    def effects(self, g: Tensor, t: float) -> dict[str, Tensor]:
        (z, score), rows = self._last, self._log_p_rows
        # The guided drift is beta G G^T (score + g): components without noise feel neither, so
        # that both are compared after G^T = G.
        G = self.process.recipe.G
        shift, size = (root_mean_square(apply(G, vector)) for vector in (g, score))
        ratio = torch.where(size > 0, shift / size, torch.nan)
        values = {"gradient_rms": root_mean_square(g), "rho_score": ratio}
        if len(rows):
            # At z_t itself: there is no x0 without its momentum.
            values["log_p"] = self.guidance.reference.log_p(z[rows], t, self.labels[rows])
        return values
