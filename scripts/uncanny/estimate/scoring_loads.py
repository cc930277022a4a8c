"""Load of the jobs that score, and that train extractors and classifiers. One entry per rule."""

from dataclasses import replace

from uncanny.estimate import costs, model_loads
from uncanny.estimate.facts import Facts, text
from uncanny.estimate.job import Job
from uncanny.estimate.work import HELD, NO_REST, RECORD, WEIGHT, Load, Work, entry
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.training.lengths import steps_until

REPORTED = 2560  # gradients in a classifier's report
METRIC = 0.05  # of a metric, whatever it computes

# ---- Scoring --------------------------------------------------------------------------------


@entry("scoring", "extract_reference")
def _extract_reference(
    facts: Facts, job: Job, extractor: str, dataset: str, split: str, **_
) -> Load:
    size, (width, _) = facts.extractor(extractor)
    data = facts.data(dataset)
    count, others = getattr(data, split), {"train": data.test, "test": data.train}[split]
    seconds = each = costs.evaluation(size, costs.BATCH, facts.device)
    if facts.study.neighbours(dataset):
        seconds += costs.neighbours(count, width) / costs.CORE
    if facts.study.asks_for(dataset, "KERNELS"):
        seconds += costs.kernels(count, width) / costs.CORE
    if facts.study.asks_for(dataset, "HELD_OUT"):
        seconds += others / count * (each + costs.neighbours(count, width) / costs.CORE)
    kept = 4 * facts.features(dataset) * facts.reference_count(dataset)  # float32
    return Load([Work((job.rule, extractor, dataset), count, seconds)], disk=kept, memory=2 * kept)


@entry("scoring", "score_references")
def _score_references(facts: Facts, job: Job, dataset: str, **_) -> Load:
    """Real images of both splits and two kinds of noise."""
    return _scored(facts, job, dataset, _measured(facts, dataset), facts.device, sets=4)


@entry("scoring", "score_samples")
def _score_samples(facts: Facts, job: Job, model: str, **_) -> Load:
    dataset, count = facts.dataset_of(model), facts.images_of_cell(model)
    unit = dataset, facts.study.evaluation(dataset)["extractor"], "score of a cell"
    on = _extracting(facts, dataset)
    load = _scored(facts, job, dataset, _measured(facts, dataset), on)
    disk = RECORD + (4 * count * facts.features(dataset) if on else 0)
    return replace(load, disk=disk, unit=unit)


@entry("scoring", "score_sizes")
def _score_sizes(facts: Facts, job: Job, model: str, **_) -> Load:
    dataset, sizes = facts.dataset_of(model), facts.study.config["sample_sizes"]
    least = facts.study.evaluation_of_sizes(dataset)["least"]
    metrics = {n: [name for name in least if n >= least[name]] for n in sizes}
    return _scored(facts, job, dataset, metrics, _extracting(facts, dataset))


@entry("scoring", "extract_features", "extract_many_features")
def _extract_features(facts: Facts, job: Job, extractor: str, model: str, **_) -> Load:
    size, widths = facts.extractor(extractor)
    many = max(facts.study.config["sample_sizes"], default=0)
    count = many if "many" in job.rule else facts.images_of_cell(model)
    each = costs.evaluation(size, costs.BATCH, facts.device)
    card = WEIGHT * (size.parameters + HELD * costs.BATCH * size.activations)
    work = Work(("features", extractor), count, each)
    return Load([work], disk=RECORD + 4 * count * sum(widths), card=card)


def _extracting(facts: Facts, dataset: str) -> costs.Device | None:
    """Where jobs that score samples extract their features; None if others have done so."""
    return None if facts.study.extracts_apart(dataset) else costs.PROCESSOR


def _measured(facts: Facts, dataset: str) -> dict[int, list[str]]:
    return {facts.study.num_images(dataset): facts.study.measured(dataset)}


def _scored(
    facts: Facts,
    job: Job,
    dataset: str,
    metrics: dict[int, list[str]],
    on: costs.Device | None,
    sets: int = 1,
) -> Load:
    """metrics: names of them for each number of images; smaller sets are the first images of the
    largest, whose features are extracted once, `on` a device; None: elsewhere.
    """
    largest, reference = max(metrics), facts.reference_count(dataset)
    seconds = sum(
        _score_seconds(facts, dataset, n, names, on if n == largest else None)
        for n, names in metrics.items()
    )
    # Features of both sets as they are stored; the larger set in float64, and about its mean.
    memory = 4 * (largest + reference) + 16 * max(largest, reference)
    works = [Work((job.rule, dataset, *metrics), sets, seconds)]
    return Load(works, memory=facts.features(dataset) * memory)


