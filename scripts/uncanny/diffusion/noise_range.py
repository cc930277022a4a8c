"""The range of noise levels of a continuous process: the published one, or its own.

Options `sigma_min` and `sigma_max` of a process, in units of pixel values in [-1, 1]; `sigma_max`
may be the word `data`, the largest distance between two training images (technique 1 of NCSNv2,
Song & Ermon 2020). No torch here: a study is checked with this module before anything runs.
"""

import math
from collections.abc import Mapping

DATA = "data"
OPTIONS = ("sigma_max", "sigma_min")
VP_BETAS = (19.9, 0.1)  # beta_d, beta_min of Song et al. (2021)
EPSILON_T = 0.00001  # smallest time of VP training
# Distributions of training's noise levels that a range determines, by preconditioning
RANGED = {"vp": ("matched", "uniform_time", "log_uniform"), "ve": ("matched", "log_uniform")}
LEAST_REACH = 0.25  # smallest sigma_max, in largest distances between training images


def published(preconditioning: str) -> tuple[float, float]:
    """Return (sigma_min, sigma_max) with which a preconditioning was published."""
    beta_d, beta_min = VP_BETAS
    # sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1 at t = epsilon_t and t = 1
    low, high = (math.sqrt(math.expm1(0.5 * beta_d * t**2 + beta_min * t)) for t in (EPSILON_T, 1))
    # The sub-VP clock has 2 sinh(B/2) where the VP clock has sqrt(exp(B) - 1)
    less = [sigma**2 / math.sqrt(1 + sigma**2) for sigma in (low, high)]
    known = {"vp": (low, high), "sub_vp": tuple(less), "ve": (0.02, 100.0)}
    return known.get(preconditioning, (0.0, math.inf))


def is_own(process: Mapping) -> bool:
    """Whether a process sets its range, or one end of it."""
    return any(process.get(name) is not None for name in OPTIONS)


def ends(process: Mapping) -> tuple[float, float | None]:
    """Return (sigma_min, sigma_max) of a continuous process; sigma_max None where the images
    determine it and it is not known yet.
    """
    low, high = published(process["preconditioning"])
    own_low, own_high = process.get("sigma_min"), process.get("sigma_max")
    low = low if own_low is None else own_low
    return low, None if own_high == DATA else high if own_high is None else own_high


def constants(process: Mapping) -> dict[str, float]:
    """Options of a process's preconditioning that its own range determines; none of a published
    range. The range must be known.
    """
    if not is_own(process):
        return {}
    low, high = ends(process)
    if high is None:
        raise ValueError("sigma_max='data': expected a number, derived from the dataset")
    if process["preconditioning"] == "ve":
        return {"sigma_min": low, "sigma_max": high}
    # The clock has sigma_min at the smallest time of training, sigma_max at 1.
    return dict(zip(("beta_d", "beta_min"), vp_betas(low, high, EPSILON_T), strict=True))


def check(process: Mapping, key_path: str) -> None:
    """Raise ValueError that names the key where a process cannot have the range that it sets."""
    if not is_own(process):
        return
    kind, levels = process["preconditioning"], process.get("levels", "matched")
    key = next(name for name in OPTIONS if process.get(name) is not None)
    where = f"{key_path}.{key}: {process[key]!r}"
    if kind not in RANGED:
        raise ValueError(
            f"{where}, but preconditioning {kind!r} has no range of noise levels that can be set; "
            f"expected no {key}, or preconditioning vp or ve"
        )
    if levels not in RANGED[kind]:
        raise ValueError(
            f"{where}, but levels {levels!r} with preconditioning {kind!r} follow from no range; "
            f"expected levels {' or '.join(RANGED[kind])}"
        )
    low, high = ends(process)
    if high is not None and not low < high:
        raise ValueError(
            f"{where}; expected sigma_max above sigma_min: they are {high:g} and {low:g}"
        )
    if high is not None and kind == "vp":
        try:
            vp_betas(low, high, EPSILON_T)
        except ValueError as error:
            raise ValueError(f"{key_path}.{error}") from None


def check_reach(sigma_max: float, reach: float, dataset: str) -> None:
    """Compare a sigma_max with `reach`, the largest distance between training images in [-1, 1].

    Raises ValueError for less than a quarter of it; prints a warning for less than all of it.
    """
    # Of two images at distance R, one is at least R/2 from any centre: with sigma_max below R/4 it
    # lies more than two standard deviations from where sampling starts.
    fact = (
        f"process.sigma_max: {sigma_max:.4g}; the largest distance between training images of "
        f"{dataset!r} is {reach:.4g} (pixel values in [-1, 1])"
    )
    if sigma_max < LEAST_REACH * reach:
        least = LEAST_REACH * reach
        raise ValueError(f"{fact}; expected at least a quarter of it, {least:.4g}")
    if sigma_max < reach:
        print(f"{fact}: sampling starts closer to the mean image than the data reach", flush=True)


def vp_betas(sigma_min: float, sigma_max: float, epsilon_s: float = 0.001) -> tuple[float, float]:
    """Return (beta_d, beta_min) of the VP clock with sigma(epsilon_s) = sigma_min and sigma(1) =
    sigma_max.

    The range of the original VP-SDE gives (19.9, 0.1). beta_min can come out slightly negative.
    """
    check_range(sigma_min, sigma_max)
    # Two equations, linear in both betas: beta_d t^2 / 2 + beta_min t = ln(1 + sigma^2) at
    # t = epsilon_s and at t = 1 (code of Karras et al. 2022).
    low, high = math.log1p(sigma_min**2), math.log1p(sigma_max**2)
    beta_d = 2 * (low / epsilon_s - high) / (epsilon_s - 1)
    beta_min = high - 0.5 * beta_d
    if beta_min + beta_d <= 0:
        raise ValueError(
            f"sigma_min={sigma_min:g}: too large for a VP clock that has it at t={epsilon_s:g} "
            f"and sigma_max={sigma_max:g} at t=1"
        )
    return beta_d, beta_min


def check_range(sigma_min: float, sigma_max: float) -> None:
    """Raise ValueError unless 0 < sigma_min < sigma_max < infinity."""
    # Comparisons with NaN are false: NaN is refused, too.
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(
            f"sigma_min={sigma_min:g}, sigma_max={sigma_max:g}: expected 0 < sigma_min < sigma_max"
        )
