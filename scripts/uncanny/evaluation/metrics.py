"""Image-quality metrics: pure functions of stored features, each with a standard error.

Every metric is `name(sample, reference, *, options) -> Estimate`, where sample holds the features
of generated images. Values are torch-fidelity's. The standard error is that of drawing the sample,
given extractor and reference: it contains neither sampling seeds nor training seeds. ValueError
names metric, n and requirement where features are not finite, too few or of different widths.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from uncanny.evaluation import fewest_images, neighbours
from uncanny.evaluation.features import Features
from uncanny.registry.option_types import Bounds, PositiveInt, Seed, SmallInt, TwoOrMore

GROUPS = 10  # of a delete-group jackknife
BLOCK = 1000  # images in a KID block
VALUES = 2**24  # of a matrix of kernels, held at a time: 128 MB
HALVINGS = 10  # of the sample, for the error of recall
REAL_QUANTILE = 0.99  # of distances among real images, beyond which an image is noise
COPY = 1e-4  # in units of the distance between neighbours: rounding of features
FALLING = {"fid", "kid", "sliced_w2", "noise_share"}  # metrics of which less is better
# Metrics that compare images with the classes that they were conditioned on
BY_LABEL = {"class_accuracy"}
# Fewest images of a sample, the largest of these numbers: option -> (factor, more) stands for
# factor * option + more, "features" for the number of features, "" for a number alone.
FEWEST = {
    "inception_score": {"splits": (1, 0), "": (0, 2)},
    "fid": {"features": (1, 1), "groups": (1, 0)},
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
    "noise_share": {"": (0, 2)},
    "sliced_w2": {"": (0, 2)},
}
# Metrics that look at the neighbours of reference images: their number, or the option with it.
AMONG_REFERENCES = {"precision": "k", "noise_share": 1}


@dataclass(frozen=True)
class Estimate:
    """Value, standard error in the same unit, number of generated images, details of the method."""

    value: float
    se: float
    n: int
    details: dict


def inception_score(
    sample: Features,
    reference: Features | None = None,
    *,
    splits: PositiveInt = 10,
    seed: Seed = 2020,
) -> Estimate:
    """Inception Score exp(E KL(p(y|x) ‖ p(y))), from 1 to the number of classes.

    Mean over the splits of the shuffled sample. se: std/sqrt(splits - 1); for one split a
    delete-group jackknife. details: std is the population standard deviation between splits, not
    a standard error; with one split, bias is the jackknife's estimate of the small-sample bias in
    the value. Source: Salimans et al., NeurIPS 2016.
    """
    from torch_fidelity import metric_isc

    # exp((1/n) Σ_i Σ_y p(y|x_i) ln(p(y|x_i) / p(y))) of each split, p(y) = (1/n) Σ_i p(y|x_i)
    def score(logits, splits):
        result = metric_isc.isc_features_to_metric(_tensor(logits), splits, shuffle=False)
        return result["inception_score_mean"], result["inception_score_std"]

    n = len(sample)
    if splits < 1:
        raise ValueError(f"inception_score: splits is {splits}, expected at least 1")
    logits = _logits("inception_score", sample, splits=splits)
    logits = logits[np.random.RandomState(seed).permutation(n)]  # as torch-fidelity shuffles
    value, std = score(logits, splits)
    details = {"splits": splits, "images_per_split": n // splits, "std": std, "seed": seed}
    if splits > 1:
        # std has ddof 0: std/sqrt(splits - 1) = (std with ddof 1)/sqrt(splits)
        return Estimate(value, std / math.sqrt(splits - 1), n, details)
    replicates = [score(logits[rest], 1)[0] for rest in _complements(_groups(n, seed))]
    se, bias = _jackknife(replicates, value)
    return Estimate(value, se, n, details | {"bias": bias})


def fid(
    sample: Features,
    reference: Features | None = None,
    *,
    groups: TwoOrMore = 10,
    seed: Seed = 2020,
) -> Estimate:
    """Fréchet distance of the pools, each taken for a Gaussian, in float64.

    Needs more images than features in both sets. se: delete-group jackknife over the sample.
    details: bias is its estimate of the small-sample bias, about c/n upwards, in the value.
    Source: Heusel et al., NeurIPS 2017.
    """
    from torch_fidelity import metric_fid

    width = sample.pool.shape[1]
    if groups < 2:
        raise ValueError(f"fid: groups is {groups}, expected at least 2")
    x, y = _pools("fid", sample, reference, groups=groups)
    # FID = ‖μ1 - μ2‖² + tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½) (Heusel et al., 2017, eq. 6)
    real = metric_fid.fid_features_to_statistics(_tensor(y.astype(np.float64)))
    x = x.astype(np.float64)  # after the reference, so that one set of float64 is held at a time
    generated = metric_fid.fid_features_to_statistics(_tensor(x))
    value = metric_fid.fid_statistics_to_metric(generated, real, verbose=False)
    value = value["frechet_inception_distance"]
    replicates = _fid_without_groups(x, **real, groups=_groups(len(x), seed, groups))
    se, bias = _jackknife(replicates, value)
    details = {"n_reference": len(y), "features": width, "groups": groups, "seed": seed}
    return Estimate(value, se, len(x), details | {"bias": bias})


def _fid_without_groups(x, mu, sigma, groups) -> list[float]:
    """FID against N(mu, sigma) with each group left out, from one pass over x.

    mu [d], sigma [d, d]: mean and covariance of the reference; groups: indices of rows of x [n, d].
    """
    # Σ = L Lᵀ: the eigenvalues of S Σ are those of the symmetric Lᵀ S L, so that
    # tr (S Σ)^½ = Σ_i sqrt(λ_i(Lᵀ S L)) without the square root of a matrix
    eigenvalues, vectors = np.linalg.eigh(sigma)
    root = vectors * np.sqrt(eigenvalues.clip(0))
    # Sums about the mean: large means would cancel in the covariance.
    centre = x.mean(axis=0)
    x = x - centre
    total, squares = x.sum(axis=0), x.T @ x
    values = []
    for group in groups:
        # Mean and covariance of the rest: sums of all less sums of the group
        n = len(x) - len(group)
        mean = (total - x[group].sum(axis=0)) / n
        covariance = (squares - x[group].T @ x[group] - n * np.outer(mean, mean)) / (n - 1)
        cross = np.sqrt(np.linalg.eigvalsh(root.T @ covariance @ root).clip(0)).sum()
        distance = np.sum((centre + mean - mu) ** 2)
        values.append(float(distance + np.trace(covariance) + np.trace(sigma) - 2 * cross))
    return values


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
    spread is no standard error. se for n < 10,000: delete-group jackknife of the estimate from all
    images; from there on std/sqrt(B) of B = n/1000 disjoint blocks, which includes the reference's
    share. Blocks of a smaller sample overstate the error (fourfold at n = 500 and KID near 0).
    Source: Bińkowski et al., ICLR 2018.
    """
    x, y = _pools("kid", sample, reference)
    x, y = x.astype(np.float64), y.astype(np.float64)
    if subsets < 1 or subset_size < 2:
        options = f"subsets {subsets}, subset_size {subset_size}"
        raise ValueError(f"kid: {options}; expected at least 1 and 2")
    # At most half of a set: subsets of all its images would all be the same.
    size = min(subset_size, len(x) // 2, len(y) // 2)
    value = _mmd(x, y, subsets, size, degree, seed)
    if len(x) < GROUPS * BLOCK:
        method = "jackknife"
        se, _ = _jackknife(_mmd_without_groups(x, y, _groups(len(x), seed), degree), value)
    else:
        # Disjoint blocks are independent: no jackknife, whose cost grows with n².
        method = "blocks"
        blocks = [_mmd(a, b, 1, min(len(a), len(b)), degree, seed) for a, b in _blocks(x, y, seed)]
        se = float(np.std(blocks, ddof=1)) / math.sqrt(len(blocks))
    details = {"n_reference": len(y), "subsets": subsets, "subset_size": size, "degree": degree}
    return Estimate(value, se, len(x), details | {"seed": seed, "se_method": method})


def _mmd(x, y, subsets: int, size: int, degree: int, seed: int) -> float:
    """Mean over subsets of the U-statistic (Gretton et al., JMLR 2012; Bińkowski et al., 2018)."""
    from torch_fidelity import metric_kid

    # MMD²_u = Σ_{i≠j} k(x_i, x_j)/(m (m-1)) + Σ_{i≠j} k(y_i, y_j)/(m (m-1))
    #          - 2 Σ_{i,j} k(x_i, y_j)/m², with k(x, y) = (x·y/d + 1)^degree
    options = {"kid_subsets": subsets, "kid_subset_size": size, "kid_kernel_poly_degree": degree}
    options |= {"rng_seed": seed, "verbose": False}
    result = metric_kid.kid_features_to_metric(_tensor(x), _tensor(y), **options)
    return result["kernel_inception_distance_mean"]


def _mmd_without_groups(x, y, groups, degree: int) -> list[float]:
    """KID with each group left out, up to the term of y alone, from kernel sums over groups."""
    from torch_fidelity.metric_kid import kernel_poly

    count, options = len(groups), {"kid_kernel_poly_degree": degree}
    # pairs[a, b]: Σ k(x_i, x_j) over i in a, j in b, i ≠ j; cross[a]: Σ k(x_i, y_j) over i in a
    pairs, cross = np.zeros((count, count)), np.zeros(count)
    for a, rows in enumerate(groups):
        for b, columns in enumerate(groups[: a + 1]):
            kernel = kernel_poly(x[rows], x[columns], **options)
            pairs[a, b] = pairs[b, a] = kernel.sum() - (np.trace(kernel) if a == b else 0)
        step = max(1, VALUES // len(rows))  # bounds the memory of a kernel matrix
        cross[a] = sum(
            kernel_poly(x[rows], y[start : start + step], **options).sum()
            for start in range(0, len(y), step)
        )
    values = []
    for g, group in enumerate(groups):
        # The term of y alone is the same in all replicates and cancels in the jackknife's se.
        n, kept = len(x) - len(group), np.arange(count) != g
        within = pairs[np.ix_(kept, kept)].sum() / (n * (n - 1))
        values.append(within - 2 * cross[kept].sum() / (n * len(y)))
    return values


def _blocks(x, y, seed: int):
    """Yield disjoint blocks of x, each with a block of y, which is cycled through."""
    rng = np.random.RandomState(seed)
    images, references = rng.permutation(len(x)), rng.permutation(len(y))
    size = min(BLOCK, len(y))
    for b in range(len(x) // BLOCK):
        rows = np.arange(b * size, (b + 1) * size) % len(y)
        yield x[images[b * BLOCK : (b + 1) * BLOCK]], y[references[rows]]


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
    value = float(_shares(hits)[0])
    return Estimate(value, _binomial_se(value, len(sample)), len(sample), details)


def _among(reference: Features, k: int) -> np.ndarray:
    """Squared distances of each reference image to its k nearest others, ascending: [m, >= k]."""
    stored = reference.neighbours
    if stored is None or stored.shape[1] < k:
        return neighbours.within(reference.pool, k)
    return stored


def recall(
    sample: Features, reference: Features | None = None, *, k: SmallInt = 3, seed: Seed = 2020
) -> Estimate:
    """Share of reference images inside the k-nearest-neighbour manifold of the sample.

    The manifold is made of the sample. se: two halves of it are independent samples, so that
    se² = mean (r1 - r2)²/4 over random halvings. (A bootstrap repeats images, which are then each
    other's neighbours and shrink the radii; a jackknife overstates the error up to twofold.)
    Source: Kynkäänniemi et al., NeurIPS 2019.
    """
    x, y, details = _manifold("recall", sample, reference, k)
    # recall = mean_y f(y, X), of the whole sample (first column) and of both halves of each halving
    sets = np.concatenate([np.ones((len(x), 1), bool), _halves(len(x), seed)], axis=1)
    x = _tensor(x)
    hits = neighbours.inside(_tensor(y), x, neighbours.radii(x, _tensor(sets), k))
    value, *shares = map(float, _shares(hits))
    # Var(r1 - r2) = 2 Var(r of n/2 images), and half of that variance belongs to n images
    se = math.sqrt(np.mean((np.array(shares[::2]) - shares[1::2]) ** 2) / 4)
    return Estimate(value, se, len(x), details | {"halvings": HALVINGS, "seed": seed})


def _manifold(name: str, sample, reference, k: int) -> tuple:
    if k < 1:
        raise ValueError(f"{name}: k is {k}, expected at least 1")
    x, y = _pools(name, sample, reference, k=k)
    return x, y, {"n_reference": len(y), "k": k}


def _shares(hits):
    """Means over images in float32, as torch-fidelity takes them."""
    return hits.float().mean(dim=0)


def _halves(n: int, seed: int) -> np.ndarray:
    """Membership of images in both halves of each random halving, in turn: bool [n, 2 H]."""
    rng = np.random.RandomState(seed)
    orders = [rng.permutation(n) for _ in range(HALVINGS)]
    halves = np.zeros((n, 2 * HALVINGS), bool)
    for number, order in enumerate(orders):
        # Halves of equal size: of an odd number one image is in neither.
        halves[order[: n // 2], 2 * number] = True
        halves[order[n // 2 : n // 2 * 2], 2 * number + 1] = True
    return halves


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
    x, y = _pools("nearest", sample, reference)
    # Unit: mean distance of a reference image to its second nearest; the nearest is itself.
    rows = np.random.RandomState(seed).permutation(len(y))[:baseline]
    unit = neighbours.distances(y[rows], y)[:, 1].mean()
    if not unit > 0:
        raise ValueError(f"nearest: n_reference = {len(y)}, all the same; needs different images")
    nearest_distance, copies = _to_reference(x, y, unit)
    details = {"n_reference": len(y), "unit": float(unit), "copies": copies}
    details |= {"baseline": len(rows), "seed": seed}
    se = float(nearest_distance.std(ddof=1) / math.sqrt(len(x)))
    return Estimate(float(nearest_distance.mean()), se, len(x), details)


def _to_reference(x: np.ndarray, y: np.ndarray, unit: float) -> tuple[np.ndarray, int]:
    """Distance of each row of x to the nearest of y, in units of `unit`, and how many rows of x are
    in y. Where all are, x is taken for a part of y: a row is then not its own neighbour.
    """
    distances = neighbours.distances(x, y) / unit
    copied = distances[:, 0] < COPY
    return distances[:, 1 if copied.all() else 0], int(copied.sum())


def noise_share(sample: Features, reference: Features | None = None) -> Estimate:
    """Share of generated images that are noise: further from every reference image than 99 % of the
    reference images are from their nearest other.

    New real images have a larger share than 1 % if the extractor was trained on the reference: the
    score of a held-out split says how large. A sample that lies in the reference entirely is taken
    for a part of it, as in `nearest`. se: binomial, given the reference. details: radius is that
    distance, in the unit of features.
    """
    x, y = _pools("noise_share", sample, reference)
    # r: quantile over y in Y of min_{y' != y} ‖y - y'‖; an image x is noise if min_y ‖x - y‖ > r
    radius = float(np.quantile(np.sqrt(_among(reference, 1)[:, 0]), REAL_QUANTILE))
    if not radius > 0:
        raise ValueError(
            f"noise_share: n_reference = {len(y)}, 99 % of them have a copy; needs different images"
        )
    distances, copies = _to_reference(x, y, radius)
    value = float(np.mean(distances > 1))
    details = {"n_reference": len(y), "quantile": REAL_QUANTILE, "radius": radius, "copies": copies}
    return Estimate(value, _binomial_se(value, len(x)), len(x), details)


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
    se: delete-group jackknife over the sample. details: bias is its estimate of the small-sample
    bias in the value. Source: Bonneel et al., J. Math. Imaging and Vision 51 (2015).
    """
    if projections < 1:
        raise ValueError(f"sliced_w2: projections is {projections}, expected at least 1")
    x, y = _pools("sliced_w2", sample, reference)
    # SW2² = E_a W2²(a·X, a·Y) over directions a uniform on the sphere: normalised Gaussian vectors
    axes = np.random.RandomState(seed).standard_normal((projections, x.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    # On a line W2 compares quantiles: sort both sets.
    projected, real = axes @ x.T, np.sort(axes @ y.T, axis=1)
    order = np.argsort(projected, axis=1)
    ranked = np.take_along_axis(projected, order, axis=1)
    value, groups = _line_distance(ranked, real), _groups(len(x), seed)
    # Leaving a group out of sorted values keeps them sorted: no replicate sorts again.
    group_of = np.empty(len(x), int)
    for g, group in enumerate(groups):
        group_of[group] = g
    kept = (group_of[order] != g for g in range(len(groups)))
    replicates = [_line_distance(ranked[k].reshape(projections, -1), real) for k in kept]
    se, bias = _jackknife(replicates, value)
    details = {"n_reference": len(y), "projections": projections, "bias": bias, "seed": seed}
    return Estimate(value, se, len(x), details)


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
    logits, labels = _logits("class_accuracy", sample), sample.labels
    n, classes = logits.shape
    if labels is None or labels.min() < 0 or labels.max() >= classes:
        extent = "no labels" if labels is None else f"labels {labels.min()} to {labels.max()}"
        raise ValueError(f"class_accuracy: n = {n}, {extent}; needs labels 0 to {classes - 1}")
    value = float(np.mean(logits.argmax(axis=1) == labels))
    return Estimate(value, _binomial_se(value, n), n, {"classes": classes})


def class_entropy(
    sample: Features, reference: Features | None = None, *, seed: Seed = 2020
) -> Estimate:
    """Entropy -Σ q ln q of the mean prediction q, in nats: 0 for one class, ln K for K even ones.

    se: delete-group jackknife. details: conditional_entropy is the mean entropy of the single
    predictions; the difference of the two is ln IS with one split.
    """
    # ln IS = H(E p) - E H(p), the mutual information of image and class (Barratt and Sharma, 2018)
    p = np.exp(_logits("class_entropy", sample))
    p /= p.sum(axis=1, keepdims=True)
    value, conditional = float(_entropy(p.mean(axis=0))), float(_entropy(p).mean())
    replicates = [_entropy(p[rest].mean(axis=0)) for rest in _complements(_groups(len(p), seed))]
    se, bias = _jackknife(replicates, value)
    details = {"classes": p.shape[1], "conditional_entropy": conditional, "bias": bias}
    return Estimate(value, se, len(p), details | {"seed": seed})


def _logits(name: str, sample: Features, **options) -> np.ndarray:
    """Logits in float64, largest 0, cut at -700: exp(-700) vanishes in sums, 0 ln 0 is no NaN."""
    _check_count(name, len(sample), None, options)
    logits = _checked(name, sample.logits, "n").astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return np.maximum(logits, -700, out=logits)


def _pools(name: str, sample: Features, reference: Features | None, **options) -> tuple:
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


def _tensor(array: np.ndarray):
    import torch

    return torch.from_numpy(array)


def _groups(n: int, seed: int, groups: int = GROUPS) -> list[np.ndarray]:
    """Random groups of nearly equal size: images may lie ordered by class."""
    return np.array_split(np.random.RandomState(seed).permutation(n), min(groups, n))


def _complements(groups: list[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(groups[:g] + groups[g + 1 :]) for g in range(len(groups))]


def _jackknife(replicates: list[float], value: float) -> tuple[float, float]:
    """Standard error and bias from the values without each group, and from the value of all."""
    # se² = (G-1)/G Σ_g (θ_g - θ̄)², bias = (G-1)(θ̄ - θ) (Efron, 1982)
    count, mean = len(replicates), np.mean(replicates)
    se = math.sqrt((count - 1) / count * np.sum((np.array(replicates) - mean) ** 2))
    return se, float((count - 1) * (mean - value))


def _binomial_se(share: float, n: int) -> float:
    """Standard error of a share of n independent hits; never 0."""
    # sqrt(p (1-p)/n) with p = (hits + 1)/(n + 2): a share of 0 or 1 in a sample is not certain
    p = (share * n + 1) / (n + 2)
    return math.sqrt(p * (1 - p) / n)


def _entropy(p: np.ndarray) -> np.ndarray:
    """-Σ p ln p over the last axis, with 0 ln 0 = 0."""
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=-1)
