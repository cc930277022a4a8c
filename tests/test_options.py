"""Bounds and defaults of options stand in signatures; a sampler says how often it looks."""

import copy
import math
import shutil
from typing import Annotated

import pytest
import yaml
from test_configuration import ROOT, TINY, plan

from uncanny.diffusion.theory import comparison, perturbations, targets
from uncanny.registry import components, option_types
from uncanny.registry.option_types import (
    Above,
    Bounds,
    LayerSize,
    NonEmpty,
    NotBelow,
    Positive,
    ProperFraction,
    SmallInt,
)
from uncanny.samplers import nfe
from uncanny.study import configuration
from uncanny.study.plan import tables as plan_of_tables
from uncanny.tables import Contents, sampler_parameters


def options():
    """(component, option, annotation, default) of all components, and of `init_sampling`."""
    for family in components.FIRST_ARGUMENTS:
        for kind in components.kinds(family):
            for name, result in components.signature(family, kind).options.items():
                yield f"{family}.{kind}", name, *result
    for kind in components.kinds("processes"):
        for name, result in components.init_options(kind).items():
            yield f"{kind}.init_sampling", name, *result


def test_every_default_is_one_that_a_config_may_give():
    for owner, name, annotation, default in options():
        if default is not components.REQUIRED:
            option_types.check(default, annotation, f"{owner}.{name}")


