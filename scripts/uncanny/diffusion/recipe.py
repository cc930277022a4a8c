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
    """Properties of a recipe.

    stationary: "N(0, Sigma_inf)", or "none". smallest_D: smallest eigenvalue of D. skewness,
    lyapunov: largest entries of Q + Q^T and of F Sigma_inf + Sigma_inf F^T + G G^T, 0 in exact
    arithmetic. spectral_gap: slowest rate at which the process forgets its initial state; at most 0
    where it never does. problem: why it cannot turn data into noise, or None.
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

    Sigma_inf None: H is constant, and there is no stationary law. Time runs at unit speed; a speed
    beta(t) multiplies D and Q, hence F and G G^T.
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
        """Build the recipe of dz = F z dt + G dw from matrices [d, d].

        Q is skew exactly if N(0, Sigma_inf) is stationary, which `validate` reports.
        """
        # D = G G^T / 2, and F = -(D + Q) Sigma_inf^-1 solved for Q
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
        """Drift matrix -(D + Q) Sigma_inf^-1, [d, d]."""
        if self.Sigma_inf is None:  # grad H = 0
            return torch.zeros_like(self.D)
        # grad H = Sigma_inf^-1 z, and tau = 0 for constant D and Q
        return -torch.linalg.solve(self.Sigma_inf, self.D + self.Q, left=False)

    @cached_property
    def GGT(self) -> Tensor:
        """Diffusion matrix G G^T = 2 D, [d, d]."""
        return 2 * self.D

    @cached_property
    def G(self) -> Tensor:
        """Symmetric root of G G^T, [d, d]; diagonal where D is."""
        # V diag(sqrt(values)) V^T; rounding may leave an eigenvalue slightly below 0.
        values, vectors = torch.linalg.eigh(self.GGT)
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T

    def reversed_coupling(self) -> "Recipe":
        """The recipe of D and -Q: the same stationary process, run backwards in time."""
        return Recipe(self.D, -self.Q, self.Sigma_inf)

    def validate(self) -> Report:
        """Report the properties of the recipe; never raises. See `Report`."""
        skewness = float((self.Q + self.Q.T).abs().max())
        smallest = float(torch.linalg.eigvalsh((self.D + self.D.T) / 2).min())
        if self.Sigma_inf is None:
            reason = "no stationary law: H is constant, its measure cannot be normalised"
            return Report("none", smallest, skewness, 0.0, 0.0, reason)
        # Lyapunov equation of the stationary covariance: F S + S F^T + G G^T = 0
        FS = self.F @ self.Sigma_inf
        lyapunov = float((FS + FS.T + self.GGT).abs().max())
        # exp(tF) decays as exp(-gap t): stationary is not enough, D = 0 with any skew Q is, too.
        gap = -float(torch.linalg.eigvals(self.F).real.max())
        problem = self._problem(smallest, skewness, gap)
        return Report("N(0, Sigma_inf)", smallest, skewness, lyapunov, gap, problem)

    def _problem(self, smallest: float, skewness: float, gap: float) -> str | None:
        allowed = TOLERANCE * float(max(m.abs().max() for m in (self.D, self.Q, self.Sigma_inf)))
        # 1. D is symmetric positive semidefinite.
        if float((self.D - self.D.T).abs().max()) > allowed or smallest < -allowed:
            return (
                f"D = {self.D.tolist()} has smallest eigenvalue {smallest:g}; "
                "expected a symmetric positive semidefinite matrix"
            )
        law = self.Sigma_inf
        # 2. Sigma_inf is a covariance with a density.
        if float((law - law.T).abs().max()) > allowed or torch.linalg.eigvalsh(law).min() <= 0:
            return f"Sigma_inf = {law.tolist()}: expected a symmetric positive definite matrix"
        # 3. Q is skew-symmetric: with 1, N(0, Sigma_inf) is stationary.
        if skewness > allowed:
            return f"Q = {self.Q.tolist()}: expected a skew-symmetric matrix, Q^T = -Q"
        # 4. Every initial law approaches it.
        if gap <= allowed:
            return (
                "stationary but not attracting: the slowest eigenvalue of F has real part "
                f"{-gap:.3g}, expected a negative one (D = {self.D.tolist()})"
            )
        return None

    def noising(self) -> "Recipe":
        """Return the recipe; ValueError where it cannot turn any data into its stationary law."""
        problem = self.validate().problem
        if problem is not None:
            raise ValueError(f"recipe: {problem}")
        return self


def flow(F: Tensor, duration: float | Tensor) -> Tensor:
    """Return exp(duration F), float64 [..., d, d] for durations [...]."""
    E = change(F, duration)
    return torch.eye(len(F), dtype=F.dtype, device=E.device) + E


def change(F: Tensor, duration: float | Tensor) -> Tensor:
    """Return exp(bF) - I, exact to rounding for any b = duration [...] of at least 0.

    [..., d, d] on the device of b. F [d, d] lies on the processor.
    """
    b = torch.as_tensor(duration, dtype=torch.float64)[..., None, None]
    eye = torch.eye(len(F), dtype=F.dtype)
    # One component
    if len(F) == 1:
        return torch.expm1(b * constant(F, b.device))
    # Three or more: F times the integral of exp(sF) from 0 to b, which is the upper right block of
    # exp(b [[F, I], [0, 0]]).
    if len(F) > 2:
        above = torch.cat([F, eye], dim=1)
        larger = constant(torch.cat([above, torch.zeros_like(above)]), b.device)
        integral = torch.linalg.matrix_exp(b * larger)[..., : len(F), len(F) :]
        return constant(F, b.device) @ integral
    # Two: with m = tr F / 2, N = F - m I and N N = delta I (Cayley-Hamilton),
    # exp(bF) = exp(mb) (cosh(q) I + b sinh(q)/q N), q = b sqrt(delta).
    mean = F.trace() / 2
    N = F - mean * eye
    delta = -torch.linalg.det(N)
    q, decay = delta.abs().sqrt() * b, mean * b
    eye, N = (constant(matrix, b.device) for matrix in (eye, N))
    # delta < 0, oscillating: cosh(q) is cos|q|, and sinh(q)/q is sin|q|/|q|. Subtracting I,
    # exp(mb) cos|q| - 1 = expm1(mb) cos|q| - 2 sin^2(|q|/2) does not cancel.
    if delta < 0:
        diagonal = torch.expm1(decay) * q.cos() - 2 * (q / 2).sin() ** 2
        return diagonal * eye + decay.exp() * b * torch.sinc(q / math.pi) * N
    # delta >= 0, critical or overdamped: exp(mb) cosh(q) - 1 = (expm1(mb + q) + expm1(mb - q)) / 2,
    # and exp(mb) sinh(q) / q = exp(mb - q) expm1(2q) / (2q), whose limit at q = 0 is exp(mb).
    diagonal = (torch.expm1(decay + q) + torch.expm1(decay - q)) / 2
    ratio = torch.where(q > 0, torch.expm1(2 * q) / (2 * q), 1)
    return diagonal * eye + (decay - q).exp() * b * ratio * N


def _matrix(values, name: str) -> Tensor:
    matrix = torch.as_tensor(values, dtype=torch.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not torch.isfinite(matrix).all():
        raise ValueError(f"{name} = {matrix.tolist()}: expected a finite square matrix")
    return matrix


# --- D and Q that depend on the state: for tests in a few dimensions -----------------------------

Field = Callable[[Tensor], Tensor]  # z [d] -> a matrix [d, d], or for H a number []


def correction(A: Field, z: Tensor) -> Tensor:
    """Return tau [d] at z [d], by automatic differentiation; A = D + Q."""
    # tau_i = sum_j dA_ij / dz_j; the Jacobian is [i, j, k] = dA_ij / dz_k
    return torch.einsum("ijj->i", torch.func.jacrev(A)(z))


def drift(D: Field, Q: Field, H: Field, z: Tensor) -> Tensor:
    """Return f(z) = -(D + Q) grad H + tau, [d], at z [d] for any H."""

    def both(z):
        return D(z) + Q(z)

    # f = -(D + Q) grad H + tau
    return -both(z) @ torch.func.grad(H)(z) + correction(both, z)
