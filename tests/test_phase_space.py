"""Kernels in phase space: recorded moments, factors, scores, losses, times; what cancels is refused."""

import math

import pytest
import torch
from exact_phase import AUGMENTED, MEAN, ExactPhase, data_covariance, process, stored

from uncanny.diffusion import augmented_state
from uncanny.diffusion.linear_process import (
    REGULARISER,
    Process,
    regularised,
    sampling_times,
    triangular,
)
from uncanny.diffusion.processes.phase_space import PhaseSpace, phase_space
from uncanny.diffusion.recipe import flow

KERNELS = [
    "psld_gamma0.01_nu4.01", "psld_gamma0.02_nu4.02", "psld_gamma0.005_nu4.005", "psld_gamma0.25_nu4.25",
    "cld_gamma0_nu4", "psld_gamma2_nu1", "scorex_gamma4_nu0", "psld_gamma0.01_nu4.01_betalin0.1to20",
]  # fmt: skip
T = stored("kernel/t")
LATE = T >= 1e-3
COVARIANCES = {"cov_hsm": None, "cov_dsm": 0.0, "cov_datavar0.25_mm0kappaM": 0.25}
DRAWS = torch.Generator().manual_seed(0)
X = torch.randn(3, 2, 2, 2, generator=DRAWS, dtype=torch.float64)


def assert_near(result, expected, rtol: float, atol: float = 0.0):
    excess = (result - expected).abs() - atol - rtol * expected.abs()
    assert float(excess.max()) <= 0, f"beyond the tolerance by {float(excess.max()):.3g}"


def initial(made: Process, name: str) -> torch.Tensor:
    if name == "cov_dsm":
        return torch.zeros_like(made.momentum)
    return made.momentum if name == "cov_hsm" else data_covariance(made)


# --- T2: kernels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KERNELS)
def test_the_mean_of_the_kernel(key):
    made = process(key)
    assert_near(made.flow(T)[LATE], stored(f"kernel/{key}/mean_matrix")[LATE], 1e-9, 1e-15)
    assert_near(made.flow(T)[~LATE], stored(f"kernel/{key}/mean_matrix")[~LATE], 0, 1e-15)
    assert_near(made.integral(T), stored(f"kernel/{key}/beta_integral"), 1e-12)
    assert_near(made.rate(T), stored(f"kernel/{key}/beta_t"), 1e-12)


@pytest.mark.parametrize("name", COVARIANCES)
@pytest.mark.parametrize("key", KERNELS)
def test_the_covariance_of_the_kernel(key, name):
    made = process(key)
    result = regularised(made.covariance(T, initial(made, name)))
    expected = stored(f"kernel/{key}/{name}")
    assert_near(result[LATE], expected[LATE], 1e-9, 1e-16)
    assert_near(result[~LATE], expected[~LATE], 0, 1e-15)


@pytest.mark.parametrize("key", [*KERNELS, "vp"])
def test_flows_follow_on_one_another(key):
    made = process(key)
    later = flow(made.recipe.F, made.integral(0.8) - made.integral(0.3))
    assert_near(later @ made.flow(0.3), made.flow(0.8), 1e-9, 1e-15)
    assert torch.equal(made.flow(0.0), torch.eye(made.size, dtype=torch.float64))


@pytest.mark.parametrize(
    "key", ["psld_gamma0.01", "cld_gamma0", "psld_gamma0.01_betalin0.1to20", "vp"]
)
def test_moments_solve_their_equations(key):
    """d Phi / dt = beta F Phi and d Sigma / dt = beta (F Sigma + Sigma F^T + G G^T), by differences."""
    made, t, h = process(key), torch.linspace(0.05, 0.95, 7, dtype=torch.float64), 1e-5
    rate = made.rate(t)[:, None, None]
    Phi = [made.flow(t + k * h) for k in (1, -1)]
    assert_near((Phi[0] - Phi[1]) / (2 * h), rate * (made.recipe.F @ made.flow(t)), 0, 1e-7)
    start = data_covariance(made)
    Sigma = made.covariance(t, start)
    slope = made.recipe.F @ Sigma
    moved = [made.covariance(t + k * h, start) for k in (1, -1)]
    expected = rate * (slope + slope.mT + made.recipe.GGT)
    assert_near((moved[0] - moved[1]) / (2 * h), expected, 0, 1e-7)


