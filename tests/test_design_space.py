"""The exact decomposition: stored tables, Monte Carlo, inequalities, limits, extremal schedules."""

import numpy as np
import pytest
from exact import arrays, printed
from scipy.optimize import brentq

from uncanny.diffusion.theory import (
    crossovers,
    grids,
    laws,
    leading_order,
    mixtures,
    path_kl,
    targets,
)
from uncanny.diffusion.theory.comparison import Comparison
from uncanny.diffusion.theory.decomposition import (
    decompose,
    discretisation_error,
    score_error,
    step_weights,
)
from uncanny.diffusion.theory.perturbations import STRENGTHS, noise_error
from uncanny.diffusion.theory.targets import TARGETS, Gaussian, single
from uncanny.experiments import path_identity

STORED = arrays("design_space")
STDS, STEPS = STORED["gaussian/target_std_per_dim"], STORED["gaussian/n_steps"]
RING = mixtures.Mixture(
    [[np.cos(a), np.sin(a), 0.3] for a in np.arange(5) * 2 * np.pi / 5], np.ones(5), 0.1
)


def line():
    means, weights = STORED["mixture/means"][:, None], STORED["mixture/weights"]
    return mixtures.Mixture(means, weights, float(STORED["mixture/component_std"]))


def close(result, name, rtol=1e-9):
    np.testing.assert_allclose(result, STORED[name], rtol=rtol, atol=0)


# -- stored tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", grids.GRIDS)
@pytest.mark.parametrize("j", range(len(STEPS)))
def test_terms_and_laws_of_gaussian_targets(schedule, j):
    sigmas = grids.GRIDS[schedule](int(STEPS[j]))
    close(sigmas, f"gaussian/sigma_nodes_{schedule}_N{STEPS[j]}", 1e-12)
    result = {name: [] for name in ("I", "D", "S", "tau", "eta")}
    for std in STDS:
        target, strengths = single(std), STORED["gaussian/bandwidth_tau"]
        result["I"].append(target.initialisation_error(sigmas[0] ** 2))
        result["D"].append(discretisation_error(target, sigmas))
        comparison = Comparison(target, "bandwidth")
        metrics = comparison.metrics(strengths, sigmas, "sde")
        law = comparison.outputs(strengths, sigmas, "sde")[0]
        result["tau"].append((metrics["E_S"], law.variance[:, 0], metrics["kl"]))
        comparison, strengths = Comparison(target, "bias"), STORED["gaussian/bias_eta"]
        metrics = comparison.metrics(strengths, sigmas, "sde")
        law = comparison.outputs(strengths, sigmas, "sde")[0]
        result["eta"].append((law.mean[:, 0], law.variance[:, 0], metrics["kl"], metrics["w2"]))
    at = (slice(None), j)
    unit = score_error(single(0.0), sigmas, np.ones((1, len(sigmas))))
    tables = {"E_I": result["I"], "E_D": result["D"]}
    names = ("E_S_bandwidth", "final_variance_bandwidth", "marginal_KL_bandwidth")
    tables |= dict(zip(names, np.swapaxes(result["tau"], 0, 1), strict=True))
    names = ("final_mean", "final_variance", "marginal_KL", "marginal_W2")
    tables |= {
        f"{name}_bias": rows
        for name, rows in zip(names, np.swapaxes(result["eta"], 0, 1), strict=True)
    }
    for name, rows in tables.items():
        stored = STORED[f"gaussian/{name}_{schedule}"][at]
        np.testing.assert_allclose(rows, stored, rtol=1e-9, atol=0, err_msg=name)
    stored = STORED[f"gaussian/E_S_per_unit_noise_error_squared_{schedule}"][j]
    assert unit == pytest.approx(stored, rel=1e-12)


def test_fisher_information_of_a_mixture():
    close(line().fisher_information(STORED["mixture/lambda_grid"]), "mixture/fisher_information_J")
    for schedule, grid in grids.GRIDS.items():
        for steps in (6, 12, 30, 60):
            result = discretisation_error(line(), grid(steps, 0.01, 20.0))
            close(result, f"mixture/E_D_{schedule}_N{steps}", 1e-9)
    close(line().initialisation_error(400.0), "mixture/E_I_exact", 1e-9)


def test_a_mixture_of_one_is_a_gaussian():
    one, same = mixtures.Mixture([[0.0, 0.0, 0.0]], [2.0], 0.1), Gaussian([0.1], [3])
    lam = np.geomspace(1e-4, 1e2, 7)
    np.testing.assert_allclose(one.fisher_information(lam), same.fisher_information(lam), rtol=1e-9)
    assert one.initialisation_error(4.0) == pytest.approx(same.initialisation_error(4.0), rel=1e-8)
    assert one.fisher_integral(0.1, 9.0) == pytest.approx(same.fisher_integral(0.1, 9.0), rel=1e-9)


