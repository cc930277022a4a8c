"""What a job of each rule takes: amounts of work, bytes that stay, memory. One entry per rule.

A rule without an entry is counted with its start and its rest alone, until records of its jobs say
more; the estimate names it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from uncanny.estimate import costs
from uncanny.estimate.facts import Facts, text
from uncanny.estimate.job import Job
from uncanny.evaluation.timing import UPDATES_PER_BLOCK
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.plan import timings as plan_times
from uncanny.study.study import NO_GUIDANCE
from uncanny.training.loop import steps_until

REPORTED = 2560  # gradients in a classifier's report
# Seconds on a core of what is neither training nor sampling: of a job, and of one of its inputs.
EXACT = 7.0  # of an experiment without networks
TRAINED = 3.0, 2e-3  # of putting together what one on trained models has measured
PLOTTING, TABLE, CLAIMS = (1.0, 2e-3), (0.3, 1e-3), (3.0, 5e-3)
CONFIRMING = 0.05
DECODING = {"images": 8e-3}  # of an image that has to be decoded
COPYING = 5e-5  # of an image that is read and written
METRIC = 0.05  # of a metric, whatever it computes

WEIGHT = 4  # bytes of a weight in float32
CHECKPOINT = 4 * WEIGHT  # network, average and the two moments of Adam
RECORD = 10_000  # bytes of records, logs and small files
FIGURE = 1_000_000
FREED = 0.4  # of all activations of a network, those held at once without gradients
SAMPLES = 24  # bytes of a number of an image while images are sampled or gathered


@dataclass(frozen=True)
class Work:
    """An amount of one kind of work. key: from the kind to all that its cost depends on.

    each: stated seconds of one unit.
    """

    key: tuple
    amount: float
    each: float

    @property
    def stated(self) -> float:
        """Stated seconds of all of it."""
        return self.amount * self.each


@dataclass(frozen=True)
class Load:
    """What a job takes. works: its own work, which its records time, first. disk: bytes that stay.
    memory: bytes beside its libraries. unit: what the first work counts, in words, for the table of
    rates: dataset, network, unit.
    """

    works: list[Work]
    disk: float = RECORD
    memory: float = 0.0
    unit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    kind: str
    load: Callable[[Facts, Job], Load]


ENTRIES: dict[str, Entry] = {}


def entry(kind: str, *rules: str):
    """Register what jobs of rules take. kind: of work, a row of the estimate."""

    def register(load: Callable[[Facts, Job], Load]):
        ENTRIES.update(dict.fromkeys(rules, Entry(kind, load)))
        return load

    return register


@cache
def load(facts: Facts, job: Job) -> Load:
    """What a job takes where jobs that ask for a GPU run on the device of `facts`."""
    if job.rule not in ENTRIES:
        return Load([_rest(facts, job)])
    return ENTRIES[job.rule].load(facts, job)


def kind(job: Job) -> str:
    """The kind of a job's work; of a rule without an entry, that it has none."""
    return ENTRIES[job.rule].kind if job.rule in ENTRIES else f"{job.rule} (no stated cost)"


# ---- Data -----------------------------------------------------------------------------------


@entry("data", "prepare_dataset")
def _prepare_dataset(facts: Facts, job: Job) -> Load:
    name = job.wildcards["dataset"]
    data, dataset = facts.data(name), facts.study.block("datasets", name)["kind"]
    count = data.train + data.test
    work = Work((job.rule, dataset), count, DECODING.get(dataset, COPYING))
    return Load([work, _rest(facts, job, 1.0)], disk=count * (data.values + 8))  # int64 labels


@entry("data", "import_model")
def _import_model(facts: Facts, job: Job) -> Load:
    parameters = facts.size(job.wildcards["model"]).parameters
    return Load([_rest(facts, job)], disk=WEIGHT * parameters)


@entry("data", "import_samples", "import_many_samples")
def _import_samples(facts: Facts, job: Job) -> Load:
    return _copied(facts, job, memory=0.0)


def _copied(facts: Facts, job: Job, memory: float) -> Load:
    """Images of a cell that are put together. memory: bytes of a number of an image."""
    sizes, many = facts.study.config["sample_sizes"], "many" in job.rule
    count = max(sizes) if many else facts.study.config["num_images"]
    values = count * facts.data_of(job.wildcards["model"]).values
    works = [Work((job.rule,), count, COPYING), _rest(facts, job)]
    return Load(works, disk=RECORD + values, memory=memory * values)


# ---- Training -------------------------------------------------------------------------------