@pytest.mark.parametrize("key", AUGMENTED)
def test_at_the_end_the_data_are_forgotten(key):
    made = process(key)
    law = made.covariance(1.0, made.momentum)
    assert_near(law, made.recipe.Sigma_inf, 0, 1e-4)
    assert float(made.flow(1.0).abs().max()) < 0.01


def test_small_times_keep_all_digits():
    """Against arithmetic of 60 digits; 1 - 0.9999999997 would leave six."""
    result = process("cld_gamma0").covariance(1e-5, process("cld_gamma0").momentum)
    exact = 2.566416280285346e-10, 1.6060150170391852e-6, 0.010076787649157047
    assert [result[0, 0], result[0, 1], result[1, 1]] == [
        pytest.approx(v, rel=1e-11) for v in exact
    ]


def test_small_times_by_hand():
    """Leading terms: kappa B^2 / (4 M) of the position's variance without noise in it, gamma B with."""
    t = 1e-5
    cld = process("cld_gamma0").covariance(t, process("cld_gamma0").momentum)
    assert float(cld[0, 0]) == pytest.approx(2.56e-10, rel=1e-3)
    assert float(cld[0, 0]) < REGULARISER
    made = process("psld_gamma0.01")
    assert float(made.covariance(t, made.momentum)[0, 0]) == pytest.approx(8e-7, rel=1e-3)


# --- T3: CLD and VP in the same code -------------------------------------------------------------


def test_without_noise_in_the_position_it_is_cld():
    """Moments by the code of CLD, and its formulas in its own convention: beta_c = beta / 2."""
    made = process("cld_gamma0")
    name = "kernel/cldcode_minv4_gamma0.04_beta4"
    result = regularised(made.covariance(T, made.momentum))
    expected = stored(f"{name}/cov_hsm")
    columns = (result[:, 0, 0], result[:, 0, 1], result[:, 1, 1])
    for k, column in enumerate(columns):
        other = expected[..., k] if expected.ndim == 2 else expected[:, (0, 0, 1)[k], (0, 1, 1)[k]]
        assert_near(column, other, 1e-9, 1e-15)
    B = 4 * T[:, None, None]  # their beta_c t
    N = torch.tensor([[2.0, 4.0], [-1.0, -2.0]], dtype=torch.float64)
    flow = torch.exp(-2 * B) * (torch.eye(2, dtype=torch.float64) + B * N)
    assert_near(made.flow(T), flow, 0, 1e-12)
    multiplier = -1 / made.root(T)[:, 1, 1]
    expected = stored(f"{name}/noise_multiplier").reshape(-1)
    assert_near(multiplier[LATE], expected[LATE], 1e-9)
    assert_near(multiplier, expected, 1e-5)  # their variances have 15 digits of 1, not of 1e-9


def test_one_component_is_vp():
    made = process("vp_betalin0.1to20")
    B = 0.1 * T + 19.9 * T**2 / 2
    assert_near(made.flow(T)[:, 0, 0], torch.exp(-B / 2), 1e-12)
    assert_near(made.root(T)[:, 0, 0], (-torch.expm1(-B)).sqrt(), 0, 1e-12)
    assert_near(made.flow(T)[:, 0, 0], stored("kernel/vp_betalin0.1to20/mean_coefficient"), 1e-9)
    assert_near(made.root(T)[:, 0, 0], stored("kernel/vp_betalin0.1to20/std"), 1e-9)


# --- T4 and T5: factors and scores ---------------------------------------------------------------


