"""Nearest neighbours: exact, block by block."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from uncanny import neighbours


@pytest.mark.parametrize("values", [1, 100, 2**24])
def test_the_two_nearest_of_each_row(values, monkeypatch):
    monkeypatch.setattr(neighbours, "VALUES", values)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((13, 5)), rng.standard_normal((30, 5))
    x[4] = y[7] = 1e6 + rng.standard_normal(5)  # equal rows are at distance 0, however large
    found = neighbours.distances(x, y)
    np.testing.assert_allclose(found, np.sort(cdist(x, y), axis=1)[:, :2], rtol=1e-12)
    assert found[4, 0] == 0