@entry("training", "train_model")
def _train_model(facts: Facts, job: Job) -> Load:
    model, epoch = job.wildcards["model"], int(job.wildcards["epoch"])
    names, batch = facts.study.names(model), facts.batch_size(model)
    return Load(
        [_updates(facts, model, facts.updates(model, epoch)), _rest(facts, job)],
        disk=CHECKPOINT * facts.size(model).parameters,
        memory=_training_memory(facts, model),
        unit=_unit(names["dataset"], names["network"], f"update of {batch} images"),
    )


def _updates(facts: Facts, model: str, count: int) -> Work:
    batch = facts.batch_size(model)
    each = costs.update(facts.size(model), batch, facts.device)
    return Work(("update", facts.network(model), batch), count, each)


def _training_memory(facts: Facts, model: str) -> float:
    """What is kept, thrice; on a processor, the activations of a batch besides."""
    size, batch = facts.size(model), facts.batch_size(model)
    held = 0 if facts.device.accelerates else 4 * batch * size.activations
    return 3 * CHECKPOINT * size.parameters + held


# ---- Sampling -------------------------------------------------------------------------------


@entry("sampling", "draw_samples", "draw_part")
def _draw_samples(facts: Facts, job: Job) -> Load:
    w = job.wildcards
    count = int(w.get("number", facts.study.config["num_images"]))
    work = _evaluations(facts, w["model"], w["sampler"], w["guidance"], count, count)
    names, (_, _, classifiers, _) = facts.study.names(w["model"]), work.key
    gradients = f", {len(classifiers)} gradients" if classifiers else ""
    kept = count * facts.data_of(w["model"]).values if job.rule == "draw_samples" else 0
    return Load(
        [work, _rest(facts, job)],
        disk=RECORD + kept,
        memory=_sampling_memory(facts, w["model"], count),
        unit=_unit(
            names["dataset"], names.get("network", ""), f"evaluation of an image{gradients}"
        ),
    )


def _evaluations(
    facts: Facts, model: str, sampler: str, guidance: str, count: int, at_once: int
) -> Work:
    """count · NFE evaluations of a network, each with a gradient of every classifier."""
    batch = costs.batch_of(at_once, facts.data_of(model).values)
    classifiers = facts.classifiers_of(guidance, model)
    each = costs.evaluation(facts.size(model), batch, facts.device)
    each += sum(costs.gradient(size, batch, facts.device) for _, size in classifiers)
    networks = tuple(text(identity["network"]) for identity, _ in classifiers)
    key = ("evaluation", facts.network(model), networks, facts.study.sampler_kind(sampler, model))
    return Work(key, count * facts.nfe(sampler, model), each)


def _sampling_memory(facts: Facts, model: str, count: int) -> float:
    """Images; on a processor, the activations of a batch besides."""
    values = facts.data_of(model).values
    batch = 0 if facts.device.accelerates else costs.batch_of(count, values)
    return SAMPLES * count * values + 4 * FREED * batch * facts.size(model).activations


@entry("sampling", "gather_samples", "gather_many_samples")
def _gather_samples(facts: Facts, job: Job) -> Load:
    return _copied(facts, job, memory=SAMPLES)


@entry("sampling", "trace_process")
def _trace_process(facts: Facts, job: Job) -> Load:
    model, sampler = job.wildcards["model"], job.wildcards["sampler"]
    work = _evaluations(facts, model, sampler, NO_GUIDANCE, 1, 1)
    return Load([Work((job.rule, model), work.amount, work.each), _rest(facts, job)])


@entry("sampling", "compare_samplers")
def _compare_samplers(facts: Facts, job: Job) -> Load:
    """Images of every sampler and sampling seed, and one metric of each."""
    name, model = job.wildcards["experiment"], job.wildcards["model"]
    extent = plan_experiments.extent(facts.study, name)
    count, seeds = extent["num_images"], len(extent["draws"])
    works = [
        _evaluations(facts, model, sampler, NO_GUIDANCE, count, count)
        for sampler in extent["samplers"]
    ]
    score = _score_seconds(facts, facts.dataset_of(model), count, [extent["metric"]])
    seconds = seeds * sum(work.stated + score for work in works)
    memory = _experiment_memory(facts, model)
    return Load([Work((job.rule, name, model), 1, seconds), _rest(facts, job)], memory=memory)


def _experiment_memory(facts: Facts, model: str) -> float:
    config = facts.study.config
    return _sampling_memory(facts, model, max(config["num_images"], config["losses"]["items"]))


# ---- Scoring --------------------------------------------------------------------------------


