"""Output laws of samplers with an affine model of the score, and their distance from the truth.

A sampler then turns Gaussian noise into a Gaussian, whose mean and variance have closed forms.
"""

from typing import NamedTuple

import numpy as np

CLOCKS = ("linear", "ve")  # sigma = t, sigma = sqrt(t); the SDE sampler knows no clock


class Law(NamedTuple):
    """Mean and variance [..., D] of each dimension of the output."""

    mean: np.ndarray
    variance: np.ndarray


class Maps(NamedTuple):
    """A sampler's steps x -> gain x + offset + sqrt(noise) n in each dimension, [..., D, N]."""

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray


def step_maps(
    solver: str, sigmas: np.ndarray, slope: np.ndarray, offset: np.ndarray, clock: str = "linear"
) -> Maps:
    """Build the steps of "sde" (exponential integrator of the reverse SDE), or of "euler" and
    "heun" for the probability-flow ODE on a clock (Karras et al. 2022, algorithms 1 and 2).

    sigmas: [..., N+1]. slope, offset: of s_theta = -a y + b at the nodes, [..., D, N+1].
    """
    sigmas = np.asarray(sigmas, float)[..., None, :]
    if solver == "sde":
        # y' = y + Delta (-a y + b) + sqrt(Delta) n
        removed = sigmas[..., :-1] ** 2 - sigmas[..., 1:] ** 2
        slope, offset = slope[..., :-1], offset[..., :-1]
        return Maps(1 - removed * slope, removed * offset, removed * np.ones_like(slope))
    if solver not in ("euler", "heun") or clock not in CLOCKS:
        raise ValueError(
            f"solver {solver!r}, clock {clock!r}: expected sde, euler or heun, and linear or ve"
        )
    # dx/dt = -sigma sigma' s_theta: sigma' = 1 on the clock sigma = t, 1 / (2 sigma) on sqrt(t).
    time, speed = (sigmas, sigmas) if clock == "linear" else (sigmas**2, 0.5)
    # Hence dx/dt = growth x + drift.
    growth, drift, h = speed * slope, -speed * offset, np.diff(time)
    here, there = growth[..., :-1], growth[..., 1:]
    # Euler step: x' = x + h (growth x + drift)
    gain, shift = 1 + h * here, h * drift[..., :-1]
    if solver == "heun":
        # Second-order correction: the mean of the slopes at x and at the Euler step x'
        shift = 0.5 * h * (drift[..., :-1] + drift[..., 1:] + there * shift)
        gain = 1 + 0.5 * h * (here + there * gain)
    return Maps(gain, shift, np.zeros_like(gain))


def output_law(sigmas: np.ndarray, maps: Maps, mean=0.0, variance=None) -> Law:
    """The law after all steps, from N(mean, variance); default: from N(0, sigma_max^2)."""
    initial = np.asarray(sigmas, float)[..., None, 0] ** 2 if variance is None else variance
    # Gain of all steps from k on, and of all steps after k
    from_step = np.cumprod(maps.gain[..., ::-1], axis=-1)[..., ::-1]
    after_step = np.concatenate([from_step[..., 1:], np.ones_like(from_step[..., :1])], axis=-1)
    # m = gain m_0 + sum_k after_k offset_k, v = gain^2 v_0 + sum_k after_k^2 noise_k
    return Law(
        from_step[..., 0] * mean + (after_step * maps.offset).sum(axis=-1),
        from_step[..., 0] ** 2 * initial + (after_step**2 * maps.noise).sum(axis=-1),
    )


def denoised(law: Law, sigma: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> Law:
    """The law after a last step to sigma = 0, y + lam s_theta: one more evaluation.

    sigma: [...]. slope, offset: [..., D], at sigma.
    """
    lam = np.asarray(sigma, float)[..., None] ** 2
    # y' = y + lam (-a y + b)
    gain = 1 - lam * slope
    return Law(gain * law.mean + lam * offset, gain**2 * law.variance)


def kl(truth: np.ndarray, counts: np.ndarray, law: Law) -> np.ndarray:
    """KL(N(0, truth) || law), summed over dimensions: truth [D] variances, in counts [D] of them.

    NaN where the truth or the law has no density.
    """
    # (V/v - 1 - ln(V/v) + m^2/v) / 2 with V/v - 1 = (V - v)/v, which keeps small divergences exact
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = (truth - law.variance) / law.variance
        terms = 0.5 * (excess - np.log1p(excess) + law.mean**2 / law.variance)
    return np.where((truth > 0) & (law.variance > 0), terms, np.nan) @ counts


def w2(truth: np.ndarray, counts: np.ndarray, law: Law) -> np.ndarray:
    """Wasserstein-2 distance of law from N(0, truth), in the units of the data."""
    # W2^2 = m^2 + (sqrt(v) - sqrt(V))^2
    spread = np.sqrt(law.variance) - np.sqrt(truth)
    return np.sqrt((law.mean**2 + spread**2) @ counts)