@pytest.mark.parametrize("factor", ["lower", "upper"])
@pytest.mark.parametrize("key", KERNELS)
def test_factors(key, factor):
    made = process(key, factor=factor)
    L = made.root(T)
    Sigma = regularised(made.covariance(T, made.momentum))
    assert_near(L @ L.mT, Sigma, 0, 1e-12)
    zero = L[:, 0, 1] if factor == "lower" else L[:, 1, 0]
    assert float(zero.abs().max()) == 0
    # At t < 1e-3 the factor's small entry is what is left of a difference: absolute there.
    assert_near(L[LATE], stored(f"kernel/{key}/factor_{factor}")[LATE], 1e-8, 1e-12)
    back = torch.linalg.inv(L).mT
    eye = torch.eye(2, dtype=torch.float64).expand_as(L)
    assert_near(back.mT @ L, eye, 0, 1e-12)
    assert_near(
        back[LATE], stored(f"kernel/{key}/factor_inverse_transpose_{factor}")[LATE], 1e-8, 1e-9
    )


@pytest.mark.parametrize("key", ["psld_gamma0.01", "psld_gamma0.25"])
def test_the_score_does_not_hang_on_the_factor(key):
    t = torch.tensor([1e-4, 0.05, 0.7], dtype=torch.float64)
    lower, upper = (process(key, factor=factor) for factor in ("lower", "upper"))
    noise = augmented_state.apply(lower.root(t), X)  # z - mu
    scores = [made.score(augmented_state.apply(torch.linalg.inv(made.root(t)), noise), t) for made in (lower, upper)]  # fmt: skip
    assert_near(scores[0], scores[1], 1e-9, 1e-12)
    Sigma = regularised(lower.covariance(t, lower.momentum))
    assert_near(scores[0], -augmented_state.apply(torch.linalg.inv(Sigma), noise), 1e-8, 1e-9)


@pytest.mark.parametrize("objective", ["hsm", "dsm"])
@pytest.mark.parametrize("key", ["psld_gamma0.01", "psld_gamma0.25", "vp"])
def test_noise_and_score_agree(key, objective):
    """s = -Sigma^-1 (z_t - mu_t), with the covariance of the objective."""
    made = process(key, objective=objective)
    t = torch.tensor([1e-3, 0.05, 0.7], dtype=torch.float64)
    x0 = X[:, :1]
    eps = X if made.size == 2 else x0
    m0 = X[:, 1:].flip(0)
    z = made.perturb(x0, t, eps, m0)
    momentum = m0 * made.momentum[-1, -1].sqrt() if objective == "dsm" else 0 * m0
    start = torch.cat([x0, momentum], dim=1) if made.size == 2 else x0
    mu = augmented_state.apply(made.flow(t), start)
    law = made.momentum if objective == "hsm" else torch.zeros_like(made.momentum)
    Sigma = regularised(made.covariance(t, law))
    assert_near(
        made.score(eps, t), -augmented_state.apply(torch.linalg.inv(Sigma), z - mu), 1e-8, 1e-9
    )


@pytest.mark.parametrize(
    ("key", "factor", "mode", "predicted"),
    [
        ("psld_gamma0.01", "lower", "score_xm", [0, 1]),
        ("psld_gamma0.01", "upper", "score_xm", [0, 1]),
        ("cld_gamma0", "lower", "score_m", [1]),
        ("cld_gamma0", "upper", "score_xm", [0, 1]),
        ("scorex_gamma4_nu0", "upper", "score_x", [0]),
        ("scorex_gamma4_nu0", "lower", "score_xm", [0, 1]),
        ("vp", "lower", "score_xm", [0]),
        ("vp", "upper", "score_xm", [0]),
    ],
)
def test_modes(key, factor, mode, predicted):
    made = process(key, factor=factor)
    assert made.mode == mode
    assert made.predicted == predicted
    eps, t = (
        augmented_state.gathered(X[:, : made.size], predicted, made.size),
        torch.tensor(0.2).double(),
    )
    score = made.score(eps, t)
    assert score.shape == X[:, : made.size].shape
    L = made.root(t)
    for k in set(range(made.size)) - set(predicted):
        assert float(score[:, k].abs().max()) == 0
    if mode == "score_m":
        assert_near(score[:, 1:], -eps / L[1, 1], 1e-12)
    if mode == "score_x":
        assert_near(score[:, :1], -eps / L[0, 0], 1e-12)


