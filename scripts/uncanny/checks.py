"""Whether a config means something: references that exist, options that fit, figures that can be
drawn.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from itertools import pairwise

from uncanny import components
from uncanny.study import (
    APPEARANCE,
    Study,
    by_process,
    expanded,
    family_needs_schedule,
    family_offers,
    family_start,
)


def check(study: Study) -> None:
    """Check a whole study; the first inconsistency raises ValueError."""
    for section in ("datasets", "extractors", "schedules", "processes", "networks", "metrics"):
        for name in study.config.get(section, {}):
            options = study.component(section, name)
            if section == "extractors":
                _refer(study, "datasets", options["dataset"], f"extractors.{name}.dataset")
    for model in study.config["models"]:
        _check_model(study, model)
    for sampler in study.config["samplers"]:
        _check_sampler(study, sampler)
    for dataset, block in study.config["evaluation"].items():
        _refer(study, "datasets", dataset, "evaluation")
        _refer(study, "extractors", block["extractor"], f"evaluation.{dataset}.extractor")
        for metric in block["metrics"]:
            _refer(study, "metrics", metric, f"evaluation.{dataset}.metrics")
            _check_splits(study, metric)
    for figure in study.config["figures"]:
        _check_figure(study, figure)


def _check_model(study: Study, model: str) -> None:
    block = study.names(model)
    sections = {"dataset": "datasets", "process": "processes", "schedule": "schedules"}
    for key, section in (sections | {"network": "networks", "training": "training"}).items():
        if key in block:
            _refer(study, section, block[key], f"models.{model}.identity.{key}")
    _refer(study, "evaluation", block["dataset"], f"models.{model}.identity.dataset")
    discrete = family_needs_schedule(study.block("processes", block["process"])["kind"])
    if discrete != ("schedule" in block):
        verb = "needs a" if discrete else "takes no"
        raise ValueError(
            f"models.{model}.identity.schedule: process {block['process']!r} {verb} schedule"
        )
    _check_milestones(study, model)
    study.identity(model)


def _check_sampler(study: Study, sampler: str) -> None:
    """Names and types of a sampler's options, whether a figure uses it or not."""
    block = study.block("samplers", sampler)
    where = f"samplers.{sampler}"
    for process in block.get("by_process", {}):
        _refer(study, "processes", process, f"{where}.by_process")
    for place, part in ((where, block), *by_process(block, where)):
        kind = part.get("kind", block["kind"])
        components.check("samplers", kind, {}, where)
        walked = components.signature("samplers", kind).first
        starts = [
            family_start(f) for f in components.kinds("families") if family_offers(f) == walked
        ]
        given = {k: v for k, v in part.items() if k not in APPEARANCE | {"kind", "by_process"}}
        components.check(
            "samplers", kind, expanded(given), place, more=starts[0] if starts else None
        )


def _check_milestones(study: Study, model: str) -> None:
    if not (study.config["models"][model].get("milestones") or study.config.get("milestones")):
        raise ValueError(
            f"models.{model}.milestones: missing, and the study has none; expected epochs"
        )
    epochs = study.milestones(model)
    if epochs != sorted(epochs):
        where = (
            f"models.{model}.milestones"
            if "milestones" in study.config["models"][model]
            else "milestones"
        )
        later = next(b for a, b in pairwise(epochs) if b < a)
        raise ValueError(
            f"{where}: {later} stands after a larger epoch in {epochs}; expected ascending ones"
        )


def _check_splits(study: Study, metric: str) -> None:
    splits = study.component("metrics", metric).get("splits", 1)
    if splits > study.config["num_images"]:
        raise ValueError(
            f"num_images: {study.config['num_images']} is fewer than the {splits} splits "
            f"of metrics.{metric}"
        )


def _check_figure(study: Study, figure: str) -> None:
    block = study.figure(figure)
    where = f"figures.{figure}"
    given = {"metric": block["metric"]} if "metric" in block else {}
    components.resolve("plotting", block["kind"], given | block.get("options", {}), where)
    for number, panel in enumerate(block["panels"]):
        for key, section in (("models", "models"), ("samplers", "samplers")):
            for name in panel[key]:
                _refer(study, section, name, f"{where}.panels[{number}].{key}")
        for guidance in panel.get("guidances", ["none"]):
            if guidance != "none":
                place = f"{where}.panels[{number}].guidances"
                raise ValueError(f"{place}: {guidance!r} is not defined; known: none")
    for model, sampler, _ in study.curves(figure):
        _check_pair(study, model, sampler, where)
        _check_metric(study, model, block.get("metric"), where)


def _check_pair(study: Study, model: str, sampler: str, where: str) -> None:
    process = study.names(model)["process"]
    block = study.block("samplers", sampler)
    kind = block.get("by_process", {}).get(process, {}).get("kind", block["kind"])
    needs = components.signature("samplers", kind).first
    offers = family_offers(study.block("processes", process)["kind"])
    if needs != offers:
        raise ValueError(
            f"{where}: sampler {sampler!r} walks with {needs}, but model {model!r} gives {offers}"
        )
    study.sampler(sampler, model)


def _check_metric(study: Study, model: str, metric: str | None, where: str) -> None:
    dataset = study.names(model)["dataset"]
    known = study.block("evaluation", dataset)["metrics"]
    if metric is not None and metric not in known:
        raise ValueError(
            f"{where}.metric: {metric!r} is not measured on {dataset!r}; known: {', '.join(known)}"
        )


def _refer(study: Study, section: str, name: str, where: str) -> None:
    known = study.config.get(section, {})
    if name not in known:
        near = components.near(name, known)
        raise ValueError(f"{where}: {name!r} is not defined in {section}{near}")
