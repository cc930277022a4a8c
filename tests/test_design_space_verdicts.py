"""Verdicts on made sequences, their JSON objects, and what they sum up to."""

import json
from collections import Counter

import numpy as np
import pytest

from uncanny.diffusion.theory import verdicts
from uncanny.diffusion.theory.crossovers import Crossing
from uncanny.diffusion.theory.verdicts import DEFAULT, exact, line, sampled, summary

# Relative differences, exponential over polynomial, from the well trained end to the other.
EXACT = [
    ([-0.3, -0.1, 0.1, 0.2], "supports"),
    ([-0.3, -0.1, 0.1, 0.009], "partial"),  # a weak end
    ([-0.009, -0.1, 0.1, 0.2], "partial"),
    ([-0.3, 0.1, -0.1, 0.2], "partial"),  # right ends, several crossings
    ([-0.3, -0.1, 0.1, 0.0], "partial"),  # a tie at an end
    ([-0.3, -0.2, -0.1, 0.0], "no_crossover"),
    ([-0.3, -0.2, -0.1, 1e-7], "partial"),  # right, but not significant
    ([0.3, 0.2, 0.1, 0.2], "no_crossover"),
    ([0.3, 0.1, -0.1, -0.2], "contradicts"),
    ([0.3, -0.1, 0.2], "partial"),  # the same ends, but a crossing between
    ([0.0, 0.1, 1e-7], "inconclusive"),
]


@pytest.mark.parametrize(("differences", "expected"), EXACT)
def test_without_sampling_error(differences, expected):
    assert exact(np.array(differences)).verdict == expected


# Means of checkpoints, the longest trained one first, in standard errors of five seeds each. An end
# is significant from 2.78 on, and contradicts from 3.50 on.
SAMPLED = [
    ([-5, -4, 4, 6], "supports"),
    ([-3, -4, 0.5, 3], "supports"),
    ([-5, -4, 4, 1], "partial"),
    ([-1, -4, 4, 5], "partial"),
    ([-5, 4, -5, 4], "partial"),
    ([-5, -4, -1, -4], "no_crossover"),
    ([-5, -4, -1, -3], "partial"),
    ([-5, -4, -1, 1], "partial"),
    ([-5, -4, -1, -1], "partial"),  # what is not significant contradicts nothing
    ([5, 4, -4, -6], "contradicts"),
    ([2.5, -1, 0.5, 2.5], "inconclusive"),
]


def repeats(z):
    """Five values with the mean z and the standard error 1, for each z: [C, 5]."""
    values = np.array([-2.0, -1, 0, 1, 2])
    return np.array(z, float)[:, None] + values / values.std(ddof=1) * np.sqrt(5)


@pytest.mark.parametrize(("z", "expected"), SAMPLED)
def test_with_sampling_error(z, expected):
    result = sampled(repeats(z))
    assert result.verdict == expected
    assert result.errors == pytest.approx((1, 1))


TRIALS = 1000
LIMIT = 0.05 + 2 * np.sqrt(0.05 * 0.95 / TRIALS)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(
    "less", [0.0, 6.0], ids=["no difference", "no difference when well trained"]
)
def test_noise_is_seldom_a_finding(seeds, less):
    rng, counts = np.random.default_rng(0), Counter()
    for _ in range(TRIALS):
        noise = np.sqrt(seeds) * rng.standard_normal((8, seeds))
        counts[sampled(np.linspace(0, less, 8)[:, None] + noise).verdict] += 1
    assert counts["supports"] / TRIALS <= LIMIT
    assert (counts["no_crossover"] + counts["contradicts"]) / TRIALS <= LIMIT


def test_equal_seeds_without_difference_are_inconclusive():
    assert sampled(np.zeros((4, 3))).verdict == "inconclusive"


def test_ends_are_named():
    result = exact(np.array([-0.3, 0.0, 0.2]))
    assert (result.well, result.less, result.effects) == ("exponential", "polynomial", (-0.3, 0.2))
    assert exact(np.array([1e-9, 0.2])).well == "tie"


def test_every_verdict_occurs():
    assert {expected for _, expected in EXACT} == set(verdicts.VERDICTS)
    assert {expected for _, expected in SAMPLED} == set(verdicts.VERDICTS)


def test_one_seed_and_one_strength_are_refused():
    with pytest.raises(ValueError, match="takes at least two seeds per checkpoint"):
        sampled(np.zeros((4, 1)))
    with pytest.raises(ValueError, match="1 strengths or checkpoints: expected at least two"):
        exact(np.array([0.1]))


CELL = {
    **{"experiment": "G", "target": "manifold", "solver": "sde", "nfe": 40, "metric": "kl"},
    **{"family": "bias", "schedule_range": [0.002, 80.0], "rho": 7.0, "seeds": 0},
}
KEYS = {
    *["experiment", "target", "solver", "nfe", "metric", "family", "schedule_range", "rho"],
    *[
        "seeds",
        "better_when_well_trained",
        "better_when_less_trained",
        "crossing",
        "effect",
        "error",
    ],
    *["R_at_crossing", "predicted_crossing", "verdict"],
}
FOUND = exact(np.array([-0.3, 0.2]))


def test_a_line_has_the_keys_of_the_specification():
    crossing = Crossing(0.476, "E->P", (0.46, 0.48))
    result = json.loads(json.dumps(line(CELL, FOUND, crossing, R_at_crossing=0.8)))
    assert set(result) == KEYS
    assert result["crossing"] == {"knob": 0.476, "interval": [0.46, 0.48], "direction": "E->P"}
    assert result["effect"] == {"well": -0.3, "less": 0.2}
    assert result["error"] == {"well": None, "less": None}
    assert (result["R_at_crossing"], result["predicted_crossing"]) == (0.8, None)
    trained = line(CELL | {"experiment": "N", "family": None}, FOUND, None)
    assert trained["crossing"] == {"epoch": None, "interval": None, "direction": None}


def test_the_summary_rests_on_the_default_cells():
    other = exact(np.array([0.3, 0.2]))
    lines = [
        line(CELL, FOUND, None),
        line(CELL | {"nfe": 18}, other, None),
        line(CELL | {"metric": "w2"}, other, None),
        line(CELL | {"nfe": 18, "target": "broad"}, other, None),
    ]
    result = summary(lines)
    assert result["verdict"] == "supports"
    assert result["default"] == lines[:1]
    scope = {entry["metric"]: entry["verdicts"] for entry in result["scope"]}
    assert scope == {"kl": {"no_crossover": 2}, "w2": {"no_crossover": 1}}


def test_default_cells_that_differ():
    trained = CELL | {"experiment": "N", "family": None, "nfe": 10, "metric": "fid"}
    agree = [line(CELL, FOUND, None), line(trained, FOUND, None)]
    assert summary(agree)["verdict"] == "supports"
    against = line(trained | {"nfe": 12}, exact(np.array([0.3, -0.2])), None)
    assert summary([*agree, against])["verdict"] == "partial"
    assert summary([against, line(trained | {"nfe": 18}, FOUND, None)])["verdict"] == "contradicts"
    assert summary([])["verdict"] is None
    assert set(DEFAULT) == {"G", "N", "T"}
