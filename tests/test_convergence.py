"""Plateaus, their uncertainty, and limits in epochs and in the number of images."""

import numpy as np
import pytest
from scipy import stats

from uncanny.evaluation import convergence
from uncanny.evaluation.convergence import plateau, plateau_distribution
from uncanny.evaluation.sample_size import size_limit

EPOCHS = np.arange(10.0, 101.0, 10.0)
RISES = [5.0, 6.5, 7.4, 7.9, 8.1, 8.15, 8.12, 8.17, 8.16, 8.18]
STILL_RISING = [4, 4.8, 5.5, 6.1, 6.6, 7.0, 7.35, 7.65, 7.9, 8.1]
PEAKS = [5, 6.5, 7.4, 7.9, 8.1, 8.3, 8.2, 8.0, 7.8, 7.6]
BUMP = [1.2, 1.21, 1.2, 1.22, 1.6, 1.3, 1.2, 1.21, 1.22, 1.2]
CONTROLS = {"floor": 0.0, "ceiling": 10.0}


class TestPlateau:
    @pytest.mark.parametrize(
        ("values", "floor", "status", "epoch", "level", "reached", "peaked"),
        [
            (RISES, 0.0, "converged", 50, 8.146667, 50, False),
            (STILL_RISING, 0.0, "not_converged", None, None, 100, False),
            (PEAKS, 0.0, "peaked", 60, 8.3, 60, True),
            (BUMP, 1.2, "failed", None, None, 50, True),
        ],
    )
    def test_four_shapes(self, values, floor, status, epoch, level, reached, peaked):
        found = plateau(EPOCHS, values, floor=floor, ceiling=floor + 10)
        assert (found.status, found.epoch, found.reached) == (status, epoch, reached)
        assert found.peaked == peaked
        assert found.level == (None if level is None else pytest.approx(level, abs=1e-6))
        assert found.threshold == pytest.approx(0.01 * max(values))

    def test_bump_without_controls_is_a_peak(self):
        found = plateau(EPOCHS, BUMP, floor=None, ceiling=None)
        assert (found.status, found.epoch, found.best_epoch) == ("peaked", 50, 50)

    def test_exactly_a_fifth_of_the_way_has_failed(self):
        values = np.full(10, 2.0)
        assert plateau(EPOCHS, values, **CONTROLS).status == "failed"
        assert plateau(EPOCHS, values + 0.01, **CONTROLS).status == "converged"

    @pytest.mark.parametrize(
        ("length", "status"), [(8, "converged"), (7, "converged"), (6, "not_converged")]
    )
    def test_two_points_must_follow(self, length, status):
        assert plateau(EPOCHS[:length], RISES[:length], **CONTROLS).status == status

    def test_noise_widens_the_threshold(self):
        found = plateau(EPOCHS, RISES, np.full(10, 0.2), **CONTROLS)
        assert (found.threshold, found.epoch) == (pytest.approx(0.4), 40)

    def test_threshold_takes_the_median_of_the_known_errors(self):
        se = [0.1, np.nan, 0.1, 0.1, 0.1, 0.1, 0.1, 5.0, np.nan, 0.1]
        assert plateau(EPOCHS, RISES, se, **CONTROLS).threshold == pytest.approx(0.2)

    def test_order_and_missing_points(self):
        order = np.random.default_rng(0).permutation(10)
        values = np.array(RISES)
        assert plateau(EPOCHS[order], values[order], **CONTROLS) == plateau(
            EPOCHS, values, **CONTROLS
        )
        gap = np.where(EPOCHS == 50, np.nan, values)
        found = plateau(EPOCHS, gap, **CONTROLS)
        assert (found.epoch, found.points) == (60, 9)

    def test_shift_and_scale_of_a_falling_metric(self):
        """tau is a share of the descent, so neither unit nor offset moves the plateau."""
        fid = 100 * np.exp(-EPOCHS / 15) + 5
        options = {"floor": 200.0, "ceiling": 0.0, "increasing": False}
        found = plateau(EPOCHS, fid, **options)
        assert found.threshold == pytest.approx(0.02 * (fid[0] - fid[-1]))
        assert (found.status, found.epoch) == ("converged", 70)
        assert found.level == pytest.approx(fid[6:].mean())
        scaled = plateau(EPOCHS, 3 * fid + 50, floor=650.0, ceiling=50.0, increasing=False)
        assert (scaled.status, scaled.epoch) == ("converged", 70)

    def test_falling_metric_fails_near_the_noise_and_peaks_upwards(self):
        options = {"floor": 200.0, "ceiling": 0.0, "increasing": False}
        assert plateau(EPOCHS, np.linspace(200, 161, 10), **options).status == "failed"
        overfit = [100, 60, 40, 30, 20, 20, 22, 25, 30, 40]
        found = plateau(EPOCHS, overfit, **options)
        assert (found.status, found.epoch, found.level) == ("peaked", 50, 20)

    def test_mean_of_several_seeds_is_read(self):
        seeds = np.stack([np.array(RISES) - 0.5, np.array(RISES) + 0.5])
        assert plateau(EPOCHS, seeds, **CONTROLS) == plateau(EPOCHS, RISES, **CONTROLS)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"epochs": EPOCHS[:5], "values": RISES[:5]}, "5 points: a plateau needs at least 6"),
            ({"values": [np.nan] * 5 + RISES[5:]}, "5 points"),
            ({"epochs": [10, *EPOCHS[:-1]]}, "repeated"),
            ({"values": RISES[:9]}, "shapes"),
            ({"se": [-0.1] * 10}, "-0.1"),
            ({"rel": -0.5}, "rel is -0.5"),
            ({"floor": 10, "ceiling": 1}, "floor 10"),
            ({"increasing": False}, "floor 0.0"),
        ],
    )
    def test_bad_input_is_one_message(self, change, message):
        arguments = {"epochs": EPOCHS, "values": RISES, "se": None, **CONTROLS} | change
        with pytest.raises(ValueError, match=message):
            plateau(**arguments)


