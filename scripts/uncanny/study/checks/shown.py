"""Check that figures and tables can be made: metrics that are measured, epochs within reach, the
keys that a kind of table requires.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from uncanny.figures import palette
from uncanny.registry import components
from uncanny.study import plan
from uncanny.study.checks import noise_levels as checks_noise_levels
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks.names import refer
from uncanny.study.checks.selections import check_selection
from uncanny.study.study import Study

LONGEST = 10_000  # training jobs from the first to the last checkpoint of a model


def check_figure(study: Study, figure: str) -> None:
    """Check names and options of a figure, and that it has what its kind shows."""
    block = study.block("figures", figure)
    key_path = f"figures.{figure}"
    metric = {"metric": block["metric"]} if "metric" in block else {}
    components.resolve("figures", block["kind"], metric | block.get("options", {}), key_path)
    _check_sources(study, figure, key_path)
    checks_origins.check_figure(study, figure)
    for number, selection in enumerate(plan.selections(block)):
        check_selection(study, selection, f"{key_path}.panels[{number}]")
    if "sizes" in plan.figure_sources(study, figure) and not study.config["sample_sizes"]:
        raise ValueError(f"sample_sizes: empty; {key_path} draws metrics against numbers of images")


def _check_sources(study: Study, figure: str, key_path: str) -> None:
    """Check that a figure names what its kind shows: panels, experiments, both, or neither."""
    block, sources = study.block("figures", figure), set(plan.figure_sources(study, figure))
    if "claims" in sources and not study.config["claims"]:
        raise ValueError(f"claims: missing; {key_path} shows the verdicts on them")
    keys = {
        "panels": not sources <= {"experiments", "claims"},
        "experiments": "experiments" in sources,
    }
    wanted = [key for key, is_wanted in keys.items() if is_wanted]
    for key in wanted:
        if key not in block:
            raise ValueError(
                f"{key_path}.{key}: missing; required for figures of kind {block['kind']!r}"
            )
    for key in keys.keys() - wanted:
        if key in block:
            raise ValueError(
                f"{key_path}.{key}: figures of kind {block['kind']!r} take "
                f"{' and '.join(wanted) or 'all claims'}, not {key}"
            )
    for name in block.get("experiments", []):
        refer(study, "experiments", name, f"{key_path}.experiments")


def check_table(study: Study, table: str) -> None:
    """Check names and options of a table."""
    block, key_path = study.block("tables", table), f"tables.{table}"
    checks_origins.check_table(study, block, key_path)
    components.resolve("tables", block["kind"], block.get("options", {}), key_path)
    if block["kind"] == "stochastic_parameters":
        checks_noise_levels.check_churned(study, block, key_path)
    for section in ("models", "samplers", "classifiers", "experiments"):
        for name in block.get(section, []):
            refer(study, section, name, f"{key_path}.{section}")
    for model in block.get("training", []):
        refer(study, "models", model, f"{key_path}.training")
    if block["kind"] == "likelihoods":
        checks_noise_levels.check_likelihoods(study, block, key_path)
    for key in ("sampling", "scores", "sizes"):
        for number, selection in enumerate(block.get(key, [])):
            check_selection(study, selection, f"{key_path}.{key}[{number}]")
    if block.get("sizes") and not study.config["sample_sizes"]:
        raise ValueError(f"sample_sizes: empty; {key_path} shows metrics of numbers of images")


def check(study: Study) -> None:
    """Check figures and tables of a study; the first inconsistency raises ValueError.

    `check_figure` and `check_table` have checked names and options before.
    """
    for model in study.config["models"]:
        own = "milestones" in study.config["models"][model]
        key_path = f"models.{model}.milestones" if own else "milestones"
        _check_epochs(study, study.milestones(model), key_path)
    models = study.config["models"].items()
    palette.looks({n: {"color": m.get("color")} | plan.model_role(study, n) for n, m in models})
    for figure, block in study.config["figures"].items():
        _check_metrics(study, figure)
        for number, selection in enumerate(plan.selections(block)):
            key_path = f"figures.{figure}.panels[{number}]"
            _check_epochs(study, selection.get("epochs", []), f"{key_path}.epochs")
            _check_steps(study, selection)
    for table, block in study.config["tables"].items():
        _check_rows(study, block, f"tables.{table}")
        for selection in block.get("sampling", []):
            _check_steps(study, selection)


def _check_metrics(study: Study, figure: str) -> None:
    """Check that every metric of a figure is measured on the datasets of its models."""
    block, of_sizes = study.block("figures", figure), "sizes" in plan.figure_sources(study, figure)
    for key_path, metric, models in figure_metrics(block, f"figures.{figure}"):
        for dataset in sorted({study.names(model)["dataset"] for model in models}):
            check_measured(study, dataset, metric, key_path, of_sizes)


def check_measured(
    study: Study, dataset: str, metric: str, key_path: str, of_sizes: bool = False
) -> None:
    """Raise ValueError for a metric not measured on a dataset's cells, or on growing subsets."""
    known = study.measured(dataset, of_sizes)
    if metric not in known:
        at = " at growing numbers of images" if of_sizes else ""
        raise ValueError(
            f"{key_path}: {metric!r} is not measured on {dataset!r}{at}; known: {', '.join(known)}"
        )


