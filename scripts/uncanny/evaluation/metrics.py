"""Image-quality metrics: pure functions of stored features, each with a standard error.

Every metric is `name(sample, reference, *, options) -> Estimate`, where sample holds the features
of generated images. Values are torch-fidelity's, with the standard error of drawing the sample,
given extractor and reference: it contains neither sampling seeds nor training seeds. The jackknife
beside them is of the same quantity of all images at once, in groups that are the same in all sets.
ValueError names metric, n and requirement where features are not finite, too few or of different
widths.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from uncanny.evaluation import frechet, jackknife, kernels, metric_inputs, neighbours
from uncanny.evaluation.features import Features
from uncanny.evaluation.jackknife import Jackknife
from uncanny.registry.option_types import Bounds, PositiveInt, Seed, SmallInt, TwoOrMore

REAL_QUANTILE = 0.99  # of distances of held-out real images, beyond which an image is noise
COPY = 1e-4  # in units of the distance between neighbours: rounding of features
FALLING = {"fid", "kid", "sliced_w2", "noise_share"}  # metrics of which less is better
SIGNED = {"kid"}  # metrics whose estimates may be below 0
# Metrics that compare images with the classes that they were conditioned on
BY_LABEL = {"class_accuracy"}
# Fewest images of a sample, the largest of these numbers: option -> (factor, more) stands for
# factor * option + more, "features" for the number of features, "" for a number alone.
FEWEST = {
    "inception_score": {"splits": (1, 0), "": (0, 2)},
    "fid": {"features": (1, 1), "": (0, 3)},  # a covariance without one image
    "kid": {"": (0, 4)},  # two subsets of two images
    "precision": {"k": (1, 1)},
    "recall": {"k": (2, 2)},  # k neighbours in each half
    "nearest": {"": (0, 2)},
    "noise_share": {"": (0, 1)},
    "sliced_w2": {"": (0, 2)},
    "class_accuracy": {"": (0, 1)},
    "class_entropy": {"": (0, 2)},
}
# The same of the reference, for metrics that compare with one.
FEWEST_REFERENCE = {
    "fid": {"features": (1, 1)},
    "kid": {"": (0, 4)},
    "precision": {"k": (1, 1)},
    "recall": {"k": (2, 2)},
    "nearest": {"": (0, 2)},
    "noise_share": {"": (0, 1)},
    "sliced_w2": {"": (0, 2)},
}
# Metrics that compare with the distances of held-out images to the reference
HELD_OUT = {"noise_share"}
# Metrics that look at the neighbours of reference images: their number, or the option with it.
AMONG_REFERENCES = {"precision": "k"}
# Metrics that need the mean kernel of two reference images, which is the same for all samples.
KERNELS = {"kid"}


@dataclass(frozen=True)
class Estimate:
    """Value, standard error in the same unit (None where unknown), number of generated images,
    details of the method, and the jackknife of the quantity without its small-sample bias.

    The jackknife's value is that of all n images: of one split, of no subsets. None for too few.
    """

    value: float
    se: float | None
    n: int
    details: dict
    jackknife: Jackknife | None = None


def inception_score(
    sample: Features,
    reference: Features | None = None,
    *,
    splits: PositiveInt = 10,
    seed: Seed = 2020,
) -> Estimate:
    """Inception Score exp(E KL(p(y|x) ‖ p(y))), from 1 to the number of classes.

    Mean over the splits of the shuffled sample. se: std/sqrt(splits - 1); for one split the
    jackknife's. details: std is the population standard deviation between splits, not a standard
    error. The jackknife is of one split, for any number. Source: Salimans et al., NeurIPS 2016.
    """
    from torch_fidelity import metric_isc

    n = len(sample)
    if splits < 1:
        raise ValueError(f"inception_score: splits is {splits}, expected at least 1")
    logits = metric_inputs.logits("inception_score", sample, splits=splits)
    shuffled = logits[np.random.RandomState(seed).permutation(n)]  # as torch-fidelity shuffles
    result = metric_isc.isc_features_to_metric(_tensor(shuffled), splits, shuffle=False)
    value, std = result["inception_score_mean"], result["inception_score_std"]
    details = {"splits": splits, "images_per_split": n // splits, "std": std, "seed": seed}
    without = jackknife.of_sums(_inception_score_of_sums, *_predictions(logits))
    # std has ddof 0: std/sqrt(splits - 1) = (std with ddof 1)/sqrt(splits)
    se = std / math.sqrt(splits - 1) if splits > 1 else without.se
    return Estimate(value, se, n, details, without)


def _inception_score_of_sums(n: int, predicted: np.ndarray, entropy: float) -> float:
    # exp((1/n) Σ_i Σ_y p(y|x_i) ln(p(y|x_i) / q(y))) = exp(H(q) - mean H(p)), q(y) = mean p(y|x_i)
    return math.exp(_entropy(predicted / n) - entropy / n)


def fid(sample: Features, reference: Features | None = None) -> Estimate:
    """Fréchet distance of the pools, each taken for a Gaussian, in float64.

    Needs more images than features in both sets. se: the jackknife's, whose bias is about c/n
    upwards. Source: Heusel et al., NeurIPS 2017.
    """
    from torch_fidelity import metric_fid

    x, y = metric_inputs.pools("fid", sample, reference)
    # FID = ‖μ1 - μ2‖² + tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½) (Heusel et al., 2017, eq. 6)
    real = metric_fid.fid_features_to_statistics(_tensor(y.astype(np.float64)))
    x = x.astype(np.float64)  # after the reference, so that one set of float64 is held at a time
    generated = metric_fid.fid_features_to_statistics(_tensor(x))
    value = metric_fid.fid_statistics_to_metric(generated, real, verbose=False)
    without = frechet.without_groups(x, **real)
    details = {"n_reference": len(y), "features": x.shape[1]}
    return Estimate(value["frechet_inception_distance"], without.se, len(x), details, without)


def kid(
    sample: Features,
    reference: Features | None = None,
    *,
    subsets: PositiveInt = 100,
    subset_size: TwoOrMore = 1000,
    degree: Annotated[int, Bounds(1, 10)] = 3,
    seed: Seed = 2020,
) -> Estimate:
    """Unbiased squared MMD of the pools under the kernel (x·y/d + 1)^degree; may be negative.

    Mean over random subsets of min(subset_size, n/2, n_reference/2) images. These overlap: their
    spread is no standard error. The jackknife is of the U-statistic of all images, which has no
    bias; its se, 1.25 to 1.4 times the true one near the reference, is the metric's.
    Source: Bińkowski et al., ICLR 2018.
    """
    from torch_fidelity import metric_kid

    x, y = metric_inputs.pools("kid", sample, reference)
    if subsets < 1 or subset_size < 2:
        options = f"subsets {subsets}, subset_size {subset_size}"
        raise ValueError(f"kid: {options}; expected at least 1 and 2")
    # At most half of a set: subsets of all its images would all be the same.
    size = min(subset_size, len(x) // 2, len(y) // 2)
    options = {"kid_subsets": subsets, "kid_subset_size": size, "kid_kernel_poly_degree": degree}
    options |= {"rng_seed": seed, "verbose": False}
    real = _tensor(y.astype(np.float64))
    result = metric_kid.kid_features_to_metric(_tensor(x.astype(np.float64)), real, **options)
    known = kernels.mean_within(y) if reference.kernels is None else reference.kernels
    without = kernels.mmd(x, y, degree, known[degree - 1])
    details = {"n_reference": len(y), "subsets": subsets, "subset_size": size, "degree": degree}
    value = result["kernel_inception_distance_mean"]
    return Estimate(value, without.se, len(x), details | {"seed": seed}, without)


def precision(sample: Features, reference: Features | None = None, *, k: SmallInt = 3) -> Estimate:
    """Share of generated images inside the k-nearest-neighbour manifold of the reference.

    That manifold does not depend on the sample: hits are independent, se is binomial.
    Source: Kynkäänniemi et al., NeurIPS 2019.
    """
    x, y, details = _manifold("precision", sample, reference, k)
    squared = _among(reference, k)
    # f(x, Y) = 1 if ‖x - y‖ <= ‖y - NN_k(y, Y)‖ for at least one y in Y; precision = mean_x f(x, Y)
    # (Kynkäänniemi et al., 2019, eqs. 1 and 2)
    radii = np.ascontiguousarray(squared[:, k - 1 : k])
    hits = neighbours.inside(_tensor(x), _tensor(y), _tensor(radii))
    value, n = float(_shares(hits)[0]), len(sample)
    without = jackknife.of_mean(hits[:, 0].numpy())
    return Estimate(value, _binomial_se(value, n), n, details, without)


def _among(reference: Features, k: int) -> np.ndarray:
    """Squared distances of each reference image to its k nearest others, ascending: [m, >= k]."""
    stored = reference.neighbours
    if stored is None or stored.shape[1] < k:
        return neighbours.within(reference.pool, k)
    return stored


def recall(sample: Features, reference: Features | None = None, *, k: SmallInt = 3) -> Estimate:
    """Share of reference images inside the k-nearest-neighbour manifold of the sample.

    The manifold is made of the sample. se: from the balanced halvings of the groups, halves being
    independent samples; the jackknife holds the same, and no bias. (A bootstrap repeats images,
    which are then each other's neighbours and shrink the radii; leaving groups out overstates the
    error up to twofold.) Neither of fewer than 2k + 20 images, whose halves are too small.
    Source: Kynkäänniemi et al., NeurIPS 2019.
    """
    x, y, details = _manifold("recall", sample, reference, k)
    n, sets = len(x), np.ones((len(x), 1), bool)
    has_halves = n >= 2 * k + jackknife.GROUPS
    if has_halves:
        sets = np.concatenate([sets, jackknife.halves(n)], axis=1)
    # recall = mean_y f(y, X), of the whole sample (first column) and of both halves of each halving
    x = _tensor(x)
    hits = neighbours.inside(_tensor(y), x, neighbours.radii(x, _tensor(sets), k))
    value, *shares = map(float, _shares(hits))
    if not has_halves:
        return Estimate(value, None, n, details)
    without = jackknife.of_halves(value, np.subtract(shares[::2], shares[1::2]))
    return Estimate(value, without.se, n, details, without)


def _manifold(name: str, sample, reference, k: int) -> tuple:
    if k < 1:
        raise ValueError(f"{name}: k is {k}, expected at least 1")
    x, y = metric_inputs.pools(name, sample, reference, k=k)
    return x, y, {"n_reference": len(y), "k": k}


def _shares(hits):
    """Means over images in float32, as torch-fidelity takes them."""
    return hits.float().mean(dim=0)


def nearest(
    sample: Features,
    reference: Features | None = None,
    *,
    baseline: PositiveInt = 2000,
    seed: Seed = 2020,
) -> Estimate:
    """Mean distance of a generated pool to the nearest reference pool, over that among references.

    1: as near to a training image as training images are to each other; below: memorised. How near
    new real images come, the score of a held-out split says. The unit is the mean distance of
    `baseline` random reference images (or all) to their nearest other. A sample that lies in the
    reference entirely is taken for a part of it: an image is then not its own neighbour. se: of the
    sample's mean, given reference. details: copies is the number of images that are in the
    reference. Compare Meehan, Chaudhuri and Dasgupta, AISTATS 2020.
    """
    x, y = metric_inputs.pools("nearest", sample, reference)
    # Unit: mean distance of a reference image to its second nearest; the nearest is itself.
    rows = np.random.RandomState(seed).permutation(len(y))[:baseline]
    unit = neighbours.distances(y[rows], y)[:, 1].mean()
    if not unit > 0:
        raise ValueError(f"nearest: n_reference = {len(y)}, all the same; needs different images")
    nearest_distance, copies = _to_reference(x, y, unit)
    details = {"n_reference": len(y), "unit": float(unit), "copies": copies}
    details |= {"baseline": len(rows), "seed": seed}
    se = float(nearest_distance.std(ddof=1) / math.sqrt(len(x)))
    without = jackknife.of_mean(nearest_distance)
    return Estimate(float(nearest_distance.mean()), se, len(x), details, without)


def _to_reference(x: np.ndarray, y: np.ndarray, unit: float) -> tuple[np.ndarray, int]:
    """Distance of each row of x to the nearest of y, in units of `unit`, and how many rows of x are
    in y. Where all are, x is taken for a part of y: a row is then not its own neighbour.
    """
    distances = neighbours.distances(x, y) / unit
    copied = distances[:, 0] < COPY
    return distances[:, 1 if copied.all() else 0], int(copied.sum())


def noise_share(sample: Features, reference: Features | None = None) -> Estimate:
    """Share of generated images that are noise: further from every reference image than 99 % of
    held-out real images are.

    Reference images are no measure of that: an extractor that was trained on them has them closer
    to each other than new real images are to them. A sample that lies in the reference entirely is
    taken for a part of it, as in `nearest`. se: binomial, given the reference. details: radius is
    that distance, in the unit of features.
    """
    x, y = metric_inputs.pools("noise_share", sample, reference)
    if reference.held_out is None:
        raise ValueError("noise_share: the reference has no distances of held-out images")
    # r: quantile over held-out images z of min_y ‖z - y‖; an image x is noise if min_y ‖x - y‖ > r
    radius = float(np.quantile(reference.held_out, REAL_QUANTILE))
    if not radius > 0:
        raise ValueError(
            f"noise_share: n_reference = {len(y)}, 99 % of the held-out images have a copy among "
            "them; needs different images"
        )
    distances, copies = _to_reference(x, y, radius)
    is_noise, n = distances > 1, len(x)
    value = float(is_noise.mean())
    details = {"n_reference": len(y), "n_held_out": len(reference.held_out)}
    details |= {"quantile": REAL_QUANTILE, "radius": radius, "copies": copies}
    return Estimate(value, _binomial_se(value, n), n, details, jackknife.of_mean(is_noise))


def sliced_w2(
    sample: Features,
    reference: Features | None = None,
    *,
    projections: PositiveInt = 128,
    seed: Seed = 2020,
) -> Estimate:
    """Sliced Wasserstein-2 distance of the pools, in their unit: the root mean square, over random
    directions, of the distance between both sets projected on a line.

    There quantiles are compared, at the ranks of the sample; two samples of one law are not at 0.
    se: the jackknife's. Source: Bonneel et al., J. Math. Imaging and Vision 51 (2015).
    """
    if projections < 1:
        raise ValueError(f"sliced_w2: projections is {projections}, expected at least 1")
    x, y = metric_inputs.pools("sliced_w2", sample, reference)
    # SW2² = E_a W2²(a·X, a·Y) over directions a uniform on the sphere: normalised Gaussian vectors
    axes = np.random.RandomState(seed).standard_normal((projections, x.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    # On a line W2 compares quantiles: sort both sets.
    projected, real = axes @ x.T, np.sort(axes @ y.T, axis=1)
    order = np.argsort(projected, axis=1)
    ranked = np.take_along_axis(projected, order, axis=1)
    value, groups = _line_distance(ranked, real), jackknife.groups(len(x))[order]
    # Leaving a group out of sorted values keeps them sorted: no replicate sorts again.
    kept = (groups != g for g in range(groups.max() + 1))
    replicates = [_line_distance(ranked[k].reshape(projections, -1), real) for k in kept]
    without = jackknife.jackknife(value, replicates)
    details = {"n_reference": len(y), "projections": projections, "seed": seed}
    return Estimate(value, without.se, len(x), details, without)


def _line_distance(ranked: np.ndarray, real: np.ndarray) -> float:
    """Root mean square of ranked values [P, n] minus those of real [P, m] at the same ranks."""
    # Quantile (i + 1/2)/n of the sample is between two of the reference's (j + 1/2)/m.
    at = (np.arange(ranked.shape[1]) + 0.5) / ranked.shape[1] * real.shape[1] - 0.5
    low = np.clip(np.floor(at), 0, real.shape[1] - 2).astype(int)
    share = np.clip(at - low, 0, 1)
    expected = real[:, low] * (1 - share) + real[:, low + 1] * share
    return math.sqrt(np.mean((ranked - expected) ** 2))


def class_accuracy(sample: Features, reference: Features | None = None) -> Estimate:
    """Share of images classified as the class they were conditioned on (labels); binomial se."""
    logits, labels = metric_inputs.logits("class_accuracy", sample), sample.labels
    n, classes = logits.shape
    if labels is None or labels.min() < 0 or labels.max() >= classes:
        extent = "no labels" if labels is None else f"labels {labels.min()} to {labels.max()}"
        raise ValueError(f"class_accuracy: n = {n}, {extent}; needs labels 0 to {classes - 1}")
    hits = logits.argmax(axis=1) == labels
    value, without = float(np.mean(hits)), jackknife.of_mean(hits) if n > 1 else None
    return Estimate(value, _binomial_se(value, n), n, {"classes": classes}, without)


def class_entropy(sample: Features, reference: Features | None = None) -> Estimate:
    """Entropy -Σ q ln q of the mean prediction q, in nats: 0 for one class, ln K for K even ones.

    se: the jackknife's. details: conditional_entropy is the mean entropy of the single
    predictions; the difference of the two is ln IS with one split.
    """
    # ln IS = H(E p) - E H(p), the mutual information of image and class (Barratt and Sharma, 2018)
    p, entropies = _predictions(metric_inputs.logits("class_entropy", sample))
    without = jackknife.of_sums(lambda n, predicted: float(_entropy(predicted / n)), p)
    details = {"classes": p.shape[1], "conditional_entropy": float(entropies.mean())}
    return Estimate(without.value, without.se, len(p), details, without)


def _predictions(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions p [n, K] of logits, and their entropies [n]."""
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return p, _entropy(p)


def _tensor(array: np.ndarray):
    import torch

    return torch.from_numpy(array)


def _binomial_se(share: float, n: int) -> float:
    """Standard error of a share of n independent hits; never 0."""
    # sqrt(p (1-p)/n) with p = (hits + 1)/(n + 2): a share of 0 or 1 in a sample is not certain
    p = (share * n + 1) / (n + 2)
    return math.sqrt(p * (1 - p) / n)


def _entropy(p: np.ndarray) -> np.ndarray:
    """-Σ p ln p over the last axis, with 0 ln 0 = 0."""
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=-1)
