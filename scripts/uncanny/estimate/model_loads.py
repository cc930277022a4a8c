"""Load of the jobs that prepare data, train models and sample from them. One entry per rule."""

from dataclasses import replace

from uncanny.estimate import costs
from uncanny.estimate.facts import Facts, text
from uncanny.estimate.job import Job
from uncanny.estimate.sizes import Size
from uncanny.estimate.work import HELD, RECORD, WEIGHT, Load, Work, entry
from uncanny.study.resolved_blocks import NO_GUIDANCE

DECODING = {"images": 8e-3}  # of an image that has to be decoded
COPYING = 5e-5  # of an image that is read and written
CHECKPOINT = 4 * WEIGHT  # network, average and the two moments of Adam
FREED = 0.4  # as HELD, on a processor
CANDIDATES = 8  # for the image of a trace
GRADIENT_VALUES = 2**19  # numbers in images whose gradients are computed at once, as there
SAMPLES = 24  # bytes of a number of an image while images are sampled or gathered

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
    updates = updates_of(facts, model, facts.updates(model, int(epoch)))
    seconds = costs.together(updates.unit_seconds, gpus, facts.device)
    return Load(
        [replace(updates, unit_seconds=seconds)],
        gpus=gpus,
        disk=CHECKPOINT * facts.size(model).parameters,
        memory=training_memory(facts, model),
        card=training_card(facts.size(model), facts.batch_size(model)),
        unit=(names["dataset"], names["network"], f"update of {facts.batch_size(model)} images"),
    )


def updates_of(facts: Facts, model: str, count: int) -> Work:
    batch, precision = facts.batch_size(model), facts.precision(model)
    seconds = costs.update(facts.size(model), batch, facts.device, precision)
    return Work(("update", facts.network(model), batch), count, seconds)


def training_memory(facts: Facts, model: str) -> float:
    """Three times a checkpoint; on a processor, also the activations of a batch."""
    size, batch = facts.size(model), facts.batch_size(model)
    held = 0 if facts.device.accelerates else 4 * batch * size.activations
    return 3 * CHECKPOINT * size.parameters + held


def training_card(size: Size, batch: int) -> float:
    """Weights, gradients, average and moments; activations of a batch."""
    return (CHECKPOINT + WEIGHT) * size.parameters + WEIGHT * batch * size.activations


# ---- Sampling -------------------------------------------------------------------------------


@entry("sampling", "draw_samples", "draw_part")
def _draw_samples(
    facts: Facts, job: Job, model: str, sampler: str, guidance: str, number: str = "", **_
) -> Load:
    """number: of images in a shard, which is deleted after gathering; empty for a whole cell."""
    count = int(number or facts.images_of_cell(model))
    work = evaluations(facts, model, sampler, guidance, count, count)
    names, gradients = facts.study.names(model), len(work.key[2])
    words = f"evaluation of an image{f', {gradients} gradients' if gradients else ''}"
    return Load(
        [work],
        disk=RECORD + (0 if number else count * facts.data_of(model).values),
        memory=sampling_memory(facts, model, count),
        card=_sampling_card(facts, model, guidance, count),
        unit=(names["dataset"], names.get("network", ""), words),
    )


def evaluations(
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


def sampling_memory(facts: Facts, model: str, count: int) -> float:
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
    work = evaluations(facts, model, sampler, NO_GUIDANCE, CANDIDATES, CANDIDATES)
    return Load([Work((job.rule, model), work.amount, work.unit_seconds)])


def experiment_memory(facts: Facts, model: str) -> float:
    config = facts.study.config
    return sampling_memory(facts, model, max(config["num_images"], config["losses"]["items"]))
