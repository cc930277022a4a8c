"""Names of folders that are splits, with whatever words around them."""

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
# Words that do not describe what images show, nor do single letters: trainA, test_32x32.
NEUTRAL = {
    *("set", "sets", "data", "dataset", "datasets", "split", "splits", "part", "folder", "dir"),
    *("image", "images", "img", "imgs", "picture", "pictures", "pics", "photo", "photos"),
    *("file", "files", "sample", "samples", "example", "examples", "batch", "full", "all", "raw"),
    *("png", "jpg", "jpeg"),
}


def _words(folder: str) -> list[str]:
    """Split a folder's name into words, by spaces, signs, digits and capitals: Test-images2 gives
    test.
    """
    words = " ".join(MORE.sub("", word.lower()) for word in WORD.findall(folder))
    return APART.sub("heldout", words).split()


def split_of(folder: str) -> str | None:
    """Return the split (or UNUSED) named in a folder's name; None for none or several."""
    splits = {SPLIT.get(word) for word in _words(folder)} - {None}
    return splits.pop() if len(splits) == 1 else None


def is_split_name(folder: str) -> bool:
    """Whether a folder's name is that of a split and nothing else: train2017, Test Images."""
    rest = [word for word in _words(folder) if word not in SPLIT]
    has_split = len(rest) < len(_words(folder))
    return has_split and all(word in NEUTRAL or len(word) == 1 for word in rest)