def figure_metrics(block: dict, key_path: str) -> Iterator[tuple[str, str, set]]:
    """(key, metric, models) of everything that a figure shows; key_path: of the figure."""
    options = block.get("options", {})
    if "metric" in options:
        raise ValueError(
            f"{key_path}.options.metric: expected next to options, as {key_path}.metric"
        )
    for number, panel in enumerate(block.get("panels", [])):
        models = {
            name
            for selection in plan.selections({"panels": [panel]})
            for name in selection["models"]
        }
        if "metric" in panel:
            yield f"{key_path}.panels[{number}].metric", panel["metric"], models
        elif "metric" in block:
            yield f"{key_path}.metric", block["metric"], models
        if options.get("one_split") is not None:
            yield f"{key_path}.options.one_split", options["one_split"], models


def _check_epochs(study: Study, epochs: Iterable[int], key_path: str) -> None:
    """Check that no epoch is too many training jobs away."""
    length = study.config["segment_epochs"]
    for epoch in epochs:
        if epoch > LONGEST * length:
            raise ValueError(
                f"{key_path}: epoch {epoch} is {-(-epoch // length)} training jobs of "
                f"segment_epochs: {length} away; expected at most {LONGEST}"
            )


def _check_rows(study: Study, block: dict, key_path: str) -> None:
    """Check that a table has the keys that its kind requires, and that its metric is measured."""
    shows = components.constant("tables", block["kind"], "SHOWS", ())
    for keys in shows:
        if not any(block.get(key) for key in keys):
            raise ValueError(f"{key_path}.{keys[0]}: missing; kind {block['kind']!r} shows them")
    metric = block.get("options", {}).get("metric")
    models = {model for entry in block.get("scores", []) for model in entry["models"]}
    for dataset in sorted({study.names(model)["dataset"] for model in models if metric}):
        check_measured(study, dataset, metric, f"{key_path}.options.metric")


def _check_steps(study: Study, selection: dict) -> None:
    """Check numbers of steps against the sampler and the process."""
    for model, sampler in product(selection["models"], selection["samplers"]):
        options = study.sampler(sampler, model).get("init_sampling", {})
        key_path = f"samplers.{sampler}.num_steps"
        steps = options.get("num_steps")
        if steps is None:
            continue
        process = study.names(model)["process"]
        levels = study.component("processes", process).get("num_levels")
        if levels is not None and steps > levels:
            raise ValueError(
                f"{key_path}: {steps}; expected at most the levels of {process!r}, {levels}"
            )
        if steps < 2 and ("grid" in options or options.get("times") in ("ancestral", "quad")):
            raise ValueError(f"{key_path}: {steps}; expected at least 2")
