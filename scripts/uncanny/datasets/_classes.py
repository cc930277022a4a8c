"""Classes of the images of a folder or an archive: by their folders, or by a file with a list."""

import json
from collections.abc import Iterable

import numpy as np

from uncanny.datasets._sources import Source, in_words, kinds, suffix
from uncanny.runtime.files import json_kind
from uncanny.runtime.source_files import is_hidden

LISTING = "dataset.json"  # of EDM and StyleGAN: classes of the images
MAX_CLASS = 2**15 - 1
# Images that are not read: where a class has no others, it would be lost.
UNREAD = {".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg", ".tga", ".psd", ".dng", ".cr2", ".nef"}


def classified(source: Source, names: dict, prefixes: dict, skip: bool) -> tuple[dict, list, list]:
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
