"""Metrics: stored values, what the numbers mean, and whether the standard errors are true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from uncanny.evaluation import jackknife, kernels, metrics, neighbours
from uncanny.evaluation.features import Features
from uncanny.registry import components

GOLDEN = np.load(Path(__file__).parent / "data" / "metrics.npz")
GENERATED = Features(GOLDEN["features_gen"], GOLDEN["logits"])
REAL = Features(GOLDEN["features_real"], GOLDEN["logits"])
LOGITS = np.array(
    [[2, 0, 0], [0, 2, 0], [0, 0, 2], [1, 1, 0], [3, 0, 0], [0, 0, 3], [0, 3, 0], [1, 0, 1]],
    np.float32,
)
M = np.arange(24, dtype=np.float64).reshape(8, 3)
KINDS = components.kinds("metrics")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Matrices so small are no faster with more, and much slower where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _of_logits(logits, labels=None):
    return Features(np.zeros((len(logits), 1), np.float32), np.asarray(logits), labels)


def _of_pool(pool):
    return Features(np.asarray(pool), np.zeros((len(pool), 2), np.float32))


def _gaussian(rng, n, dim, mean=0.0, std=1.0, classes=5):
    """Rectified Gaussian pools, independent Gaussian logits and random labels."""
    pool = np.maximum(mean + std * rng.standard_normal((n, dim)), 0)
    return Features(pool, 2 * rng.standard_normal((n, classes)), rng.integers(classes, size=n))


def _unshuffled(logits, seed=2020):
    """Rows in the order that the metric's shuffle turns into the given one."""
    order = np.random.RandomState(seed).permutation(len(logits))
    return logits[np.argsort(order)]


# --- stored values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("splits", "shuffle", "seed"),
    [(10, 1, 2020), (10, 0, 2020), (1, 1, 2020), (7, 1, 2020), (10, 1, 7)],
)
def test_inception_score_of_stored_logits(splits, shuffle, seed):
    logits = GENERATED.logits if shuffle else _unshuffled(GENERATED.logits, seed)
    result = metrics.inception_score(_of_logits(logits), splits=splits, seed=seed)
    key = f"isc/splits{splits}_shuffle{shuffle}_seed{seed}"
    assert result.value == pytest.approx(GOLDEN[f"{key}/mean"].item(), abs=1e-10)
    assert result.details["std"] == pytest.approx(GOLDEN[f"{key}/std"].item(), abs=1e-10)
    if splits > 1:
        assert result.se == pytest.approx(result.details["std"] / np.sqrt(splits - 1), rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "splits", "value", "std"),
    [
        (LOGITS, 1, 1.577921942, 0),
        (_unshuffled(LOGITS), 2, 1.582361952, 0.176670066),
        (LOGITS, 2, 1.520465835, 0.204306111),
    ],
)
def test_inception_score_of_eight_rows(logits, splits, value, std):
    result = metrics.inception_score(_of_logits(logits), splits=splits)
    assert result.value == pytest.approx(value, abs=5e-10)
    assert result.details["std"] == pytest.approx(std, abs=5e-10)


def test_fid_of_stored_features():
    result = metrics.fid(GENERATED, REAL)
    assert result.value == pytest.approx(GOLDEN["fid/float64/value"].item(), abs=1e-8)
    assert metrics.fid(_of_pool(np.sin(M)), _of_pool(1.5 * np.cos(M))).value == (
        pytest.approx(2.614039, abs=5e-7)
    )


@pytest.mark.parametrize(("subsets", "size"), [(100, 1000), (20, 500)])
def test_kid_of_stored_features(subsets, size):
    result = metrics.kid(GENERATED, REAL, subsets=subsets, subset_size=size)
    expected = GOLDEN[f"kid/poly_deg3_subsets{subsets}_size{size}_seed2020/float64/mean"].item()
    assert result.value == pytest.approx(expected, abs=1e-9)
    assert result.details["subset_size"] == size


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("name", ["precision", "recall"])
def test_precision_and_recall_of_stored_features(name, k):
    result = getattr(metrics, name)(GENERATED, REAL, k=k)
    assert result.value == pytest.approx(GOLDEN[f"prc/k{k}_full/float64/{name}"].item(), abs=1e-6)