@entry("scoring", "extract_reference")
def _extract_reference(facts: Facts, job: Job) -> Load:
    name, dataset = job.wildcards["extractor"], job.wildcards["dataset"]
    size, (width, _) = facts.extractor(name)
    count = getattr(facts.data(dataset), job.wildcards["split"])
    each = costs.evaluation(size, costs.BATCH, facts.device)
    if facts.study.neighbours(dataset):
        each += costs.neighbours(count, width) / costs.CORE
    _, features, logits, images = facts.reference(dataset)
    kept = 4 * images * (features + logits)  # float32
    works = [Work((job.rule, name, dataset), count, each), _rest(facts, job)]
    return Load(works, disk=kept, memory=2 * kept)


@entry("scoring", "score_references")
def _score_references(facts: Facts, job: Job) -> Load:
    dataset, count = job.wildcards["dataset"], facts.study.config["num_images"]
    each = _score_seconds(facts, dataset, count, facts.study.measured(dataset))
    works = [Work((job.rule, dataset), 4, each), _rest(facts, job)]
    return Load(works, memory=_scoring_memory(facts, dataset, count))


@entry("scoring", "score_samples")
def _score_samples(facts: Facts, job: Job) -> Load:
    dataset, count = facts.dataset_of(job.wildcards["model"]), facts.study.config["num_images"]
    seconds = _score_seconds(facts, dataset, count, facts.study.measured(dataset))
    _, features, logits, _ = facts.reference(dataset)
    extractor = facts.study.evaluation(dataset)["extractor"]
    return Load(
        [Work((job.rule, dataset, count), 1, seconds), _rest(facts, job)],
        disk=RECORD + 4 * count * (features + logits),
        memory=_scoring_memory(facts, dataset, count),
        unit=_unit(dataset, extractor, "score of a cell"),
    )


@entry("scoring", "score_sizes")
def _score_sizes(facts: Facts, job: Job) -> Load:
    dataset, sizes = facts.dataset_of(job.wildcards["model"]), facts.study.config["sample_sizes"]
    least = facts.study.evaluation_of_sizes(dataset)["least"]
    seconds = 0.0
    for n in sizes:
        metrics = [name for name in least if n >= least[name]]
        # Features are extracted once, of the largest set; smaller ones are its first images.
        seconds += _score_seconds(facts, dataset, n, metrics, extract=n == max(sizes))
    works = [Work((job.rule, dataset, tuple(sizes)), 1, seconds), _rest(facts, job)]
    return Load(works, memory=_scoring_memory(facts, dataset, max(sizes)))


def _score_seconds(
    facts: Facts, dataset: str, n: int, metrics: list[str], extract: bool = True
) -> float:
    """Seconds of metrics of n images, and of their features."""
    blocks = facts.study.evaluation(dataset)["metrics"]
    size, width, _, m = facts.reference(dataset)
    operations = sum(
        costs.metric_operations(blocks[name]["kind"], blocks[name], n, m, width) for name in metrics
    )
    features = n * costs.evaluation(size, costs.BATCH, facts.device) if extract else 0
    return features + operations / costs.CORE + METRIC * len(metrics)


def _scoring_memory(facts: Facts, dataset: str, count: int) -> float:
    """Features of both sets as they are stored; the larger set in float64, and about its mean."""
    _, features, logits, images = facts.reference(dataset)
    return (features + logits) * (4 * (count + images) + 16 * max(count, images))


@entry("scoring", "measure_losses")
def _measure_losses(facts: Facts, job: Job) -> Load:
    """Two models at each noise level."""
    model, options = job.wildcards["model"], facts.study.config["losses"]
    data = facts.data_of(model)
    count = min(options["items"], getattr(data, options["split"]))
    each = costs.evaluation(facts.size(model), costs.batch_of(count, data.values), facts.device)
    work = Work((job.rule, facts.network(model)), 2 * count * options["levels"], each)
    return Load([work, _rest(facts, job)], memory=_experiment_memory(facts, model))


# ---- Extractors and classifiers -------------------------------------------------------------


