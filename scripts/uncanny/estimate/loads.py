"""Load of a job of each rule: amounts of work, bytes on disk, memory. One entry per rule.

Of a rule without an entry only startup and overhead are counted until its jobs have left records;
the estimate names it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from uncanny.estimate import costs
from uncanny.estimate.facts import Facts, text
from uncanny.estimate.job import Job
from uncanny.estimate.sizes import Size
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.plan import timings as plan_times
from uncanny.study.resolved_blocks import NO_GUIDANCE
from uncanny.training.lengths import UPDATES_BEFORE, UPDATES_PER_BLOCK, steps_until

REPORTED = 2560  # gradients in a classifier's report
# Seconds on a core of jobs that neither train nor sample: per job, and per input file.
SHOWING = {"plot_figure": (1.0, 2e-3), "make_table": (0.3, 1e-3), "assess_claims": (3.0, 5e-3)}
SHOWING |= {"run_trained": (3.0, 2e-3), "run_exact": (7.0, 0.0)}
CONFIRMING = 0.05
DECODING = {"images": 8e-3}  # of an image that has to be decoded
COPYING = 5e-5  # of an image that is read and written
METRIC = 0.05  # of a metric, whatever it computes

WEIGHT = 4  # bytes of a weight in float32
CHECKPOINT = 4 * WEIGHT  # network, average and the two moments of Adam
RECORD = 10_000  # bytes of records, logs and small files
FIGURE = 1_000_000
# Of all activations of a network, those held at once without gradients: on a processor; on a GPU,
# from the peak of 15.8 GB with batches of 682 images (results/measured/gpu/speed.json)
FREED, HELD = 0.4, 0.17
CANDIDATES = 8  # for the image of a trace
GRADIENT_VALUES = 2**19  # numbers in images whose gradients are computed at once, as there
SAMPLES = 24  # bytes of a number of an image while images are sampled or gathered


@dataclass(frozen=True)
class Work:
    """An amount of one kind of work. key: its kind, then all that its cost depends on.

    unit_seconds: stated seconds of one unit.
    """

    key: tuple
    amount: float
    unit_seconds: float

    @property
    def stated(self) -> float:
        """Stated seconds of the whole amount."""
        return self.amount * self.unit_seconds


@dataclass(frozen=True)
class Load:
    """Amounts that a job takes.

    works: its own work, that which its records time first. rest: overhead such as reading, writing
    and waiting for the device; None: the default of its device. disk: bytes of its outputs. memory:
    bytes in addition to its libraries. card: bytes on a GPU: weights with what trains them, and
    activations, in float32 even where some are kept in fewer bits. gpus: number of them, if it asks
    for some. unit: dataset, network and name of the unit of the first work, for the table of rates.
    """

    works: list[Work] = field(default_factory=list)
    rest: Work | None = None
    disk: float = RECORD
    memory: float = 0.0
    card: float = 0.0
    gpus: int = 1
    unit: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Entry:
    """kind: of work, a row of the estimate. load: (facts, job, wildcards by name) -> Load."""

    kind: str
    load: Callable[..., Load]


ENTRIES: dict[str, Entry] = {}


def entry(kind: str, *rules: str):
    """Register a function that returns the load of jobs of some rules."""

    def register(function: Callable[..., Load]):
        ENTRIES.update(dict.fromkeys(rules, Entry(kind, function)))
        return function

    return register


@cache
def of_job(facts: Facts, job: Job) -> tuple[Load, list[Work]]:
    """Load of a job, and all its work, the rest last."""
    known = ENTRIES.get(job.rule)
    load = known.load(facts, job, **job.wildcards) if known else Load()
    seconds = (facts.device if job.on_device else costs.PROCESSOR).rest
    rest = load.rest or Work(("rest", job.rule), 1, seconds)
    return load, [*load.works, *([rest] if rest.amount or not load.works else [])]


def kind(job: Job) -> str:
    """Kind of a job's work; for a rule without an entry, its name and that no cost is stated."""
    return ENTRIES[job.rule].kind if job.rule in ENTRIES else f"{job.rule} (no stated cost)"


NO_REST = Work(("rest",), 0, 0.0)


# ---- Data -----------------------------------------------------------------------------------


@entry("data", "prepare_dataset")
def _prepare_dataset(facts: Facts, job: Job, dataset: str, **_) -> Load:
    data, source = facts.data(dataset), facts.study.block("datasets", dataset)["kind"]
    count = data.train + data.test
    work = Work((job.rule, source), count, DECODING.get(source, COPYING))
    disk = count * (data.values + 8)  # uint8 images, int64 labels
    return Load([work], rest=Work(("rest", job.rule), 1, 1.0), disk=disk)


@entry("data", "import_model")
def _import_model(facts: Facts, job: Job, model: str, **_) -> Load:
    return Load(disk=WEIGHT * facts.size(model).parameters)


