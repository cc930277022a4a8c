"""Trained models: decomposition, better schedule and crossing epoch from measured losses."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from uncanny.diffusion.theory.crossovers import Crossing
from uncanny.diffusion.theory.leading_order import cost_density, explained_noise

POINTS = 400  # of a curve


def interpolated(sigma: np.ndarray, values: np.ndarray) -> PchipInterpolator:
    """Interpolate values [..., M] at noise levels [M] in ln sigma, without new extrema.

    Raises ValueError unless there are four or more noise levels that rise strictly.
    """
    sigma = np.asarray(sigma, float)
    if len(sigma) < 4 or not (np.diff(sigma) > 0).all() or not sigma[0] > 0:
        raise ValueError(
            f"{len(sigma)} noise levels: expected four or more that rise strictly from above 0"
        )
    # Cubic and monotone between points: an overshoot would look like a cost.
    return PchipInterpolator(np.log(sigma), values, axis=-1, extrapolate=False)


def at_nodes(sigma: np.ndarray, values: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Interpolate values [..., M] to nodes [N+1]; ValueError for nodes outside the noise levels."""
    sigma, sigmas = np.asarray(sigma, float), np.asarray(sigmas, float)
    if sigmas.min() < sigma[0] * (1 - 1e-9) or sigmas.max() > sigma[-1] * (1 + 1e-9):
        raise ValueError(
            f"losses are measured from sigma {sigma[0]:g} to {sigma[-1]:g}; the schedule visits "
            f"{sigmas.min():g} to {sigmas.max():g}"
        )
    return interpolated(sigma, values)(np.log(np.clip(sigmas, sigma[0], sigma[-1])))


def own_density(
    sigma: np.ndarray, loss: np.ndarray, dim: int, ends: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (noise levels, kappa) of a model at POINTS levels between two ends, even in ln sigma,
    from its own denoising loss at levels [M].
    """
    fine = np.geomspace(*ends, POINTS)
    explained = explained_noise(loss, sigma, dim)
    return fine, cost_density(at_nodes(sigma, explained, fine), fine)


class Measured:
    """A target of `decompose` that is known by its least denoising loss alone.

    sigma: [M], rising. mmse: E||x0 - D*(x0 + sigma n)||^2, [M], of the best denoiser, or of the
    longest trained one in its place. second_moment: E||x0||^2.
    """

    def __init__(self, sigma, mmse, dim: int, second_moment: float):
        self.sigma, self.dim, self.second_moment = np.asarray(sigma, float), dim, second_moment
        self._explained = explained_noise(mmse, self.sigma, dim)  # lam J
        self._integral = interpolated(self.sigma, self._explained).antiderivative()

    def fisher_information(self, lam: np.ndarray) -> np.ndarray:
        """J(lam) in the shape of lam."""
        # J = g / lam for the best denoiser, whose score error is 0
        return at_nodes(self.sigma, self._explained, np.sqrt(lam)) / lam

    def fisher_integral(self, low: float, high: float) -> float:
        """Integral of J over lam."""
        # d lam = 2 lam d ln sigma: the integral of lam J over ln sigma, twice
        ends = np.clip(0.5 * np.log([low, high]), *np.log(self.sigma[[0, -1]]))
        return float(2 * np.diff(self._integral(ends))[0])

    def initialisation_error(self, lam: float) -> float:
        """Its upper bound, E||x0||^2 / (2 lam)."""
        # (a - ln(1 + a)) / 2 <= a / 2, a = s^2 / lam
        return self.second_moment / (2 * lam)


def predicted_crossing(epochs: Sequence[int], difference: np.ndarray) -> Crossing | None:
    """Predict the crossing epoch: the first checkpoint with a difference below 0 after one above.

    difference: PathKL of the exponential schedule minus that of the polynomial one, [C]. None where
    there is no such checkpoint.
    """
    epochs, difference = list(epochs), np.asarray(difference, float)
    if len(epochs) != len(difference) or len(epochs) < 2:
        raise ValueError(f"{len(epochs)} checkpoints: expected two or more, with a value each")
    above = [epoch for epoch, value in zip(epochs, difference, strict=True) if value > 0]
    for epoch, value in zip(epochs, difference, strict=True):
        before = [other for other in above if other < epoch]
        if value < 0 and before:
            return Crossing(float(epoch), "P->E", (float(before[-1]), float(epoch)))
    return None