def test_quadrature_in_a_plane_agrees_with_draws():
    rng, lam = np.random.default_rng(0), 0.04
    x = RING.draw(rng, 40_000) + np.sqrt(lam) * rng.standard_normal((40_000, 3))
    norms = (RING.score(x, lam) ** 2).sum(axis=1)
    result = RING.fisher_information(lam)
    assert abs(norms.mean() - result) < 4 * norms.std() / 200
    moved = RING.fisher_information(np.array([lam * 0.999, lam * 1.001]))
    gained = RING.fisher_integral(lam * 0.999, lam * 1.001)  # by entropies, not by J
    assert gained == pytest.approx(moved.mean() * lam * 0.002, rel=1e-5)


# -- the identity -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "steps", "strength", "published"),
    [
        ("polynomial", 12, 0.3, "2.0263"),
        ("exponential", 12, 0.3, "2.1254"),
        ("polynomial", 30, 0.3, "1.1258"),
        ("exponential", 30, 0.3, "1.1830"),
        ("polynomial", 12, 0.0, "1.8684"),
        ("exponential", 12, 0.0, "1.9692"),
    ],
)
def test_path_kl_is_the_sum_of_three_terms(schedule, steps, strength, published):
    sigmas = grids.GRIDS[schedule](steps, 0.01, 20.0)
    terms = decompose(line(), sigmas, path_identity.noise_error(strength, sigmas))
    assert float(terms.path_kl) == pytest.approx(float(published), abs=1e-4)
    model = path_identity.model(strength)
    result, spread = path_kl.monte_carlo(line(), sigmas, model, np.random.default_rng(1), 10_000)
    assert spread < 0.02
    assert abs(result - terms.path_kl) < 4 * spread


def test_the_experiment_finds_no_deviation():
    table, lines = path_identity.path_identity(num_steps=[4, 8], paths=2000)
    assert len(table) == 8
    assert lines == []
    np.testing.assert_allclose(table["path_kl"], table[["E_I", "E_D", "E_S"]].sum(axis=1))
    assert table["deviation"].abs().max() < 4
    again, _ = path_identity.path_identity(num_steps=[4, 8], paths=2000)
    assert table.equals(again)


@pytest.mark.parametrize("name", TARGETS)
def test_no_marginal_is_worse_than_the_path(name):
    target = TARGETS[name]
    bound = target.second_moment / (2 * grids.SIGMA_MAX**2)
    for family in ("bandwidth", "bias", "gain"):
        comparison = Comparison(target, family)
        for schedule in (*grids.GRIDS, "derived"):
            sigmas = comparison.nodes(schedule, 10)
            result = comparison.metrics(comparison.strengths, sigmas, "sde")
            assert (result["kl"] <= result["path_kl"]).all()
            assert (result["E_D"] >= 0).all()
            assert (result["E_I"] <= bound).all()
    assert line().initialisation_error(400.0) <= float(STORED["mixture/E_I_bound_m2_over_2lambda"])


def test_discretisation_error_falls_as_one_over_n():
    for target in (TARGETS["manifold"], TARGETS["broad"]):
        for grid in grids.GRIDS.values():
            scaled = [n * float(discretisation_error(target, grid(n))) for n in (1024, 2048, 4096)]
            gaps = np.abs(np.diff(scaled))
            assert gaps[1] < 0.6 * gaps[0] < 0.01 * scaled[-1]


def test_fisher_information_from_a_denoiser():
    target, sigma = Gaussian([0.5, 0.0], [2, 3]), np.geomspace(0.01, 10, 5)
    lam = sigma**2
    mmse = 2 * 0.25 * lam / (0.25 + lam)
    result = target.dim / lam - mmse / lam**2
    np.testing.assert_allclose(result, target.fisher_information(lam), rtol=1e-10)


# -- schedules --------------------------------------------------------------------------------------


def test_for_a_point_mass_the_exponential_schedule_is_extreme():
    rng, target, unit = np.random.default_rng(0), single(0.0), np.ones((1, 13))
    even = grids.exponential(12)
    inner = rng.uniform(np.log(0.002), np.log(80), size=(1000, 11))
    ends = np.broadcast_to(np.log([80, 0.002]), (1000, 2))
    others = np.exp(-np.sort(-np.concatenate([inner, ends], axis=1), axis=1))
    assert (discretisation_error(target, others) > discretisation_error(target, even)).all()
    assert (score_error(target, others, unit) < score_error(target, even, unit)).all()


