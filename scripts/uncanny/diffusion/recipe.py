"""The complete recipe for forward processes: a drift and a diffusion from two matrices.

dz = f(z) dt + sqrt(2 D(z)) dw with f = -(D + Q) grad H + tau keeps the law p(z) ~ exp(-H(z)) when D
is positive semidefinite and Q is skew-symmetric, tau_i = sum_j d/dz_j (D_ij + Q_ij); every process
that keeps it has this form (Ma et al. 2015; Pandey and Mandt 2023, arXiv 2303.01748, section 3).

With constant D, Q and the quadratic H of N(0, Sigma_inf) the drift is linear, f = F z. All matrices
are float64 [d, d] and act alike on every pixel, whose state has d components.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from uncanny.runtime.hardware import constant

TOLERANCE = 1e-9  # of identities between matrices, relative to their largest entry


@dataclass(frozen=True)
class Report:
    """What a recipe amounts to.

    stationary: "N(0, Sigma_inf)", or "none". smallest_D: smallest eigenvalue of D. skewness,
    lyapunov: largest entries of Q + Q^T and of F Sigma_inf + Sigma_inf F^T + G G^T, 0 in exact
    arithmetic. spectral_gap: slowest rate at which the process forgets its start; at most 0 where
    it never does. problem: why it cannot turn data into noise, or None.
    """

    stationary: str
    smallest_D: float
    skewness: float
    lyapunov: float
    spectral_gap: float
    problem: str | None


@dataclass(frozen=True, eq=False)
class Recipe:
    """D, Q and the stationary covariance Sigma_inf, nested lists or tensors [d, d].

    Sigma_inf None: H is constant, and nothing is stationary. They are for a time that runs at unit
    speed; a speed beta(t) multiplies D and Q, hence F and G G^T.
    Raises ValueError for matrices that are not square, finite and of one size.
    """

    D: Tensor
    Q: Tensor
    Sigma_inf: Tensor | None

    def __post_init__(self):
        for name in ("D", "Q", "Sigma_inf"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _matrix(getattr(self, name), name))
        sizes = {len(m) for m in (self.D, self.Q, self.Sigma_inf) if m is not None}
        if len(sizes) > 1:
            raise ValueError(f"D, Q, Sigma_inf of sizes {sorted(sizes)}: expected one size")

    @classmethod
    def from_sde(cls, F, GGT, Sigma_inf) -> "Recipe":
        """The recipe of dz = F z dt + G dw: D = G G^T / 2, Q = -F Sigma_inf - D.

        Q is skew exactly if N(0, Sigma_inf) is stationary; `validate` tells.
        """
        F, D = _matrix(F, "F"), _matrix(GGT, "GGT") / 2
        if Sigma_inf is None:
            return cls(D, torch.zeros_like(D), None)
        return cls(D, -F @ _matrix(Sigma_inf, "Sigma_inf") - D, Sigma_inf)

    @property
    def size(self) -> int:
        """d, the number of components of a pixel's state; the first is the image."""
        return len(self.D)

    @cached_property
    def F(self) -> Tensor:
        """Drift matrix -(D + Q) Sigma_inf^-1."""
        if self.Sigma_inf is None:
            return torch.zeros_like(self.D)
        return -torch.linalg.solve(self.Sigma_inf, self.D + self.Q, left=False)

    @cached_property
    def GGT(self) -> Tensor:
        """Diffusion 2 D."""
        return 2 * self.D

    @cached_property
    def G(self) -> Tensor:
        """The symmetric root of G G^T; diagonal where D is."""
        values, vectors = torch.linalg.eigh(self.GGT)
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T

    def reversed_coupling(self) -> "Recipe":
        """D and -Q: the same stationary law, run backwards in time."""
        return Recipe(self.D, -self.Q, self.Sigma_inf)

    def validate(self) -> Report:
        """What the recipe amounts to; never raises. See `Report`."""
        skewness = float((self.Q + self.Q.T).abs().max())
        smallest = float(torch.linalg.eigvalsh((self.D + self.D.T) / 2).min())
        if self.Sigma_inf is None:
            reason = "no stationary law: H is constant, its measure cannot be normalised"
            return Report("none", smallest, skewness, 0.0, 0.0, reason)
        drifted = self.F @ self.Sigma_inf
        lyapunov = float((drifted + drifted.T + self.GGT).abs().max())
        gap = -float(torch.linalg.eigvals(self.F).real.max())
        problem = self._problem(smallest, skewness, gap)
        return Report("N(0, Sigma_inf)", smallest, skewness, lyapunov, gap, problem)

    def _problem(self, smallest: float, skewness: float, gap: float) -> str | None:
        allowed = TOLERANCE * float(max(m.abs().max() for m in (self.D, self.Q, self.Sigma_inf)))
        if float((self.D - self.D.T).abs().max()) > allowed or smallest < -allowed:
            return (
                f"D = {self.D.tolist()} has smallest eigenvalue {smallest:g}; "
                "expected a symmetric positive semidefinite matrix"
            )
        law = self.Sigma_inf
        if float((law - law.T).abs().max()) > allowed or torch.linalg.eigvalsh(law).min() <= 0:
            return f"Sigma_inf = {law.tolist()}: expected a symmetric positive definite matrix"
        if skewness > allowed:
            return f"Q = {self.Q.tolist()}: expected a skew-symmetric matrix, Q^T = -Q"
        if gap <= allowed:
            return (
                "stationary but not attracting: the slowest eigenvalue of F has real part "
                f"{-gap:.3g}, expected a negative one (D = {self.D.tolist()})"
            )
        return None

    def noising(self) -> "Recipe":
        """This recipe; ValueError where it cannot turn any data into its stationary law."""
        problem = self.validate().problem
        if problem is not None:
            raise ValueError(f"recipe: {problem}")
        return self


