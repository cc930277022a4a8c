"""Inputs of experiments: for those on trained checkpoints, the samples and losses of each of them.
No torch here.

A kind whose function takes `checkpoints` first reads models of the study; any other has no inputs.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product

from uncanny.registry import components
from uncanny.runtime.result_paths import path
from uncanny.study.resolved_blocks import EXTENT
from uncanny.study.study import Study


def is_trained(study: Study, name: str) -> bool:
    """Whether an experiment is on trained checkpoints."""
    kind = study.block("experiments", name)["kind"]
    return components.signature("experiments", kind).first == "checkpoints"


def table(study: Study, name: str) -> str:
    """The table of an experiment, below the study's results."""
    return _file(study, name, "csv")


def verdicts(study: Study, name: str) -> str:
    """The verdicts of an experiment, below the study's results."""
    return _file(study, name, "jsonl")


def _file(study: Study, name: str, suffix: str) -> str:
    origin = "trained" if is_trained(study, name) else "exact"
    return path("experiments", origin=origin, experiment=name, suffix=suffix)


def files(study: Study, name: str) -> list[str]:
    """Table and verdicts of an experiment."""
    return [table(study, name), verdicts(study, name)]


@cache
def extent(study: Study, name: str) -> dict:
    """Values of the keys in EXTENT of an experiment on trained checkpoints."""
    block = study.component("experiments", name)
    default = {key: study.config[key] for key in ("seeds", "sampling_seeds", "num_images")}
    return {key: default[key] if block[key] is None else block[key] for key in EXTENT}


def options(study: Study, name: str) -> dict:
    """Kind and own options of an experiment, without its extent."""
    block = study.component("experiments", name)
    return {key: value for key, value in block.items() if key not in EXTENT}


@cache
def checkpoints(study: Study, name: str) -> list[dict]:
    """{model, seed, epoch} of every checkpoint of an experiment."""
    wanted = extent(study, name)
    return [
        {"model": model, "seed": seed, "epoch": epoch}
        for model, seed in product(wanted["models"], wanted["seeds"])
        for epoch in study.milestones(model)
    ]


def compared(study: Study, name: str) -> list[str]:
    """Records of the samples of every checkpoint, below the study's results."""
    return [
        path("compared", experiment=name, **checkpoint) for checkpoint in checkpoints(study, name)
    ]


def losses(study: Study, name: str) -> list[str]:
    """Records of the losses of every checkpoint, below the study's results."""
    return [path("losses", **checkpoint) for checkpoint in checkpoints(study, name)]


def best_epoch(study: Study, model: str) -> int:
    """The epoch whose checkpoint serves as the best denoiser of a model."""
    return study.milestones(model)[-1]


def derives(study: Study, name: str, model: str) -> bool:
    """Whether a sampler of an experiment has a noise-level grid derived from losses."""
    return any(study.needs_losses(s, model) for s in extent(study, name)["samplers"])


def comparison(study: Study, name: str, model: str) -> dict:
    """Everything but code and seeds that determines the samples of a checkpoint."""
    wanted, dataset = extent(study, name), study.names(model)["dataset"]
    return {
        "identity": study.identity(model),
        "samplers": {s: study.sampler(s, model) for s in wanted["samplers"]},
        "extent": {key: wanted[key] for key in ("sampling_seeds", "num_images")},
        "metric": study.component("metrics", wanted["metric"]),
        "names": {"model": model, "dataset": dataset, "metric": wanted["metric"]},
    }


def code(study: Study, name: str, model: str) -> str:
    """Fingerprint of the code that samples a checkpoint with all samplers of an experiment."""
    wanted = extent(study, name)
    kinds = {pair for s in wanted["samplers"] for pair in study.sampler_components(s, model)}
    metric = study.block("metrics", wanted["metric"])["kind"]
    extractor = study.evaluation(study.names(model)["dataset"])["extractor"]
    kinds |= {("metrics", metric), ("extractors", study.block("extractors", extractor)["kind"])}
    return study.code("compare_samplers", model=model, kinds=tuple(sorted(kinds)))


def loss_names(study: Study, model: str) -> Mapping:
    """Names of a model for its record of losses."""
    return {"model": model, "dataset": study.names(model)["dataset"]}
