"""Linear diffusion of images in an augmented state: kernel, factors, scores and times.

A state z = (x, m) has d components (see `augmented_state`); d = 1 is an ordinary process. A
`Process` runs a recipe at the speed beta(t) on [0, 1]: dz = beta F z dt + sqrt(beta) G dw. Its
kernel is p(z_t | z_0) = N(Phi(t) z_0, Sigma_t) with Phi(t) = exp(B(t) F), B = integral of beta, and
Sigma_t = Sigma_inf + Phi (Sigma_0 - Sigma_inf) Phi^T (arXiv 2303.01748, section 3.3, in short
form).

All arithmetic of the kernel is float64: at small t its entries are differences of nearly equal
numbers.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.augmented_state import apply, scattered
from uncanny.diffusion.recipe import Recipe, change, flow
from uncanny.runtime.hardware import constant

REGULARISER = 1e-9  # added to the variances of an augmented kernel, in training and in sampling


@dataclass(frozen=True, eq=False)
class Process:
    """A recipe at the speed beta(t) = beta_0 + (beta_1 - beta_0) t, and its training objective.

    beta_0, beta_1: speed at t = 0 and t = 1, positive; beta_1 None is constant speed. kappa:
    initial variance of the further components over their stationary one. objective: "hsm" learns
    the kernel with the initial momentum integrated out, Sigma_0 = diag(0, kappa M); "dsm" the one
    conditioned on a sampled momentum, Sigma_0 = 0. factor: which triangular L with L L^T = Sigma_t
    turns noise eps into z_t.
    Raises ValueError for a recipe that is no noising process and speeds that are not positive.
    """

    recipe: Recipe
    beta_0: float = 8.0
    beta_1: float | None = None
    kappa: float = 0.04
    objective: Literal["hsm", "dsm"] = "hsm"
    factor: Literal["lower", "upper"] = "lower"

    def __post_init__(self):
        self.recipe.noising()
        if not (self.beta_0 > 0 and (self.beta_1 is None or self.beta_1 > 0)):
            speeds = f"beta_0={self.beta_0:g}, beta_1={self.beta_1}"
            raise ValueError(f"{speeds}: expected positive speeds")
        if not self.kappa > 0:
            raise ValueError(f"kappa={self.kappa:g}: expected a positive share of the mass")

    @property
    def size(self) -> int:
        """d, the number of components of a state."""
        return self.recipe.size

    @property
    def _growth(self) -> float:
        return 0.0 if self.beta_1 is None else self.beta_1 - self.beta_0

    def rate(self, t: float | Tensor) -> Tensor:
        """beta(t), float64 like t."""
        # beta(t) = beta_0 + (beta_1 - beta_0) t
        return self.beta_0 + self._growth * exact(t)

    def integral(self, t: float | Tensor) -> Tensor:
        """B(t) = integral of beta from 0 to t, float64 like t."""
        # B(t) = beta_0 t + (beta_1 - beta_0) t^2 / 2
        t = exact(t)
        return self.beta_0 * t + self._growth * t**2 / 2

    # -- perturbation kernel ---------------------------------------------------------------------

    def flow(self, t: float | Tensor) -> Tensor:
        """Phi(t) = exp(B(t) F), float64 [..., d, d] for t [...]."""
        # exp(B(t) F)
        return flow(self.recipe.F, self.integral(t))

    @cached_property
    def momentum(self) -> Tensor:
        """Covariance diag(0, kappa M) of a state whose image is known, [d, d]."""
        # m_0 ~ N(0, kappa M), independent of the image
        initial = self.kappa * self.recipe.Sigma_inf.clone()
        initial[0], initial[:, 0] = 0, 0
        return initial

    def covariance(self, t: float | Tensor, initial: Tensor) -> Tensor:
        """Sigma_t, [..., d, d], from the covariance Sigma_0 = initial [d, d] at t = 0."""
        # Sigma_t = Sigma_0 + E S + S E^T + E S E^T with E = Phi - I and S = Sigma_0 - Sigma_inf:
        # equal to Sigma_inf + Phi S Phi^T, but exact at small t, where Phi is close to I.
        E = change(self.recipe.F, self.integral(t))
        law, initial = (constant(m, E.device) for m in (self.recipe.Sigma_inf, initial))
        moved = E @ (initial - law)
        return initial + moved + moved.mT + moved @ E.mT

    def root(self, t: float | Tensor) -> Tensor:
        """L(t) with L L^T = Sigma_t of the learnt kernel, regularised, [..., d, d]."""
        # hsm: Sigma_0 = diag(0, kappa M); dsm: m_0 is known, Sigma_0 = 0
        hsm = self.objective == "hsm"
        initial = self.momentum if hsm else torch.zeros_like(self.momentum)
        return triangular(regularised(self.covariance(t, initial)), self.factor)

    def perturb(self, x0: Tensor, t: Tensor, eps: Tensor, m0: Tensor | None = None) -> Tensor:
        """z_t = Phi z_0 + L eps, float64 [N, d C, ...].

        x0: [N, C, ...]. t: float64 [N]. eps: standard normal [N, d C, ...]. m0: initial momentum in
        units of its deviation, standard normal [N, (d-1) C, ...], required by dsm; hsm starts at 0.
        Raises ValueError for dsm without m0.
        """
        # z_0 = (x0, 0) for hsm: its momentum is part of Sigma_0.
        rest = x0.new_zeros(len(x0), (self.size - 1) * x0.shape[1], *x0.shape[2:])
        z0 = torch.cat([x0, rest], dim=1).double()
        if self.objective == "dsm" and self.size > 1:
            if m0 is None:
                raise ValueError("objective dsm: no initial momentum m0; expected a tensor")
            # z_0 = (x0, sqrt(kappa M) m0)
            momentum = torch.cat([torch.zeros_like(x0), m0], dim=1).double()
            spread = torch.zeros_like(self.momentum)
            spread[1:, 1:] = torch.linalg.cholesky(self.momentum[1:, 1:])
            z0 = z0 + apply(spread, momentum)
        # z_t = Phi(t) z_0 + L(t) eps
        return apply(self.flow(t), z0) + apply(self.root(t), eps.double())

    # -- learnt score ----------------------------------------------------------------------------

    @cached_property
    def predicted(self) -> list[int]:
        """Components of eps that the reverse process needs.

        All of them ("score_xm"), or the only noisy one where its score depends on its own eps
        alone: the last with the lower factor ("score_m"), the first with the upper ("score_x").
        """
        # s = -L^-T eps, and L^-T is upper triangular for a lower L: its last row has one entry.
        noisy = [i for i in range(self.size) if self.recipe.D[i].abs().max() > 0]
        alone = self.size - 1 if self.factor == "lower" else 0
        return [alone] if noisy == [alone] else list(range(self.size))

    @property
    def mode(self) -> str:
        """ "score_xm", "score_m" or "score_x". See `predicted`."""
        if len(self.predicted) == self.size:
            return "score_xm"
        return "score_m" if self.factor == "lower" else "score_x"

    def score(self, eps: Tensor, t: float | Tensor) -> Tensor:
        """Score -L^-T eps, [N, d C, ...], of predicted noise; 0 in components not predicted.

        eps: float64 [N, k C, ...] of the k predicted components. t: [] or [N].
        """
        # Rows of the other components are set to 0: their score would lack its other terms, and
        # the reverse process multiplies it by 0.
        whole = scattered(eps, self.predicted, self.size)
        back = inverse(self.root(t)).mT
        kept = torch.zeros(self.size, 1, dtype=back.dtype)
        kept[self.predicted] = 1
        return apply(-constant(kept, back.device) * back, whole)

    def amplification(self, t: float | Tensor) -> Tensor:
        """Amplification of an error in eps by an Euler step of unit length, [..., d, d].

        -beta G G^T L^-T: rows are the components of the state, columns those of eps.
        """
        back = inverse(self.root(t)).mT
        return -self.rate(t)[..., None, None] * (constant(self.recipe.GGT, back.device) @ back)

    # -- reverse process -------------------------------------------------------------------------

    def reverse(self, z: Tensor, score: Tensor, t: float | Tensor, share: float = 1.0) -> Tensor:
        """Drift in reverse time, beta (-F z + share G G^T score), [N, d C, ...].

        z, score: [N, d C, ...]. t: [] or [N]. share: 1 for the SDE, 1/2 for the probability flow.
        """
        # dz = beta (-F z + share G G^T s) dr in reverse time r, dr = -dt
        rate = self.rate(t)[..., None, None]
        F, GGT = (constant(m, rate.device) for m in (self.recipe.F, self.recipe.GGT))
        return apply(rate * share * GGT, score) - apply(rate * F, z)

    def prior(self, latents: Tensor) -> Tensor:
        """Samples of N(0, Sigma_inf) from standard normal latents [N, d C, ...], float64."""
        # Sigma_inf = C C^T, z = C latents
        return apply(torch.linalg.cholesky(self.recipe.Sigma_inf), latents.double())


def exact(t: float | Tensor) -> Tensor:
    """Return t as float64; ValueError for a tensor of lower precision: the kernel would cancel."""
    if isinstance(t, Tensor) and t.is_floating_point() and t.dtype != torch.float64:
        raise ValueError(f"t is {t.dtype}: the kernel cancels at small t; expected float64")
    return torch.as_tensor(t, dtype=torch.float64)


def regularised(covariance: Tensor) -> Tensor:
    """Add REGULARISER to the diagonal of a covariance [..., d, d] of an augmented state."""
    # Without noise in the position its variance starts as kappa/M B^2 / 4, at t = 1e-5 less than
    # the regulariser: the kernel is nearly singular there. A single variance is never singular.
    size = covariance.shape[-1]
    if size == 1:
        return covariance
    eye = torch.eye(size, dtype=covariance.dtype, device=covariance.device)
    return covariance + REGULARISER * eye


def triangular(covariance: Tensor, factor: str) -> Tensor:
    """Return L with L L^T = covariance [..., d, d]: "lower" (Cholesky) or "upper" triangular."""
    if factor == "lower":
        return _cholesky(covariance)
    # Reversing the order of the components turns a lower triangular factor into an upper one.
    return _cholesky(covariance.flip(-2, -1)).flip(-2, -1)


def _cholesky(covariance: Tensor) -> Tensor:
    """Cholesky factor; on an accelerator without a check, which would wait for its result."""
    # Without the check a covariance that is not positive definite gives NaN.
    return torch.linalg.cholesky_ex(covariance, check_errors=not covariance.is_cuda).L


def inverse(matrix: Tensor) -> Tensor:
    """Inverse of [..., d, d]; on an accelerator without a check, as in `_cholesky`."""
    return torch.linalg.inv_ex(matrix, check_errors=not matrix.is_cuda).inverse


# --- Times of sampling ---------------------------------------------------------------------------


def sampling_times(
    num_steps: int | None, grid: str, *, epsilon_s: float = 0.001, denoise: bool = True
) -> Tensor:
    """Return times that fall from 1 to epsilon_s, then to 0 if denoise: float64 [num_steps + 1].

    grid: "uniform"; "quadratic", t = epsilon_s + (1 - epsilon_s) (1 - i/K)^2, with short steps near
    the data; or "ends", without num_steps: no time between, for samplers that choose their steps.
    The step to 0 denoises and is one of num_steps: Euler sampling costs num_steps evaluations.
    Raises ValueError for too few steps and for epsilon_s outside (0, 1).
    """
    if grid == "ends":
        if num_steps is not None:
            raise ValueError(f"num_steps={num_steps} with times: ends; expected null")
        num_steps = 1 + denoise
    if not isinstance(num_steps, int) or num_steps < 1 + denoise:
        raise ValueError(f"num_steps={num_steps}: expected an integer of at least {1 + denoise}")
    if not 0 < epsilon_s < 1:
        raise ValueError(f"epsilon_s={epsilon_s:g}: expected a time between 0 and 1")
    # K = num_steps - denoise steps from 1 to epsilon_s, u_i = i / K
    u = torch.linspace(0, 1, num_steps + 1 - denoise, dtype=torch.float64)
    fraction = (1 - u) ** 2 if grid == "quadratic" else 1 - u
    t = epsilon_s + (1 - epsilon_s) * fraction
    return torch.cat([t, t.new_zeros(1)]) if denoise else t