def _score_seconds(
    facts: Facts, dataset: str, n: int, metrics: list[str], on: costs.Device | None
) -> float:
    """Seconds of metrics of n images, and of their features if extracted `on` a device."""
    evaluation, m = facts.study.evaluation(dataset), facts.reference_count(dataset)
    size, (width, _) = facts.extractor(evaluation["extractor"])
    blocks = [evaluation["metrics"][name] for name in metrics]
    operations = sum(costs.metric_operations(b["kind"], b, n, m, width) for b in blocks)
    features = n * costs.evaluation(size, costs.BATCH, on) if on else 0
    return features + operations / costs.CORE + METRIC * len(metrics)


@entry("scoring", "measure_losses")
def _measure_losses(facts: Facts, job: Job, model: str, **_) -> Load:
    """Two models at each noise level."""
    options, data = facts.study.config["losses"], facts.data_of(model)
    count = min(options["items"], getattr(data, options["split"]))
    batch = costs.batch_of(count, data.values)
    seconds = costs.evaluation(facts.size(model), batch, facts.device)
    work = Work((job.rule, facts.network(model)), 2 * count * options["levels"], seconds)
    return Load([work], memory=model_loads.experiment_memory(facts, model))


@entry("scoring", "measure_likelihood")
def _measure_likelihood(facts: Facts, job: Job, model: str, **_) -> Load:
    """Every image at every level."""
    options, data = facts.study.config["likelihood"], facts.data_of(model)
    count = min(options["items"], getattr(data, options["split"]))
    seconds = costs.evaluation(facts.size(model), costs.batch_of(count, data.values), facts.device)
    levels = facts.study.identity(model)["process"]["num_levels"]
    work = Work((job.rule, facts.network(model)), count * levels, seconds)
    return Load([work], memory=model_loads.sampling_memory(facts, model, count))


@entry("sampling", "compare_samplers")
def _compare_samplers(facts: Facts, job: Job, experiment: str, model: str, **_) -> Load:
    """Images of every sampler and sampling seed, with one metric."""
    extent = plan_experiments.extent(facts.study, experiment)
    count, samplers = extent["num_images"], extent["samplers"]
    works = [model_loads.evaluations(facts, model, s, NO_GUIDANCE, count, count) for s in samplers]
    dataset = facts.dataset_of(model)
    score = _score_seconds(facts, dataset, count, [extent["metric"]], facts.device)
    seconds = len(extent["sampling_seeds"]) * sum(work.stated + score for work in works)
    return Load(
        [Work((job.rule, experiment, model), 1, seconds)],
        memory=model_loads.experiment_memory(facts, model),
    )


# ---- Extractors and classifiers -------------------------------------------------------------


@entry("extractors and classifiers", "train_extractor")
def _train_extractor(facts: Facts, job: Job, extractor: str, **_) -> Load:
    block, (size, _) = facts.study.component("extractors", extractor), facts.extractor(extractor)
    data, batch = facts.data(block["dataset"]), block.get("batch_size", 1)
    # A batch of images has half as many of noise; for rotations, four copies and as many.
    images = batch * {"classifier": 1.5, "rotation": 5}.get(block["kind"], 0)
    seconds = block.get("epochs", 0) * (data.train // batch)
    seconds *= costs.update(size, images, facts.device)
    report = (data.train + 3 * data.test) * costs.evaluation(size, costs.BATCH, facts.device)
    work = Work((job.rule, extractor), 1, seconds + report + facts.device.rest)
    return Load([work], rest=NO_REST, disk=WEIGHT * size.parameters)


@entry("extractors and classifiers", "train_classifier")
def _train_classifier(
    facts: Facts, job: Job, classifier: str, dataset: str, process: str, schedule: str, **_
) -> Load:
    identity, size = facts.classifier(classifier, dataset, process, schedule)
    data, options, device = facts.data(dataset), identity["training"], facts.device
    precision = options.get("precision", "fp32")
    batch, network = options["batch_size"], (text(identity["network"]), data.shape)
    count = steps_until(options["epochs"], data.train, batch)
    seconds = costs.update(size, batch, device, precision)
    # Accuracy at ten noise levels on all test images, and gradients of some.
    report = 10 * data.test * costs.evaluation(size, costs.BATCH, device)
    report += REPORTED * costs.gradient(size, costs.BATCH, device)
    return Load(
        [Work(("classifier update", network, batch), count, seconds)],
        rest=Work(("report", network), 1, device.rest + report),
        disk=WEIGHT * size.parameters,
        card=model_loads.training_card(size, batch),
    )