def flow(F: Tensor, duration: float | Tensor) -> Tensor:
    """exp(duration F), float64 [..., d, d] for durations [...]."""
    moved = change(F, duration)
    return torch.eye(len(F), dtype=F.dtype, device=moved.device) + moved


def change(F: Tensor, duration: float | Tensor) -> Tensor:
    """exp(bF) - I, exact to rounding for any b = duration [...] of at least 0; [..., d, d] on the
    device of b. F lies on the processor.

    Two components: exp(mb) (cosh(q) I + b sinh(q)/q N), q = b sqrt(delta), where m = tr F / 2,
    N = F - m I and N N = delta I: delta < 0 oscillates, 0 is critical, > 0 overdamped, and each
    goes over into the next. Otherwise F times the integral of exp(sF) from 0 to b, which the
    exponential of a larger matrix contains.
    """
    b = torch.as_tensor(duration, dtype=torch.float64)[..., None, None]
    eye = torch.eye(len(F), dtype=F.dtype)
    if len(F) == 1:
        return torch.expm1(b * constant(F, b.device))
    if len(F) > 2:
        above = torch.cat([F, eye], dim=1)
        larger = constant(torch.cat([above, torch.zeros_like(above)]), b.device)
        grown = torch.linalg.matrix_exp(b * larger)[..., : len(F), len(F) :]
        return constant(F, b.device) @ grown
    mean = F.trace() / 2
    N = F - mean * eye
    delta = -torch.linalg.det(N)
    q, decay = delta.abs().sqrt() * b, mean * b
    eye, N = (constant(matrix, b.device) for matrix in (eye, N))
    if delta < 0:
        grown = torch.expm1(decay) * q.cos() - 2 * (q / 2).sin() ** 2
        return grown * eye + decay.exp() * b * torch.sinc(q / math.pi) * N
    grown = (torch.expm1(decay + q) + torch.expm1(decay - q)) / 2
    ratio = torch.where(q > 0, torch.expm1(2 * q) / (2 * q), 1)  # of exp(q) sinh(q) to q
    return grown * eye + (decay - q).exp() * b * ratio * N


def _matrix(values, name: str) -> Tensor:
    matrix = torch.as_tensor(values, dtype=torch.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not torch.isfinite(matrix).all():
        raise ValueError(f"{name} = {matrix.tolist()}: expected a finite square matrix")
    return matrix


# --- D and Q that depend on the state: toys ------------------------------------------------------

Field = Callable[[Tensor], Tensor]  # z [d] -> a matrix [d, d], or for H a number []


def correction(A: Field, z: Tensor) -> Tensor:
    """tau_i = sum_j dA_ij / dz_j at z [d], by automatic differentiation; A = D + Q. Returns [d]."""
    return torch.einsum("ijj->i", torch.func.jacrev(A)(z))


def drift(D: Field, Q: Field, H: Field, z: Tensor) -> Tensor:
    """f(z) = -(D + Q) grad H + tau at z [d], for any H. Returns [d]."""

    def both(z):
        return D(z) + Q(z)

    return -both(z) @ torch.func.grad(H)(z) + correction(both, z)
