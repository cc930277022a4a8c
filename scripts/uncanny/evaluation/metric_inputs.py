"""What metrics are computed from, checked: pools and logits that are finite, enough and of equal
widths.
"""

import numpy as np

from uncanny.evaluation import fewest_images
from uncanny.evaluation.features import Features


def logits(name: str, sample: Features, **options) -> np.ndarray:
    """Logits in float64, largest 0, cut at -700: exp(-700) vanishes in sums, 0 ln 0 is no NaN."""
    _check_count(name, len(sample), None, options)
    values = _checked(name, sample.logits, "n").astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    return np.maximum(values, -700, out=values)


def pools(name: str, sample: Features, reference: Features | None, **options) -> tuple:
    """Pools of both, as many as the metric needs with these options."""
    if reference is None:
        raise ValueError(f"{name}: n = {len(sample)}, no reference; needs features of a reference")
    widths = sample.pool.shape[1], reference.pool.shape[1]
    if widths[0] != widths[1]:
        features = f"{widths[0]} features, reference {widths[1]}"
        raise ValueError(f"{name}: n = {len(sample)} of {features}; needs equal widths")
    _check_count(name, len(sample), len(reference), options | {"features": widths[0]})
    return _checked(name, sample.pool, "n"), _checked(name, reference.pool, "n_reference")


def _check_count(name: str, n: int, n_reference: int | None, options: dict) -> None:
    """ValueError where there are fewer images than the metric needs."""
    block, features = {"kind": name} | options, options.get("features")
    counts = {"n": (n, fewest_images.of_sample(block, features))}
    if n_reference is not None:
        counts["n_reference"] = n_reference, fewest_images.of_reference(block, features)
    for key, (count, (fewest, why)) in counts.items():
        if count < fewest:
            reason = f" ({why})" if why else ""
            raise ValueError(f"{name}: {key} = {count}; needs at least {fewest} images{reason}")


def _checked(name: str, array: np.ndarray, n: str) -> np.ndarray:
    bad = int((~np.isfinite(array).all(axis=1)).sum())
    if bad:
        raise ValueError(f"{name}: {n} = {len(array)}, {bad} not finite; needs finite features")
    return array
