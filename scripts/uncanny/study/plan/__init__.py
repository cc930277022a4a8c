"""Results that a study requires: the cells behind every figure, table and claim. No torch here.

A *selection* in a config block is {models, samplers, guidances, epochs, seeds, sampling_seeds}; all
but the first two have defaults.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product

from uncanny.figures import palette
from uncanny.registry import components
from uncanny.runtime.result_paths import Cell, path
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.resolved_blocks import NO_GUIDANCE, NO_SCHEDULE
from uncanny.study.study import Study


def cell_record(study: Study, cell: Cell) -> dict:
    """Identity of a cell for its record."""
    return {"study": study.name, "dataset": study.names(cell.model)["dataset"]} | vars(cell)


def cells(study: Study, selection: Mapping, epochs: str = "all") -> list[Cell]:
    """The cells of a selection, each once, in the order of the config.

    epochs: milestones of a selection without `epochs`: "all" or "last".
    """
    seeds, sampling_seeds = (
        selection.get("seeds", study.seeds),
        selection.get("sampling_seeds", study.sampling_seeds),
    )
    curves = product(
        selection["models"], selection["samplers"], selection.get("guidances", [NO_GUIDANCE])
    )
    return [
        Cell(model, seed, sampler, guidance, sampling_seed, epoch)
        for model, sampler, guidance in dict.fromkeys(curves)
        for seed, sampling_seed in study.runs(model, seeds, sampling_seeds)
        for epoch in epochs_of(study, model, selection.get("epochs", epochs))
    ]


def epochs_of(study: Study, model: str, wanted: str | list[int] | Mapping) -> list[int]:
    """Epochs of a model: "all" milestones, the "last" one, {"last": N} of them, or as listed."""
    milestones = study.milestones(model)
    if isinstance(wanted, list):
        trained = study.origin(model) == "trained"
        return [epoch for epoch in wanted if trained or epoch in milestones]
    last = {"all": 0, "last": 1}[wanted] if isinstance(wanted, str) else wanted["last"]
    return milestones[-last:]


# ---- Shards of a large set of images --------------------------------------------------------


def spans(study: Study, first: int, end: int) -> list[tuple[int, int]]:
    """Split images first .. end - 1 into the (first, count) of single jobs."""
    size = study.config.get("shard_images") or max(end - first, 1)
    return [(start, min(size, end - start)) for start in range(first, end, size)]


def images_of_cell(study: Study, model: str) -> int:
    """Number of images of a model's cells."""
    return study.num_images(study.names(model)["dataset"])


def cell_spans(study: Study, model: str) -> list[tuple[int, int]]:
    """Spans of the jobs that sample a cell of a model."""
    return spans(study, 0, images_of_cell(study, model))


def shard_files(study: Study, cell: Cell, first: int, end: int) -> list[str]:
    """Sample sets of images first .. end - 1 of a cell, below the study's results."""
    shards = spans(study, first, end)
    return [cell.path("parts", first=start, number=count) for start, count in shards]


def unique(items: Iterable) -> list:
    return list(dict.fromkeys(items))


# ---- Figures --------------------------------------------------------------------------------


def selections(block: Mapping) -> list[dict]:
    """Selections of the panels of a figure; the series of a panel replace its own keys. With the
    option `behind`, a guidance, every panel is also shown with it.
    """
    panels, behind = block.get("panels", []), block.get("options", {}).get("behind")
    own = [panel | series for panel in panels for series in panel.get("series", [{}])]
    return own + [panel | {"guidances": [behind]} for panel in panels if behind]


def paper_figures(study: Study) -> list[str]:
    """Figures of the paper itself, without supplementary ones."""
    blocks = study.config["figures"].items()
    return [name for name, block in blocks if not block.get("supplementary")]


def figure_sources(study: Study, figure: str) -> tuple[str, ...]:
    """Kinds of file that a figure reads: "scores", "samples", "sizes", "traces", "experiments"."""
    sources = components.constant("figures", study.block("figures", figure)["kind"], "NEEDS")
    return (sources,) if isinstance(sources, str) else tuple(sources)


@cache
def figure_cells(study: Study, figure: str) -> list[Cell]:
    """Cells that a figure shows; its kind has constants for their epochs and runs."""
    block = study.block("figures", figure)
    epochs, runs = (
        components.constant("figures", block["kind"], name) for name in ("EPOCHS", "RUNS")
    )
    first = first_run(study) if runs == "first" else {}
    return unique(
        cell for selection in selections(block) for cell in cells(study, first | selection, epochs)
    )


def first_run(study: Study) -> dict:
    """Keys that restrict a selection to one training seed and one sampling seed."""
    return {"seeds": study.seeds[:1], "sampling_seeds": study.sampling_seeds[:1]}


def figure_datasets(study: Study, figure: str) -> list[str]:
    """Datasets of the models that a figure shows."""
    return sorted({study.names(model)["dataset"] for model in shown(study, figure, "models")})


def shown(study: Study, figure: str, axis: str) -> set[str]:
    """Names of the models, samplers or guidances that a figure shows."""
    block = study.block("figures", figure)
    selected = [] if axis == "guidances" else _extents(study, block)
    selected += selections(block)
    return {name for selection in selected for name in selection.get(axis, [NO_GUIDANCE])}


