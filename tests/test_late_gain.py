"""Gain at the end of training: weights of the late slope, and what a gain means."""

import numpy as np
import pytest

from uncanny.evaluation import late_gain

EPOCHS = (6, 12, 24, 36, 48, 60)


def test_weights_give_the_least_squares_slope_over_late_epochs():
    values = np.random.default_rng(0).normal(size=(6, 4))
    late = np.array(EPOCHS) >= 36
    slopes = np.polyfit(np.array(EPOCHS)[late], values[late], 1)[0]
    weights = late_gain.weights(EPOCHS)
    assert weights @ values == pytest.approx(slopes * 60 / 3)
    assert weights[~late].tolist() == [0, 0, 0]
    assert weights.sum() == pytest.approx(0)


def test_two_late_epochs_are_enough_and_one_is_too_few():
    assert late_gain.weights((10, 30, 20)) == pytest.approx([0, 1, -1])
    for epochs in ((5, 10), (30,), ()):
        with pytest.raises(ValueError, match="a slope takes two"):
            late_gain.weights(epochs)


@pytest.mark.parametrize(
    ("gain", "half", "expected"),
    [
        (3.0, 2.0, "rising"),
        (-3.0, 2.0, "falling"),
        (0.9, 0.5, "settled"),  # significant, but small
        (1.0, 3.0, "settled"),
        (3.0, 2.5, "rising"),
        (3.0, 3.5, "open"),
        (0.0, 5.5, "open"),
    ],
)
def test_words(gain, half, expected):
    assert late_gain.trend(gain, gain - half, gain + half, margin=5.0) == expected