@pytest.mark.parametrize("rows", [64, 1024])
def test_precision_and_recall_are_those_of_whole_matrices(rows, monkeypatch):
    """Of torch-fidelity, and of the error of recall, of halves that are taken one by one."""
    from torch_fidelity import metric_prc

    monkeypatch.setattr(neighbours, "ROWS", rows)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((n, 12)).astype(np.float32) for n in (300, 500))
    sample, reference = _of_pool(x), _of_pool(1.2 * y)

    def expected(x, y):
        result = metric_prc.calculate_precision_recall_full(
            torch.from_numpy(x).double(), torch.from_numpy(y).double(), 3
        )
        return dict(zip(("precision", "recall"), result, strict=True))

    whole = expected(sample.pool, reference.pool)
    for name in ("precision", "recall"):
        assert getattr(metrics, name)(sample, reference).value == whole[name]
    halves = jackknife.halves(300)
    assert halves.sum(axis=0).tolist() == [150] * 38
    assert (halves[:, ::2] ^ halves[:, 1::2]).all()
    shares = [expected(x[half], reference.pool)["recall"] for half in halves.T]
    se = np.sqrt(np.mean(np.subtract(shares[::2], shares[1::2]) ** 2) / 4)
    assert metrics.recall(sample, reference).se == pytest.approx(se, rel=1e-12)


def test_neighbours_of_the_reference_may_be_known(monkeypatch):
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 50, 6, 0.1), _gaussian(rng, 80, 6)
    known = replace(reference, neighbours=neighbours.within(reference.pool, 4))
    assert metrics.precision(sample, known, k=3) == metrics.precision(sample, reference, k=3)
    assert metrics.precision(sample, known, k=5) == metrics.precision(sample, reference, k=5)
    assert known[:40].neighbours is None
    monkeypatch.setattr(neighbours, "within", None)
    metrics.precision(sample, known, k=4)


def test_precision_and_recall_of_eight_rows():
    sample, reference = _of_pool(np.sin(M)), _of_pool(1.5 * np.cos(M))
    assert metrics.precision(sample, reference).value == 0.625
    assert metrics.recall(sample, reference).value == 0


# --- meaning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [1, 10])
def test_uniform_predictions_score_one(splits):
    result = metrics.inception_score(_of_logits(np.zeros((200, 7), np.float32)), splits=splits)
    assert result.value == pytest.approx(1, abs=1e-12)
    assert result.se == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("confidence", [50, 1e5])  # at 1e5 most probabilities are exactly 0
def test_confident_balanced_predictions_score_the_number_of_classes(confidence):
    logits = confidence * np.eye(10, dtype=np.float32)[np.arange(10_000) % 10]
    assert metrics.inception_score(_of_logits(logits), splits=1).value == pytest.approx(
        10, rel=1e-9
    )
    entropy = metrics.class_entropy(_of_logits(logits))
    assert entropy.value == pytest.approx(np.log(10), rel=1e-9)
    assert entropy.details["conditional_entropy"] == pytest.approx(0, abs=1e-9)


def test_one_class_scores_one_and_has_no_entropy():
    sample = _of_logits(50 * np.eye(10, dtype=np.float32)[np.zeros(100, int)])
    assert metrics.inception_score(sample).value == pytest.approx(1, abs=1e-9)
    assert metrics.class_entropy(sample).value == pytest.approx(0, abs=1e-9)


def test_entropies_differ_by_the_log_of_the_inception_score():
    entropy = metrics.class_entropy(GENERATED)
    difference = entropy.value - entropy.details["conditional_entropy"]
    assert difference == pytest.approx(np.log(metrics.inception_score(GENERATED, splits=1).value))


def test_more_splits_score_lower():
    scores = [metrics.inception_score(GENERATED, splits=s).value for s in (1, 10, 100, 400)]
    assert scores == sorted(scores, reverse=True)


def test_a_set_is_no_distance_from_itself():
    assert abs(metrics.fid(REAL, REAL).value) < 1e-8
    assert metrics.precision(REAL, REAL).value == metrics.recall(REAL, REAL).value == 1


def test_kid_of_one_distribution_is_zero_within_its_error():
    rng = np.random.default_rng(0)
    result = metrics.kid(_gaussian(rng, 400, 8), _gaussian(rng, 400, 8))
    assert abs(result.value) < 3 * result.se