def _extents(study: Study, block: Mapping) -> list[dict]:
    """Extents of the experiments on trained models that a figure shows."""
    names = [n for n in block.get("experiments", []) if plan_experiments.is_trained(study, n)]
    return [plan_experiments.extent(study, name) for name in names]


@cache
def figure_models(study: Study) -> frozenset[str]:
    """Names of the models of all figures."""
    names = (shown(study, figure, "models") for figure in study.config["figures"])
    return frozenset().union(*names)


def trained_models(study: Study) -> list[str]:
    """Models of all figures that are trained here, in the order of the config."""
    in_figures = figure_models(study)
    return [m for m in study.config["models"] if m in in_figures and study.origin(m) == "trained"]


def histories(study: Study, model: str) -> list[str]:
    """Records of a model's whole training, one per seed, below the study's results."""
    last = study.milestones(model)[-1]
    return [path("histories", model=model, seed=seed, epoch=last) for seed in study.seeds]


def appearance(study: Study, figure: str) -> dict:
    """Labels and colours of everything that a figure shows, in the order of the config.

    Models of other figures are included by name: several of one role share its hue.
    """
    own = {axis: shown(study, figure, axis) for axis in ("models", "samplers", "guidances")}
    blocks = study.config["models"].items()
    models = [(name, block) for name, block in blocks if name in figure_models(study)]
    figure_block = study.block("figures", figure)
    measured = {extent["metric"] for extent in _extents(study, figure_block)}
    return {
        "models": {
            n: look(n, block, n in own["models"]) | model_role(study, n) for n, block in models
        },
        "samplers": _looks(study, "samplers", own["samplers"]),
        "guidances": _guidance_looks(study, own["guidances"]),
        "metrics": _looks(study, "metrics", metrics(figure_block) | measured),
        "datasets": {model: study.names(model)["dataset"] for model in sorted(own["models"])},
    }


def metrics(block: Mapping) -> set:
    """Names of all metrics that a figure shows."""
    blocks = [
        block,
        *block.get("panels", []),
        {"metric": block.get("options", {}).get("one_split")},
    ]
    return {b["metric"] for b in blocks if b.get("metric")}


def _looks(study: Study, section: str, names: set) -> dict:
    blocks = study.config.get(section, {}).items()
    return {name: look(name, block) for name, block in blocks if name in names}


def _guidance_looks(study: Study, names: set) -> dict:
    """Labels of guidances, and the scale that is no guidance where it is not 0."""
    looks = _looks(study, "guidances", names)
    for name in looks:
        if study.guidance(name)["kind"] == "classifier_free":
            looks[name]["unguided"] = 1.0
    return looks


def model_role(study: Study, model: str) -> dict:
    """What decides a model's colour (`palette.looks`), and whether it is imported images."""
    identity = study.identity(model)
    facts = {"role": palette.role(identity), "dataset": study.names(model)["dataset"]}
    conditional = {"conditional": True} if identity.get("conditional") else {}
    return facts | conditional | ({"imported": True} if study.origin(model) == "samples" else {})


def look(name: str, block: Mapping, labelled: bool = True) -> dict:
    """Label, by default the name, colour of a component, and the series of a sampler."""
    label = block.get("label", name) if labelled else name
    return {"label": label} | {key: block[key] for key in ("color", "series") if key in block}


# ---- Times and tables -----------------------------------------------------------------------


def timed_cells(study: Study, block: Mapping) -> list[Cell]:
    """Cells whose `sampling` a block times: at the first seed and the last milestone."""
    selected = [first_run(study) | selection for selection in block.get("sampling", [])]
    return unique(cell for selection in selected for cell in cells(study, selection, "last"))


def timing_files(study: Study, block: Mapping) -> list[str]:
    """Records of the times of a block: of models for `training`, of selections for `sampling`."""
    trained = [path("training_times")] if block.get("training") else []
    sampled = [cell.path("sampling_times") for cell in timed_cells(study, block)]
    return unique(trained + sampled)


def timed_names(study: Study, block: Mapping) -> list[dict]:
    """Names of everything that a block times, in its order, as in the records."""
    trained = [{"what": "training", "model": model} for model in block.get("training", [])]
    names = ("model", "sampler", "guidance")
    sampled = [
        {"what": "sampling"} | {name: getattr(cell, name) for name in names}
        for cell in timed_cells(study, block)
    ]
    return trained + sampled


def classifier_file(study: Study, kind: str, classifier: str, model: str) -> str:
    """The checkpoint ("classifiers") or the report ("reports") of the classifier that guides a
    model, below the study's results.
    """
    names = {"schedule": NO_SCHEDULE} | study.names(model)
    return path(kind, classifier=classifier, **names)


def fits(study: Study, model: str, sampler: str) -> bool:
    """Whether a sampler takes a model or a view of it; imported samples fit all."""
    if study.origin(model) == "samples":
        return True
    process = study.block("processes", study.names(model)["process"])["kind"]
    return components.sampled_as(process, study.sampler_kind(sampler, model)) is not None
