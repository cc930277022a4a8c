"""Inputs of figures, tables and claims: kind of file -> paths below the study's results.

Rules take their inputs from here, and the archive its files. No torch here.
"""

import itertools
from collections.abc import Iterator

from uncanny.registry import components
from uncanny.runtime.result_paths import path
from uncanny.study import plan
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.study import Study

# Kinds of file that a figure compares with scores of real images, or with real images.
SCORED, SHOWN = {"scores", "sizes"}, {"samples", "traces"}


def of_figure(study: Study, figure: str) -> dict[str, list[str]]:
    """Paths of the kinds of file that a figure's own kind NEEDS; with scores also "references", the
    scores of real images and noise, and with images also "datasets", the real images.
    """
    kinds = plan.figure_sources(study, figure)
    paths = {kind: _paths(study, figure, kind) for kind in kinds}
    needed_by = {"references": SCORED, "datasets": SHOWN}
    for kind in (kind for kind, users in needed_by.items() if users & set(kinds)):
        paths[kind] = [path(kind, dataset=name) for name in plan.figure_datasets(study, figure)]
    return paths


def _paths(study: Study, figure: str, kind: str) -> list[str]:
    if kind == "claims":
        return [path("claims")]
    if kind == "experiments":
        names = study.block("figures", figure)["experiments"]
        return [file for name in names for file in plan_experiments.files(study, name)]
    return plan.unique(cell.path(kind) for cell in plan.figure_cells(study, figure))


def of_table(study: Study, table: str) -> dict[str, list[str]]:
    """Times, scores of cells and of their sample sizes (by default at the last milestone), verdicts
    of experiments, first records of training that have noise levels of the samplers shown, and
    likelihoods.
    """
    block = study.block("tables", table)
    scores = [
        cell.path(kind)
        for kind in ("scores", "sizes")
        for selection in block.get(kind, [])
        for cell in plan.cells(study, selection, "last")
    ]
    names = block.get("experiments", [])
    return {
        "timings": plan.timing_files(study, block),
        "scores": plan.unique(scores),
        "verdicts": [plan_experiments.verdicts(study, name) for name in names],
        "trained": _derived(study, block),
        "likelihoods": _likelihoods(study, block),
    }


def _likelihoods(study: Study, block: dict) -> list[str]:
    """Likelihoods of the models of a table that shows them, at their last milestone."""
    if components.constant("tables", block["kind"], "NEEDS") != "likelihoods":
        return []
    return [
        path("likelihoods", model=model, seed=seed, epoch=study.milestones(model)[-1])
        for model in block["models"]
        for seed, _ in study.runs(model, study.seeds, study.sampling_seeds[:1])
    ]


def _derived(study: Study, block: dict) -> list[str]:
    """Records of models in a table of samplers whose noise levels follow from their data."""
    models = block.get("models", []) if "samplers" in block else []
    return [
        path("histories", model=model, seed=study.seeds[0], epoch=study.milestones(model)[0])
        for model in models
        if study.origin(model) != "samples" and study.derives(model)
    ]


def of_claims(study: Study) -> dict[str, list[str]]:
    """Scores, sizes, times, reports of classifiers, experiments and references."""
    return plan_claims.files(study)


def of_all(study: Study) -> list[str]:
    """All inputs of figures, tables and claims, and files of experiments, each once; not verdicts,
    which follow from them.
    """
    kinds = (item for paths in _of_all(study) for item in paths.items())
    groups = (paths for kind, paths in kinds if kind != "claims")
    return plan.unique(itertools.chain.from_iterable(groups))


def _of_all(study: Study) -> Iterator[dict[str, list[str]]]:
    yield from (of_figure(study, figure) for figure in study.config["figures"])
    yield from (of_table(study, table) for table in study.config["tables"])
    yield of_claims(study)
    for name in study.config["experiments"]:
        yield {"experiments": plan_experiments.files(study, name)}
