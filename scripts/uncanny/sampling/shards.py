"""Join the sample sets of several jobs into one, the same as from a single job."""

from collections.abc import Sequence

import numpy as np

from uncanny.runtime import arrays, files
from uncanny.sampling.drawing import mean_nfe
from uncanny.sampling.sample_files import load_images, save

SAME = ("sampler", "guidance", "classifiers", "images_seen")  # in every part


def gather(*, parts: Sequence, records: Sequence, samples, record) -> None:
    """Join sample sets of consecutive images and their records.

    parts, records: files in the order of the images. Where a part diverged, so has the whole: the
    set is empty and says why. Raises ValueError that names the file which does not follow on the
    one before it, or was made otherwise.
    """
    facts = [files.read_json(path) for path in records]
    _check(facts, records)
    sizes = [part["num_images"] for part in facts]
    joined = {key: facts[0][key] for key in SAME if key in facts[0]} | {
        "num_images": sum(sizes),
        "image_seeds": [facts[0]["image_seeds"][0], facts[-1]["image_seeds"][1]],
        "status": "ok",
        "timing": _timing(facts),
    }
    if all("nfe" in part for part in facts):
        joined["nfe"] = mean_nfe([part["nfe"] for part in facts], sizes)
    diverged = next((part for part in facts if part["status"] == "diverged"), None)
    if diverged:
        joined |= {key: diverged[key] for key in ("status", "reason")}
        images, labels = (x[:0] for x in load_images(parts[0]))
        extras = {}
    else:
        sets = [load_images(path) for path in parts]
        images, labels = (np.concatenate(each) for each in zip(*sets, strict=True))
        extras = _extras(parts)
        if "guidance_deciles" in facts[0]:
            joined["guidance_deciles"] = _deciles(facts)
    save(samples, images, labels, **extras)
    files.write_json(record, joined)


def _extras(paths: Sequence) -> dict[str, np.ndarray]:
    """The arrays of the sets other than images and labels, joined."""
    stored = [arrays.load(path, "a whole set of samples") for path in paths]
    names = sorted(stored[0].keys() - {"images", "labels"})
    return {name: np.concatenate([part[name] for part in stored]) for name in names}


def _check(facts: list[dict], paths: Sequence) -> None:
    for before, part, path in zip(facts, facts[1:], paths[1:], strict=False):
        first, expected = part["image_seeds"][0], before["image_seeds"][1] + 1
        if first != expected:
            raise ValueError(f"{path}: starts with image seed {first}, expected {expected}")
        for key in ("sampler", "guidance"):
            if part[key] != before[key]:
                raise ValueError(f"{path}: {key} is {part[key]!r}, expected {before[key]!r}")


def _timing(facts: list[dict]) -> dict:
    """Seconds and rate of all parts together; device, precision and batch are the first one's."""
    timed = [part for part in facts if part["timing"]]
    if not timed:
        return {}
    # Milliseconds per evaluation of one image: all seconds over sum_i n_i nfe_i
    seconds = sum(part["timing"]["seconds"] for part in timed)
    evaluations = sum(part["num_images"] * part["nfe"] for part in timed)
    return timed[0]["timing"] | {
        "seconds": round(seconds, 4),
        "ms_per_nfe": round(1000 * seconds / evaluations, 5),
        "peak_memory_mb": max(part["timing"]["peak_memory_mb"] for part in timed),
    }


def _deciles(facts: list[dict]) -> list[dict]:
    """What guidance did, over the images of all parts."""
    images = [part["num_images"] for part in facts]
    rows = zip(*(part["guidance_deciles"] for part in facts), strict=True)
    return [_joined(entries, images) for entries in rows]


def _joined(entries: Sequence[dict], images: Sequence[int]) -> dict:
    """One decile: means weighted by what they are means of, the largest of what is a maximum."""
    joined = {key: entries[0][key] for key in ("decile", "t", "steps")}
    # log p is a mean over the images whose prediction was classified, all else over all images.
    counts = [entry["log_p_n"] for entry in entries]
    for key in entries[0].keys() - joined.keys() - {"log_p_n"}:
        weights = counts if key == "log_p" else images
        known = [(e[key], w) for e, w in zip(entries, weights, strict=True) if e[key] is not None]
        joined[key] = _summary(*zip(*known, strict=True), key) if known else None
    return joined | {"log_p_n": sum(counts)}


def _summary(values: Sequence[float], weights: Sequence[int], name: str) -> float:
    return max(values) if name.endswith("_max") else float(np.average(values, weights=weights))
