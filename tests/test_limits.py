"""Every number that a config may give has its limits."""

import math
import re

import pytest

from uncanny.diffusion.theory import comparison, perturbations, targets
from uncanny.registry import components, option_bounds


def options():
    """(family, option, annotation, default) of all components, and of walks."""
    for family in components.FIRST_ARGUMENTS:
        for kind in components.kinds(family):
            for name, (annotation, default) in components.signature(family, kind).options.items():
                yield family, name, annotation, default
    for family in components.kinds("processes"):
        start = components.options_of(components.source("processes", family), "init_sampling")
        for name, (annotation, default) in start.items():
            yield "samplers", name, annotation, default


@pytest.mark.parametrize("family", sorted(components.FIRST_ARGUMENTS))
def test_every_number_has_limits_which_hold_for_its_default(family):
    for owner, name, annotation, default in options():
        if owner == family and re.search(r"\b(int|float)\b", str(annotation)):
            assert option_bounds.of(family, name), f"{family}: {name} is a number without limits"
            if default is not components.REQUIRED:
                option_bounds.check(family, name, default, name)


@pytest.mark.parametrize(
    ("option", "value"),
    [("dropout", 1.0), ("dropout", -0.1), ("dropout", math.nan), ("rho", math.inf), ("rho", 0),
     ("epochs", 0), ("multipliers", [1, 0]), ("D", [[0.1, math.nan]]), ("multipliers", [])],
)  # fmt: skip
def test_what_lies_outside_is_named(option, value):
    with pytest.raises(ValueError, match=rf"a\.b.*{option}.*expected"):
        option_bounds.check("networks", option, value, f"a.b.{option}")


@pytest.mark.parametrize(
    ("option", "value"),
    [("dropout", 0), ("scale", -1.5), ("attention", []), ("sigma_max", None), ("classes", True)],
)
def test_what_lies_inside_is_not(option, value):
    option_bounds.check("guidances", option, value, option)


def test_names_are_those_of_the_library():
    assert set(option_bounds.TARGETS) == set(targets.TARGETS)
    assert set(option_bounds.WORDS["experiments.families"]) == set(perturbations.STRENGTHS)
    assert set(option_bounds.WORDS["experiments.solvers"]) == set(comparison.NFE)


def test_what_contradicts_itself_is_named():
    option_bounds.check_rising({"low": 1.0, "high": 1.0, "S_tmax": None, "S_tmin": 0.1}, "a")
    with pytest.raises(ValueError, match=r"a\.high: 1\.0; expected at least low, which is 2\.0"):
        option_bounds.check_rising({"low": 2.0, "high": 1.0}, "a")
    with pytest.raises(ValueError, match=r"a\.sigma_max: 1\.0; expected more than sigma_min"):
        option_bounds.check_rising({"sigma_min": 1.0, "sigma_max": 1.0}, "a")
