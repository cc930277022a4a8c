"""Verdicts on made sequences, their JSON objects, and what they sum up to."""

import json

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


# Means of checkpoints, the longest trained one first, in standard errors of two seeds each.
SAMPLED = [
    ([-5, -3, 4, 6], "supports"),
    ([-5, -3, 0.5, 4], "supports"),
    ([-5, -3, 4, 1], "partial"),
    ([-1, -3, 4, 5], "partial"),
    ([-5, 4, -5, 4], "partial"),
    ([-5, -3, -1, -4], "no_crossover"),
    ([-5, -3, -1, 1], "partial"),
    ([-5, -3, -1, -1], "no_crossover"),
    ([5, 3, -4, -6], "contradicts"),
    ([1, -1, 0.5, 1], "inconclusive"),
]


@pytest.mark.parametrize(("z", "expected"), SAMPLED)
def test_with_sampling_error(z, expected):
    pairs = np.array(z, float)[:, None] + np.array([-1.0, 1.0])  # mean z, standard error 1
    assert sampled(pairs).verdict == expected


def test_ends_are_named():
    found = exact(np.array([-0.3, 0.0, 0.2]))
    assert (found.well, found.less, found.effects) == ("exponential", "polynomial", (-0.3, 0.2))
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
    *["seeds", "better_when_well_trained", "better_when_less_trained", "crossing", "effect"],
    *["R_at_crossing", "predicted_crossing", "verdict"],
}
FOUND = exact(np.array([-0.3, 0.2]))


def test_a_line_has_the_keys_of_the_specification():
    crossing = Crossing(0.476, "E->P", (0.46, 0.48))
    found = json.loads(json.dumps(line(CELL, FOUND, crossing, R_at_crossing=0.8)))
    assert set(found) == KEYS
    assert found["crossing"] == {"knob": 0.476, "interval": [0.46, 0.48], "direction": "E->P"}
    assert found["effect"] == {"well": -0.3, "less": 0.2}
    assert (found["R_at_crossing"], found["predicted_crossing"]) == (0.8, None)
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
    found = summary(lines)
    assert found["verdict"] == "supports"
    assert found["default"] == lines[:1]
    scope = {entry["metric"]: entry["verdicts"] for entry in found["scope"]}
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