def test_ratio_of_discretisation_errors_of_a_point_mass():
    x = np.log(80 / 0.002) / 14
    assert (np.sinh(x) / x) ** 2 == printed("1.206")
    target = single(0.0)
    for steps, published in ((18, "1.078"), (40, "1.133"), (128, "1.180"), (512, "1.199")):
        one, other = (discretisation_error(target, grid(steps)) for grid in grids.GRIDS.values())
        assert one / other == printed(published)


@pytest.mark.parametrize(
    ("std", "rule", "exact"),
    [(0.0, "23.150", "23.011"), (0.002, "15.91", "15.83"), (0.5, "-12.81", "-12.77")],
)
def test_leading_order_rule(std, rule, exact):
    comparison = Comparison(single(std), "bias")
    levels = np.geomspace(0.002, 80, comparison.density(0.0).shape[-1])
    result = leading_order.preference(comparison.density(0.0), levels)
    one, other = (discretisation_error(single(std), grid(4096)) for grid in grids.GRIDS.values())
    assert result == pytest.approx(float(rule), rel=1e-3)
    assert 4096 * (one - other) == printed(exact)
    assert result == pytest.approx(4096 * (one - other), rel=0.01)


@pytest.mark.parametrize(
    ("steps", "published"),
    [(10, "0.0060"), (18, "0.0080"), (40, "0.0099"), (128, "0.0110"), (512, "0.0113")],
)
def test_wider_data_prefer_the_polynomial_schedule(steps, published):
    def gap(std):
        errors = [discretisation_error(single(std), g(steps)) for g in grids.GRIDS.values()]
        return float(errors[0] - errors[1])

    assert brentq(gap, 1e-3, 0.1) == printed(published)


# -- crossovers -------------------------------------------------------------------------------------

MIXED_DIMENSIONS = {  # e*^2 with 18, 40, 128 steps
    "90/10": (Gaussian([0.0, 0.5], [9, 1]), ".788 .824 .839"),
    "70/30": (Gaussian([0.0, 0.5], [7, 3]), ".363 .471 .516"),
    "50/50": (Gaussian([0.0, 0.5], [1, 1]), "-.061 .118 .194"),
    "manifold": (TARGETS["manifold"], ".513 .532 .534"),
    "mixed": (TARGETS["mixed"], ".280 .346 .370"),
}
OTHERS = [  # at 18, 40, 128 steps
    ("manifold", "bandwidth", "path_kl", ".0092 .0118 .0134"),
    ("mixed", "bandwidth", "path_kl", ".0060 .0084 .0098"),
    ("manifold", "bandwidth", "kl", ".388 .436 .463"),
    ("manifold", "bias", "kl", ".797 .476 .248"),
    ("s=.05", "gain", "kl", ".365 .433 .472"),
]
NAMED = TARGETS | {"s=.05": single(0.05)}


def uniform_crossover(target, one: np.ndarray, other: np.ndarray) -> float:
    """e*^2 at which nodes `one` and `other` [N+1] are as good, for an error that is the same at all
    noise levels. Schedule `other` is better above it if it has the smaller sum of step weights;
    outside (0, 1) there is no crossover.
    """
    defect = discretisation_error(target, other) - discretisation_error(target, one)
    removed = step_weights(one).sum() - step_weights(other).sum()
    return float(defect / (0.5 * target.dim * removed))


def equal(target, steps):
    return uniform_crossover(target, grids.exponential(steps), grids.polynomial(steps))


def found_at(target, family, metric, steps, solver="sde"):
    comparison = Comparison(target, family)
    log_ratio = comparison.log_ratio(metric, steps, solver)
    return crossovers.crossings(log_ratio, comparison.strengths)


def test_crossovers_of_an_even_error():
    stored = STORED["gaussian/crossover_uniform_noise_error_squared_pathKL"]
    result = [[equal(single(std), int(n)) for n in (18, 40, 128)] for std in STDS]
    np.testing.assert_allclose(result, stored, rtol=1e-3, atol=1e-8)
    for target, published in MIXED_DIMENSIONS.values():
        for steps, text in zip((18, 40, 128), published.split(), strict=True):
            assert equal(target, steps) == printed(text)


def test_an_even_error_crosses_where_the_closed_form_says():
    (result,) = found_at(TARGETS["manifold"], "uniform", "path_kl", 40)
    assert result.at**2 == pytest.approx(equal(TARGETS["manifold"], 40), rel=1e-9)
    assert result.direction == "E->P"
    assert result.interval[0] < result.at < result.interval[1]