def test_the_amplification_of_errors_explains_small_gamma():
    """Section 8.1: what an error in eps becomes in one step of unit length."""
    t = stored("gamma/t")
    for gamma in ("0.005", "0.01", "0.02", "0.04", "0.25", "1"):
        made, name = process(f"psld_gamma{gamma}_nu{4 + float(gamma):g}"), f"gamma/gamma{gamma}"
        L, push = made.root(t), made.amplification(t)
        assert_near(push[:, 0, 0].abs(), stored(f"{name}/position_from_eps_x").abs(), 1e-7)
        assert_near(push[:, 0, 1].abs(), stored(f"{name}/position_from_eps_m").abs(), 1e-6)
        assert_near(push[:, 1, 1].abs(), stored(f"{name}/momentum_from_eps_m").abs(), 1e-7)
        assert_near(L[:, 1, 0], stored(f"{name}/l21"), 1e-9, 1e-12)
    momentum = process("cld_gamma0").amplification(t)[:, 1, 1].abs()
    assert_near(momentum, stored("gamma/gamma0/momentum_from_eps_m").abs(), 1e-7)


# --- T6: what is trained on ----------------------------------------------------------------------


class Linear(torch.nn.Module):
    """eps_theta = A z, of the predicted components."""

    def __init__(self, matrix, predicted):
        super().__init__()
        self.matrix = torch.nn.Parameter(matrix[predicted].clone())

    def forward(self, z, noise, labels):
        blocks = z.unflatten(1, (self.matrix.shape[1], -1)).flatten(2)
        return (self.matrix.to(z) @ blocks).reshape(len(z), -1, *z.shape[2:])


def losses(key, objective):
    family = PhaseSpace(process(key, objective=objective))
    made, t = family.process, stored("loss/t")
    x0, eps, m0 = (stored(f"loss/{name}") for name in ("x0", "eps", "m0_noise"))
    eps = eps[:, : made.size]
    z = made.perturb(x0, t, eps, m0)
    matrix = stored("loss/linear_net_matrix")[: made.size, : made.size]
    result = family.eps(Linear(matrix, made.predicted), z, t, None).detach()
    return z, (result - augmented_state.gathered(eps, made.predicted, made.size)), made


@pytest.mark.parametrize("objective", ["hsm", "dsm"])
@pytest.mark.parametrize("key", AUGMENTED)
def test_recorded_states_and_losses(key, objective):
    z, error, _ = losses(key, objective)
    # The recorded factor of CLD at t = 1e-5 is off by 4e-10 (60 digits), as its variance is by 2e-17.
    tolerance = 1e-9 if key == "cld_gamma0" else 1e-10
    assert_near(z, stored(f"loss/{key}/z_t_{objective}"), 1e-9, 1e-9)
    assert float((error**2).mean()) == pytest.approx(
        float(stored(f"loss/{key}/loss_{objective}_mean")), rel=tolerance
    )


def test_recorded_losses_of_vp():
    _, error, made = losses("vp", "hsm")
    assert float((error**2).mean()) == pytest.approx(
        float(stored("loss/vp/loss_fid_mean")), rel=1e-9
    )
    t = stored("loss/t")
    # Of the error of the score in the likelihood bound, beta G G^T (Song et al. 2021), in eps.
    weight = made.rate(t) * made.recipe.GGT[0, 0] / made.root(t)[:, 0, 0] ** 2
    weighted = weight[:, None, None, None] * error**2
    assert float(weighted.mean()) == pytest.approx(float(stored("loss/vp/loss_nll_mean")), rel=1e-9)


class Ideal(torch.nn.Module):
    """The network that predicts best for Gaussian data: eps = -L^T score; told t itself."""

    def __init__(self, made, **data):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.made, self.exact = made, ExactPhase(made, **data)

    def forward(self, z, noise, labels):
        t = noise.double()
        score = self.exact(z.double(), t)
        eps = -augmented_state.apply(self.made.root(t).mT, score)
        return augmented_state.gathered(eps, self.made.predicted, self.made.size).to(z.dtype)


