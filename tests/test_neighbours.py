"""Nearest neighbours: exact, tile by tile."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from uncanny.evaluation import neighbours


@pytest.fixture(params=[1, 7, 1024])
def rows(request, monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS", request.param)


def made(n, m, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 5)).astype(dtype), rng.standard_normal((m, 5)).astype(dtype)


def test_the_two_nearest_of_each_row(rows):
    x, y = made(13, 30)
    x[4] = y[7] = 1e6 + x[0]  # equal rows are at distance 0, however large
    result = neighbours.distances(x, y)
    np.testing.assert_allclose(result, np.sort(cdist(x, y), axis=1)[:, :2], rtol=1e-12)
    assert result[4, 0] == 0


def test_rows_that_products_cannot_tell_apart_are_told_by_differences(rows):
    """Distances of 1e-4 at lengths of 1e6: products are off by about 1e-2."""
    x, y = made(6, 30)
    x, y = 1e6 + 1e-4 * x, 1e6 + 1e-4 * y
    result = neighbours.distances(x, y)
    np.testing.assert_allclose(result, np.sort(cdist(x, y), axis=1)[:, :2], rtol=1e-12)


def test_two_rows_are_enough():
    x, y = made(3, 2)
    np.testing.assert_allclose(neighbours.distances(x, y), np.sort(cdist(x, y), axis=1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_nearest_and_which_they_are(rows, dtype):
    x, y = made(13, 30, dtype)
    squared, which = neighbours.nearest(torch.from_numpy(x), torch.from_numpy(y), 4)
    distances = cdist(x, y)
    assert squared.dtype == torch.float64
    assert np.array_equal(which, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(squared, np.sort(distances, axis=1)[:, :4] ** 2, rtol=1e-9)


def test_neighbours_within_a_set_leave_the_row_itself_out(rows):
    _, y = made(0, 30)
    expected = np.sort(cdist(y, y), axis=1)[:, 1:4]
    np.testing.assert_allclose(np.sqrt(neighbours.within(y, 3)), expected, rtol=1e-9)


def test_radii_within_sets(rows):
    _, x = made(0, 80)
    sets = np.random.default_rng(1).random((80, 6)) < 0.4
    sets[:, 0], sets[:, 1] = True, np.arange(80) < 4  # just as many as k needs
    result = neighbours.radii(torch.from_numpy(x), torch.from_numpy(sets), 3).numpy()
    for members, radii in zip(sets.T, result.T, strict=True):
        expected = np.sort(cdist(x[members], x[members]), axis=1)[:, 3]
        np.testing.assert_allclose(np.sqrt(radii[members]), expected, rtol=1e-9)
        assert (radii[~members] == -1).all()


def test_rows_inside_balls_of_several_sets(rows):
    x, y = made(40, 50)
    radii = np.random.default_rng(1).uniform(0, 2, (50, 3))
    squared = np.where(np.arange(50)[:, None] % 3 == np.arange(3), radii**2, -1)
    result = neighbours.inside(*map(torch.from_numpy, (x, y, squared)))
    expected = (cdist(x, y)[:, :, None] ** 2 <= squared).any(axis=1)
    assert np.array_equal(result, expected)
    assert 0.1 < expected.mean() < 0.9


def test_a_row_is_inside_a_ball_around_itself():
    x, _ = made(40, 0)
    squared = torch.zeros(40, 1, dtype=torch.float64)
    assert neighbours.inside(torch.from_numpy(x), torch.from_numpy(x), squared + 1e-9).all()
