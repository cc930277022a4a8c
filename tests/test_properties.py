"""What holds for every schedule, grid, preconditioning, seed and plan, not only for those shipped."""

import copy
import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_configuration import TINY, plan

from uncanny.diffusion import chain, preconditioning, schedules, sigma_grids
from uncanny.runtime.random_streams import IMAGES_PER_DRAW, image_seeds, seed_of
from uncanny.study import plan as planning
from uncanny.study.study import Study

FEW = settings(max_examples=40)
POSITIVE = st.floats(1e-6, 1e6)
OPTIONS = {
    "linear": {"scale": POSITIVE},
    "cosine": {"offset": st.floats(0, 0.99), "max_beta": st.floats(0.01, 0.999999)},
    "sigmoid": {"start": st.floats(-50, 50), "end": st.floats(-50, 50), "tau": POSITIVE},
    "sigmoid_beta": {"beta_start": st.floats(1e-9, 1), "beta_end": st.floats(1e-9, 1), "width": POSITIVE},
}  # fmt: skip


@FEW
@given(st.data(), st.sampled_from(sorted(OPTIONS)), st.integers(2, 300))
def test_a_schedule_is_refused_or_adds_noise_at_every_level(data, name, num_levels):
    options = {key: data.draw(values, key) for key, values in OPTIONS[name].items()}
    try:
        betas = getattr(schedules, name)(num_levels, **options)
    except ValueError as error:
        assert "expected" in str(error)
        assert name in str(error)
        return
    assert betas.dtype == torch.float64
    assert len(betas) == num_levels
    assert ((betas > 0) & (betas < 1)).all()
    assert (chain.alphas_cumprod(betas).diff() <= 0).all()


@FEW
@given(
    st.sampled_from(["polynomial", "exponential", "ve", "vp", "iddpm"]),
    st.integers(1, 200),
    st.floats(1e-6, 1e3),
    st.floats(1e-6, 1e3),
)
def test_a_grid_is_refused_or_falls_within_its_range(kind, num_steps, sigma_min, sigma_max):
    try:
        sigmas = getattr(sigma_grids, kind)(num_steps, sigma_min, sigma_max)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    assert torch.isfinite(sigmas).all()
    assert (sigmas.diff() < 0).all()
    assert sigmas[-1] == 0
    assert sigmas[0] <= sigma_max * (1 + 1e-6)
    assert sigmas[-2] >= sigma_min * (1 - 1e-6)


@FEW
@given(st.sampled_from(["vp", "sub_vp", "ve", "edm"]), st.floats(0, 1))
def test_coefficients_are_finite_and_little_noise_changes_little(kind, share):
    p = getattr(preconditioning, kind)()
    low, high = max(p.sigma_min, 1e-3), min(p.sigma_max, 1e3)
    sigma = torch.tensor(low * (high / low) ** share, dtype=torch.float64)
    result = [float(f(sigma)) for f in (p.c_skip, p.c_out, p.c_in, p.c_noise)]
    assert all(math.isfinite(value) for value in result)
    assert 0 < result[0] <= 1
    assert abs(result[1]) <= float(sigma)  # D differs from x by no more than the noise
    assert result[2] > 0


@FEW
@given(st.floats(0.01, 10), st.floats(1e-3, 1e3))
def test_edm_sees_and_predicts_unit_variance(sigma_data, sigma):
    p, level = preconditioning.edm(sigma_data=sigma_data), torch.tensor(sigma).double()
    skip, out, inner = (float(f(level)) for f in (p.c_skip, p.c_out, p.c_in))
    assert inner**2 * (sigma**2 + sigma_data**2) == pytest.approx(1)
    target = ((1 - skip) ** 2 * sigma_data**2 + skip**2 * sigma**2) / out**2
    assert target == pytest.approx(1)


@FEW
@given(
    st.integers(0, 4293), st.integers(0, IMAGES_PER_DRAW), st.lists(st.integers(0, 999), max_size=8)
)
def test_seeds_of_images_are_the_same_however_they_are_cut(draw, first, counts):
    total = sum(counts)
    if first + total > IMAGES_PER_DRAW:
        with pytest.raises(ValueError, match="a draw has at most"):
            image_seeds(draw, first, total)
        return
    parts, at = [], first
    for count in counts:
        parts += image_seeds(draw, at, count)
        at += count
    assert parts == image_seeds(draw, first, total)
    assert all(draw * IMAGES_PER_DRAW <= seed < (draw + 1) * IMAGES_PER_DRAW for seed in parts)
    assert len({seed % 2**32 for seed in parts}) == len(parts)


KEYS = st.lists(
    st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=5)), min_size=1, max_size=3
)


@FEW
@given(KEYS, KEYS)
def test_different_keys_have_different_seeds(one, other):
    assert (seed_of(*one) == seed_of(*other)) == (one == other)
    assert 0 <= seed_of(*one) < 2**64


@FEW
@given(st.integers(1, 50), st.integers(0, 5000))
def test_training_goes_back_to_its_start_along_the_grid(length, epoch):
    study = Study({"study": "x", "segment_epochs": length})
    chain = [epoch]
    while (before := study.previous_epoch(chain[-1])) is not None:
        assert before < chain[-1]
        assert before % length == 0
        chain.append(before)
    assert len(chain) == max(1, -(-epoch // length))


@FEW
@given(st.one_of(st.none(), st.integers(1, 400)), st.integers(0, 500), st.integers(0, 1000))
def test_parts_of_a_set_are_the_whole_set(size, first, count):
    study = Study({"study": "x", "shard_images": size})
    spans = planning.spans(study, first, first + count)
    assert [k for start, n in spans for k in range(start, start + n)] == list(
        range(first, first + count)
    )
    assert all(0 < n <= (size or count) for _, n in spans)


def shuffled(value, draw):
    if isinstance(value, dict):
        keys = draw.sample(sorted(value), len(value))
        return {key: shuffled(value[key], draw) for key in keys}
    return value


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_the_order_of_keys_means_nothing(seed):
    study, other = plan(TINY), plan(shuffled(copy.deepcopy(TINY), random.Random(seed)))
    for figure in TINY["figures"]:
        cells = planning.figure_cells(study, figure)
        assert planning.figure_cells(other, figure) == cells
        assert len(set(cells)) == len(cells)
        for cell in cells:
            assert repr(other.identity(cell.model)) == repr(study.identity(cell.model))
            names = (cell.sampler, cell.model)
            assert repr(other.sampler(*names)) == repr(study.sampler(*names))