@pytest.mark.parametrize("key", ["psld_gamma0.01", "psld_gamma0.25", "vp"])
def test_the_floor_of_the_loss(key):
    """1 - tr(L^T Sigma_d^-1 L) / d averaged over t: nobody predicts eps better."""
    family = PhaseSpace(process(key))
    made, draws = family.process, torch.Generator().manual_seed(1)
    x0 = MEAN + 0.5 * torch.randn(20_000, 1, 2, 2, generator=draws, dtype=torch.float64)
    result = float(family.loss(Ideal(made), x0, None, draws).mean())
    t = torch.linspace(1e-5, 1, 20_001, dtype=torch.float64)
    L, whole = made.root(t), made.covariance(t, data_covariance(made))
    known = (L.mT @ torch.linalg.solve(whole, L)).diagonal(dim1=1, dim2=2).sum(dim=1) / made.size
    assert result == pytest.approx(float((1 - known).mean()), rel=0.02)


def test_both_objectives_have_one_score():
    """The best eps of dsm and hsm differ by their factors; the scores they mean are the same."""
    z, t = X, torch.tensor([0.01, 0.2, 0.9], dtype=torch.float64)
    hsm, dsm = (process("psld_gamma0.01", objective=name) for name in ("hsm", "dsm"))
    models = [PhaseSpace(made).bind(Ideal(made).double(), None) for made in (hsm, dsm)]
    eps = [Ideal(made)(z, t, None) for made in (hsm, dsm)]
    assert float((eps[0] - eps[1]).abs().max()) > 0.1
    assert_near(models[0](z, t), models[1](z, t), 1e-6, 1e-9)
    assert_near(models[0](z, t), ExactPhase(hsm)(z, t), 1e-6, 1e-9)


def test_times_and_noise_of_training_follow_from_the_generator():
    family = phase_space(None, recipe={"kind": "psld"})
    t = family.draw_times(10_000, torch.Generator().manual_seed(0))
    assert t.dtype == torch.float64
    assert 1e-5 <= float(t.min()) < 1e-3
    assert 0.999 < float(t.max()) <= 1
    part = family.draw_times(1000, torch.Generator().manual_seed(0), (0.3, 0.4))
    assert float(part.min()) >= 0.3
    assert float(part.max()) <= 0.4


# --- Mixed score ---------------------------------------------------------------------------------


def test_a_mixed_score_is_that_of_unit_data_where_the_network_is_silent():
    family = phase_space(None, recipe={"kind": "cld"}, mixed_score=True)
    made, t = family.process, torch.tensor([0.05, 0.3, 0.9], dtype=torch.float64)
    model = family.bind(Linear(torch.zeros(2, 2).double(), [1]), None)
    variance = made.covariance(t, data_covariance(made, 1.0))[:, 1, 1]
    expected = -X[:, 1:] / variance.reshape(-1, 1, 1, 1)
    assert_near(model(X, t)[:, 1:], expected, 1e-6, 1e-8)
    assert float(model(X, t)[:, :1].abs().max()) == 0


@pytest.mark.parametrize("recipe", ["vp", "psld", "position_noise"])
def test_a_mixed_score_elsewhere_is_refused(recipe):
    with pytest.raises(ValueError, match=r"mixed_score: .* expected noise in the momentum only"):
        phase_space(None, recipe={"kind": recipe}, mixed_score=True)


# --- T14: times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", ["uniform", "quadratic"])
@pytest.mark.parametrize("nfe", [2, 3, 10, 1000])
def test_a_budget_of_evaluations_is_steps_and_a_denoising_one(grid, nfe):
    t = sampling_times(nfe, grid)
    K = nfe - 1
    assert len(t) == nfe + 1
    assert t[[0, K, nfe]].tolist() == [1, 0.001, 0]
    assert (t.diff() < 0).all()
    u = torch.arange(K + 1, dtype=torch.float64) / K
    left = 1 - u if grid == "uniform" else (1 - u) ** 2
    assert_near(t[:-1], 0.001 + 0.999 * left, 0, 1e-15)
    assert torch.equal(sampling_times(K, grid, denoise=False), t[:-1])


def test_recorded_grids():
    for grid in ("uniform", "quadratic"):
        expected = 1 - stored(f"runs/reverse_time_grid_{grid}_n10")
        assert_near(sampling_times(10, grid)[:-1], expected, 0, 1e-7)  # single precision there


