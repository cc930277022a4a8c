"""Check that metrics, classes and networks suit the data: before anything runs as far as the config
tells, and once a dataset is prepared.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

from uncanny.datasets import Expected, read_counts
from uncanny.evaluation import fewest_images
from uncanny.study import known_data, plan
from uncanny.study.checks import shown as checks_shown
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.resolved_blocks import NO_GUIDANCE, by_label
from uncanny.study.study import Study


def check(study: Study) -> None:
    """Check all datasets of a study as far as its config tells their sizes."""
    for dataset in study.config["datasets"]:
        data = known_data.dataset(study, dataset)
        _check_dataset(study, dataset, data)
        _check_attention(study, dataset, data)


def check_prepared(study: Study, folder: Path) -> None:
    """Check a prepared dataset whose sizes the config alone did not tell, and print which of its
    networks have no attention.
    """
    expected = known_data.dataset(study, folder.name)
    if None not in astuple(expected):  # checked when the config was read
        return
    data = read_counts(folder)
    _check_dataset(study, folder.name, data)
    if expected.shape is None:
        for line in _without_attention(study, folder.name, data):
            print(line, flush=True)


def _check_dataset(study: Study, dataset: str, data: Expected) -> None:
    if data.num_classes == 0:
        _check_without_classes(study, dataset)
    if data.train is not None:
        _check_batches(study, dataset, data.train)
    if dataset in study.config["evaluation"]:
        _check_counts(study, dataset, data)


# ---- Classes --------------------------------------------------------------------------------


def _check_without_classes(study: Study, dataset: str) -> None:
    """Refuse conditional models, metrics and guidance by class for a dataset without classes."""
    none = f"dataset {dataset!r} has no classes"
    for name, block in study.config["models"].items():
        identity = block["identity"]
        if identity["dataset"] == dataset and identity.get("conditional"):
            raise ValueError(f"models.{name}.identity.conditional: true, but {none}")
    for name, block in study.config["extractors"].items():
        if block["kind"] == "classifier" and block["dataset"] == dataset:
            raise ValueError(f"extractors.{name}: kind classifier, but {none}; expected rotation")
    for name in study.config["evaluation"].get(dataset, {}).get("metrics", []):
        if by_label(study.block("metrics", name)["kind"]):
            raise ValueError(f"evaluation.{dataset}.metrics: {name!r} compares classes, but {none}")
    for key_path, model, guidance in _guided(study):
        if study.names(model)["dataset"] == dataset and study.guiding(guidance):
            raise ValueError(
                f"{key_path}.guidances: {guidance!r} guides {model!r} towards classes, but {none}"
            )


def _guided(study: Study) -> Iterator[tuple[str, str, str]]:
    """(key, model, guidance) of everything that is sampled with guidance."""
    for key_path, selection in _selections(study):
        for guidance in selection.get("guidances", []):
            if guidance != NO_GUIDANCE:
                yield from ((key_path, model, guidance) for model in selection["models"])


def _selections(study: Study) -> Iterator[tuple[str, Mapping]]:
    """(key, selection) of all figures, tables and claims."""
    for name, block in study.config["figures"].items():
        for number, selection in enumerate(plan.selections(block)):
            yield f"figures.{name}.panels[{number}]", selection
    for name, block in study.config["tables"].items():
        for key in ("sampling", "scores", "sizes"):
            for number, selection in enumerate(block.get(key, [])):
                yield f"tables.{name}.{key}[{number}]", selection
    for name in study.config["claims"]:
        resolved = plan_claims.resolved(study, name)
        for part_path, part in plan_claims.parts(resolved["block"]):
            key, selections = plan_claims.selected(part)
            if part_path not in resolved["missing"]:
                for side, selection in selections.items():
                    yield f"claims.{name}.{part_path}.{key}.{side}", selection


# ---- Numbers of images ----------------------------------------------------------------------


def _check_counts(study: Study, dataset: str, data: Expected) -> None:
    """Enough images for the metrics of a dataset, in its cells and in its reference."""
    block = study.evaluation(dataset)
    features, key_path = _features(study, dataset, data), f"evaluation.{dataset}"
    images, split = study.num_images(dataset), block["reference"]
    own = f"{key_path}." if "num_images" in study.block("evaluation", dataset) else ""
    real, largest = getattr(data, split), max(study.config["sample_sizes"], default=0)
    for name, metric in block["metrics"].items():
        who = f"metrics.{name} ({key_path})"
        fewest = fewest_images.of_sample(metric, features)
        _refuse(f"{own}num_images: {images}", images, fewest, who)
        setting = f"{key_path}.reference: split {split!r} has {real} images"
        _refuse(setting, real, fewest_images.of_reference(metric, features), who)
        for figure in _of_sizes(study, dataset, name):
            setting = f"sample_sizes: at most {largest} images"
            _refuse(setting, largest, fewest, f"{who}, drawn by figures.{figure},")
    for name in study.config["experiments"]:
        _check_experiment(study, name, dataset, features)


def _check_batches(study: Study, dataset: str, images: int) -> None:
    """Batches no larger than a training set: an epoch would end within an update."""
    for model, block in study.config["models"].items():
        training = block["identity"].get("training")
        if study.names(model)["dataset"] == dataset and training is not None:
            size = study.identity(model)["training"]["batch_size"]
            if size > images:
                raise ValueError(
                    f"training.{training}.batch_size: {size}; dataset {dataset!r} has {images} "
                    "training images"
                )


def _features(study: Study, dataset: str, data: Expected) -> int | None:
    """Number of features that the metrics of a dataset use."""
    extractor = study.evaluation(dataset)["extractor"]
    made_for = study.component("extractors", extractor)["dataset"]
    shape = data.shape if made_for == dataset else known_data.dataset(study, made_for).shape
    return known_data.features(study, extractor, shape)


def _refuse(setting: str, count: int | None, fewest: tuple[int, str], who: str) -> None:
    number, why = fewest
    if count is not None and count < number:
        because = f" ({why})" if why else ""
        raise ValueError(f"{setting}; {who} needs at least {number} images{because}")


def _of_sizes(study: Study, dataset: str, metric: str) -> Iterator[str]:
    """Figures that draw a metric of a dataset's models against the number of images."""
    for figure, block in study.config["figures"].items():
        if "sizes" in plan.figure_sources(study, figure):
            metrics = checks_shown.figure_metrics(block, f"figures.{figure}")
            shown = {(n, study.names(m)["dataset"]) for _, n, models in metrics for m in models}
            if (metric, dataset) in shown:
                yield figure


