"""Whether what figures and tables show can be made: metrics that are measured, epochs within reach,
what a kind of table is made of.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from uncanny.registry import components
from uncanny.study import plan
from uncanny.study.study import Study

LONGEST = 10_000  # training jobs from the first to the last checkpoint of a model


def check(study: Study) -> None:
    """Check what a study shows; the first inconsistency raises ValueError.

    Names exist, and options fit: `checks.check` has seen to that.
    """
    for model in study.config["models"]:
        own = "milestones" in study.config["models"][model]
        where = f"models.{model}.milestones" if own else "milestones"
        _check_epochs(study, study.milestones(model), where)
    for figure, block in study.config["figures"].items():
        _check_metrics(study, figure)
        for number, selection in enumerate(plan.selections(block)):
            where = f"figures.{figure}.panels[{number}]"
            _check_epochs(study, selection.get("epochs", []), f"{where}.epochs")
            _check_walks(study, selection)
    for table, block in study.config["tables"].items():
        _check_table(block, f"tables.{table}")
        for selection in block.get("sampling", []):
            _check_walks(study, selection)


def _check_metrics(study: Study, figure: str) -> None:
    """Every metric that a figure draws is measured on the datasets of the models it is drawn of."""
    block, of_sizes = study.block("figures", figure), "sizes" in plan.needs(study, figure)
    for where, metric, models in drawn_metrics(block, f"figures.{figure}"):
        for dataset in sorted({study.names(model)["dataset"] for model in models}):
            check_measured(study, dataset, metric, where, of_sizes)


def check_measured(
    study: Study, dataset: str, metric: str, where: str, of_sizes: bool = False
) -> None:
    """ValueError where a metric is not one of a dataset's cells, or of growing parts of a set."""
    known = study.measured(dataset, of_sizes)
    if metric not in known:
        at = " at growing numbers of images" if of_sizes else ""
        raise ValueError(
            f"{where}: {metric!r} is not measured on {dataset!r}{at}; known: {', '.join(known)}"
        )


def drawn_metrics(block: dict, where: str) -> Iterator[tuple[str, str, set]]:
    """(key, metric, models) of all that a figure draws; where: the figure's key."""
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


def _check_epochs(study: Study, epochs: Iterable[int], where: str) -> None:
    """Epochs that are not too many training jobs away."""
    length = study.config["segment_epochs"]
    for epoch in epochs:
        if epoch > LONGEST * length:
            raise ValueError(
                f"{where}: epoch {epoch} is {-(-epoch // length)} training jobs of segment_epochs: "
                f"{length} away; expected at most {LONGEST}"
            )


def _check_table(block: dict, where: str) -> None:
    """A table names what its kind is made of."""
    shows = components.constant("tables", block["kind"], "SHOWS", ())
    for keys in shows:
        if not any(block.get(key) for key in keys):
            raise ValueError(f"{where}.{keys[0]}: missing; kind {block['kind']!r} shows them")


def _check_walks(study: Study, selection: dict) -> None:
    """As many steps as a walk can have."""
    for model, sampler in product(selection["models"], selection["samplers"]):
        options = study.sampler(sampler, model).get("init_sampling", {})
        where = f"samplers.{sampler}.num_steps"
        steps = options.get("num_steps")
        if steps is None:
            continue
        process = study.names(model)["process"]
        levels = study.component("processes", process).get("num_levels")
        if levels is not None and steps > levels:
            raise ValueError(
                f"{where}: {steps}; expected at most the levels of {process!r}, {levels}"
            )
        if steps < 2 and ("grid" in options or options.get("times") == "ancestral"):
            raise ValueError(f"{where}: {steps}; expected at least 2")
