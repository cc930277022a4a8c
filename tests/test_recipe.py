"""Recipes: known processes, every law they keep, what is refused, D and Q that depend on the state."""

import math

import pytest
import torch
from exact_phase import stored

from uncanny.diffusion import recipes
from uncanny.diffusion.recipe import Recipe, correction, drift, flow
from uncanny.registry import components

NAMED = {
    "psld_gamma0.01": recipes.psld(),
    "psld_gamma0.25": recipes.psld(gamma=0.25),
    "cld_gamma0": recipes.cld(),
    "scorex": recipes.position_noise(),
    "vp": recipes.vp(),
}


def largest(matrix) -> float:
    return float(matrix.abs().max())


# --- T1: instances, laws, the inverse map --------------------------------------------------------


@pytest.mark.parametrize("key", NAMED)
def test_matrices_of_known_processes(key):
    recipe, beta = NAMED[key], float(stored("recipe/beta"))
    names = {"D": "D", "Q": "Q", "F": "drift_matrix", "GGT": "GGT"}
    for name, field in names.items():
        result = beta * getattr(recipe, name)
        assert largest(result - stored(f"recipe/{key}/{field}")) < 1e-12
    assert largest(recipe.Sigma_inf - stored(f"recipe/{key}/stationary_cov")) < 1e-12
    assert largest(recipe.G @ recipe.G.T - recipe.GGT) < 1e-12


@pytest.mark.parametrize("key", NAMED)
def test_known_processes_are_valid_and_come_back_from_their_sde(key):
    recipe = NAMED[key]
    report = recipe.validate()
    assert report.problem is None
    assert report.stationary == "N(0, Sigma_inf)"
    assert report.lyapunov < 1e-12
    assert report.skewness == 0
    assert report.spectral_gap > 0
    back = Recipe.from_sde(recipe.F, recipe.GGT, recipe.Sigma_inf)
    assert largest(back.D - recipe.D) < 1e-12
    assert largest(back.Q - recipe.Q) < 1e-12


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_any_D_and_Q_keep_any_law(size):
    draws = torch.Generator().manual_seed(size)
    a, b, c = torch.randn(3, size, size, generator=draws, dtype=torch.float64)
    recipe = Recipe(a @ a.T, b - b.T, c @ c.T + torch.eye(size))
    report = recipe.validate()
    assert report.problem is None
    assert report.lyapunov < 1e-12 * largest(recipe.D) * 10
    other = Recipe.from_sde(recipe.F, 1.1 * recipe.GGT, recipe.Sigma_inf)
    assert other.validate().lyapunov > 1e-3


def test_the_rate_of_forgetting():
    assert recipes.vp().validate().spectral_gap == pytest.approx(0.5)
    gap = (
        recipes.psld(gamma=0.01).validate().spectral_gap
    )  # a double root, known to half the digits
    assert gap == pytest.approx((0.01 + 4.01) / 4, rel=1e-6)
    slow = recipes.psld(gamma=0.0, nu=10.0, inverse_mass=4.0, damping="free").validate()
    assert slow.spectral_gap == pytest.approx((10 / 2 - math.sqrt(25 - 4)) / 2)


def test_ve_has_no_stationary_law_and_is_vp_in_other_units():
    report = recipes.ve().validate()
    assert report.stationary == "none"
    assert report.spectral_gap == 0
    assert "cannot be normalised" in report.problem
    assert largest(recipes.ve().F) == 0
    # x / sqrt(1 + s) with s = sigma^2: variance of the kernel s / (1 + s) = 1 - exp(-B), B = ln(1 + s)
    s = torch.tensor([0.01, 1.0, 2500.0], dtype=torch.float64)
    mean = flow(recipes.vp().F, torch.log1p(s))[:, 0, 0]
    assert largest(mean - (1 + s).rsqrt()) < 1e-12
    assert largest(1 - mean**2 - s / (1 + s)) < 1e-12


# --- What is no noising process ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe([[0, 0], [0, 0]], [[0, -1], [1, 0]], [[1, 0], [0, 1]]), "stationary but not attracting"),
        (Recipe([[1, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 0], [0, 1]]), "stationary but not attracting"),
        (Recipe([[1, 0], [0, -1]], [[0, -1], [1, 0]], [[1, 0], [0, 1]]), "smallest eigenvalue -1; expected a symmetric positive"),
        (Recipe([[1, 1], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, 1]]), "expected a symmetric positive semidefinite"),
        (Recipe([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, 1]]), "expected a skew-symmetric matrix"),
        (Recipe([[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]]), "Sigma_inf = .* expected a symmetric positive definite"),
        (recipes.ve(), "no stationary law"),
    ],
)  # fmt: skip
def test_processes_that_cannot_noise_data_are_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        recipe.noising()


def test_an_sde_that_does_not_keep_the_law_is_refused():
    F = recipes.cld().F
    wrong = Recipe.from_sde(F, 2 * recipes.cld().GGT, recipes.cld().Sigma_inf)
    assert wrong.validate().lyapunov > 0.1
    with pytest.raises(ValueError, match="skew-symmetric"):
        wrong.noising()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 0.0, "nu": 0.0}, "expected gamma and nu of at least 0, and not both 0"),
        ({"gamma": -0.1}, "expected gamma and nu of at least 0"),
        ({"gamma": 0.1, "nu": -1.0}, "expected gamma and nu of at least 0"),
        ({"gamma": 2.0, "nu": 2.0}, "1/M is 0; expected a positive number"),
        ({"gamma": 0.0, "inverse_mass": -4.0}, "1/M is -4; expected a positive number"),
        ({"gamma": 0.0, "nu": 4.0, "inverse_mass": 1.0}, "not critically damped.* 16 and 4/M = 4"),
        ({"gamma": 0.0, "damping": "free"}, "free damping needs nu"),
    ],
)
def test_parameters_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        recipes.psld(**options)