@entry("extractors and classifiers", "train_extractor")
def _train_extractor(facts: Facts, job: Job) -> Load:
    name = job.wildcards["extractor"]
    block, (size, _) = facts.study.component("extractors", name), facts.extractor(name)
    data, batch = facts.data(block["dataset"]), block.get("batch_size", 1)
    # With its images a batch carries half as many of noise; to tell turns, four and as many.
    images = batch * {"classifier": 1.5, "rotation": 5}.get(block["kind"], 0)
    updates = block.get("epochs", 0) * (data.train // batch)
    report = (data.train + 3 * data.test) * costs.evaluation(size, costs.BATCH, facts.device)
    seconds = updates * costs.update(size, images, facts.device) + report + facts.device.rest
    return Load([Work((job.rule, name), 1, seconds)], disk=WEIGHT * size.parameters)


@entry("extractors and classifiers", "train_classifier")
def _train_classifier(facts: Facts, job: Job) -> Load:
    w, device = job.wildcards, facts.device
    identity, size = facts.classifier(w["classifier"], w["dataset"], w["process"], w["schedule"])
    data, options = facts.data(w["dataset"]), identity["training"]
    batch, network = options["batch_size"], (text(identity["network"]), data.shape)
    updates = Work(
        ("classifier update", network, batch),
        steps_until(options["epochs"], data.train, batch),
        costs.update(size, batch, device),
    )
    # Accuracy at ten noise levels on all test images, and gradients of some.
    report = 10 * data.test * costs.evaluation(size, costs.BATCH, device)
    report += REPORTED * costs.gradient(size, costs.BATCH, device)
    rest = Work(("report", network), 1, device.rest + report)
    return Load([updates, rest], disk=WEIGHT * size.parameters)


# ---- Timing ---------------------------------------------------------------------------------


@entry("timing", "time_sampling")
def _time_sampling(facts: Facts, job: Job) -> Load:
    model, config = job.wildcards["model"], facts.study.config
    timing = config["timing"]
    count = timing.get("num_images", config["num_images"])
    count = costs.batch_of(count, facts.data_of(model).values)
    images = (timing["batches"] + 1) * count  # a batch to warm up
    works = [
        _evaluations(facts, model, sampler, guidance, images, count)
        for sampler, guidance in plan_times.walks(facts.study, model)
    ]
    return Load([*works, _rest(facts, job)])


@entry("timing", "time_training")
def _time_training(facts: Facts, job: Job) -> Load:
    count = (facts.study.config["timing"]["blocks"] + 1) * UPDATES_PER_BLOCK  # one to warm up
    models = plan_times.trained(facts.study)
    works = [_updates(facts, model, count) for model in models]
    memory = sum(_training_memory(facts, model) for model in models)
    return Load([*works, _rest(facts, job)], memory=memory)


# ---- Figures, tables, claims ----------------------------------------------------------------

SHOWING = "figures, tables, claims"


@entry(SHOWING, "plot_figure")
def _plot_figure(facts: Facts, job: Job) -> Load:
    figure = job.wildcards["figure"]
    key = job.rule, facts.study.block("figures", figure)["kind"], figure
    return Load([_by_inputs(job, key, PLOTTING)], disk=FIGURE)


@entry(SHOWING, "make_table")
def _make_table(facts: Facts, job: Job) -> Load:
    table = job.wildcards["table"]
    key = job.rule, facts.study.block("tables", table)["kind"], table
    return Load([_by_inputs(job, key, TABLE)])


@entry(SHOWING, "assess_claims")
def _assess_claims(facts: Facts, job: Job) -> Load:
    return Load([_by_inputs(job, (job.rule,), CLAIMS)])


@entry(SHOWING, "run_trained")
def _run_trained(facts: Facts, job: Job) -> Load:
    return Load([_by_inputs(job, (job.rule, job.wildcards["experiment"]), TRAINED)])


@entry(SHOWING, "run_exact")
def _run_exact(facts: Facts, job: Job) -> Load:
    return Load([Work((job.rule, job.wildcards["experiment"]), 1, EXACT)])


@entry(SHOWING, "confirm_figure")
def _confirm_figure(facts: Facts, job: Job) -> Load:
    return Load([Work((job.rule,), 1, CONFIRMING)])


def _by_inputs(job: Job, key: tuple, seconds: tuple[float, float]) -> Work:
    """seconds: of the job, and of each file that it reads."""
    alone, each = seconds
    return Work(key, 1, alone + each * len(job.inputs))


# ---- All of them ----------------------------------------------------------------------------


def _rest(facts: Facts, job: Job, seconds: float | None = None) -> Work:
    """What a job does beside its own work: reading, writing, waiting for the device."""
    default = facts.device.rest if job.on_device else costs.PROCESSOR.rest
    return Work(("rest", job.rule), 1, default if seconds is None else seconds)


def _unit(dataset: str, network: str, unit: str) -> dict[str, str]:
    return {"dataset": dataset, "network": network, "unit": unit}
