"""The rules of NCSNv2: stored values, and what they promise."""

import math

import numpy as np
import pytest
from exact import printed
from scipy.spatial.distance import pdist

from uncanny.diffusion import ncsn_levels


@pytest.mark.parametrize(
    ("dim", "ratio"), [(192, "1.1808"), (768, "1.0829"), (3072, "1.0398"), (12288, "1.01951")]
)
def test_neighbouring_levels_overlap_by_half(dim, ratio):
    assert ncsn_levels.level_ratio(dim) == printed(ratio)
    assert ncsn_levels.overlap(ncsn_levels.level_ratio(dim), dim) == pytest.approx(0.5, abs=1e-9)


def test_the_published_cifar_levels():
    """232 levels in the published program, more than the rule asks for."""
    assert ncsn_levels.level_count(50, 0.01, ncsn_levels.level_ratio(3072)) == 220
    ratio = (50 / 0.01) ** (1 / 231)
    assert ratio == printed("1.03756")
    assert ncsn_levels.overlap(ratio, 3072) == printed("0.567")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("dim", [5, 64, 3072])
def test_any_share_of_overlap_is_found(dim, share):
    ratio = ncsn_levels.level_ratio(dim, share=share)
    assert ratio > 1
    assert ncsn_levels.overlap(ratio, dim) == pytest.approx(share, abs=1e-9)


def test_levels_are_as_few_as_the_ratio_allows():
    count = ncsn_levels.level_count(5, 0.01, 1.3)
    assert (5 / 0.01) ** (1 / (count - 1)) <= 1.3 < (5 / 0.01) ** (1 / (count - 2))


def test_the_published_cifar_step_size():
    size, error = ncsn_levels.step_size(0.01, 1.03756, 5)
    assert size == pytest.approx(6.19e-6, abs=1e-8)  # published from a grid of that width
    assert error == printed("0.055")
    published = ncsn_levels.variance_ratio(6.19e-6 / 0.01**2, 1.03756, 5) - 1
    assert error <= published <= error + 1e-6


@pytest.mark.parametrize(("ratio", "steps"), [(1.03756, 5), (1.4, 5), (1.18, 1), (2.0, 20)])
def test_no_other_step_size_is_better(ratio, steps):
    size, error = ncsn_levels.step_size(0.1, ratio, steps)
    shares = np.linspace(0, 1, 20_001)[1:-1]
    others = np.abs([ncsn_levels.variance_ratio(share, ratio, steps) - 1 for share in shares])
    assert error <= others.min() + 1e-9
    assert size == pytest.approx(shares[others.argmin()] * 0.01, abs=1e-6)


def test_the_variance_ratio_is_that_of_the_chain():
    share, ratio, steps = 0.06, 1.2, 4
    variance = ratio**2
    for _ in range(steps):
        variance = (1 - share) ** 2 * variance + 2 * share
    assert ncsn_levels.variance_ratio(share, ratio, steps) == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("block", [7, 50, 1000])
def test_the_largest_distance_is_exact(block):
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    expected = pdist(images.reshape(50, -1).astype(float)).max()
    assert ncsn_levels.largest_distance(images, block=block) == pytest.approx(expected, rel=1e-12)


def test_many_images_are_represented_by_some():
    images = np.random.default_rng(0).random((60, 5))
    result = ncsn_levels.largest_distance(images, limit=20)
    assert result == ncsn_levels.largest_distance(images, limit=20)
    assert (
        0.5 * ncsn_levels.largest_distance(images) < result <= ncsn_levels.largest_distance(images)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ncsn_levels.level_ratio(4), "dim=4"),
        (lambda: ncsn_levels.level_ratio(64, share=0.0), "share=0.0"),
        (lambda: ncsn_levels.level_count(1, 2, 1.1), "sigma_max > sigma_min"),
        (lambda: ncsn_levels.level_count(2, 1, 1.0), "ratio=1.0"),
        (lambda: ncsn_levels.step_size(0.01, 1.1, 0), "steps=0"),
        (lambda: ncsn_levels.largest_distance(np.ones((4, 2))), "images: 4, no two different"),
        (lambda: ncsn_levels.largest_distance(np.ones((1, 2))), "images: 1, no two different"),
    ],
)
def test_what_makes_no_sense_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_limit_of_few_dimensions_is_sharp():
    assert math.isfinite(ncsn_levels.level_ratio(5))