def _check_experiment(study: Study, name: str, dataset: str, features: int | None) -> None:
    """Enough images for an experiment on trained models, which may have its own `num_images`."""
    if not plan_experiments.is_trained(study, name):
        return
    extent = plan_experiments.extent(study, name)
    if dataset in {study.names(model)["dataset"] for model in extent["models"]}:
        metric = study.component("metrics", extent["metric"])
        own = study.component("experiments", name)["num_images"] is not None
        key, images = f"experiments.{name}." if own else "", extent["num_images"]
        fewest, who = fewest_images.of_sample(metric, features), f"metrics.{extent['metric']}"
        _refuse(f"{key}num_images: {images}", images, fewest, f"{who} (experiments.{name})")


# ---- Attention ------------------------------------------------------------------------------


def attention_notes(study: Study) -> list[str]:
    """One line for each network none of whose default attention resolutions exists."""
    notes = []
    for dataset in study.config["datasets"]:
        notes += _without_attention(study, dataset, known_data.dataset(study, dataset))
    return notes


def _without_attention(study: Study, dataset: str, data: Expected) -> list[str]:
    """One line for each network that has none of its attention resolutions with a dataset."""
    return [
        f"networks.{network}.attention: {asked}, but with the images of {dataset!r} there are "
        f"{_listed(available)}: no level has attention"
        for network in _networks(study, dataset)
        if (asked := _attention(study, network))
        and (available := _resolutions(study, network, data))
        if not set(asked) & set(available)
    ]


def _check_attention(study: Study, dataset: str, data: Expected) -> None:
    """Check that attention in the config exists: at some resolution with every dataset, and each
    resolution with some dataset.
    """
    for network in _networks(study, dataset):
        available = _resolutions(study, network, data)
        if available is None or not study.block("networks", network).get("attention"):
            continue
        asked, reached = _attention(study, network), _reached(study, network)
        lost = (
            asked if not set(asked) & set(available) else sorted(set(asked) - (reached or {*asked}))
        )
        if lost:
            raise ValueError(
                f"networks.{network}.attention: {_listed(lost)}; expected resolutions that the "
                f"network has, {_listed(available)} with the images of {dataset!r}"
            )


def _reached(study: Study, network: str) -> set[int] | None:
    """Resolutions that a network has with any of its datasets; None where one is not known."""
    datasets = [name for name in study.config["datasets"] if network in _networks(study, name)]
    resolutions = [
        _resolutions(study, network, known_data.dataset(study, name)) for name in datasets
    ]
    return None if None in resolutions else set().union(*resolutions)


def _networks(study: Study, dataset: str) -> list[str]:
    """Names of the networks that see the images of a dataset: of its models, and of classifiers
    that guide these.
    """
    models = [m for m in study.config["models"] if study.names(m)["dataset"] == dataset]
    names = [study.names(m)["network"] for m in models if study.origin(m) != "samples"]
    for _, model, guidance in _guided(study):
        if model in models:
            classifiers = study.guiding(guidance)
            names += [study.block("classifiers", name)["network"] for name in classifiers]
    return plan.unique(names)


def _attention(study: Study, network: str) -> list[int]:
    """Resolutions at which a network is configured to have attention."""
    return study.component("networks", network).get("attention") or []


def _resolutions(study: Study, network: str, data: Expected) -> list[int] | None:
    """Resolutions of a network's levels, the highest first; None where they are not known."""
    levels = study.component("networks", network).get("multipliers")
    if levels is None or data.shape is None or len(data.shape) < 3:
        return None
    return [data.shape[1] >> level for level in range(len(levels))]


def _listed(resolutions: list[int]) -> str:
    return ", ".join(map(str, resolutions))
