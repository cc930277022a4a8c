"""Inputs of the claims of a study: cells, times, sample sizes, classifier reports and experiments.
No torch here.

A claim consists of parts and controls; each has a rule (a kind of the family "claims") and named
selections under one of the keys of SELECTED. A part that selects something that the study lacks is
untestable; it is no mistake of the config.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

from uncanny.registry import components
from uncanny.registry.blocks import canonical
from uncanny.runtime.result_paths import Cell, path
from uncanny.study import plan
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.study.study import Study

LABELLED = ("models", "samplers", "guidances", "metrics")
SELECTED = ("cells", "sizes", "timings", "reports", "experiments")
FILES = ("scores", "sizes", "timings", "reports", "experiments", "references")
WHOLE = ("reports", "experiments")  # selections of names alone


def parts(block: Mapping) -> Iterator[tuple[str, dict]]:
    """(path within the claim, part) of all parts and controls."""
    for group in ("parts", "controls"):
        for name, part in block.get(group, {}).items():
            yield f"{group}.{name}", part


def selected(part: Mapping) -> tuple[str, dict]:
    """(key, named selections) of a part."""
    key = next(key for key in SELECTED if key in part)
    return key, part[key]


def kinds(study: Study) -> tuple:
    """(family, kind) of all rules that the study's claims use."""
    claims = study.config.get("claims", {}).values()
    return tuple(sorted({("claims", part["kind"]) for block in claims for _, part in parts(block)}))


def labels(study: Study) -> dict[str, dict[str, str]]:
    """Labels by which verdicts name components: section → {name: label}."""
    sections = {section: study.config.get(section, {}).items() for section in LABELLED}
    return {
        section: {name: block["label"] for name, block in blocks if "label" in block}
        for section, blocks in sections.items()
    }


@cache
def resolved(study: Study, claim: str) -> dict:
    """A claim for its decision: {"block": with complete options and epochs, "missing": path of a
    part -> names that the study lacks}.
    """
    block = canonical(study.block("claims", claim))
    missing = {}
    for part_path, part in parts(block):
        key, selections = selected(part)
        key_path = f"claims.{claim}.{part_path}"
        part["options"] = components.resolve(
            "claims", part["kind"], part.get("options", {}), f"{key_path}.options"
        )
        lacking = {
            name
            for selection in selections.values()
            for name in _lacking(study, key, selection, part["options"].get("metric"))
        }
        if lacking:
            missing[part_path] = sorted(lacking)
        else:
            own = _own_seeds(block, part_path, key)
            part[key] = {name: own | _complete(study, key, s) for name, s in selections.items()}
    return {"block": block, "missing": missing}


def _own_seeds(block: Mapping, part_path: str, key: str) -> dict:
    """Training seeds of a claim for the selections of its parts; controls have the study's."""
    is_part = part_path.startswith("parts.") and key == "cells"
    return {"seeds": block["seeds"]} if is_part and "seeds" in block else {}


def _lacking(study: Study, key: str, selection: Mapping, metric: str | None) -> Iterator[str]:
    """Names in a selection that the study does not have."""
    wanted = selection | {"models": [*selection.get("models", []), *selection.get("training", [])]}
    unknown = [
        f"{section.rstrip('s')} {name}"
        for section in ("models", "samplers", "guidances", "classifiers", "experiments")
        for name in wanted.get(section, [])
        if name not in study.config.get(section, {})
        and (section, name) != ("guidances", NO_GUIDANCE)
    ]
    yield from unknown
    if unknown or key in WHOLE:
        return
    for model in wanted["models"]:
        dataset = study.names(model)["dataset"]
        if metric is not None and metric not in study.measured(dataset, key == "sizes"):
            yield f"metric {metric} of {dataset}"
        if isinstance(selection.get("epochs"), list):
            epochs = set(selection["epochs"]) - set(study.milestones(model))
            yield from (f"milestone {epoch} of {model}" for epoch in epochs)


def _complete(study: Study, key: str, selection: Mapping) -> dict:
    """A selection with its defaults; the epochs of each model where it has scores."""
    if key in WHOLE or "training" in selection:
        return dict(selection)
    complete = {"guidances": [NO_GUIDANCE]} | selection
    if key == "timings":
        return complete
    default = "last" if key == "sizes" else "all"
    wanted = selection.get("epochs", default)
    return complete | {"epochs": {m: plan.epochs_of(study, m, wanted) for m in selection["models"]}}


def _available(study: Study) -> Iterator[tuple[str, dict]]:
    """(key, selection) of everything that the claims compare and the study has."""
    for name in study.config.get("claims", {}):
        claim = resolved(study, name)
        for part_path, part in parts(claim["block"]):
            if part_path not in claim["missing"]:
                key, selections = selected(part)
                yield from ((key, selection) for selection in selections.values())


def _cells(study: Study, selection: Mapping) -> list[Cell]:
    """Cells of a complete selection, whose models may differ in their epochs."""
    return [
        cell
        for model in selection["models"]
        for cell in plan.cells(
            study, selection | {"models": [model], "epochs": selection["epochs"][model]}
        )
    ]


@cache
def timed_blocks(study: Study) -> list[dict]:
    """Timings of the claims as blocks with `training` or `sampling`."""
    timings = [selection for key, selection in _available(study) if key == "timings"]
    return [s if "training" in s else {"sampling": [s]} for s in timings]


@cache
def files(study: Study) -> dict[str, list[str]]:
    """Files that the claims read, below the study's results: {"scores", "sizes",
    "timings", "reports", "experiments", "references"}.
    """
    by_kind = {key: [] for key in FILES}
    guided = _guided(study)
    for block in timed_blocks(study):
        by_kind["timings"] += plan.timing_files(study, block)
    for key, selection in _available(study):
        if key == "cells":
            by_kind["scores"] += [cell.path("scores") for cell in _cells(study, selection)]
        elif key == "sizes":
            first = plan.first_run(study) | selection
            by_kind["sizes"] += [cell.path("sizes") for cell in _cells(study, first)]
        elif key == "experiments":
            names = selection["experiments"]
            by_kind[key] += [path for name in names for path in plan_experiments.files(study, name)]
        elif key == "reports":
            by_kind["reports"] += [
                plan.classifier_file(study, "reports", name, model)
                for name in selection["classifiers"]
                for model, guidance in guided
                if name in study.guiding(guidance)
            ]
        for model in selection.get("models", []):
            dataset = study.names(model)["dataset"]
            by_kind["references"].append(path("references", dataset=dataset))
    return {key: plan.unique(paths) for key, paths in by_kind.items()}


def _guided(study: Study) -> list[tuple[str, str]]:
    """(model, guidance) of everything in figures and claims with guidance, each once."""
    blocks = study.config["figures"].values()
    selections = [selection for block in blocks for selection in plan.selections(block)]
    selections += [selection for key, selection in _available(study) if key == "cells"]
    pairs = (
        pair for s in selections for pair in product(s["models"], s.get("guidances", [NO_GUIDANCE]))
    )
    return [pair for pair in plan.unique(pairs) if pair[1] != NO_GUIDANCE]