def test_mode_collapse_has_high_precision_and_low_recall():
    rng = np.random.default_rng(0)
    real, collapsed = rng.standard_normal((500, 4)), 0.02 * rng.standard_normal((500, 4))
    sample, reference = _of_pool(collapsed), _of_pool(real)
    assert metrics.precision(sample, reference).value > 0.95
    assert metrics.recall(sample, reference).value < 0.05
    assert metrics.precision(reference, sample).value < 0.05  # sample first, reference second
    assert metrics.recall(reference, sample).value > 0.95


def test_class_accuracy_counts_hits():
    logits = np.eye(4, dtype=np.float32)
    result = metrics.class_accuracy(_of_logits(logits, np.array([0, 1, 2, 0])))
    assert result.value == 0.75
    assert result.n == 4


def test_a_perfect_share_is_not_certain():
    result = metrics.class_accuracy(_of_logits(np.eye(4, dtype=np.float32), np.arange(4)))
    assert result.value == 1
    assert 0 < result.se < 0.25


@pytest.mark.parametrize("n", [60, 67, 130])
@pytest.mark.parametrize(
    "name",
    ["inception_score", "fid", "precision", "nearest", "sliced_w2", "class_accuracy", "class_entropy"],
)  # fmt: skip
def test_replicates_are_the_metric_of_the_rest(name, n):
    """Computed anew without each group, of one split."""
    rng = np.random.default_rng(n)
    sample, reference = _gaussian(rng, n, 6, 0.1), _gaussian(rng, 90, 6)
    options = {"splits": 1} if name == "inception_score" else {}

    def value(rows):
        return getattr(metrics, name)(sample[rows], reference, **options).value

    result = getattr(metrics, name)(sample, reference).jackknife
    assert result.value == pytest.approx(
        value(np.arange(n)), rel=1e-10, abs=1e-7 * (name == "precision")
    )
    anew = [value(jackknife.groups(n) != g) for g in range(20)]
    # Shares are means in float32.
    tolerance = 1e-7 if name == "precision" else 1e-10
    assert result.replicates == pytest.approx(anew, rel=tolerance)


@pytest.mark.parametrize("degree", [1, 3])
def test_replicates_of_kid_are_the_u_statistic_of_the_rest(degree):
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 70, 6), _gaussian(rng, 45, 6, 0.3)

    def u_statistic(x, y):
        def mean_of_pairs(a):
            kernel = (a @ a.T / 6 + 1) ** degree
            return kernel[~np.eye(len(a), dtype=bool)].mean()

        return mean_of_pairs(x) + mean_of_pairs(y) - 2 * ((x @ y.T / 6 + 1) ** degree).mean()

    result = metrics.kid(sample, reference, degree=degree).jackknife
    assert result.value == pytest.approx(u_statistic(sample.pool, reference.pool), rel=1e-10)
    anew = [u_statistic(sample.pool[jackknife.groups(70) != g], reference.pool) for g in range(20)]
    assert result.replicates == pytest.approx(anew, rel=1e-10)
    assert result.bias == 0


def test_the_mean_kernel_of_the_reference_may_be_known(monkeypatch):
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 50, 6, 0.1), _gaussian(rng, 80, 6)
    monkeypatch.setattr(kernels, "ROWS", 33)
    known = replace(reference, kernels=kernels.mean_within(reference.pool))
    monkeypatch.undo()
    whole = metrics.kid(sample, reference).jackknife
    monkeypatch.setattr(kernels, "mean_within", None)
    assert metrics.kid(sample, known).jackknife.replicates == pytest.approx(whole.replicates)
    assert known[:40].kernels is None


def test_fid_of_fewer_images_than_features_without_a_group():
    """65 images of 64 features: the rest has a covariance without full rank."""
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 65, 64), _gaussian(rng, 400, 64)
    result = metrics.fid(sample, reference)
    assert result.jackknife.value == pytest.approx(result.value, rel=1e-7)
    x = sample.pool[jackknife.groups(65) != 4]
    mu, sigma = reference.pool.mean(axis=0), np.cov(reference.pool, rowvar=False)
    cross = np.linalg.eigvals(np.cov(x, rowvar=False) @ sigma).real.clip(0)
    expected = np.sum((x.mean(axis=0) - mu) ** 2) + np.trace(np.cov(x, rowvar=False) + sigma)
    expected -= 2 * np.sqrt(cross).sum()
    assert result.jackknife.replicates[4] == pytest.approx(expected, abs=1e-5)


