"""Dormand-Prince 5(4) with its own step size for each row of a batch.

Tableau, error norm and step control are those of SciPy's RK45; a batch of one row takes exactly its
steps. A row's result does not depend on the rows beside it, as it would if all were one vector.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from uncanny.runtime.hardware import sent

ORDER = 4  # of the error estimate
SAFETY, LEAST, MOST = 0.9, 0.2, 10.0  # how the step size follows the error

# (r [n], y [n, ...], rows [n]) -> dy/dr [n, ...]; rows: which of the batch these are
Slope = Callable[[Tensor, Tensor, Tensor], Tensor]


class NotReached(ValueError):
    """The tolerance asked for cannot be reached."""


def integrate(
    slope: Slope, y: Tensor, end: float, *, tol: float, max_evaluations: int = 10_000
) -> Tensor:
    """Solve dy/dr = slope from r = 0 to `end` > 0, with relative and absolute tolerance tol.

    y: float64 [N, ...]. A row that is no longer finite is given up and comes back as NaN. Raises
    NotReached where a step falls below rounding, or a row takes more than max_evaluations.
    """
    if not tol > 100 * np.finfo(float).eps:
        raise NotReached(f"tol={tol:g}: expected a tolerance above rounding, 2e-14")
    done, active = torch.full_like(y, torch.nan), _ActiveRows(slope, y, end, tol)
    while len(active.rows):
        # A step takes six new evaluations: the seventh stage is the first of the next step
        if active.evaluations + 6 > max_evaluations:
            raise NotReached(
                f"tol={tol:g}: not reached within {max_evaluations} evaluations, at r = "
                f"{float(active.r[0]):g} of {end:g}; expected a larger tolerance"
            )
        active.attempt()
        rows, states = active.finished()
        done[rows] = states
    return done


class _ActiveRows:
    """Rows that have not arrived: their times r [n], states y, slopes f, next steps h."""

    def __init__(self, slope: Slope, y: Tensor, end: float, tol: float):
        self.slope, self.end, self.tol = slope, end, tol
        self.rows = torch.arange(len(y), device=y.device)
        self.r = torch.zeros(len(y), dtype=y.dtype, device=y.device)
        self.y, self.f = y, slope(self.r, y, self.rows)
        self.h = self._first_step()
        self.rejected = torch.zeros_like(self.rows, dtype=torch.bool)
        self.evaluations = 2  # of each row that is under way

    def _first_step(self) -> Tensor:
        """Hairer, Nørsett and Wanner, "Solving ordinary differential equations I", section II.4."""
        scale = self.tol + self.y.abs() * self.tol
        d0, d1 = _rms(self.y / scale), _rms(self.f / scale)
        h0 = torch.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1).clamp(max=self.end)
        # Explicit Euler step of size h0, for an estimate of the second derivative
        ahead = self.slope(self.r + h0, self.y + _by_row(h0, self.y) * self.f, self.rows)
        d2 = _rms((ahead - self.f) / scale) / h0
        # h1 such that h1^(p + 1) max(d1, d2) = 0.01, with p the order
        still = (d1 <= 1e-15) & (d2 <= 1e-15)
        curved = (0.01 / torch.maximum(d1, d2)) ** (1 / (ORDER + 1))
        h1 = torch.where(still, (1e-3 * h0).clamp(min=1e-6), curved)
        return torch.minimum(100 * h0, h1).clamp(max=self.end)

    def attempt(self) -> None:
        """One step of every row, taken where its error allows; the next step size either way."""
        r_next = torch.clamp(self.r + torch.maximum(self.h, self._least()), max=self.end)
        h = r_next - self.r
        y, f, error = self._step(h)
        taken = error < 1
        # Step size from the error: h (1 / error)^(1 / (p + 1)), not growing after a rejection
        factor = SAFETY * error ** (-1 / (ORDER + 1))  # infinite where the error is 0
        factor = torch.where(taken, factor.clamp(max=MOST), factor.nan_to_num(0).clamp(min=LEAST))
        self.h = h * torch.where(taken & self.rejected, factor.clamp(max=1), factor)
        self.rejected = ~taken
        self.r = torch.where(taken, r_next, self.r)
        # Rows whose step was rejected stay where they are
        wide = _by_row(taken, self.y)
        self.y, self.f = torch.where(wide, y, self.y), torch.where(wide, f, self.f)
        self.evaluations += 6

    def _step(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """State and slope at r + h, and the error over what is tolerated, [n]."""
        A, B, C, E = _tableau()
        wide, stages = _by_row(h, self.y), [self.f]
        # Stages k_i = f(r + c_i h, y + h sum_j a_ij k_j); the first is the last of the step before
        for row, c in zip(A[1:], C[1:], strict=True):
            ahead = self.y + wide * _sum(row, stages)
            stages.append(self.slope(self.r + c * h, ahead, self.rows))
        y = self.y + wide * _sum(B, stages)
        stages.append(self.slope(self.r + h, y, self.rows))
        # Error of the embedded pair over atol + rtol max(|y|, |y_next|)
        scale = self.tol + torch.maximum(self.y.abs(), y.abs()) * self.tol
        return y, stages[-1], _rms(wide * _sum(E, stages) / scale)

    def _least(self) -> Tensor:
        """The smallest step, ten times the spacing of numbers at r."""
        return 10 * (torch.nextafter(self.r, torch.full_like(self.r, torch.inf)) - self.r)

    def finished(self) -> tuple[Tensor, Tensor]:
        """Rows that have arrived, and their states; they and those not finite are dropped."""
        # A row that is not finite any more stays NaN in the result
        whole = (torch.isfinite(self.y) & torch.isfinite(self.f)).flatten(1).all(dim=1)
        arrived = whole & (self.r >= self.end)
        left = whole & ~arrived
        lost = left & self.rejected & (self.h < self._least())
        # The only copy to the host of an attempt
        arrived, left, lost = torch.stack([arrived, left, lost]).cpu()
        if lost.any():
            self._raise(int(lost.nonzero()[0]))
        index = sent(arrived.nonzero()[:, 0], self.y.device)
        results = self.rows[index], self.y[index]
        if not left.all():
            index = sent(left.nonzero()[:, 0], self.y.device)
            for name in ("rows", "r", "y", "f", "h", "rejected"):
                setattr(self, name, getattr(self, name)[index])
        return results

    def _raise(self, lost: int) -> None:
        at = f"r = {float(self.r[lost]):g} of {self.end:g} (row {int(self.rows[lost])})"
        raise NotReached(
            f"tol={self.tol:g}: not reached at {at}, where the step falls below rounding; "
            "expected a larger tolerance"
        )


@cache
def _tableau() -> tuple:
    """(A, B, C, E) of the method as lists of floats."""
    from scipy.integrate import RK45

    return tuple(getattr(RK45, name).tolist() for name in "ABCE")


def _sum(weights: list[float], stages: list[Tensor]) -> Tensor:
    terms = [w * k for w, k in zip(weights, stages, strict=False) if w]
    return torch.stack(terms).sum(dim=0)


def _rms(y: Tensor) -> Tensor:
    return y.flatten(1).square().mean(dim=1).sqrt()


def _by_row(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 1))
