"""Paths of a study's files below results/STUDY, and the names in them.

Every path is composed from FILES, and parsed by it. No other module knows a folder's name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

CHECKPOINT = "{model}/seed-{seed}/epoch-{epoch}"
TRACE = "{model}/seed-{seed}/{sampler}/epoch-{epoch}"
CELL = "{model}/seed-{seed}/{sampler}/{guidance}/draw-{draw}/epoch-{epoch}"
CLASSIFIER = "{classifier}/{dataset}-{process}-{schedule}"

# kind of file -> path below results/STUDY; E of an epoch is written without padding
FILES = {
    "datasets": "datasets/{dataset}/dataset.json",
    "extractors": "extractors/{extractor}.pt",
    "extractor_reports": "extractors/{extractor}.json",
    "reference_features": "features/{extractor}/{dataset}-{split}.npz",
    "classifiers": f"classifiers/{CLASSIFIER}.pt",
    "reports": f"classifiers/{CLASSIFIER}.json",
    "checkpoints": f"checkpoints/{CHECKPOINT}.pt",
    "histories": f"checkpoints/{CHECKPOINT}.json",
    "losses": f"losses/{CHECKPOINT}.json",
    "likelihoods": f"likelihoods/{CHECKPOINT}.json",
    "compared": f"compared/{{experiment}}/{CHECKPOINT}.json",
    "sampling_times": f"timings/sampling/{CHECKPOINT}.json",
    "training_times": "timings/training.json",
    "traces": f"traces/{TRACE}.npz",
    "parts": f"parts/{CELL}/{{first}}-{{number}}.npz",
    "part_records": f"parts/{CELL}/{{first}}-{{number}}.json",
    "samples": f"samples/{CELL}.npz",
    "sample_records": f"samples/{CELL}.json",
    "many_samples": f"sizes/samples/{CELL}.npz",
    "many_sample_records": f"sizes/samples/{CELL}.json",
    "exported": f"exported/{CELL}.npz",
    "features": f"features/{{extractor}}/{CELL}.npz",
    "many_features": f"sizes/features/{{extractor}}/{CELL}.npz",
    "scores": f"scores/{CELL}.json",
    "sizes": f"sizes/scores/{CELL}.json",
    "references": "scores/references/{dataset}.json",
    "experiments": "{origin}/{experiment}.{suffix}",
    "figures": "figures/{figure}.{suffix}",
    "tables": "tables/{table}.{suffix}",
    "claims": "tables/claims.json",
    "training_curves": "training/{model}.{suffix}",
}
BRACED = r"\\{(\w+)\\}"  # a name of FILES, escaped
NUMBERS = ("seed", "draw", "epoch", "first", "number")


def path(kind: str, **names: str | int) -> str:
    """The path of a file of a kind below results/STUDY; names that it does not have are ignored."""
    return FILES[kind].format(**names)


def names(kind: str, file: Path | str) -> dict[str, str | int]:
    """Names in the path of a file of a kind, below any folder: the inverse of `path`. ValueError
    for the path of another file.
    """
    match = _pattern(kind).search(Path(file).as_posix())
    if match is None:
        raise ValueError(f"{file}: no path of {kind}; expected FOLDER/{FILES[kind]}")
    return {key: int(text) if key in NUMBERS else text for key, text in match.groupdict().items()}


def is_of(kind: str, file: Path | str) -> bool:
    """True for the path of a file of a kind."""
    return _pattern(kind).search(Path(file).as_posix()) is not None


@cache
def _pattern(kind: str) -> re.Pattern:
    # Names consist of letters, digits and underscores, as in the schema of configs.
    return re.compile(f"(?:^|/){re.sub(BRACED, _group, re.escape(FILES[kind]))}$", re.ASCII)


def _group(name: re.Match) -> str:
    characters = r"\d" if name[1] in NUMBERS else r"\w"
    return f"(?P<{name[1]}>{characters}+)"


@dataclass(frozen=True, order=True)
class Cell:
    """One scored set of images: a checkpoint, a way to sample it, a draw.

    seed: of training. Without guidance, `guidance` is "none".
    """

    model: str
    seed: int
    sampler: str
    guidance: str
    draw: int
    epoch: int

    def __str__(self) -> str:
        return CELL.format(**vars(self))

    def path(self, kind: str, **more: str | int) -> str:
        """Its file of a kind; more: further names in the path, as `number`."""
        return path(kind, **vars(self), **more)

    @classmethod
    def of(cls, names: Mapping) -> "Cell":
        """The cell of a mapping with its names; further names are ignored."""
        return cls(**{field.name: names[field.name] for field in fields(cls)})

    @classmethod
    def from_path(cls, file: Path | str) -> "Cell":
        """The cell in the path of one of its files: the inverse of `path`.

        A trajectory has no guidance and no draw: "none" and 0. ValueError for other files.
        """
        kind = next((kind for kind in OF_CELLS if is_of(kind, file)), None)
        if kind is None:
            raise ValueError(f"{file}: names no cell; expected FOLDER/{CELL} and a suffix")
        return cls.of({"guidance": "none", "draw": 0} | names(kind, file))


OF_CELLS = tuple(kind for kind, pattern in FILES.items() if "{sampler}" in pattern)