def test_quadratic_steps_are_long_first_and_short_near_the_data():
    steps = -sampling_times(100, "quadratic")[:-1].diff()
    assert (steps.diff() < 0).all()


def test_the_ends_alone():
    assert sampling_times(None, "ends").tolist() == [1, 0.001, 0]
    assert sampling_times(None, "ends", epsilon_s=0.01, denoise=False).tolist() == [1, 0.01]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None, "uniform"), {}, "num_steps=None: expected an integer of at least 2"),
        ((1, "quadratic"), {}, "num_steps=1: expected an integer of at least 2"),
        ((0, "uniform"), {"denoise": False}, "num_steps=0: expected an integer of at least 1"),
        ((10, "ends"), {}, "num_steps=10 with times: ends; expected null"),
        ((10, "uniform"), {"epsilon_s": 0.0}, "epsilon_s=0: expected a time between 0 and 1"),
    ],
)
def test_grids_that_mean_nothing_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        sampling_times(*arguments, **options)


# --- T16 and other input -------------------------------------------------------------------------


def test_single_precision_would_cancel_and_is_refused():
    made = process("cld_gamma0")
    t = torch.tensor([1e-5])
    for method in (made.flow, made.root, made.rate, made.integral):
        with pytest.raises(ValueError, match=r"t is torch.float32: the kernel cancels .* float64"):
            method(t)
    single = triangular(regularised(made.covariance(t.double(), made.momentum)).float(), "lower")
    exact = made.root(t.double())
    assert float((single - exact).abs().max() / exact[0, 1, 1]) < 1  # defined, but far from exact


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta_0": 0.0}, "beta_0=0, beta_1=None: expected positive speeds"),
        ({"beta_1": -1.0}, "beta_1=-1.0: expected positive speeds"),
        ({"kappa": 0.0}, "kappa=0: expected a positive share"),
        ({"epsilon_t": 0.0}, "epsilon_t=0: expected a time between 0 and 1"),
        ({"recipe": {"kind": "ve"}}, "no stationary law"),
        ({"recipe": {"kind": "psld", "gamma": 0.0, "nu": 0.0}}, "not both 0"),
    ],
)
def test_processes_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        phase_space(None, **({"recipe": {"kind": "psld"}} | options))


def test_dsm_needs_a_momentum():
    with pytest.raises(ValueError, match="objective dsm: no initial momentum"):
        process("cld_gamma0", objective="dsm").perturb(X[:, :1], torch.ones(3).double(), X)


def test_components_of_states():
    z = torch.arange(12.0).reshape(1, 6, 2)  # three components of two channels
    assert augmented_state.gathered(z, [2], 3).flatten().tolist() == [8, 9, 10, 11]
    assert torch.equal(
        augmented_state.gathered(augmented_state.scattered(z[:, :2], [1], 3), [1], 3), z[:, :2]
    )
    assert augmented_state.image_of(z, 3).shape == (1, 2, 2)
    swap = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 2]])
    expected = torch.cat([z[:, 2:4], z[:, :2], 2 * z[:, 4:]], dim=1)
    assert torch.equal(augmented_state.apply(swap, z), expected)


def test_a_process_that_neither_paper_has():
    """Three components: momentum that is itself coupled to a third, which alone is noisy."""
    D = [[0, 0, 0], [0, 0, 0], [0, 0, 2.0]]
    Q = [[0, -1.0, 0], [1.0, 0, -1.5], [0, 1.5, 0]]
    written = {
        "kind": "matrices",
        "D": D,
        "Q": Q,
        "Sigma_inf": [[1.0, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    }
    family = phase_space(None, recipe=written, beta_0=4.0)
    made = family.process
    assert made.mode == "score_m"
    assert family.network_shape((3, 8, 8)) == ((9, 8, 8), 3)
    assert family.state_shape((3, 8, 8)) == (9, 8, 8)
    z = made.perturb(torch.zeros(2, 1, 4), torch.full((2,), 0.4).double(), torch.randn(2, 3, 4))
    assert z.shape == (2, 3, 4)
    assert math.isclose(float(made.covariance(1e9, made.momentum)[0, 0]), 1.0)
