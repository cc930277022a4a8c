"""Whether what figures and tables show can be made: metrics that are measured, epochs within reach,
what a kind of table is made of.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterable, Iterator

from uncanny import components, plan
from uncanny.study import Study

LONGEST = 10_000  # training jobs from the first to the last checkpoint of a model


def check_metrics(study: Study, figure: str) -> None:
    """Every metric that a figure draws is measured on the datasets of the models it is drawn of."""
    for where, metric, models in _drawn_metrics(
        study.block("figures", figure), f"figures.{figure}"
    ):
        for dataset in sorted({study.names(model)["dataset"] for model in models}):
            known = study.block("evaluation", dataset)["metrics"]
            if metric not in known:
                raise ValueError(
                    f"{where}: {metric!r} is not measured on {dataset!r}; known: {', '.join(known)}"
                )


def _drawn_metrics(block: dict, where: str) -> Iterator[tuple[str, str, set]]:
    """(key, metric, models)."""
    options = block.get("options", {})
    if "metric" in options:
        raise ValueError(f"{where}.options.metric: expected beside options, as {where}.metric")
    for number, panel in enumerate(block.get("panels", [])):
        models = {name for part in plan.selections({"panels": [panel]}) for name in part["models"]}
        if "metric" in panel:
            yield f"{where}.panels[{number}].metric", panel["metric"], models
        elif "metric" in block:
            yield f"{where}.metric", block["metric"], models
        if options.get("one_split") is not None:
            yield f"{where}.options.one_split", options["one_split"], models


def check_epochs(study: Study, epochs: Iterable[int], where: str) -> None:
    """Epochs that are not too many training jobs away."""
    length = study.config["segment_epochs"]
    for epoch in epochs:
        if epoch > LONGEST * length:
            raise ValueError(
                f"{where}: epoch {epoch} is {-(-epoch // length)} training jobs of segment_epochs: "
                f"{length} away; expected at most {LONGEST}"
            )


def check_table(study: Study, table: str) -> None:
    """A table names what its kind is made of."""
    block = study.block("tables", table)
    shows = components.constant("tables", block["kind"], "SHOWS")
    if shows == ("timings",):
        if not (block.get("training") or block.get("sampling")):
            raise ValueError(
                f"tables.{table}: no training and no sampling; kind {block['kind']!r} shows their "
                "times"
            )
        return
    for key in shows:
        if key not in block:
            raise ValueError(f"tables.{table}.{key}: missing; kind {block['kind']!r} shows them")


def check_steps(study: Study, model: str, sampler: str) -> None:
    """As many steps as a walk can have."""
    options, where = study.sampler(sampler, model), f"samplers.{sampler}.num_steps"
    steps, process = options.get("num_steps"), study.names(model)["process"]
    if steps is None:
        return
    levels = study.component("processes", process).get("num_levels")
    if levels is not None and steps > levels:
        raise ValueError(f"{where}: {steps}; expected at most the levels of {process!r}, {levels}")
    if steps < 2 and ("grid" in options or options.get("times") == "ancestral"):
        raise ValueError(f"{where}: {steps}; expected at least 2")


def check_sizes(study: Study, metric: str) -> None:
    """As many images as a metric needs."""
    options, images = study.component("metrics", metric), study.config["num_images"]
    for option, more in (("splits", 0), ("groups", 0), ("k", 1)):
        needed = options.get(option, 0) + more
        if needed > images:
            raise ValueError(
                f"num_images: {images} is fewer than the {needed} {option} of metrics.{metric}"
            )