@pytest.mark.parametrize(
    ("D", "Q", "message"),
    [
        ([[1, 0]], [[0]], "D = .*: expected a finite square matrix"),
        ([[math.nan]], [[0]], "D = .*: expected a finite square matrix"),
        ([[1]], [[0, 1], [-1, 0]], r"of sizes \[1, 2\]: expected one size"),
    ],
)
def test_matrices_that_do_not_fit_are_named(D, Q, message):
    with pytest.raises(ValueError, match=message):
        Recipe(D, Q, [[1]])


def test_critical_damping_fills_in_what_is_not_given():
    for recipe in (recipes.psld(gamma=0.02), recipes.psld(gamma=0.02, nu=4.02)):
        assert float(recipe.Sigma_inf[1, 1]) == pytest.approx(0.25, rel=1e-12)
        assert float(recipe.D[1, 1]) == pytest.approx(4.02 * 0.25 / 2, rel=1e-12)
    assert float(recipes.position_noise(gamma=4.0).Sigma_inf[1, 1]) == pytest.approx(0.25)


def test_recipes_are_components():
    shipped = {"cld", "matrices", "position_noise", "psld", "ve", "vp"}
    assert shipped <= set(components.kinds("recipes"))
    written = components.load("recipes", "matrices")(D=[[0, 0], [0, 0.5]], Q=[[0, -0.5], [0.5, 0]], Sigma_inf=[[1, 0], [0, 0.25]])  # fmt: skip
    assert largest(written.F - recipes.cld().F) < 1e-12


# --- The flow: overdamped, critical and oscillating in one formula -------------------------------


@pytest.mark.parametrize("nu", [0.5, 1.0, 3.9999, 4.0, 4.0001, 9.0, 60.0])
def test_the_flow_is_the_matrix_exponential(nu):
    F = recipes.psld(gamma=0.0, nu=nu, inverse_mass=4.0, damping="free").F
    b = torch.tensor([0.0, 1e-6, 0.01, 0.5, 2.0, 8.0], dtype=torch.float64)
    expected = torch.linalg.matrix_exp(b[:, None, None] * F)
    assert largest(flow(F, b) - expected) < 1e-13


def test_flows_of_other_sizes():
    F = torch.tensor([[-1.0, 2.0, 0.0], [-2.0, 0.0, 1.0], [0.0, -1.0, -3.0]], dtype=torch.float64)
    assert largest(flow(F, 0.3) - torch.linalg.matrix_exp(0.3 * F)) < 1e-13
    assert float(flow(torch.tensor([[-0.5]], dtype=torch.float64), 3.0)) == pytest.approx(
        math.exp(-1.5), rel=1e-14
    )


# --- D and Q that depend on the state ------------------------------------------------------------


def toy_D(z):
    x, y = z
    root = torch.stack(
        [torch.stack([1 + x**2, x * y]), torch.stack([torch.sin(y), 2 + torch.cos(x)])]
    )
    return root @ root.T


def toy_Q(z):
    x, y = z
    q = x * y**2 + torch.exp(-(x**2))
    return torch.stack([torch.stack([0 * q, -q]), torch.stack([q, 0 * q])])


def toy_H(z):
    return z[0] ** 4 / 4 - z[0] * z[1] + z[1] ** 2 + torch.sin(z[0])


POINTS = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_correction_by_hand():
    x, y = 0.3, -0.7
    z = torch.tensor([x, y], dtype=torch.float64)
    q_x, q_y = y**2 - 2 * x * math.exp(-(x**2)), 2 * x * y
    assert correction(toy_Q, z).tolist() == pytest.approx([-q_y, q_x])


def fokker_planck_residual(f, D, H, z):
    """dp/dt divided by p at z [d] for p = exp(-H): 0 where p is stationary. Returns [].

    The Fokker-Planck equation of dz = f dt + sqrt(2 D) dw, its current over p being
    j = f - div D + D grad H.
    """

    def current(z):
        return f(z) - correction(D, z) + D(z) @ torch.func.grad(H)(z)

    return current(z) @ torch.func.grad(H)(z) - torch.func.jacrev(current)(z).trace()


def test_state_dependent_recipes_keep_their_law():
    def f(z):
        return drift(toy_D, toy_Q, toy_H, z)

    residuals = [float(fokker_planck_residual(f, toy_D, toy_H, z)) for z in POINTS]
    assert residuals == pytest.approx([0.0] * len(POINTS), abs=1e-9)


def test_without_the_correction_the_law_is_lost():
    def f(z):
        return drift(toy_D, toy_Q, toy_H, z) - correction(lambda u: toy_D(u) + toy_Q(u), z)

    residuals = [abs(float(fokker_planck_residual(f, toy_D, toy_H, z))) for z in POINTS]
    assert min(residuals) > 1e-3


def test_with_constant_matrices_the_drift_is_linear():
    recipe, z = recipes.psld(gamma=0.1), POINTS[0]
    P = torch.linalg.inv(recipe.Sigma_inf)
    result = drift(lambda z: recipe.D, lambda z: recipe.Q, lambda z: z @ P @ z / 2, z)
    assert largest(result - recipe.F @ z) < 1e-12