@entry("data", "import_samples", "import_many_samples")
def _import_samples(facts: Facts, job: Job, model: str, memory: float = 0.0, **_) -> Load:
    """Images of a cell joined in one file. memory: bytes per number of an image."""
    config = facts.study.config
    count = max(config["sample_sizes"]) if "many" in job.rule else facts.images_of_cell(model)
    values = count * facts.data_of(model).values
    return Load([Work((job.rule,), count, COPYING)], disk=RECORD + values, memory=memory * values)


# ---- Training -------------------------------------------------------------------------------


@entry("training", "train_model")
def _train_model(facts: Facts, job: Job, model: str, epoch: str, **_) -> Load:
    names, gpus = facts.study.names(model), facts.study.gpus(model)
    updates = _updates(facts, model, facts.updates(model, int(epoch)))
    seconds = costs.together(updates.unit_seconds, gpus, facts.device)
    return Load(
        [replace(updates, unit_seconds=seconds)],
        gpus=gpus,
        disk=CHECKPOINT * facts.size(model).parameters,
        memory=_training_memory(facts, model),
        card=_training_card(facts.size(model), facts.batch_size(model)),
        unit=(names["dataset"], names["network"], f"update of {facts.batch_size(model)} images"),
    )


def _updates(facts: Facts, model: str, count: int) -> Work:
    batch, precision = facts.batch_size(model), facts.precision(model)
    seconds = costs.update(facts.size(model), batch, facts.device, precision)
    return Work(("update", facts.network(model), batch), count, seconds)


def _training_memory(facts: Facts, model: str) -> float:
    """Three times a checkpoint; on a processor, also the activations of a batch."""
    size, batch = facts.size(model), facts.batch_size(model)
    held = 0 if facts.device.accelerates else 4 * batch * size.activations
    return 3 * CHECKPOINT * size.parameters + held


def _training_card(size: Size, batch: int) -> float:
    """Weights, gradients, average and moments; activations of a batch."""
    return (CHECKPOINT + WEIGHT) * size.parameters + WEIGHT * batch * size.activations


# ---- Sampling -------------------------------------------------------------------------------


@entry("sampling", "draw_samples", "draw_part")
def _draw_samples(
    facts: Facts, job: Job, model: str, sampler: str, guidance: str, number: str = "", **_
) -> Load:
    """number: of images in a shard, which is deleted after gathering; empty for a whole cell."""
    count = int(number or facts.images_of_cell(model))
    work = _evaluations(facts, model, sampler, guidance, count, count)
    names, gradients = facts.study.names(model), len(work.key[2])
    words = f"evaluation of an image{f', {gradients} gradients' if gradients else ''}"
    return Load(
        [work],
        disk=RECORD + (0 if number else count * facts.data_of(model).values),
        memory=_sampling_memory(facts, model, count),
        card=_sampling_card(facts, model, guidance, count),
        unit=(names["dataset"], names.get("network", ""), words),
    )


def _evaluations(
    facts: Facts, model: str, sampler: str, guidance: str, count: int, at_once: int
) -> Work:
    """count · NFE evaluations of a network, with a gradient of every classifier in each."""
    batch = costs.batch_of(at_once, facts.data_of(model).values)
    classifiers = facts.classifiers_of(guidance, model)
    at = facts.device, facts.study.sampler(sampler, model)["precision"]
    seconds = costs.evaluation(facts.size(model), batch, *at)
    seconds += sum(costs.gradient(size, batch, *at) for _, size in classifiers)
    networks = tuple(text(identity["network"]) for identity, _ in classifiers)
    key = ("evaluation", facts.network(model), networks, facts.study.sampler_kind(sampler, model))
    return Work(key, count * facts.evaluations(sampler, model, guidance), seconds)


def _sampling_memory(facts: Facts, model: str, count: int) -> float:
    """Images; on a processor, also the activations of a batch."""
    values = facts.data_of(model).values
    batch = 0 if facts.device.accelerates else costs.batch_of(count, values)
    return SAMPLES * count * values + WEIGHT * FREED * batch * facts.size(model).activations


