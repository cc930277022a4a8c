"""Contrasts of scores: pairing by group, scales, what is by construction, and coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from uncanny.evaluation import jackknife, metrics
from uncanny.evaluation.contrasts import Score, contrast
from uncanny.evaluation.features import Features
from uncanny.evaluation.trainings import Runs, Term

IMAGES = tuple("abcdefghijklmnopqrst")


def of(result, latents=0, images=None):
    return Score(result.corrected, result.without_groups, latents, images)


def compare(a, b, scale="difference"):
    """The mean of a against the mean of b."""
    terms = [Term(1.0, tuple(a)), Term(-1.0, tuple(b))]
    return Runs.of([[terms]], base=None if scale == "log" else 1.0).contrast([1.0])


def mean(scores):
    return Runs.of([[[Term(1.0, tuple(scores))]]], base=1.0).contrast([1.0])


def of_mean(values, latents=0, images=None):
    return of(jackknife.of_mean(values), latents, images)


@pytest.fixture
def pair():
    """Two sets of 400 numbers with a correlation of 0.99."""
    rng = np.random.default_rng(0)
    common, own = rng.standard_normal(400), 0.1 * rng.standard_normal((2, 400))
    return 5 + common + own[0], 4 + common + own[1]


class TestPairing:
    def test_a_difference_has_the_error_of_the_differences(self, pair):
        a, b = pair
        result, single = compare([of_mean(a)], [of_mean(b)]), jackknife.of_mean(a - b)
        assert (result.value, result.se) == pytest.approx((single.value, single.se))
        assert (result.freedom, result.differing) == (pytest.approx(19), 20)
        assert result.interval() == pytest.approx(
            [single.value + s * stats.t.ppf(0.975, 19) * single.se for s in (-1, 1)]
        )
        t = abs(single.value - 0.9) / single.se
        assert result.p(0.9) == pytest.approx(2 * stats.t.sf(t, 19))

    def test_other_latents_are_independent(self, pair):
        a, b = (jackknife.of_mean(values) for values in pair)
        result = compare([of(a, latents=0)], [of(b, latents=1)])
        assert result.se == pytest.approx(math.hypot(a.se, b.se))
        # Satterthwaite (1946)
        freedom = (a.se**2 + b.se**2) ** 2 / ((a.se**4 + b.se**4) / 19)
        assert result.freedom == pytest.approx(freedom)
        assert 30 < freedom <= 38

    def test_sets_of_another_size_pair_by_group(self):
        rng = np.random.default_rng(0)
        a = rng.standard_normal(2000)
        small, large = of_mean(a[:1000] + 1), of_mean(a)
        # Half of the images are the same: Var(mean_1000 - mean_2000) = σ²/2000
        assert compare([small], [large]).se == pytest.approx(1 / math.sqrt(2000), rel=0.4)
        assert compare([small], [Score(large.value, large.without_groups, 1)]).se > 0.03

    def test_pairs_of_two_training_seeds(self, pair):
        """Paired within a seed, independent between seeds."""
        a, b = pair
        scores = [[of_mean(np.roll(v, 7 * r), r) for r in (0, 1)] for v in (a, b)]
        result = compare(*scores)
        singles = [compare([x], [y]).se for x, y in zip(*scores, strict=True)]
        assert result.se == pytest.approx(math.hypot(*singles) / 2)
        assert result.freedom > 30

    def test_groups_that_differ_are_refused(self, pair):
        few = of_mean(pair[1][:10])
        with pytest.raises(
            ValueError, match=r"latents 0 have 10 and 20 groups of images; expected"
        ):
            compare([of_mean(pair[0])], [few])

    def test_a_mean_over_cells_is_a_contrast(self, pair):
        a, b = pair
        assert mean([of_mean(a), of_mean(b)]).se == pytest.approx(jackknife.of_mean((a + b) / 2).se)

    def test_any_function_of_the_values(self, pair):
        scores = [of_mean(values) for values in pair]
        weights = np.array([1.0, -1.0])
        result = contrast(lambda v: weights @ np.log(v), scores, weights)
        assert result.value == pytest.approx(math.log(scores[0].value / scores[1].value))
        assert result.se == pytest.approx(compare(scores[:1], scores[1:], "log").se)


def test_a_logarithm_is_that_of_the_means(pair):
    a, b = (of_mean(values) for values in pair)
    log, difference = compare([a, a], [b], "log"), compare([a, a], [b])
    assert log.value == pytest.approx(math.log(a.value / b.value))
    assert (log.scale, difference.scale) == ("log", "difference")
    expected = jackknife.standard_error(np.log(a.without_groups / b.without_groups))
    assert log.se == pytest.approx(expected)


class TestByConstruction:
    @pytest.mark.parametrize(("changed", "by_construction"), [(0, True), (4, True), (5, False)])
    def test_fewer_than_five_groups_differ(self, pair, changed, by_construction):
        a, rows = pair[0], np.isin(jackknife.groups(400), range(changed))
        b = np.where(rows, pair[1], a)
        images = tuple(f"{name}'" if g < changed else name for g, name in enumerate(IMAGES))
        result = compare([of_mean(a, 0, IMAGES)], [of_mean(b, 0, images)])
        assert (result.differing, result.by_construction) == (changed, by_construction)
        if by_construction:
            for test in (result.p, result.interval):
                with pytest.raises(ValueError, match=f"images differ in {changed} groups"):
                    test()

    def test_sets_that_appear_on_both_sides_do_not_differ(self, pair):
        a, b = (
            of_mean(v, 0, tuple(n + i for i in IMAGES)) for v, n in zip(pair, "ab", strict=True)
        )
        assert compare([a, b], [b, a]).differing == 0
        assert compare([a, a], [b, a]).differing == 20

    def test_the_same_images_of_other_latents_are_not_the_same(self, pair):
        a = [of_mean(pair[0], latents, IMAGES) for latents in (0, 1)]
        assert compare(a[:1], a[1:]).differing == 40

    def test_scores_without_spread_have_no_test(self):
        ones = of_mean(np.ones(400))
        assert compare([ones], [ones]).by_construction
        assert mean([ones]).se == 0


# ---- Coverage -----------------------------------------------------------------------------------


def logits(rng, n, common, correlation, sharpness, classes=10):
    """Predictions of a model whose images are `sharpness` sure of a class; models with common
    latents are sure of the same.
    """
    own = latents(rng, n, classes)
    mixed = [
        correlation * c + math.sqrt(1 - correlation**2) * o
        for c, o in zip(common, own, strict=True)
    ]
    names = np.argmax(mixed[0], axis=1)
    sure = sharpness * stats.norm.cdf(mixed[2][:, 0])
    return mixed[1] + sure[:, None] * np.eye(classes)[names]


def latents(rng, n, classes=10):
    return [rng.standard_normal((n, classes)) for _ in range(3)]


def inception_score(logits):
    result = metrics.inception_score(Features(np.zeros((len(logits), 1)), logits), splits=1)
    return of(result.jackknife)


@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_intervals_of_differences_cover_the_true_value(correlation):
    """Inception Scores of two models, 400 images: a long form of this is 0.94 to 0.96."""
    rng = np.random.default_rng(5)

    def contrasts(n):
        common = latents(rng, n)
        scores = [inception_score(logits(rng, n, common, correlation, s)) for s in (8.0, 7.0)]
        return [compare(scores[:1], scores[1:], scale) for scale in ("difference", "log")]

    truth = [result.value for result in contrasts(100_000)]
    trials = np.array([
        [low < value < high for value, (low, high) in zip(truth, intervals, strict=True)]
        for intervals in ([c.interval() for c in contrasts(400)] for _ in range(200))
    ])  # fmt: skip
    # Binomial: 200 trials at 0.95 have a standard deviation of 0.015.
    assert (trials.mean(axis=0) > 0.9).all()
    assert (trials.mean(axis=0) < 0.995).all()


def test_bias_comes_off_before_ratios_are_formed():
    """FID of two models with common latents: small values have the larger bias."""
    rng = np.random.default_rng(0)
    reference = Features(rng.standard_normal((1000, 8)), np.zeros((1000, 2)))

    def pair(n):
        x = rng.standard_normal((n, 8))
        sets = (x + 0.12, 1.05 * x + 0.3)
        return [metrics.fid(Features(a, np.zeros((n, 2))), reference).jackknife for a in sets]

    truth = math.log(np.divide(*[j.corrected for j in pair(200_000)]))
    covered = {"less bias": 0, "raw": 0}
    for _ in range(60):
        result = pair(400)
        raw = [Score(j.value, np.array(j.replicates), 0) for j in result]
        for name, scores in {"less bias": [of(j) for j in result], "raw": raw}.items():
            contrast = compare(scores[:1], scores[1:], "log")
            low, high = contrast.interval()
            covered[name] += contrast.scale == "log" and low < truth < high
    assert covered["less bias"] >= 54
    assert covered["raw"] <= 45


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_intervals_of_fid_cover_the_true_distance(shift):
    """At the reference's own law errors are overstated, farther away they are right."""
    rng = np.random.default_rng(3)

    def features(n):
        return Features(shift + rng.standard_normal((n, 8)), np.zeros((n, 2)))

    reference = Features(rng.standard_normal((1000, 8)), np.zeros((1000, 2)))
    truth = metrics.fid(features(200_000), reference).jackknife.corrected
    result = [metrics.fid(features(300), reference) for _ in range(150)]
    covered = 0
    for estimate in result:
        low, high = mean([of(estimate.jackknife)]).interval()
        covered += low < truth < high
    assert covered >= 0.9 * 150
    # Raw values are far above: no interval around them would do.
    assert (
        np.mean([f.value for f in result]) > truth + 2 * np.std([f.value for f in result]) or shift
    )