def test_every_option_that_is_compared_has_its_other():
    every = {owner: set() for owner, *_ in options()}
    for owner, name, *_ in options():
        every[owner].add(name)
    shared = {
        name for kind in components.kinds("processes") for name in components.init_options(kind)
    }
    for owner, name, annotation, _ in options():
        known = every[owner] | (shared if owner.startswith("samplers.") else set())
        for bound in getattr(annotation, "__metadata__", ()):
            assert not isinstance(bound, Above) or bound.other in known, (owner, name)


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (True, float, "a.b: True is not float"),
        (True, int, "a.b: True is not int"),
        (1.0, int, "a.b: 1.0 is not int"),
        ("x", float | None, r"a.b: 'x' is not float \| None"),
        ("1e-1", float, "a.b: '1e-1' is not float .*YAML reads 1e-4 as text"),
        ([1, 2.5], list[int], r"a.b\[1\]: 2.5 is not int"),
        ("", str, "a.b: ''; expected text"),
        (math.nan, float, "a.b: nan; expected a finite number"),
        (1.0, ProperFraction, r"a.b: 1.0; expected a number in \[0, 1\)"),
        (math.nan, ProperFraction, "a.b: nan; expected a finite number"),
        (2e9, Positive, r"a.b: 2000000000.0; expected a number in \(0, 1000000000\]"),
        (0, Positive, r"a.b: 0; expected a number in \(0, 1000000000\]"),
        (0, Positive | None, r"a.b: 0; expected a number in \(0, 1000000000\]"),
        (-1, Annotated[int, Bounds(0)], r"a.b: -1; expected a number in \[0, inf\)"),
        ([1, 0], NonEmpty[SmallInt], r"a.b\[1\]: 0; expected a number in \[1, 1000\]"),
        ([[0.1, math.nan]], NonEmpty[list[float]], r"a.b\[0\]\[1\]: nan; expected a finite"),
        ([], NonEmpty[SmallInt], r"a.b: \[\]; expected at least one entry"),
    ],
)
def test_what_is_of_another_type_or_outside_its_bounds_is_named(value, annotation, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        option_types.check(value, annotation, "a.b")


@pytest.mark.parametrize(
    ("value", "annotation"),
    [(1, float), (None, Positive | None), ([], list[LayerSize]), ([1, 2.5], list[float]), (7, object)],
)  # fmt: skip
def test_what_lies_inside_is_not(value, annotation):
    option_types.check(value, annotation, "a.b")


def test_what_contradicts_itself_is_named():
    types = {"low": float, "high": Annotated[float, NotBelow("low")], "top": Annotated[float | None, Above("low")]}  # fmt: skip
    option_types.check_order({"low": 1.0, "high": 1.0, "top": None}, types, "a")
    with pytest.raises(ValueError, match=r"a\.high: 1\.0; expected at least low, which is 2\.0"):
        option_types.check_order({"low": 2.0, "high": 1.0, "top": None}, types, "a")
    with pytest.raises(ValueError, match=r"a\.top: 1\.0; expected more than low, which is 1\.0"):
        option_types.check_order({"low": 1.0, "high": 2.0, "top": 1.0}, types, "a")


@pytest.mark.parametrize(
    ("option", "known"),
    [("targets", targets.TARGETS), ("families", perturbations.STRENGTHS), ("solvers", comparison.NFE)],
)  # fmt: skip
def test_names_are_those_of_the_library(option, known):
    annotation, _ = components.signature("experiments", "exact_schedules").options[option]
    option_types.check(sorted(known), annotation, option)
    with pytest.raises(ValueError, match=rf"{option}\[0\]: 'other' is not one of"):
        option_types.check(["other"], annotation, option)


# --- A sampler of one's own ----------------------------------------------------------------------

MIDPOINT = '''"""Explicit midpoint."""

NFE = "2 * num_steps"


def midpoint(denoiser, latents, sigmas, *, noise, path, first: int = 3, rows: float = 0.5):
    """Options of names that mean something else elsewhere."""
    return latents
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library with the sampler `midpoint`: a function that writes its text."""
    shutil.copytree(components.LIBRARY, tmp_path / "uncanny")
    monkeypatch.setattr(components, "LIBRARY", tmp_path / "uncanny")
    caches = (components.kinds, components.signature, components.constant)

    def write(text=MIDPOINT):
        (tmp_path / "uncanny/samplers/midpoint.py").write_text(text)
        components.parse.cache_clear()
        for cached in caches:
            cached.cache_clear()

    yield write
    for cached in caches:
        cached.cache_clear()


def study_of(**changes):
    config = copy.deepcopy(TINY)
    config["samplers"]["MID"] = {"kind": "midpoint", "num_steps": 5, "grid": "polynomial"} | changes
    config["figures"]["figure_1"]["panels"] = [{"models": ["vp_uncond"], "samplers": ["MID"]}]
    config["tables"] = {
        "table_1": {
            "kind": "sampler_parameters",
            "title": "Samplers",
            "models": ["vp_uncond"],
            "samplers": ["MID"],
        }
    }
    return plan(config)


def test_its_options_have_no_bounds_but_their_own(library):
    library()
    block = study_of(first=7, rows=-0.5).sampler("MID", "vp_uncond")
    assert block["options"] == {"first": 7, "rows": -0.5}
    assert block["init_sampling"]["num_steps"] == 5
    library(MIDPOINT.replace("first: int", "first: SmallInt"))
    with pytest.raises(
        ValueError, match=r"samplers\.MID\.first: 0; expected a number in \[1, 1000"
    ):
        study_of(first=0)
    library(MIDPOINT.replace("first: int", "first: Unheard"))
    with pytest.raises(ValueError, match=r"midpoint\.py: the type of option first is Unheard"):
        study_of()


def test_its_table_shows_the_evaluations_that_it_declares(library):
    library()
    study = study_of()
    table = sampler_parameters.sampler_parameters(
        Contents(**plan_of_tables.contents(study, "table_1"))
    )
    cells = dict(zip(table["parameter"], table.iloc[:, 1], strict=True))
    assert cells["evaluations (NFE)"] == "10" and cells["steps N"] == "5"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("", r"samplers/midpoint\.py: NFE is missing; expected the network evaluations per image"),
        (
            'NFE = "2 * steps"',
            r"samplers/midpoint\.py: NFE = '2 \* steps': 'steps'; expected a form",
        ),
        ('NFE = "2 *"', r"samplers/midpoint\.py: NFE = '2 \*': .*expected a formula of options"),
    ],
)
def test_what_it_does_not_declare_is_refused_before_work_starts(library, declared, message):
    library(MIDPOINT.replace('NFE = "2 * num_steps"', declared))
    with pytest.raises(ValueError, match=message):
        study_of()


def test_an_option_that_both_declare_is_given_to_both():
    block = plan(TINY).sampler("LANG", "ncsnv2")
    assert block["options"]["steps_per_level"] == block["init_sampling"]["steps_per_level"]
    assert nfe.nfe(block, {"num_levels": None}) is None


# --- Training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ema", "complete"),
    [
        ({"kind": "constant"}, {"kind": "constant", "beta": 0.999, "warmup": False}),
        ({"kind": "halflife", "halflife_images": 9}, {"kind": "halflife", "halflife_images": 9, "rampup": None}),
    ],
)  # fmt: skip
def test_the_identity_of_a_model_has_all_options_of_its_training(ema, complete):
    config = copy.deepcopy(TINY)
    config["training"]["adam"] = {"batch_size": 100, "lr": 0.002, "ema": ema}
    result = plan(config).identity("vp_uncond")["training"]
    schema = yaml.safe_load((ROOT / configuration.SCHEMA).read_text())
    known = schema["properties"]["training"]["additionalProperties"]["properties"]
    # Options that change nothing at their usual values are left out, so that identities stay.
    assert set(result) == set(known) - {"label_dropout", "shuffle", "gpus"}
    assert result["ema"] == complete
    assert result["precision"] == "fp32" and result["lr_from_zero"] is False
