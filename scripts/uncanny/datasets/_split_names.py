"""What the name of a folder says: a split, in whatever decoration, or something else."""

import re

# Names of folders that are splits, in small letters.
NAMES = {
    "train": ("train", "training"),
    "test": (
        *("test", "testing", "val", "valid", "validation"),
        *("eval", "evaluation", "dev", "holdout"),
    ),
}
SPLIT = {name: split for split, names in NAMES.items() for name in names}
UNUSED = "unused"  # held out, for nobody says what: refused
SPLIT |= {"heldout": UNUSED}
# The words of a name like train2017, TestSet, seg_val; and what may end them: testset, traindata.
WORD = re.compile(r"[A-Z]+(?![^\WA-Z\d_])|[A-Z]?[^\WA-Z\d_]+")
MORE = re.compile(r"(?<=.)(sets?|data|images?|imgs?)$")
APART = re.compile(r"\b(held|hold) out\b")
# Words that say nothing of what a folder's images show; so do single letters: trainA, test_32x32.
NEUTRAL = {
    *("set", "sets", "data", "dataset", "datasets", "split", "splits", "part", "folder", "dir"),
    *("image", "images", "img", "imgs", "picture", "pictures", "pics", "photo", "photos"),
    *("file", "files", "sample", "samples", "example", "examples", "batch", "full", "all", "raw"),
    *("png", "jpg", "jpeg"),
}


def _words(folder: str) -> list[str]:
    """Words of a folder's name, by spaces, signs, digits and capitals: test of Test-images2."""
    words = " ".join(MORE.sub("", word.lower()) for word in WORD.findall(folder))
    return APART.sub("heldout", words).split()


def split_of(folder: str) -> str | None:
    """The split (or UNUSED) that a folder's name has a word for; None for none or for several."""
    found = {SPLIT.get(word) for word in _words(folder)} - {None}
    return found.pop() if len(found) == 1 else None


def is_plain(folder: str) -> bool:
    """Whether a folder's name says a split and nothing else: train2017, Test Images, val-set."""
    others = [word for word in _words(folder) if word not in SPLIT]
    said = len(others) < len(_words(folder))
    return said and all(word in NEUTRAL or len(word) == 1 for word in others)
