"""Which split and which class each image of a folder or an archive belongs to, by its path."""

import math
from dataclasses import dataclass, field

import numpy as np

from uncanny.datasets import SPLITS
from uncanny.datasets._classes import classified
from uncanny.datasets._sources import Source
from uncanny.datasets._split_names import NAMES, is_split_name, split_of

NAMED = 6  # folders in a message


@dataclass(frozen=True)
class Layout:
    """Split and class of each image.

    names: paths of the images of each split, sorted. labels: their classes, int16. classes: names
    by number. at_random: whether the held-out images were chosen here. listings: files that list
    the classes.
    """

    names: dict[str, list[str]]
    labels: dict[str, np.ndarray]
    classes: list[str]
    at_random: bool
    listings: list[str] = field(default_factory=list)


def layout(
    source: Source, *, classes: bool, test_fraction: float, seed: int, skip: bool = False
) -> Layout:
    """Assign images to splits and classes.

    Splits are the folders with such names, inside any number of single folders; else a share of the
    images, chosen by `seed`, is held out. Classes are the next folders, or those that EDM's
    dataset.json lists. skip: a class whose images are all of a format that is not read may be left
    out. Raises ValueError that names the folders and the expected ones.
    """
    base, folders = _find_splits(source)
    prefixes = {split: _inner(source, split, f"{base}{name}/") for split, name in folders.items()}
    prefixes = prefixes or {"train": base}
    names = {s: [n for n in source.names if n.startswith(p)] for s, p in prefixes.items()}
    _refuse_held_out_inside(source, names["train"], prefixes["train"])
    labels = {split: np.zeros(len(names[split]), np.int16) for split in names}
    known, listings = [], []
    if classes:
        labels, known, listings = classified(source, names, prefixes, skip)
    if not folders:
        names, labels = _held_out(
            source, names["train"], labels["train"], known, test_fraction, seed
        )
    return Layout(names, labels, known, at_random=not folders, listings=listings)


def _find_splits(source: Source) -> tuple[str, dict[str, str]]:
    """(folder that all images lie in, name of each split's folder there); no names where no folders
    are splits.
    """
    base, around = "", ""
    while True:
        below = [name[len(base) :] for name in source.names]
        loose = [name for name in below if "/" not in name]
        folders = sorted({name.partition("/")[0] for name in below} - set(loose))
        if splits := _splits_among(source, base, folders, loose):
            return base, splits
        if loose or len(folders) != 1:
            break
        (folder,) = folders
        if split_of(folder) not in (None, "train"):
            around = around or f"{base}{folder}/"
        if not is_split_name(folder) and any(name.count("/") < 2 for name in below):
            break  # the images lie there: a class
        base += f"{folder}/"
    if around:
        raise _unexpected(source, "", [around[:-1]], [])
    return base, {}


def _splits_among(
    source: Source, base: str, folders: list[str], loose: list[str]
) -> dict[str, str]:
    """Split -> name of its folder; empty where no folders are splits."""
    splits = {split: [f for f in folders if split_of(f) == split] for split in SPLITS}
    if len(folders) == 1 and not loose:
        return {}  # a single folder around the images; a share of those to train on is held out
    if not all(splits.values()) and not _contain_splits(base, folders):
        return {}
    rest = [f"{f}/" for f in folders if f not in {*splits["train"], *splits["test"]}] + loose
    if any(len(names) != 1 for names in splits.values()) or rest:
        raise _unexpected(source, base, folders, loose)
    return {split: names[0] for split, names in splits.items()}


def _unexpected(source: Source, base: str, folders: list[str], loose: list[str]) -> ValueError:
    shown = [f"{folder}/" for folder in folders[:NAMED]] + loose[:1]
    more = ", …" if len(folders) > NAMED or len(loose) > 1 else ""
    return ValueError(
        f"{source.path}: found {base}{f', {base}'.join(shown)}{more}; expected one folder to "
        f"train on ({' or '.join(NAMES['train'])}), one held out ({', '.join(NAMES['test'])}) "
        "and nothing beside them, or classes with other names"
    )


def _contain_splits(base: str, folders: list[str]) -> bool:
    """Whether one of several folders is a split by its name, and so none of them a class.

    bullet_train is a class; seg_train is none beside seg_pred. In train/, test_tube is a class.
    """
    if any(map(is_split_name, folders)):
        return True
    within = split_of(base.rpartition("/")[0].rpartition("/")[2]) == "train"
    if not within and any(split_of(folder) not in (None, "train") for folder in folders):
        return True
    before = [f.lower().partition("train")[0] for f in folders if split_of(f) == "train"]
    return any(part and sum(f.lower().startswith(part) for f in folders) > 1 for part in before)


def _inner(source: Source, split: str, prefix: str) -> str:
    """A split's folder, or the only folder in it, if that is called a split again."""
    below = [n[len(prefix) :] for n in source.names if n.startswith(prefix)]
    folders = {name.partition("/")[0] for name in below}
    if len(folders) == 1 and all("/" in name for name in below):
        (folder,) = folders
        same = prefix.endswith(f"/{folder}/") or prefix == f"{folder}/"
        if split_of(folder) == split and (same or is_split_name(folder)):  # not a class: test_tube
            return f"{prefix}{folder}/"
    return prefix


def _refuse_held_out_inside(source: Source, names: list[str], prefix: str) -> None:
    """ValueError where images that are to be trained on lie in a folder of held-out ones."""
    for folder in {name[len(prefix) :].rpartition("/")[0] for name in names}:
        first, *deeper = folder.split("/")  # the first may be a class: test_tube
        held_out = [split_of(part) not in (None, "train") for part in (first, *deeper)]
        if (held_out[0] and is_split_name(first)) or any(held_out[1:]):
            raise ValueError(
                f"{source.path}: {prefix}{folder}/ is held out by its name, and lies among images "
                "to train on; expected train/ and test/ at the top, classes below them"
            )


def _held_out(
    source: Source,
    names: list[str],
    labels: np.ndarray,
    classes: list[str],
    share: float,
    seed: int,
) -> tuple[dict, dict]:
    """Names and labels of training images and of a share that is held out, of every class alike."""
    from sklearn.model_selection import train_test_split

    _check_share(source, labels, classes, share)
    options = {"test_size": share, "random_state": seed, "stratify": labels if classes else None}
    split_rows = [np.sort(rows) for rows in train_test_split(np.arange(len(names)), **options)]
    pairs = list(zip(SPLITS, split_rows, strict=True))
    return {s: [names[row] for row in rows] for s, rows in pairs}, {s: labels[r] for s, r in pairs}


def _check_share(source: Source, labels: np.ndarray, classes: list[str], share: float) -> None:
    """Raise ValueError where a share cannot be held out of each class."""
    option, count = f"{source.path}: test_fraction {share}", len(labels)
    held_out = math.ceil(share * count)
    present, counts = np.unique(labels, return_counts=True)
    if classes and counts.min() < 2:
        alone = classes[present[counts.argmin()]]
        raise ValueError(
            f"{option}: class {alone} has one image; expected at least 2 of each class, one of "
            "them to be held out, or folders train/ and test/"
        )
    least = len(present) if classes else 1
    if min(held_out, count - held_out) < least:
        sizes = f"{held_out} of {count} images would be held out"
        number = f"at least {least}, one of each class," if classes else "at least one"
        raise ValueError(
            f"{option}: {sizes}; expected {number} to be held out and to be trained on"
        )
