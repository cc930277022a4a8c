"""Affine maps of the solvers: programs of Karras et al. and a plain recursion."""

import re

import numpy as np
import pytest
from exact import Gaussian, arrays, tensor, unused

from uncanny.diffusion import sigma_grids
from uncanny.diffusion.forward import Path
from uncanny.diffusion.theory import grids, laws
from uncanny.samplers import euler, heun

STORED = arrays("design_space")
MEAN, STD = float(STORED["edm/target_mean"]), float(STORED["edm/target_std"])
PATTERN = r"edm/(\w+)_sigma=(t|sqrt_t)_range([\d.]+)_(\d+)_nodes(\d+)_(euler|heun)__samples"
CASES = [match for name in STORED.files if (match := re.fullmatch(PATTERN, name))]


def nodes_of(case):
    schedule, _, low, high, count, _ = case.groups()
    return grids.GRIDS[schedule](int(count) - 1, float(low), float(high))


def score(sigmas):
    """Slope and offset of the exact score of N(MEAN, STD^2), [1, N+1]."""
    slope = 1 / (STD**2 + np.asarray(sigmas)[None] ** 2)
    return slope, MEAN * slope


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][4:-9])
class TestReference:
    def test_nodes(self, case):
        name = (
            case[0]
            .replace("heun__samples", "euler__samples")
            .replace("samples", "sigma_nodes_evaluated")
        )
        np.testing.assert_allclose(nodes_of(case), STORED[name], rtol=1e-10)

    def test_affine_maps(self, case):
        """The reference goes on to sigma = 0 with an Euler step of its clock."""
        nodes, clock = nodes_of(case), {"t": "linear", "sqrt_t": "ve"}[case[2]]
        start = STORED["edm/latents_unit_variance"].reshape(-1, 1) * nodes[0]
        maps = laws.step_maps(case[6], nodes, *score(nodes), clock)
        law = laws.output_law(nodes, maps, start, np.zeros(1))
        end = np.array([nodes[-1], 0.0])
        last = laws.output_law(end, laws.step_maps("euler", end, *score(end), clock), law.mean, 0.0)
        np.testing.assert_allclose(
            last.mean.ravel(), STORED[case[0]].ravel(), rtol=1e-10, atol=1e-10
        )
        assert (last.variance == 0).all()

    def test_samplers(self, case):
        sampler = {"euler": euler.euler, "heun": heun.heun}[case[6]]
        path = Path.named(
            {"t": "linear", "sqrt_t": "ve"}[case[2]], "none", float(case[3]), float(case[4])
        )
        grid = getattr(sigma_grids, case[1])(int(case[5]), float(case[3]), float(case[4]))
        latents = tensor(STORED["edm/latents_unit_variance"])
        result = sampler(Gaussian(STD, MEAN), latents, grid, noise=unused, path=path)
        np.testing.assert_allclose(result, STORED[case[0]], rtol=1e-10, atol=1e-10)


def test_all_cases_of_the_reference_are_there():
    assert len(CASES) == 36
    for count in (10, 18, 40):  # its own sampler is Heun on the polynomial grid
        one = STORED[f"edm/edm_sampler_deterministic_nodes{count}__samples"]
        other = STORED[f"edm/polynomial_sigma=t_range0.002_80_nodes{count}_heun__samples"]
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_grids_are_those_of_the_samplers():
    for schedule, grid in grids.GRIDS.items():
        tensors = getattr(sigma_grids, schedule)(19, 0.002, 80.0)
        np.testing.assert_allclose(grid(18), tensors[:-1], rtol=1e-14)
        assert tensors[-1] == 0


def test_a_plain_recursion_gives_the_same_law():
    rng, sigmas = np.random.default_rng(0), grids.polynomial(18)
    slope, offset = rng.uniform(0, 1, (2, 3, 19)) / sigmas**2
    mean, variance, lam = np.zeros(3), np.full(3, sigmas[0] ** 2), sigmas**2
    for k in range(18):
        step = lam[k] - lam[k + 1]
        mean = (1 - step * slope[:, k]) * mean + step * offset[:, k]
        variance = (1 - step * slope[:, k]) ** 2 * variance + step
    result = laws.output_law(sigmas, laws.step_maps("sde", sigmas, slope, offset))
    np.testing.assert_allclose(result.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(result.variance, variance, rtol=1e-12)


def test_the_sde_sampler_knows_only_the_nodes_and_euler_also_the_clock():
    sigmas = grids.exponential(18)
    outputs = {
        (solver, clock): laws.output_law(
            sigmas, laws.step_maps(solver, sigmas, *score(sigmas), clock)
        )
        for solver in ("sde", "euler")
        for clock in laws.CLOCKS
    }
    for one, other in zip(outputs["sde", "linear"], outputs["sde", "ve"], strict=True):
        assert (one == other).all()
    gap = outputs["euler", "linear"].variance - outputs["euler", "ve"].variance
    assert np.abs(gap).min() > 1e-3


def test_denoising_an_exact_score_keeps_the_mean_and_shrinks_the_rest():
    sigmas = grids.exponential(40)
    slope, offset = score(sigmas)
    drawn = laws.Law(np.array([MEAN]), np.array([STD**2 + sigmas[-1] ** 2]))
    result = laws.denoised(drawn, sigmas[-1], slope[:, -1], offset[:, -1])
    assert result.mean == pytest.approx(MEAN, rel=1e-12)
    assert result.variance == pytest.approx(STD**4 / (STD**2 + sigmas[-1] ** 2), rel=1e-12)


def test_divergences_of_known_gaussians():
    law = laws.Law(np.array([0.0, 1.0]), np.array([1.0, 4.0]))
    truth, counts = np.array([1.0, 1.0]), np.array([5, 2])
    expected = 0.5 * (1 / 4 - 1 - np.log(1 / 4) + 1 / 4)
    assert laws.kl(truth, counts, law) == pytest.approx(2 * expected)
    assert laws.w2(truth, counts, law) == pytest.approx(2.0)
    assert np.isnan(laws.kl(np.array([0.0, 1.0]), counts, law))
