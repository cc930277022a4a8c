"""Whether models that are not trained here say what they are, and are asked what they can tell.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterable, Mapping

from uncanny.study import plan
from uncanny.study.study import NO_GUIDANCE, Study

SECTIONS = {"dataset": "datasets", "process": "processes", "schedule": "schedules"}
SECTIONS |= {"network": "networks", "training": "training"}
# What the identity of a model has, but for a schedule, which its process decides about.
WANTED = {
    "trained": {"dataset", "process", "network", "training"},
    "external": {"dataset", "process", "network"},
    "samples": {"dataset"},
}
OPTIONAL = {"trained": {"schedule", "conditional"}, "external": {"schedule", "conditional"}}
OPTIONAL["samples"] = {"conditional"}  # which has a default
WORDS = {
    "external": "was trained elsewhere; expected one that is trained here",
    "samples": "is known by its images alone; expected one that is sampled here",
}


def check_model(study: Study, model: str) -> None:
    """A model is trained, or has weights, or has images, and says no more."""
    block, where = study.config["models"][model], f"models.{model}"
    if {"external", "samples"} <= set(block):
        raise ValueError(f"{where}: has external and samples; expected one of them")
    origin, found = study.origin(model), set(block["identity"])
    for key in sorted(WANTED[origin] - found):
        raise ValueError(f"{where}.identity.{key}: missing")
    for key in sorted(found - WANTED[origin] - OPTIONAL[origin]):
        raise ValueError(f"{where}.identity.{key}: does not go with {origin}")
    if origin == "external":
        study.external(model)
    milestones = study.milestones(model)
    if origin != "trained" and len(milestones) != 1:
        raise ValueError(
            f"{where}.milestones: {milestones}; a model with {origin} has one, the epoch at which "
            "it is shown"
        )


def check_selection(study: Study, selection: Mapping, where: str) -> None:
    """Images that are there have no sampler, guidance or epochs to choose from; weights have no
    epochs.
    """
    epochs = selection.get("epochs")
    for model in selection["models"]:
        origin, (shown, *_) = study.origin(model), study.milestones(model)
        if origin == "trained":
            continue
        if isinstance(epochs, list) and shown not in epochs:
            raise ValueError(f"{where}.epochs: {epochs}; {model!r} is there at epoch {shown} alone")
        if origin == "samples" and len(selection["samplers"]) > 1:
            raise ValueError(
                f"{where}.samplers: {', '.join(selection['samplers'])} with {model!r}, which "
                f"{WORDS[origin].partition(';')[0]}; expected one, or a panel of its own"
            )
        if origin == "samples" and selection.get("guidances", [NO_GUIDANCE]) != [NO_GUIDANCE]:
            refuse(study, model, f"{where}.guidances", "samples")


def check_table(study: Study, block: Mapping, where: str) -> None:
    """What is timed or described is there to be."""
    _refuse_all(study, block.get("models", []), f"{where}.models", "samples")
    _refuse_all(study, block.get("training", []), f"{where}.training", "samples", "external")
    for number, selection in enumerate(block.get("sampling", [])):
        _refuse_all(study, selection["models"], f"{where}.sampling[{number}].models", "samples")


def check_timings(study: Study, selection: Mapping, where: str) -> None:
    """The same of the times that a claim compares."""
    _refuse_all(study, selection.get("models", []), f"{where}.models", "samples")
    _refuse_all(study, selection.get("training", []), f"{where}.training", "samples", "external")


def check_figure(study: Study, figure: str) -> None:
    """A figure that walks with its models has some to walk with."""
    if "traces" in plan.needs(study, figure):
        models = sorted(plan.shown(study, figure, "models"))
        _refuse_all(study, models, f"figures.{figure}.panels", "samples")


def _refuse_all(study: Study, models: Iterable[str], where: str, *origins: str) -> None:
    for model in models:
        if model in study.config["models"]:
            refuse(study, model, where, *origins)


def refuse(study: Study, model: str, where: str, *origins: str) -> None:
    """ValueError where a model comes from there."""
    if study.origin(model) in origins:
        raise ValueError(f"{where}: {model!r} {WORDS[study.origin(model)]}")
