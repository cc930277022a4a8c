"""Bytes that a job leaves, and the memory that it needs beside its libraries."""

from uncanny.estimate.costs import Device, batch_of
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.study.plan import timings as plan_times

KEPT = 16  # bytes of a weight in a checkpoint: network, average and the two moments of Adam
RECORD = 10_000  # bytes of records, logs and small files
FIGURE = 1_000_000
WALKED = 0.4  # of what an image makes in all layers of a network, at once without gradients
MB = 1e6


def disk(job: Job, facts: Facts) -> float:
    """Bytes of a job's files that stay when all is done."""
    config = facts.study.config
    if job.rule in ("import_model", "export_model"):
        return 4 * facts.size(job.parts[0]).parameters
    if job.rule == "train_model":
        return KEPT * facts.size(job.parts[0]).parameters
    if job.rule == "train_classifier":
        return 4 * facts.classifier(job.subject).parameters
    if job.rule == "train_extractor":
        return 4 * facts.extractor(job.subject)[0].parameters
    if job.rule in ("draw_samples", "gather_samples", "import_samples", "export_samples"):
        return RECORD + config["num_images"] * _image(job, facts)
    if job.rule in ("gather_many_samples", "import_many_samples"):
        return RECORD + max(config["sample_sizes"]) * _image(job, facts)
    if job.rule == "prepare_dataset":
        found = facts.data(job.subject)
        return (found.train + found.test) * (found.values + 8)
    if job.rule == "extract_reference":
        dataset = job.parts[1].rpartition("-")[0]
        return 4 * _features(dataset, facts)
    if job.rule == "score_samples":
        return RECORD + 4 * config["num_images"] * _width(_dataset(job, facts), facts)
    return FIGURE if job.rule == "plot_figure" else RECORD


def memory(job: Job, facts: Facts, device: Device) -> float:
    """MB that a job's process needs, on a processor or beside an accelerator."""
    config, base = facts.study.config, device.base if job.on_device else 500
    if job.rule in ("train_model", "time_training"):
        alone = job.rule == "train_model"
        models = job.parts[:1] if alone else plan_times.trained(facts.study)
        return base + sum(_trained(model, facts, device) for model in models) / MB
    if job.rule in ("draw_samples", "draw_part", "gather_samples", "gather_many_samples"):
        largest = max([config["num_images"], *config["sample_sizes"]])
        count = largest if job.rule == "gather_many_samples" else facts.images(job)
        walked = job.on_device and not device.accelerates
        batch = batch_of(count, _image(job, facts)) if walked else 0
        held = 4 * WALKED * batch * facts.size(job.parts[0]).activations
        return base + (24 * count * _image(job, facts) + held) / MB
    if job.rule in ("measure_losses", "compare_samplers"):
        model, count = job.parts[-3], max(config["num_images"], config["losses"]["items"])
        values = facts.data_of(model).values
        batch = 0 if device.accelerates else batch_of(count, values)
        held = 4 * WALKED * batch * facts.size(model).activations
        return base + (24 * count * values + held) / MB
    if job.rule in ("score_samples", "score_sizes", "score_references"):
        dataset = job.subject if job.rule == "score_references" else _dataset(job, facts)
        largest = max([config["num_images"], *config["sample_sizes"]])
        count = largest if job.rule == "score_sizes" else config["num_images"]
        sets = _features(dataset, facts), count * _width(dataset, facts)
        # As they are stored; the larger one in float64, and about its mean.
        return base + (4 * sum(sets) + 16 * max(sets)) / MB
    if job.rule == "extract_reference":
        return base + 8 * _features(job.parts[1].rpartition("-")[0], facts) / MB
    return base


def _trained(model: str, facts, device: Device) -> float:
    """Bytes of a model in training: what is kept, thrice, and on a processor its activations."""
    size, batch = facts.size(model), facts.study.identity(model)["training"]["batch_size"]
    held = 0 if device.accelerates else 4 * batch * size.activations
    return 3 * KEPT * size.parameters + held


def _dataset(job: Job, facts) -> str:
    return facts.study.names(job.parts[0])["dataset"]


def _image(job: Job, facts) -> int:
    """Numbers of one image."""
    return facts.data_of(job.parts[0]).values


def _width(dataset: str, facts) -> int:
    """Numbers that are kept of an image."""
    return sum(facts.extractor(facts.study.evaluation(dataset)["extractor"])[1])


def _features(dataset: str, facts) -> int:
    """Numbers in the features of a dataset's reference."""
    count = getattr(facts.data(dataset), facts.study.evaluation(dataset)["reference"])
    return count * _width(dataset, facts)
