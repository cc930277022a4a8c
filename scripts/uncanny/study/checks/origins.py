"""Check models that are not trained here: what they are declared as, and where they are used.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterable, Mapping

from uncanny.registry import components
from uncanny.samplers import nfe
from uncanny.study import plan
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.study.study import Study

SECTIONS = {"dataset": "datasets", "process": "processes", "schedule": "schedules"}
SECTIONS |= {"network": "networks", "training": "training"}
# Required keys of a model's identity; whether it has a schedule depends on its process.
WANTED = {
    "trained": {"dataset", "process", "network", "training"},
    "external": {"dataset", "process", "network"},
    "samples": {"dataset"},
}
OPTIONAL = {"trained": {"schedule", "conditional"}, "external": {"schedule", "conditional"}}
OPTIONAL["samples"] = {"conditional"}  # it has a default
WORDS = {
    "external": "was trained elsewhere; expected one that is trained here",
    "samples": "is known by its images alone; expected one that is sampled here",
}


def check_model(study: Study, model: str) -> None:
    """Check that a model has one origin, and the keys of that origin alone."""
    block, key_path = study.config["models"][model], f"models.{model}"
    if {"external", "samples"} <= set(block):
        raise ValueError(f"{key_path}: has external and samples; expected one of them")
    origin, keys = study.origin(model), set(block["identity"])
    for key in sorted(WANTED[origin] - keys):
        raise ValueError(f"{key_path}.identity.{key}: missing")
    for key in sorted(keys - WANTED[origin] - OPTIONAL[origin]):
        raise ValueError(f"{key_path}.identity.{key}: does not go with {origin}")
    if origin == "external":
        study.external(model)
    milestones = study.milestones(model)
    if origin != "trained" and len(milestones) != 1:
        raise ValueError(
            f"{key_path}.milestones: {milestones}; a model with {origin} has one, the epoch at "
            "which it is shown"
        )


def check_selection(study: Study, selection: Mapping, key_path: str) -> None:
    """Imported samples have no sampler, guidance or epochs to choose from; imported weights have no
    epochs.
    """
    epochs = selection.get("epochs")
    for model in selection["models"]:
        origin, (shown, *_) = study.origin(model), study.milestones(model)
        if origin == "trained":
            continue
        if isinstance(epochs, list) and shown not in epochs:
            raise ValueError(
                f"{key_path}.epochs: {epochs}; {model!r} exists at epoch {shown} alone"
            )
        if origin == "samples" and len(selection["samplers"]) > 1:
            raise ValueError(
                f"{key_path}.samplers: {', '.join(selection['samplers'])} with {model!r}, which "
                f"{WORDS[origin].partition(';')[0]}; expected one, or a panel of its own"
            )
        if origin == "samples" and selection.get("guidances", [NO_GUIDANCE]) != [NO_GUIDANCE]:
            refuse(study, model, f"{key_path}.guidances", "samples")


def check_table(study: Study, block: Mapping, key_path: str) -> None:
    """Refuse imported models where a table times or describes training or sampling."""
    _refuse_all(study, block.get("models", []), f"{key_path}.models", "samples")
    _refuse_all(study, block.get("training", []), f"{key_path}.training", "samples", "external")
    for number, selection in enumerate(block.get("sampling", [])):
        _refuse_all(study, selection["models"], f"{key_path}.sampling[{number}].models", "samples")


def check_timings(study: Study, selection: Mapping, key_path: str) -> None:
    """Refuse imported models in the times that a claim compares."""
    _refuse_all(study, selection.get("models", []), f"{key_path}.models", "samples")
    _refuse_all(study, selection.get("training", []), f"{key_path}.training", "samples", "external")


def check_figure(study: Study, figure: str) -> None:
    """Refuse imported samples in a figure of trajectories, and steps that images do not share."""
    if "traces" not in plan.figure_sources(study, figure):
        return
    key_path, models = f"figures.{figure}.panels", sorted(plan.shown(study, figure, "models"))
    _refuse_all(study, models, key_path, "samples")
    for sampler in sorted(plan.shown(study, figure, "samplers")):
        kind = study.config["samplers"].get(sampler, {}).get("kind")
        if kind in components.kinds("samplers") and nfe.formula(kind) is None:
            raise ValueError(
                f"{key_path}: sampler {sampler!r} chooses its steps image by image, which has no "
                "trajectory at common noise levels; expected another"
            )


def _refuse_all(study: Study, models: Iterable[str], key_path: str, *origins: str) -> None:
    for model in models:
        if model in study.config["models"]:
            refuse(study, model, key_path, *origins)


def refuse(study: Study, model: str, key_path: str, *origins: str) -> None:
    """Raise ValueError for a model of one of these origins."""
    if study.origin(model) in origins:
        raise ValueError(f"{key_path}: {model!r} {WORDS[study.origin(model)]}")