def test_splits_do_not_change_the_jackknife_of_the_inception_score():
    ten, one = (metrics.inception_score(GENERATED, splits=s) for s in (10, 1))
    assert ten.jackknife == one.jackknife
    assert one.jackknife.value == pytest.approx(one.value, rel=1e-12)
    assert one.se == one.jackknife.se != ten.se


def test_recall_of_few_images_has_no_error():
    rng = np.random.default_rng(0)
    result = [metrics.recall(_gaussian(rng, n, 6), _gaussian(rng, 50, 6)) for n in (25, 26)]
    assert (result[0].se, result[0].jackknife) == (None, None)
    assert result[1].se == result[1].jackknife.se > 0
    assert result[1].jackknife.bias == 0


def test_fid_bias_is_seen():
    """Two samples of one distribution have FID > 0; the jackknife says how much of it is bias."""
    rng = np.random.default_rng(0)
    reference = _gaussian(rng, 2000, 10)
    result = [metrics.fid(_gaussian(rng, 200, 10), reference) for _ in range(30)]
    value = np.mean([f.value for f in result])
    assert abs(value - np.mean([f.jackknife.bias for f in result])) < 0.35 * value


def test_order_of_images_does_not_matter_where_classes_are_sorted():
    """Sorted by class, consecutive parts would hold one class each and score 1."""
    logits = 20 * np.eye(5, dtype=np.float32)[np.sort(np.arange(1000) % 5)]
    assert metrics.inception_score(_of_logits(logits)).value > 4.9


# --- standard errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "low", "high"),
    [
        ("inception_score", {"splits": 1}, 0.75, 1.4),
        ("inception_score", {"splits": 10}, 0.75, 1.4),
        ("fid", {}, 0.75, 1.4),
        ("kid", {"subsets": 20}, 0.75, 1.6),
        ("precision", {}, 0.7, 1.4),
        ("recall", {}, 0.65, 1.4),
        ("class_accuracy", {}, 0.75, 1.4),
        ("class_entropy", {}, 0.9, 2.0),  # at its maximum, where the first-order term vanishes
    ],
)
def test_predicted_errors_are_the_observed_spread(name, options, low, high):
    """80 samples of 200 images against one reference; the spread itself is known to 8 %."""
    rng = np.random.default_rng(1)
    reference = _gaussian(rng, 400, 6)
    metric = getattr(metrics, name)
    result = [metric(_gaussian(rng, 200, 6, 0.1, 1.1), reference, **options) for _ in range(80)]
    observed = np.std([f.value for f in result], ddof=1)
    predicted = np.sqrt(np.mean([f.se**2 for f in result]))
    assert low < predicted / observed < high


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "n", "options", "message"),
    [
        ("inception_score", 9, {}, "inception_score: n = 9; needs at least 10 images"),
        ("inception_score", 1, {"splits": 1}, "n = 1; needs at least 2"),
        ("inception_score", 9, {"splits": 0}, "splits is 0"),
        ("fid", 6, {}, r"fid: n = 6; needs at least 7 images \(more than the 6 features\)"),
        ("kid", 3, {}, "kid: n = 3; needs at least 4"),
        ("kid", 20, {"subset_size": 1}, "subset_size 1"),
        ("precision", 3, {}, "precision: n = 3; needs at least 4"),
        ("precision", 20, {"k": 0}, "precision: k is 0"),
        ("recall", 7, {}, "recall: n = 7; needs at least 8"),
        ("class_accuracy", 0, {}, "class_accuracy: n = 0"),
        ("class_entropy", 1, {}, "class_entropy: n = 1"),
    ],
)
def test_too_few_images_are_refused(name, n, options, message):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(_gaussian(rng, n, 6), _gaussian(rng, 50, 6), **options)


@pytest.mark.parametrize("name", ["fid", "kid", "precision", "recall"])
def test_a_small_missing_or_unlike_reference_is_refused(name):
    rng, metric = np.random.default_rng(0), getattr(metrics, name)
    sample = _gaussian(rng, 50, 6)
    with pytest.raises(ValueError, match=f"{name}: n_reference = 3; needs at least"):
        metric(sample, _gaussian(rng, 3, 6))
    with pytest.raises(ValueError, match=f"{name}: n = 50, no reference"):
        metric(sample, None)
    with pytest.raises(ValueError, match=f"{name}: n = 50 of 6 features, reference 7"):
        metric(sample, _gaussian(rng, 50, 7))


