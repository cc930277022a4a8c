"""Models of the score of a Gaussian target with a known error: four families, one strength each.

The larger the strength, the less trained the model. A family with an affine model has slope a and
offset b of s_theta = -a y + b in each dimension, [..., D, N+1] for strength [...], variances [D]
and lam [..., N+1]. The family `uniform` stands for any model whose error is e^2 = strength^2 at all
noise levels; it has no output law.
"""

import numpy as np


def _bandwidth(strength, variance, lam):
    """The score of N(0, s^2 + tau^2): detail finer than tau is not learned."""
    # a = 1 / (s^2 + tau^2 + lam), b = 0
    return 1 / (variance + strength**2 + lam), 0.0


def _bias(strength, variance, lam):
    """Exact score + eta / sigma: a systematic error."""
    # a = 1 / (s^2 + lam), b = eta / sigma
    return 1 / (variance + lam), strength / np.sqrt(lam)


def _gain(strength, variance, lam):
    """(1 - eta) times the exact score: too small an amplitude."""
    # a = (1 - eta) / (s^2 + lam), b = 0
    return (1 - strength) / (variance + lam), 0.0


AFFINE = {"bandwidth": _bandwidth, "bias": _bias, "gain": _gain}

# Strengths of each family: below 1, where the model predicts no noise at all and schedules do not
# differ.
STRENGTHS = {
    "uniform": np.linspace(0, 0.98, 50),
    "bandwidth": np.concatenate([[0.0], np.geomspace(0.001, 10, 49)]),
    "bias": np.linspace(0, 0.98, 50),
    "gain": np.linspace(0, 0.98, 50),
}


def affine_score(
    family: str, strength: np.ndarray, variances: np.ndarray, lam: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset [..., D, N+1] of the family's model of the score; ValueError for a family
    without a model.
    """
    if family not in AFFINE:
        raise ValueError(f"family {family!r} has no model; expected one of {', '.join(AFFINE)}")
    strength = np.asarray(strength, float)[..., None, None]
    slope, offset = AFFINE[family](strength, variances[:, None], np.asarray(lam)[..., None, :])
    return np.broadcast_arrays(slope, offset)


def noise_error(
    family: str, strength: np.ndarray, variances: np.ndarray, lam: np.ndarray
) -> np.ndarray:
    """e^2 = lam E|s_theta - s|^2 of each dimension under p_lam, [..., D, N+1]: the squared error of
    the noise prediction.
    """
    lam = np.asarray(lam, float)
    variance = variances[:, None] + lam[..., None, :]
    if family == "uniform":
        return np.asarray(strength, float)[..., None, None] ** 2 + np.zeros_like(variance)
    # s_theta - s = (1/v - a) y + b with y ~ N(0, v), v = s_i^2 + lam
    slope, offset = affine_score(family, strength, variances, lam)
    return lam[..., None, :] * ((1 / variance - slope) ** 2 * variance + offset**2)
