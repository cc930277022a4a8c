"""Check claims: rules with their selections, training seeds that their models have, margins that
are shares, names of metrics and of premises.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

import re

from uncanny.registry import components
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks.selections import check_selection
from uncanny.study.plan import claims as plan_claims
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.study.study import Study

MARGINS = ("delta", "margin")  # options that are shares of the mean
LARGEST = 2  # margins from here on are taken for percent


def check(study: Study, claim: str) -> None:
    """Check the parts of a claim, then what its selections and options say."""
    _check_parts(study, claim)
    complete = plan_claims.resolved(study, claim)
    _check_premise(complete["block"], f"claims.{claim}.premise")
    for part_path, part in plan_claims.parts(complete["block"]):
        key_path = f"claims.{claim}.{part_path}"
        _check_margins(part["options"], f"{key_path}.options")
        _check_metric(part["options"], f"{key_path}.options.metric")
        if part_path not in complete["missing"]:
            for name, selection in part.get("cells", {}).items():
                _check_seeds(study, selection, f"{key_path}.cells.{name}.seeds")


def _check_parts(study: Study, claim: str) -> None:
    """Check that rules exist, with the selections that they compare. A claim on something that the
    study lacks is no mistake, but untestable.
    """
    for part_path, part in plan_claims.parts(study.block("claims", claim)):
        key_path, (key, selections) = f"claims.{claim}.{part_path}", plan_claims.selected(part)
        options = part.get("options", {})
        components.resolve("claims", part["kind"], options, f"{key_path}.options")
        takes = components.signature("claims", part["kind"]).first
        if key != takes:
            raise ValueError(f"{key_path}: rule {part['kind']!r} compares {takes}, not {key}")
        names = components.constant("claims", part["kind"], "SELECTIONS")
        if names and set(selections) != set(names):
            named = ", ".join(selections)
            raise ValueError(f"{key_path}.{key}: selections {named}; expected {', '.join(names)}")
        if tuple(names) == ("a", "b"):
            _check_pairing(selections, options.get("best"), f"{key_path}.{key}")
        if part_path not in plan_claims.resolved(study, claim)["missing"]:
            for name, selection in selections.items():
                if key == "timings":
                    checks_origins.check_timings(study, selection, f"{key_path}.{key}.{name}")
                if "samplers" in selection:
                    check_selection(study, selection, f"{key_path}.{key}.{name}")


def _check_pairing(selections: dict, best: str | None, key_path: str) -> None:
    """Selections are paired axis by axis: names in order, or one name with all."""
    for axis in ("models", "samplers", "guidances"):
        a, b = (len(selections[side].get(axis, [NO_GUIDANCE])) for side in "ab")
        if best is None and a != b and 1 not in (a, b):
            raise ValueError(
                f"{key_path}: a has {a} {axis}, b has {b}; expected as many, or one on a side"
            )


def _check_premise(block: dict, key_path: str) -> None:
    parts = block.get("parts", {})
    if (premise := block.get("premise")) not in (None, *parts):
        raise ValueError(f"{key_path}: {premise!r}; expected one of its parts: {', '.join(parts)}")


def _check_seeds(study: Study, selection: dict, key_path: str) -> None:
    """Check a selection for which the claim or the selection itself lists training seeds."""
    seeds = selection.get("seeds", [])
    for model in selection["models"]:
        if len(seeds) > 1 and study.origin(model) != "trained":
            raise ValueError(
                f"{key_path}: {seeds}, its own or the claim's; {model!r} was trained elsewhere, "
                "with one training seed; expected one"
            )


def _check_metric(options: dict, key_path: str) -> None:
    # A name that the study lacks makes a part untestable; what could be no name is a mistake.
    metric = options.get("metric")
    if isinstance(metric, str) and not re.fullmatch(r"[A-Za-z0-9_]{1,64}", metric):
        raise ValueError(f"{key_path}: {metric[:80]!r}; expected the name of a metric")


def _check_margins(options: dict, key_path: str) -> None:
    for name in MARGINS:
        value = options.get(name)
        if isinstance(value, int | float) and value >= LARGEST:
            raise ValueError(
                f"{key_path}.{name}: {value:g} means {100 * value:g} % of the mean; "
                f"expected a share; for {value:g} % write {value / 100:g}"
            )
