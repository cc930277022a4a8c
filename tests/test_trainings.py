"""Variance between trainings: components recovered, and coverage of intervals by simulation."""

import numpy as np
import pytest
from scipy import stats

from uncanny.evaluation.contrasts import Score
from uncanny.evaluation.trainings import Runs, Spread, Term, is_positive

TRIALS = 800


def score(value, replicates, latents=0, images=None):
    return Score(float(value), np.asarray(replicates, float), latents, images)


def runs(values, covariance, rng):
    """Runs [M, R] whose covariance within each seed is estimated with 19 degrees of freedom."""
    models, seeds = values.shape
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(models))
    wishart = [root @ rng.standard_normal((models, 19)) for _ in range(seeds)]
    covariances = tuple((r, w @ w.T / 19, 19) for r, w in enumerate(wishart))
    # Of the terms only their images matter here: all differ.
    terms = [
        [[Term(1.0, (score(0, np.zeros(20), latents=r, images=None),))] for r in range(seeds)]
        for _ in range(models)
    ]
    return Runs(values, covariances, terms)


def simulated(models, seeds, luck, se, correlation, rng):
    covariance = se**2 * ((1 - correlation) * np.eye(models) + correlation)
    evaluation = rng.multivariate_normal(np.zeros(models), covariance, seeds).T
    return runs(luck * rng.standard_normal((models, seeds)) + evaluation, covariance, rng)


class TestCoverage:
    """95 % intervals cover 95 %, and p below 0.0025 is as rare as that, whatever the luck."""

    @pytest.mark.parametrize("luck", [0.0, 1.0, 5.0])
    @pytest.mark.parametrize(
        "weights",
        [[1, -1, 0, 0, 0, 0], [0.5, 0.5, -0.5, -0.5], [1 / 6] * 6],
        ids=["two of six models", "two against two of four", "the same weights"],
    )
    def test_three_seeds(self, luck, weights):
        rng = np.random.default_rng(0)
        covered, false = 0, 0
        for _ in range(TRIALS):
            trial = simulated(len(weights), 3, luck, 3.0, 0.5, rng)
            everyone = range(len(weights))
            result = trial.contrast(weights, [(everyone, trial.spread())])
            low, high = result.interval()
            covered += low <= 0 <= high
            false += result.p() < 0.0025
        assert 0.93 < covered / TRIALS < 0.995
        assert false / TRIALS < 0.0025 + 3 * np.sqrt(0.0025 / TRIALS)

    def test_one_seed_with_a_stored_spread(self):
        rng = np.random.default_rng(1)
        covered = 0
        for _ in range(TRIALS):
            stored = simulated(4, 3, 5.0, 1.0, 0.5, rng).spread(source="digits")
            trial = simulated(4, 1, 5.0, 1.0, 0.5, rng)
            low, high = trial.contrast([0.5, 0.5, -0.5, -0.5], [(range(4), stored)]).interval()
            covered += low <= 0 <= high
        assert covered / TRIALS == pytest.approx(0.95, abs=0.025)

    def test_fixed_weights_ignore_training(self):
        """What the interval of one seed alone covers if the luck of training is 5 times its se."""
        rng = np.random.default_rng(2)
        covered = 0
        for _ in range(TRIALS):
            low, high = simulated(4, 1, 5.0, 1.0, 0.5, rng).contrast([1, -1, 0, 0]).interval()
            covered += low <= 0 <= high
        assert covered / TRIALS < 0.4


class TestSpread:
    def test_parts(self):
        rng = np.random.default_rng(0)
        spreads = [simulated(6, 3, 2.0, 3.0, 0.5, rng).spread() for _ in range(1000)]
        # What all models of a seed share is no part of the residual: 3² (1 - 0.5) of evaluation
        assert np.mean([s.evaluation for s in spreads]) == pytest.approx(4.5, rel=0.05)
        assert np.mean([s.variance for s in spreads]) == pytest.approx(8.5, rel=0.05)
        assert {s.freedom for s in spreads} == {10.0} and spreads[0].evaluation_freedom == 57

    def test_is_not_below_zero(self):
        assert Spread(1.0, 4, 3.0, 57).training == 0

    def test_one_model_varies_between_its_seeds(self):
        rng = np.random.default_rng(0)
        spreads = [simulated(1, 3, 2.0, 1.0, 0.0, rng).spread() for _ in range(1000)]
        assert np.mean([s.variance for s in spreads]) == pytest.approx(5, rel=0.1)
        assert spreads[0].freedom == 2


class TestOfScores:
    def test_pairs_by_group_and_takes_logarithms(self):
        rng = np.random.default_rng(0)
        common = rng.standard_normal(20)
        a, b = 8 + 0.1 * common, 4 + 0.05 * common + 0.001 * rng.standard_normal(20)
        terms = [[[Term(1.0, (score(8, a),))]], [[Term(1.0, (score(4, b),))]]]
        ratio = Runs.of(terms).contrast([1, -1])
        assert ratio.value == pytest.approx(np.log(2))
        replicates = np.log(a / b)
        expected = np.sqrt(19 / 20 * np.sum((replicates - replicates.mean()) ** 2))
        assert (ratio.se, ratio.freedom) == (pytest.approx(expected), pytest.approx(19))
        assert (ratio.scale, ratio.differing) == ("log", 20)
        difference = Runs.of(terms, base=4.0).contrast([1, -1])
        assert (difference.value, difference.scale) == (pytest.approx(1), "difference")

    def test_other_latents_add(self):
        rng = np.random.default_rng(0)
        cells = [score(5, 5 + rng.standard_normal(20), latents=k) for k in range(2)]
        result = Runs.of([[[Term(1.0, tuple(cells))]]], base=1.0).contrast([1])
        singles = [
            19 / 20 * np.sum((c.without_groups - c.without_groups.mean()) ** 2) for c in cells
        ]
        assert result.se == pytest.approx(np.sqrt(sum(singles)) / 2)
        assert 19 < result.freedom <= 38

    def test_the_same_images_differ_nowhere(self):
        images = tuple("abcdefghijklmnopqrst")
        same = score(5, np.linspace(4, 6, 20), images=images)
        terms = [[[Term(1.0, (same,)), Term(-1.0, (same,))]]]
        assert Runs.of(terms).contrast([1]).by_construction

    def test_groups_differ_in_number(self):
        terms = [[[Term(1.0, (score(5, np.ones(20)), score(5, np.ones(10))))]]]
        with pytest.raises(ValueError, match="10 and 20 groups of images"):
            Runs.of(terms)

    def test_logarithms_need_positive_values(self):
        assert is_positive([score(1, [0.5, 2])])
        assert not is_positive([score(1, [-0.5, 2])])


def test_freedom_follows_the_larger_part():
    """Where training dominates, the degrees of freedom are those of its few runs."""
    rng = np.random.default_rng(0)
    trial = simulated(4, 3, 50.0, 0.1, 0.0, rng)
    result = trial.contrast([1, -1, 0, 0], [(range(4), trial.spread())])
    assert result.freedom == pytest.approx(6, rel=0.01)
    assert stats.t.ppf(0.975, result.freedom) == pytest.approx(2.45, abs=0.01)