class TestDistribution:
    def test_without_error_all_draws_agree(self):
        found = plateau_distribution(EPOCHS, RISES, np.zeros(10), replicates=50, **CONTROLS)
        assert found.probabilities[50.0] == 1
        assert found.frequencies == {"converged": 1, "peaked": 0, "not_converged": 0, "failed": 0}
        assert found.quantiles(0.025, 0.5, 0.975) == [50, 50, 50]

    def test_is_a_function_of_its_seed(self):
        starts = [
            plateau_distribution(
                EPOCHS, RISES, np.full(10, 0.1), seed=seed, replicates=100, **CONTROLS
            ).start
            for seed in (1, 1, 2)
        ]
        assert np.array_equal(starts[0], starts[1])
        assert not np.array_equal(starts[0], starts[2])

    def test_censoring_is_infinite_and_all_adds_up(self):
        found = plateau_distribution(
            EPOCHS, STILL_RISING, np.full(10, 0.1), replicates=400, **CONTROLS
        )
        assert found.censored > 0.5
        assert np.isinf(found.quantiles(0.9)[0])
        no_plateau = found.censored + found.frequencies["failed"]
        assert sum(found.probabilities.values()) == pytest.approx(1 - no_plateau)
        assert found.mass(0, 100) == pytest.approx(1 - no_plateau)

    def test_more_error_spreads_the_start(self):
        curve, widths = 8 - 5 * np.exp(-EPOCHS / 15), []
        for se in (0.001, 0.02, 0.1):
            found = plateau_distribution(EPOCHS, curve, np.full(10, se), **CONTROLS)
            widths.append(sum(p > 0.01 for p in found.probabilities.values()))
        assert widths[0] == 1 < widths[1] < widths[2]

    def test_level_of_a_seed_does_not_move_the_plateau(self):
        """Seeds that differ by a constant carry the same plateau."""
        levels = np.array(RISES) + np.array([[-1.0], [0.0], [1.0]])
        found = plateau_distribution(EPOCHS, levels, np.full((3, 10), 1e-3), **CONTROLS)
        assert found.mass(50, 60) > 0.95

    def test_one_seed_without_errors_is_refused(self):
        with pytest.raises(ValueError, match="error is unknown"):
            plateau_distribution(EPOCHS, RISES, None, **CONTROLS)

    def test_epoch_that_one_seed_lacks_is_left_out(self):
        values = np.array([RISES, RISES]) + np.array([[0.01], [-0.01]])
        values[0, 3] = np.nan
        found = plateau_distribution(
            EPOCHS, values, np.full((2, 10), 0.01), replicates=50, **CONTROLS
        )
        assert 40.0 not in found.probabilities
        assert len(found.epochs) == 9


class TestDraws:
    @pytest.mark.parametrize("replicates", [2, 3, 5])
    def test_weights_give_the_t_distribution(self, replicates):
        rng = np.random.default_rng(0)
        values = rng.standard_normal(replicates)
        weights = convergence.replicate_weights(replicates, 40_000, rng)
        errors = weights @ (values - values.mean()) / (values.std(ddof=1) / np.sqrt(replicates))
        expected = stats.t.ppf([0.8, 0.9, 0.95], replicates - 1)
        assert np.quantile(errors, [0.8, 0.9, 0.95]) == pytest.approx(expected, rel=0.08)

    def test_one_replicate_has_no_spread(self):
        assert not convergence.replicate_weights(1, 5, np.random.default_rng(0)).any()

    def test_error_of_evaluation_counts_once(self):
        """Curves that differ only by evaluation error: draws vary by that error of the mean."""
        rng, seeds, se = np.random.default_rng(1), 40, 0.3
        values = se * rng.standard_normal((seeds, 200))
        weights = convergence.replicate_weights(seeds, 400, rng)
        drawn = convergence.curve_replicates(values, np.full(values.shape, se), weights, rng)
        assert drawn.std(axis=0).mean() == pytest.approx(se / np.sqrt(seeds), rel=0.15)

    def test_training_differences_are_whole_curves(self):
        rng = np.random.default_rng(2)
        values = rng.standard_normal((30, 1)) + np.zeros(8)
        weights = convergence.replicate_weights(30, 2000, rng)
        drawn = convergence.curve_replicates(values, np.full(values.shape, 1e-6), weights, rng)
        assert np.ptp(drawn, axis=1).max() < 1e-4
        assert drawn[:, 0].std() == pytest.approx(values.std(ddof=1) / np.sqrt(30), rel=0.1)

    def test_shape_error_ignores_levels_and_knows_its_floor(self):
        values = np.array([[1.0, 2, 3], [5, 6, 7], [8, 9, 10]])
        assert convergence.shape_error(values, np.full((3, 3), 0.3)) == pytest.approx(
            0.3 / np.sqrt(3)
        )
        values[0, 1] += 3
        assert convergence.shape_error(values, np.full((3, 3), 0.3))[1] > 0.5


