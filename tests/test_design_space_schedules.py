"""The schedule derived for a model, and what losses measured at some noise levels tell."""

import numpy as np
import pytest

from uncanny.diffusion.theory import grids, leading_order, measured
from uncanny.diffusion.theory.comparison import Comparison
from uncanny.diffusion.theory.decomposition import decompose
from uncanny.diffusion.theory.optimal_grid import derived
from uncanny.diffusion.theory.perturbations import STRENGTHS, noise_error
from uncanny.diffusion.theory.targets import TARGETS, single

LEVELS = np.geomspace(0.002, 80, 400)


def explained(target, family, strength, levels=LEVELS):
    error = noise_error(family, strength, target.variances, levels**2)
    return leading_order.exact_explained_noise(target, error, levels)


def density(target, family="bias", strength=0.0, levels=LEVELS):
    return leading_order.cost_density(explained(target, family, strength, levels), levels)


class TestDerivedSchedule:
    def test_even_cost_gives_the_exponential_schedule(self):
        result = derived(np.full(400, 0.3), LEVELS, 18)
        np.testing.assert_allclose(result, grids.exponential(18), rtol=1e-12)

    def test_one_width_gives_even_steps_in_the_log_of_the_variance(self):
        levels = np.geomspace(0.002, 80, 4000)
        result = derived(density(single(0.5), levels=levels), levels, 18)
        steps = np.diff(np.log(0.25 + result**2))
        np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3)

    @pytest.mark.parametrize("name", TARGETS)
    def test_beats_both_schedules_at_equal_steps(self, name):
        for family, steps in ((f, n) for f in STRENGTHS for n in (10, 18, 40)):
            comparison = Comparison(TARGETS[name], family)
            kinds = ("derived", "exponential", "polynomial")
            result, *others = (
                comparison.terms(comparison.strengths, comparison.nodes(kind, steps)).path_kl
                for kind in kinds
            )
            slack = 1e-4 if steps == 10 else 1e-9  # leading order in 1/N; ties where kappa is even
            assert (result <= np.minimum(*others) * (1 + slack)).all(), (family, steps)

    @pytest.mark.parametrize(
        ("name", "strength"), [("manifold", 0.01), ("mixed", 0.3), ("broad", 0.0)]
    )
    def test_is_close_to_the_best_nodes_there_are(self, name, strength):
        """Dynamic programming over 267 noise levels, exact at finite N."""
        target, levels = TARGETS[name], np.geomspace(0.002, 80, 267)[::-1]
        g, lam = explained(target, "bandwidth", strength, levels), levels**2
        costs = -0.5 * (1 - lam[None] / lam[:, None]) * g[:, None]
        costs[np.tril_indices(267)] = np.inf
        best = np.append(0.0, np.full(266, np.inf))
        for _ in range(18):
            best = (best[:, None] + costs).min(axis=0)
        result, even = (
            leading_order.variable_path_kl(explained(target, "bandwidth", strength, nodes), nodes)
            for nodes in (
                derived(density(target, "bandwidth", strength), LEVELS, 18),
                grids.exponential(18),
            )
        )
        assert even - result > 0.97 * (even - best[-1]) > 0

    def test_least_cost_is_the_square_of_the_integral(self):
        kappa, at = density(TARGETS["manifold"]), np.log(LEVELS)
        nodes = derived(kappa, LEVELS, 2000)
        steps = -np.diff(np.log(nodes)) * 2000
        middles = np.interp(np.log(nodes[:-1]) - steps / 4000, at, kappa)
        cost = (middles * steps**2).mean()
        assert cost == pytest.approx(np.trapezoid(np.sqrt(kappa), at) ** 2, rel=1e-3)

    def test_many_models_at_once(self):
        kappa = np.stack([density(TARGETS["manifold"]), density(TARGETS["broad"])])
        result = derived(kappa, LEVELS, 10)
        assert result.shape == (2, 11)
        np.testing.assert_array_equal(result[1], derived(kappa[1], LEVELS, 10))
        assert (result[:, [0, -1]] == [80, 0.002]).all()

    def test_even_share_bounds_the_longest_step(self):
        kappa = np.where(LEVELS > 1, 1.0, 0.0)
        longest = {
            share: -np.diff(np.log(derived(kappa, LEVELS, 20, even_share=share))).min()
            for share in (0.0, 0.25)
        }
        assert longest[0.0] > 6
        assert longest[0.25] <= np.log(80 / 0.002) / (0.25 * 20) * 1.001
        untrained = derived(np.zeros(400), LEVELS, 18, even_share=0.1)
        np.testing.assert_allclose(untrained, grids.exponential(18), rtol=1e-12)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((np.zeros(400), LEVELS, 8), "nowhere above 0: no schedule is better"),
            ((np.ones(400), LEVELS, 0), "num_steps=0, even_share=0: expected at least 1"),
            ((np.full(400, np.nan), LEVELS, 8), "expected finite values at noise levels that rise"),
            ((np.ones(400), LEVELS[::-1], 8), "expected finite values at noise levels that rise"),
        ],
    )
    def test_mistakes_are_named(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            derived(*arguments)


def losses(target, family, strength, levels):
    """mmse, e^2 and denoising loss of a made model at the levels, summed over dimensions."""
    lam = levels**2
    mmse = (target.variances[:, None] * lam / (target.variances[:, None] + lam)).T @ target.counts
    error = noise_error(family, strength, target.variances, lam).T @ target.counts
    return mmse, error / target.dim, mmse + lam * error


def path_kl_difference(sigma, loss, dim, one, other):
    """PathKL on nodes `one` minus that on nodes `other`, from a model's own denoising loss."""
    g = leading_order.explained_noise(loss, sigma, dim)
    nodes = one, other
    parts = (leading_order.variable_path_kl(measured.at_nodes(sigma, g, n), n) for n in nodes)
    return np.subtract(*parts)


class TestMeasuredLosses:
    levels = np.geomspace(0.002, 80, 33)

    @pytest.mark.parametrize("steps", [10, 18, 40])
    @pytest.mark.parametrize(
        ("family", "strength"), [("bandwidth", 0.003), ("bandwidth", 0.1), ("bias", 0.5)]
    )
    def test_predict_which_schedule_is_better(self, family, strength, steps):
        target = TARGETS["manifold"]
        nodes = [grid(steps) for grid in grids.GRIDS.values()]
        comparison = Comparison(target, family)
        one, other = (comparison.terms(np.array([strength]), sigmas).path_kl[0] for sigmas in nodes)
        loss = losses(target, family, strength, self.levels)[2]
        result = path_kl_difference(self.levels, loss, target.dim, *nodes)
        assert result == pytest.approx(one - other, abs=0.03)  # of 30 to 110 nats each

    def test_the_models_own_loss_is_enough(self):
        """The same from the model's loss alone as from its error and the best possible loss."""
        target, nodes = TARGETS["mixed"], [grid(18) for grid in grids.GRIDS.values()]
        mmse, error, loss = losses(target, "bandwidth", 0.02, self.levels)
        truth = measured.Measured(self.levels, mmse, target.dim, target.second_moment)
        one, other = (
            decompose(truth, sigmas, measured.at_nodes(self.levels, error, sigmas)).path_kl
            for sigmas in nodes
        )
        result = path_kl_difference(self.levels, loss, target.dim, *nodes)
        assert result == pytest.approx(float(one - other), rel=0.02)

    def test_terms_of_a_measured_law(self):
        target, sigmas = TARGETS["manifold"], grids.exponential(18)
        mmse, error, _ = losses(target, "bias", 0.3, self.levels)
        truth = measured.Measured(self.levels, mmse, target.dim, target.second_moment)
        result = decompose(truth, sigmas, measured.at_nodes(self.levels, error, sigmas))
        expected = Comparison(target, "bias").terms(np.array([0.3]), sigmas)
        assert float(result.discretisation) == pytest.approx(expected.discretisation[0], rel=0.01)
        assert float(result.score) == pytest.approx(expected.score[0], rel=1e-6)
        assert float(result.initialisation) >= expected.initialisation[0]

    def test_a_schedule_from_few_levels_beats_both(self):
        target = TARGETS["manifold"]
        loss = losses(target, "bandwidth", 0.05, self.levels)[2]
        g = leading_order.explained_noise(loss, self.levels, target.dim)
        fine = np.geomspace(self.levels[0], self.levels[-1], 400)
        g = measured.at_nodes(self.levels, g, fine)
        nodes = derived(leading_order.cost_density(g, fine), fine, 18)
        comparison = Comparison(target, "bandwidth")
        result, *others = (
            comparison.terms(np.array([0.05]), sigmas).path_kl[0]
            for sigmas in (nodes, *[grid(18) for grid in grids.GRIDS.values()])
        )
        assert result < min(others)
        best = comparison.terms(comparison.strengths, comparison.nodes("derived", 18))
        near = np.abs(comparison.strengths - 0.05).argmin()
        assert result == pytest.approx(best.path_kl[near], rel=0.1)

    def test_several_models_at_once(self):
        target, nodes = TARGETS["manifold"], [grid(10) for grid in grids.GRIDS.values()]
        both = np.stack([losses(target, "bias", s, self.levels)[2] for s in (0.1, 0.9)])
        result = path_kl_difference(self.levels, both, target.dim, *nodes)
        single_one = path_kl_difference(self.levels, both[1], target.dim, *nodes)
        assert result.shape == (2,)
        assert result[1] == pytest.approx(float(single_one), rel=1e-12)

    def test_predicted_crossing(self):
        result = measured.predicted_crossing([0, 1, 2, 4], [0.5, 0.2, -0.1, 0.1])
        assert result == (2.0, "P->E", (1.0, 2.0))
        assert measured.predicted_crossing([0, 1], [-0.5, -0.2]) is None
        with pytest.raises(ValueError, match="1 checkpoints: expected two or more"):
            measured.predicted_crossing([0], [0.5])

    def test_mistakes_are_named(self):
        loss = np.ones(33)
        wide = grids.exponential(8, 0.001, 80.0)
        with pytest.raises(
            ValueError, match=r"measured from sigma 0.002 to 80; the schedule visits 0.001"
        ):
            path_kl_difference(self.levels, loss, 4, wide, wide)
        with pytest.raises(ValueError, match="3 noise levels: expected four or more that rise"):
            measured.interpolated(self.levels[:3], loss[:3])
