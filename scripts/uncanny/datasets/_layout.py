"""Which split and which class each image of a folder or an archive belongs to, by its path."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from uncanny.datasets import SPLITS
from uncanny.datasets._sources import Source, in_words, kinds, suffix
from uncanny.datasets._split_names import NAMES, is_split_name, split_of
from uncanny.runtime.files import json_kind
from uncanny.runtime.source_files import is_hidden

NAMED = 6  # folders in a message
LISTING = "dataset.json"  # of EDM and StyleGAN: classes of the images
MAX_CLASS = 2**15 - 1
# Images that are not read: where a class has no others, it would be lost.
UNREAD = {".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".tga", ".psd", ".dng", ".cr2", ".nef"}


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
        labels, known, listings = _classified(source, names, prefixes, skip)
    if not folders:
        names, labels = _held_out(
            source, names["train"], labels["train"], known, test_fraction, seed
        )
    return Layout(names, labels, known, at_random=not folders, listings=listings)


# ---- Splits ---------------------------------------------------------------------------------


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


# ---- Classes --------------------------------------------------------------------------------


def _classified(source: Source, names: dict, prefixes: dict, skip: bool) -> tuple[dict, list, list]:
    """Return labels of each split, names of the classes, files that list them."""
    listed = {split: _listed(source, prefix) for split, prefix in prefixes.items()}
    if all(numbers is None for numbers, _ in listed.values()):
        known = _folders_as_classes(source, names, prefixes, skip)
        numbers = {name: number for number, name in enumerate(known)}
        return {s: _by_folder(names[s], numbers, prefixes[s]) for s in names}, known, []
    labels = {s: _by_listing(source, names[s], *listed[s]) for s in names}
    return labels, _numbered(source, labels), sorted({listing for _, listing in listed.values()})


def _folders_as_classes(source: Source, names: dict, prefixes: dict, skip: bool) -> list[str]:
    """Names of the classes of the training images, sorted; held-out images must have no other."""
    classes = {split: _classes(source, names[split], prefix) for split, prefix in prefixes.items()}
    if unknown := sorted(set().union(*classes.values()) - classes["train"]):
        raise ValueError(
            f"{source.path}: class {unknown[0]} is not in {prefixes['train']}; expected "
            f"{prefixes['test']} to have no other classes; it may lack some"
        )
    if len(classes["train"]) < 2:
        one = ", ".join(classes["train"])
        raise ValueError(f"{source.path}: one class, {one}; expected 2 or more to train on")
    for split, prefix in prefixes.items():
        if not skip:
            _refuse_lost(source, prefix, classes[split])
    if len(classes["train"]) > MAX_CLASS + 1:
        count = len(classes["train"])
        raise ValueError(f"{source.path}: {count} classes; expected at most {MAX_CLASS + 1}")
    return sorted(classes["train"])


def _classes(source: Source, names: list[str], prefix: str) -> set[str]:
    for name in names:
        if "/" not in name[len(prefix) :]:
            raise ValueError(f"{source.at(name)} lies in no class; expected CLASS/IMAGE")
    return {_class(name, prefix) for name in names}


def _class(name: str, prefix: str) -> str:
    return name[len(prefix) :].partition("/")[0]


def _refuse_lost(source: Source, prefix: str, classes: set[str]) -> None:
    """ValueError for a class that has images, none of which is read."""
    lost = {}
    for name in source.other_files:
        below = name.startswith(prefix) and "/" in name[len(prefix) :] and not is_hidden(name)
        if below and suffix(name) in UNREAD and (folder := _class(name, prefix)) not in classes:
            lost.setdefault(folder, []).append(name)
    for folder, names in lost.items():
        raise ValueError(
            f"{source.path}: {prefix}{folder}/ has no image that is read, but "
            f"{in_words(kinds(names))}; expected "
            "PNG, JPEG or the like, or on_error: skip"
        )


def _by_folder(names: list[str], numbers: dict[str, int], prefix: str) -> np.ndarray:
    return np.fromiter((numbers[_class(name, prefix)] for name in names), np.int16, len(names))


def _listed(source: Source, prefix: str) -> tuple[dict[str, int] | None, str]:
    """(class by path, file that lists them): EDM's dataset.json in a folder, or in one around it;
    (None, "") where there is none.
    """
    files = set(source.other_files)
    while f"{prefix}{LISTING}" not in files:
        if not prefix:
            return None, ""
        prefix = prefix[:-1].rpartition("/")[0] + "/" if "/" in prefix[:-1] else ""
    listing = f"{prefix}{LISTING}"
    labels = _labels(source, listing)
    if labels is None:
        return None, ""
    return {prefix + path.replace("\\", "/"): number for path, number in labels}, listing


def _labels(source: Source, listing: str) -> list | None:
    """[[path, class], …] of a file; None where it is an object of something else."""
    try:
        content = json.loads(source.read(listing))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source.at(listing)}: not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{source.at(listing)}: {json_kind(content)}; expected an object with labels"
        )
    labels = content.get("labels", [])
    if "labels" in content and not (isinstance(labels, list) and all(map(_is_pair, labels))):
        wrong = next(v for v in labels if not _is_pair(v)) if isinstance(labels, list) else labels
        raise ValueError(
            f"{source.at(listing)}: labels has {json.dumps(wrong)[:60]}; expected a list of "
            f"[file, class], classes from 0 to {MAX_CLASS}"
        )
    return labels if "labels" in content else None


def _is_pair(value: object) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
    return pair and type(value[1]) is int and 0 <= value[1] <= MAX_CLASS


def _by_listing(
    source: Source, names: list[str], listed: dict[str, int] | None, listing: str
) -> np.ndarray:
    unknown = next((name for name in names if name not in (listed or {})), None)
    if unknown is not None:
        listed_in = source.at(listing) if listing else f"{source.path}: no {LISTING}"
        raise ValueError(f"{listed_in}: no class for {unknown}; expected one for every image")
    return np.fromiter((listed[name] for name in names), np.int16, len(names))


def _numbered(source: Source, labels: dict[str, np.ndarray]) -> list[str]:
    """Names of listed classes: their numbers, up to the largest."""
    present: Iterable[int] = np.unique(np.concatenate(list(labels.values()))).tolist()
    if len(present) < 2:
        only = present[0]
        raise ValueError(f"{source.path}: one class, {only}, in {LISTING}; expected 2 or more")
    return [str(number) for number in range(max(present) + 1)]