SIZES = np.array([2000.0, 5000, 10_000, 20_000, 50_000])


class TestSizeLimit:
    def test_exact_curve(self):
        found = size_limit(SIZES, 20 + 40_000 / SIZES)
        assert (found.limit, found.coefficient) == pytest.approx((20, 40_000))
        assert found.at(10_000) == pytest.approx(24)
        assert found.remaining(10_000) == pytest.approx(0.2)
        assert found.replicates(10) == pytest.approx(np.tile([20, 40_000], (10, 1)))

    def test_inception_score_of_ten_splits(self):
        """200 modes and 1008 outputs: about 1.5 % is still missing at 10,000 images."""
        n = [500, 1000, 2000, 5000, 10_000, 20_000]
        se = 0.069 * np.sqrt(5000 / np.array(n))
        found = size_limit(n, [9.12, 10.38, 11.38, 12.00, 12.26, 12.39], se)
        assert found.limit == pytest.approx(12.5, abs=0.1)
        assert found.remaining(10_000) == pytest.approx(-0.015, abs=0.003)

    def test_order_does_not_matter(self):
        values, se = 20 + 40_000 / SIZES + np.sin(SIZES), np.sqrt(100 / SIZES)
        straight, reverse = (
            size_limit(SIZES, values, se),
            size_limit(SIZES[::-1], values[::-1], se[::-1]),
        )
        assert straight.limit == pytest.approx(reverse.limit)
        assert straight.covariance == pytest.approx(reverse.covariance)

    @pytest.mark.parametrize("nested", [True, False])
    def test_coverage(self, nested):
        rng, se = np.random.default_rng(3), 10 / np.sqrt(SIZES)
        errors = np.minimum.outer(se, se) ** 2 if nested else np.diag(se**2)
        noise = rng.multivariate_normal(np.zeros(5), errors, 400)
        fits = [size_limit(SIZES, 20 + 4e4 / SIZES + e, se, nested=nested) for e in noise]
        within = [abs(f.limit - 20) < 1.96 * np.sqrt(f.covariance[0, 0]) for f in fits]
        assert 0.92 <= np.mean(within) <= 0.98
        spread = np.cov([f.limit for f in fits], [f.coefficient for f in fits])
        stated = np.mean([f.covariance[0, 1] / max(1, f.misfit) for f in fits])
        assert stated == pytest.approx(spread[0, 1], rel=0.2)

    def test_coverage_without_errors(self):
        rng, covered = np.random.default_rng(4), []
        for _ in range(400):
            fit = size_limit(SIZES, 20 + 4e4 / SIZES + 0.1 * rng.standard_normal(5), nested=False)
            half = stats.t.ppf(0.975, fit.freedom) * np.sqrt(fit.covariance[0, 0])
            covered.append(abs(fit.limit - 20) < half)
        assert 0.92 <= np.mean(covered) <= 0.98

    def test_misfit_widens(self):
        se = np.full(5, 0.01)
        bent = size_limit(SIZES, 20 + 4e4 / SIZES - 2e7 / SIZES**2, se, nested=False)
        straight = size_limit(SIZES, 20 + 4e4 / SIZES, se, nested=False)
        assert bent.misfit > 10 > straight.misfit
        assert bent.covariance[0, 0] == pytest.approx(bent.misfit * straight.covariance[0, 0])

    def test_draws_have_the_covariance(self):
        fit = size_limit(SIZES, 20 + 4e4 / SIZES, 10 / np.sqrt(SIZES))
        drawn = fit.replicates(4000, seed=1)
        assert np.cov(drawn.T)[0, 0] == pytest.approx(fit.covariance[0, 0], rel=0.1)
        assert np.array_equal(drawn, fit.replicates(4000, seed=1))

    @pytest.mark.parametrize(
        ("n", "values", "se", "message"),
        [
            ([1, 2, 3], [1, 2, 3], None, "four different"),
            ([1, 2, 3, 3, 4], [1, 2, 3, 3, 4], None, "four different"),
            ([0, 1, 2, 3], [1, 2, 3, 4], None, "positive"),
            ([1, 2, 3, 4], [1, 2, 3], None, "expected 4 finite"),
            ([1, 2, 3, 4], [1, 2, 3, np.nan], None, "expected 4 finite"),
            ([1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 1, 0], "se"),
        ],
    )
    def test_bad_input_is_one_message(self, n, values, se, message):
        with pytest.raises(ValueError, match=message):
            size_limit(n, values, se)
