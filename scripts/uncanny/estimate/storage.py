"""Bytes that a job leaves, and the memory that it needs beside its libraries. No torch here."""

from uncanny.estimate.work import Job

KEPT = 16  # bytes of a weight in a checkpoint: network, average and the two moments of Adam
RECORD = 10_000  # bytes of records, logs and small files
FIGURE = 1_000_000
MB = 1e6


def disk(job: Job, amounts) -> float:
    """Bytes of a job's files that stay when all is done."""
    config = amounts.study.config
    if job.rule == "train_model":
        return KEPT * amounts.size(job.parts[0]).parameters
    if job.rule == "train_classifier":
        return 4 * amounts.classifier(job.subject).parameters
    if job.rule == "train_extractor":
        return 4 * amounts.extractor(job.subject)[0].parameters
    if job.rule in ("draw_samples", "gather_samples"):
        return RECORD + config["num_images"] * _image(job, amounts)
    if job.rule == "gather_many_samples":
        return RECORD + max(config["sample_sizes"]) * _image(job, amounts)
    if job.rule == "prepare_dataset":
        found = amounts.data(job.subject)
        return (found.train + found.test) * (found.values + 8)
    if job.rule == "extract_reference":
        dataset = job.parts[1].rpartition("-")[0]
        return 4 * _features(dataset, amounts)
    if job.rule == "score_samples":
        return RECORD + 4 * config["num_images"] * _width(_dataset(job, amounts), amounts)
    return FIGURE if job.rule == "plot_figure" else RECORD


def memory(job: Job, amounts) -> float:
    """MB that a job's process needs, on a processor or beside an accelerator."""
    config, base = amounts.study.config, amounts.device.base if job.on_device else 500
    if job.rule in ("train_model", "time_training"):
        size = amounts.size(job.parts[0])
        batch = amounts.study.identity(job.parts[0])["training"]["batch_size"]
        held = 0 if amounts.device.accelerates else 4 * batch * size.activations
        return base + (3 * KEPT * size.parameters + held) / MB
    if job.rule in ("draw_samples", "draw_part", "gather_samples", "gather_many_samples"):
        largest = max(config["num_images"], *config["sample_sizes"])
        count = largest if job.rule == "gather_many_samples" else amounts.images(job)
        return base + 24 * count * _image(job, amounts) / MB
    if job.rule in ("score_samples", "score_sizes", "score_references"):
        dataset = job.subject if job.rule == "score_references" else _dataset(job, amounts)
        largest = max(config["num_images"], *config["sample_sizes"])
        count = largest if job.rule == "score_sizes" else config["num_images"]
        held = _features(dataset, amounts) + count * _width(dataset, amounts)
        return base + 20 * held / MB  # as they are stored, in float64, and once more in a metric
    if job.rule == "extract_reference":
        return base + 8 * _features(job.parts[1].rpartition("-")[0], amounts) / MB
    return base


def _dataset(job: Job, amounts) -> str:
    return amounts.study.names(job.parts[0])["dataset"]


def _image(job: Job, amounts) -> int:
    """Numbers of one image."""
    return amounts.data_of(job.parts[0]).values


def _width(dataset: str, amounts) -> int:
    return amounts.extractor(amounts.study.evaluation(dataset)["extractor"])[1]


def _features(dataset: str, amounts) -> int:
    """Numbers in the features of a dataset's reference."""
    count = getattr(amounts.data(dataset), amounts.study.evaluation(dataset)["reference"])
    return count * _width(dataset, amounts)