def _sampling_card(facts: Facts, model: str, guidance: str, count: int) -> float:
    """Weights, the activations of a batch that are held at once, and those for a gradient."""
    size, values = facts.size(model), facts.data_of(model).values
    held = HELD * costs.batch_of(count, values) * size.activations
    for _, each in facts.classifiers_of(guidance, model):
        held += min(count, max(1, GRADIENT_VALUES // values)) * each.activations + each.parameters
    return WEIGHT * (size.parameters + held)


@entry("sampling", "gather_samples", "gather_many_samples")
def _gather_samples(facts: Facts, job: Job, model: str, **_) -> Load:
    return _import_samples(facts, job, model, memory=SAMPLES)


@entry("sampling", "trace_process")
def _trace_process(facts: Facts, job: Job, model: str, sampler: str, **_) -> Load:
    work = _evaluations(facts, model, sampler, NO_GUIDANCE, CANDIDATES, CANDIDATES)
    return Load([Work((job.rule, model), work.amount, work.unit_seconds)])


@entry("sampling", "compare_samplers")
def _compare_samplers(facts: Facts, job: Job, experiment: str, model: str, **_) -> Load:
    """Images of every sampler and sampling seed, with one metric."""
    extent = plan_experiments.extent(facts.study, experiment)
    count, samplers = extent["num_images"], extent["samplers"]
    works = [_evaluations(facts, model, s, NO_GUIDANCE, count, count) for s in samplers]
    dataset = facts.dataset_of(model)
    score = _score_seconds(facts, dataset, count, [extent["metric"]], facts.device)
    seconds = len(extent["sampling_seeds"]) * sum(work.stated + score for work in works)
    return Load(
        [Work((job.rule, experiment, model), 1, seconds)], memory=_experiment_memory(facts, model)
    )


def _experiment_memory(facts: Facts, model: str) -> float:
    config = facts.study.config
    return _sampling_memory(facts, model, max(config["num_images"], config["losses"]["items"]))


# ---- Scoring --------------------------------------------------------------------------------


@entry("scoring", "extract_reference")
def _extract_reference(
    facts: Facts, job: Job, extractor: str, dataset: str, split: str, **_
) -> Load:
    size, (width, _) = facts.extractor(extractor)
    data = facts.data(dataset)
    count, others = getattr(data, split), {"train": data.test, "test": data.train}[split]
    seconds = costs.evaluation(size, costs.BATCH, facts.device)
    if facts.study.neighbours(dataset):
        seconds += costs.neighbours(count, width) / costs.CORE
    if facts.study.asks_for(dataset, "KERNELS"):
        seconds += costs.kernels(count, width) / costs.CORE
    if facts.study.asks_for(dataset, "HELD_OUT"):
        each = costs.evaluation(size, costs.BATCH, facts.device)
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
    return Load([work], memory=_experiment_memory(facts, model))


@entry("scoring", "measure_likelihood")
def _measure_likelihood(facts: Facts, job: Job, model: str, **_) -> Load:
    """Every image at every level."""
    options, data = facts.study.config["likelihood"], facts.data_of(model)
    count = min(options["items"], getattr(data, options["split"]))
    seconds = costs.evaluation(facts.size(model), costs.batch_of(count, data.values), facts.device)
    levels = facts.study.identity(model)["process"]["num_levels"]
    work = Work((job.rule, facts.network(model)), count * levels, seconds)
    return Load([work], memory=_sampling_memory(facts, model, count))


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
        card=_training_card(size, batch),
    )


# ---- Timing ---------------------------------------------------------------------------------


@entry("timing", "time_sampling")
def _time_sampling(facts: Facts, job: Job, model: str, **_) -> Load:
    config = facts.study.config
    count = config["timing"].get("num_images", config["num_images"])
    count = costs.batch_of(count, facts.data_of(model).values)
    images = (config["timing"]["batches"] + 1) * count  # a batch to warm up
    ways = plan_times.sampled(facts.study, model)
    return Load([_evaluations(facts, model, *way, images, count) for way in ways])


@entry("timing", "time_training")
def _time_training(facts: Facts, job: Job, **_) -> Load:
    count = facts.study.config["timing"]["blocks"] * (UPDATES_BEFORE + UPDATES_PER_BLOCK)
    models = plan_times.trained(facts.study)
    memory = max(_training_memory(facts, model) for model in models)  # one after another
    card = max(_training_card(facts.size(model), facts.batch_size(model)) for model in models)
    return Load([_updates(facts, model, count) for model in models], memory=memory, card=card)


# ---- Figures, tables, claims ----------------------------------------------------------------


@entry("figures, tables, claims", *SHOWING)
def _show(facts: Facts, job: Job, **_) -> Load:
    """A job without networks: a constant, and a share per file that it reads."""
    constant, per_input = SHOWING[job.rule]
    shown = {key: job.wildcards[key] for key in ("figure", "table") if key in job.wildcards}
    kinds = [facts.study.block(f"{key}s", name)["kind"] for key, name in shown.items()]
    work = Work((job.rule, *kinds, job.subject), 1, constant + per_input * len(job.inputs))
    return Load([work], rest=NO_REST, disk=FIGURE if job.rule == "plot_figure" else RECORD)


@entry("figures, tables, claims", "confirm_figure")
def _confirm_figure(facts: Facts, job: Job, **_) -> Load:
    return Load([Work((job.rule,), 1, CONFIRMING)], rest=NO_REST)
