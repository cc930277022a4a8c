"""What the tables of a study show, and the code behind it. No torch here."""

from collections.abc import Mapping

from uncanny.registry import components
from uncanny.registry.blocks import named_within
from uncanny.study import plan
from uncanny.study.study import Study


def contents(study: Study, table: str) -> dict:
    """Complete parameters of the blocks that a table names, and their labels.

    Those of a sampler are by model, for each model that it can sample.
    """
    block = study.block("tables", table)
    keys = ("sampling", "scores", "sizes")
    blocks = [block, *(selection for key in keys for selection in block.get(key, []))]
    names = {
        key: plan.unique(name for entry in blocks for name in entry.get(key, []))
        for key in ("models", "samplers", "guidances", "classifiers")
    }
    names["models"] = plan.unique([*names["models"], *block.get("training", [])])
    imported = study.models_of("samples")
    names["models"] = [name for name in names["models"] if name not in imported]
    names["processes"] = plan.unique(study.names(model)["process"] for model in names["models"])
    return {
        "timed": plan.timed_names(study, block),
        "models": {model: study.identity(model) for model in names["models"]},
        "processes": {model: study.names(model)["process"] for model in names["models"]},
        "samplers": {
            sampler: {
                model: study.sampler(sampler, model)
                for model in names["models"]
                if _samples(study, model, sampler)
            }
            for sampler in names["samplers"]
        },
        "classifiers": {name: _classifier(study, name) for name in names["classifiers"]},
        "labels": {
            section: {n: plan.look(n, study.config[section].get(n, {}))["label"] for n in entries}
            for section, entries in _labelled(study, block, names).items()
        }
        | {"series": _series(study, names["samplers"])},
    }


def _samples(study: Study, model: str, sampler: str) -> bool:
    """Whether a sampler's block is for a model: it takes the model as it is, or another view of it
    and has a grid of noise levels for that.
    """
    if not plan.fits(study, model, sampler):
        return False
    name, block = study.names(model)["process"], study.block("samplers", sampler)
    process = study.block("processes", name)["kind"]
    own = components.sampled_as(process, study.sampler_kind(sampler, model)) == process
    return own or "grid" in block | block.get("by_process", {}).get(name, {})


def _labelled(study: Study, block: Mapping, names: dict) -> dict:
    """Names by section that a table may show: those of its blocks, models of its experiments, and
    metrics.
    """
    experiments = [study.config["experiments"][name] for name in block.get("experiments", [])]
    models = [model for entry in experiments for model in entry.get("models", [])]
    return names | {
        "models": plan.unique([*names["models"], *models]),
        "metrics": list(study.config["metrics"]),
    }


def _series(study: Study, samplers: list[str]) -> dict[str, str]:
    """Sampler → label of its series, by default its own."""
    looks = {name: plan.look(name, study.config["samplers"].get(name, {})) for name in samplers}
    return {name: look.get("series", look["label"]) for name, look in looks.items()}


def _classifier(study: Study, name: str) -> dict:
    block = study.block("classifiers", name)
    return block | {"network": study.component("networks", block["network"])}


def code(study: Study, table: str) -> str:
    """Fingerprint of the code of a table and of the components that it describes."""
    block, shown = study.block("tables", table), contents(study, table)
    described = [
        options for by_model in shown["samplers"].values() for options in by_model.values()
    ]
    kinds = [("tables", block["kind"])]
    if "models" in block:
        kinds += [pair for block in described for pair in named_within(block["init_sampling"])]
        kinds += [pair for model in shown["models"] for pair in study.model_components(model)]
    return study.code("make_table", kinds=tuple(sorted(set(kinds))))
