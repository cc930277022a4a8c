"""The delete-one-group jackknife: groups, errors, balanced halvings."""

import numpy as np
import pytest

from uncanny.evaluation import jackknife


@pytest.mark.parametrize("n", [20, 400, 405, 10_000])
def test_each_twenty_images_are_one_of_each_group(n):
    labels = jackknife.groups(n)
    whole = labels[: n // 20 * 20].reshape(-1, 20)
    assert (np.sort(whole, axis=1) == np.arange(20)).all()
    assert (labels == jackknife.groups(10_000)[:n]).all()  # whatever the number of images


def test_groups_are_the_same_for_ever():
    assert jackknife.groups(40)[[0, 1, 19, 20, 39]].tolist() == [6, 9, 0, 15, 3]
    assert jackknife.groups(7).tolist() == list(range(7))


@pytest.mark.parametrize("period", [10, 20, 100])
def test_classes_in_order_are_even_in_all_groups(period):
    """Labels by index, as of images that lie ordered by class: a group has a few of each."""
    classes = np.arange(2000) % period if period < 100 else np.arange(2000) // period
    counts = np.array([np.bincount(classes[rows]) for rows in jackknife.members(2000)])
    assert counts.sum(axis=1).tolist() == [100] * 20
    assert (counts > 0).mean() > 0.95
    assert counts.std(axis=0).mean() < 1.1 * np.sqrt(counts.mean())


def test_jackknife_of_the_mean_is_the_textbook_error():
    x = np.random.default_rng(0).standard_normal(20)
    result = jackknife.of_mean(x)
    assert result.se == pytest.approx(x.std(ddof=1) / np.sqrt(20))
    assert result.bias == pytest.approx(0, abs=1e-12)


def test_bias_of_a_variance_is_removed():
    """Σ (x - x̄)²/n is too small by σ²/n; without a group by 20/19 as much."""
    x = np.random.default_rng(0).standard_normal(100)
    result = jackknife.of_sums(lambda n, s, squares: squares / n - (s / n) ** 2, x, x**2)
    assert result.value == pytest.approx(x.var())
    assert result.corrected == pytest.approx(x.var(ddof=1), rel=5e-3)
    corrected = [np.delete(x, rows).var(ddof=1) for rows in jackknife.members(100)]
    assert result.without_groups == pytest.approx(corrected, rel=1e-2)


def test_halvings_are_balanced_and_orthogonal():
    signs = jackknife.halvings()
    assert (signs @ signs.T == 20 * np.eye(19)).all()
    assert (signs.sum(axis=1) == 0).all()
    assert jackknife.halves(400).sum(axis=0).tolist() == [200] * 38


def test_halvings_of_a_mean_are_its_jackknife():
    x = np.random.default_rng(0).standard_normal(400)
    means = np.array([x[half].mean() for half in jackknife.halves(400).T])
    result, whole = jackknife.of_halves(x.mean(), means[::2] - means[1::2]), jackknife.of_mean(x)
    assert result.replicates == pytest.approx(whole.replicates, rel=1e-12)
    assert result.se == pytest.approx(np.sqrt(np.mean((means[::2] - means[1::2]) ** 2) / 4))
    assert result.bias == 0