@pytest.mark.parametrize(
    ("family", "metric", "name"),
    [
        ("bandwidth", "path_kl", "crossover_tau_pathKL"),
        ("bandwidth", "kl", "crossover_tau_marginalKL"),
        ("bias", "kl", "crossover_eta_bias_marginalKL"),
    ],
)
def test_crossovers_of_one_width(family, metric, name):
    for std, row in zip(STDS, STORED[f"gaussian/{name}"], strict=True):
        for steps, stored in zip((18, 40, 128), row, strict=True):
            result = [c.at for c in found_at(single(std), family, metric, steps)]
            expected = [] if np.isnan(stored) else [pytest.approx(stored, rel=1e-3)]
            assert result == expected, (std, steps)


@pytest.mark.parametrize(("target", "family", "metric", "published"), OTHERS)
def test_crossovers_of_several_widths(target, family, metric, published):
    for steps, text in zip((18, 40, 128), published.split(), strict=True):
        (result,) = found_at(NAMED[target], family, metric, steps)
        assert result.at == printed(text)
        assert result.direction == "E->P"


def test_heun_crosses_as_the_sde_does_where_detail_is_lost():
    for steps, text in ((18, ".446"), (40, ".481"), (128, ".498")):
        assert found_at(single(0.002), "bandwidth", "kl", steps, "heun")[-1].at == printed(text)


def test_the_error_of_an_euler_step_cancels_that_of_the_score():
    result = found_at(single(0.01), "bandwidth", "kl", 40, "euler")
    assert [c.direction for c in result] == ["E->P", "P->E"]
    assert result[1].at == printed(".818")


def test_a_crossing_at_an_end_that_is_a_tie_is_none():
    assert found_at(single(0.0), "uniform", "path_kl", 18) == []


def test_crossing_epoch_needs_two_in_a_row_after_one_of_the_other_kind():
    epochs = [0, 1, 2, 4, 8, 16]
    result = crossovers.crossing_epoch(epochs, [0.5, 3.0, -3.0, 0.0, -2.5, -9.0])
    assert result == crossovers.Crossing(8.0, "P->E", (1.0, 8.0))
    assert crossovers.crossing_epoch(epochs, [0.0, 0.0, -3.0, -3.0, -3.0, -3.0]) is None
    assert crossovers.crossing_epoch(epochs, [3.0, 0.0, -3.0, 0.0, -3.0, 0.0]) is None
    with pytest.raises(ValueError, match="2 checkpoints with 2 values: a crossing takes at least"):
        crossovers.crossing_epoch([1, 2], [3.0, -3.0])


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grids.polynomial(0), "num_steps=0: expected at least 1"),
        (lambda: grids.exponential(8, 80.0, 0.002), "sigma_min=80, sigma_max=0.002: expected 0 <"),
        (lambda: grids.polynomial(8, rho=0.0), "rho=0: expected a positive exponent"),
        (lambda: grids.polynomial(8, rho=1e17), "expected at least two noise levels that fall"),
        (lambda: step_weights([1.0, 2.0]), r"sigmas \[1. 2.\]: expected at least two noise levels"),
        (lambda: Gaussian([0.1, 0.2], [1]), "expected as many standard deviations >= 0 as counts"),
        (lambda: mixtures.Mixture(np.eye(4), np.ones(4), 0.1), "span 3 dimensions; expected at"),
        (lambda: mixtures.Mixture([[0.0]], [-1.0], 0.1), "expected a positive weight for each"),
        (lambda: Comparison(single(0.1), "uniform").outputs(0.1, grids.polynomial(4), "sde"), "no model"),
        (lambda: laws.step_maps("rk4", [2.0, 1.0], np.ones(2), np.ones(2)), "solver 'rk4', clock"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_noise_error_of_every_family():
    variances, lam = np.array([0.0, 0.25]), np.array([1.0, 0.01])
    for family in STRENGTHS:
        exact, wrong = (noise_error(family, value, variances, lam) for value in (0.0, 0.5))
        assert np.allclose(exact, 0, atol=1e-12)
        assert wrong.shape == (2, 2)
    assert np.allclose(noise_error("bias", 0.5, variances, lam), 0.25)
    assert np.allclose(noise_error("uniform", 0.5, variances, lam), 0.25)
    expected = 0.25 * lam / (variances[:, None] + lam)
    assert np.allclose(noise_error("gain", 0.5, variances, lam), expected)
    broad = lam * (variances[:, None] + lam)
    gap = 1 / (variances[:, None] + lam) - 1 / (variances[:, None] + 0.25 + lam)
    assert np.allclose(noise_error("bandwidth", 0.5, variances, lam), broad * gap**2)
    assert targets.single(0.3).second_moment == pytest.approx(0.09)