# --- nearest --------------------------------------------------------------------------------------


def test_nearest_of_four_points():
    """References 1 apart, the last 4: mean distance to the nearest other (1+1+1+4)/4 = 1.75."""
    reference = _of_pool(np.array([[0.0], [1], [2], [6]]))
    result = metrics.nearest(_of_pool(np.array([[0.5], [3.5], [6]])), reference)
    assert result.value == pytest.approx((0.5 + 1.5 + 0) / 3 / 1.75)
    assert result.se == pytest.approx(np.std([0.5, 1.5, 0], ddof=1) / np.sqrt(3) / 1.75)
    assert result.details["copies"] == 1


def test_nearest_tells_memory_from_new_images_and_noise():
    rng = np.random.default_rng(0)
    train, new, noise = (_gaussian(rng, 400, 6, std=s) for s in (1.0, 1.0, 4.0))
    memory = _of_pool(train.pool[:100] + 0.01 * rng.standard_normal((100, 6)))
    assert metrics.nearest(memory, train).value < 0.2
    assert metrics.nearest(new, train).value == pytest.approx(1, abs=0.1)
    assert metrics.nearest(noise, train).value > 2


def test_a_reference_image_is_not_its_own_neighbour():
    rng = np.random.default_rng(0)
    train = _gaussian(rng, 400, 6)
    result = metrics.nearest(train, train)
    assert result.value == pytest.approx(1, rel=1e-12)
    assert result.details["copies"] == 400
    rounded = _of_pool(train.pool[50:250] * (1 + 1e-7 * rng.standard_normal((200, 6))))
    assert metrics.nearest(rounded, train).value == pytest.approx(1, abs=0.1)


def test_copies_among_other_images_are_memorised():
    rng = np.random.default_rng(0)
    train, new = _gaussian(rng, 400, 6), _gaussian(rng, 1, 6)
    result = metrics.nearest(_of_pool(np.concatenate([train.pool[:99], new.pool])), train)
    assert result.value < 0.05
    assert result.details["copies"] == 99


def test_the_error_of_nearest_is_the_spread_over_samples():
    rng = np.random.default_rng(0)
    train = _gaussian(rng, 300, 6)
    result = [metrics.nearest(_gaussian(rng, 50, 6), train) for _ in range(60)]
    spread = np.std([e.value for e in result], ddof=1)
    assert np.mean([e.se for e in result]) == pytest.approx(spread, rel=0.3)


def test_nearest_among_equal_references_is_refused():
    same = _of_pool(np.ones((5, 2)))
    with pytest.raises(ValueError, match="nearest: n_reference = 5, all the same"):
        metrics.nearest(same, same)


# --- noise_share ----------------------------------------------------------------------------------


def _with_held_out(reference, new):
    return replace(reference, held_out=neighbours.distances(new.pool, reference.pool)[:, 0])


def test_noise_share_of_points_on_a_line(monkeypatch):
    """Held-out images at distances 1 (four of them) and 4: the distance at quantile 0.5 is 1."""
    reference = _of_pool(np.array([[0.0], [2], [4], [9]]))
    reference = _with_held_out(reference, _of_pool(np.array([[-1.0], [1], [3], [5], [13]])))
    sample = _of_pool(np.array([[-2.0], [-1], [2.5], [6.5], [9.5]]))
    monkeypatch.setattr(metrics, "REAL_QUANTILE", 0.5)
    result = metrics.noise_share(sample, reference)
    assert (result.value, result.details["radius"]) == (2 / 5, 1)  # -2 and 6.5 are further than 1
    assert result.se == pytest.approx(np.sqrt(3 / 7 * 4 / 7 / 5))  # binomial, p = (2 + 1)/(5 + 2)
    # 0.9 is 0.6 of the way from the fourth of five distances, 1, to the last, 4.
    monkeypatch.setattr(metrics, "REAL_QUANTILE", 0.9)
    assert metrics.noise_share(sample, reference).details["radius"] == pytest.approx(2.8)


def test_noise_share_tells_new_images_from_noise():
    rng = np.random.default_rng(0)
    train, unseen, new, noise = (_gaussian(rng, 1000, 6, std=s) for s in (1.0, 1.0, 1.0, 8.0))
    reference = _with_held_out(train, unseen)
    assert metrics.noise_share(new, reference).value == pytest.approx(0.01, abs=0.01)
    assert metrics.noise_share(unseen, reference).value == pytest.approx(0.01)  # by definition
    assert metrics.noise_share(noise, reference).value > 0.9
    half = _of_pool(np.concatenate([new.pool[:100], noise.pool[:100]]))
    assert metrics.noise_share(half, reference).value == pytest.approx(0.47, abs=0.04)


def test_noise_share_does_not_depend_on_how_close_an_extractor_brings_its_training_images():
    rng = np.random.default_rng(0)
    train, unseen, new = (_gaussian(rng, 500, 6, std=s) for s in (0.2, 1.0, 1.0))
    assert metrics.noise_share(new, _with_held_out(train, unseen)).value < 0.03


def test_noise_share_needs_held_out_images_that_differ():
    same = _of_pool(np.ones((5, 2)))
    with pytest.raises(ValueError, match="the reference has no distances of held-out images"):
        metrics.noise_share(same, same)
    with pytest.raises(ValueError, match="99 % of the held-out images have a copy"):
        metrics.noise_share(same, _with_held_out(same, same))


def _cloud(rng, n, dim, mean=0.0):
    return _of_pool(mean + rng.standard_normal((n, dim)))


def test_sliced_distance_of_a_shift_is_its_length_over_the_root_of_the_dimension():
    rng = np.random.default_rng(0)
    one, dim = _cloud(rng, 500, 4), 4
    shifted = _of_pool(one.pool + np.array([2.0, 0, 0, 0]))
    assert metrics.sliced_w2(one, one).value == pytest.approx(0, abs=1e-12)
    result = metrics.sliced_w2(shifted, one, projections=4000)
    assert result.value == pytest.approx(2 / np.sqrt(dim), rel=0.03)


def test_sliced_distance_compares_sets_of_different_sizes():
    rng = np.random.default_rng(1)
    real = _cloud(rng, 4000, 3)
    near, far = (metrics.sliced_w2(_cloud(rng, 400, 3, m), real).value for m in (0.0, 0.5))
    assert near < 0.12 < far
    line = _of_pool(np.arange(6.0)[:, None])
    assert metrics.sliced_w2(_of_pool(line.pool[::2] + 0.5), line).value == pytest.approx(
        0, abs=1e-12
    )


def test_standard_error_of_the_sliced_distance_is_its_spread():
    rng = np.random.default_rng(2)
    real = _cloud(rng, 3000, 3)
    result = [metrics.sliced_w2(_cloud(rng, 200, 3, 0.4), real, projections=32) for _ in range(60)]
    spread = np.std([e.value for e in result], ddof=1)
    assert np.mean([e.se for e in result]) == pytest.approx(spread, rel=0.3)
    with pytest.raises(ValueError, match="sliced_w2: projections is 0, expected at least 1"):
        metrics.sliced_w2(real, real, projections=0)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(name, value):
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 50, 6), _gaussian(rng, 50, 6)
    sample.pool[3, 2] = sample.logits[3, 2] = value
    with pytest.raises(ValueError, match=f"{name}: n = 50, 1 not finite; needs finite features"):
        getattr(metrics, name)(sample, reference)


@pytest.mark.parametrize(("labels", "message"), [(None, "no labels"), ([0, 5], "labels 0 to 5")])
def test_class_accuracy_needs_labels_of_the_classes(labels, message):
    labels = labels and np.array(labels)
    with pytest.raises(ValueError, match=f"n = 2, {message}; needs labels 0 to 4"):
        metrics.class_accuracy(_of_logits(np.zeros((2, 5), np.float32), labels))


@pytest.mark.parametrize("name", KINDS)
def test_estimates_are_plain_numbers_and_repeatable(name):
    rng = np.random.default_rng(0)
    sample, reference = _gaussian(rng, 60, 6), _gaussian(rng, 60, 6)
    reference = _with_held_out(reference, _gaussian(rng, 20, 6))
    first, second = (getattr(metrics, name)(sample, reference) for _ in range(2))
    assert first == second
    assert first.n == 60
    assert all(type(v) in (int, float, str) for v in first.details.values())
    assert type(first.value) is type(first.se) is float
