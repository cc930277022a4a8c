"""Variances between trainings of finished studies, for verdicts of studies with one training seed.

A fingerprint covers the models, the metric, the epochs, the sampling and their weights
(effects.py), so that a variance serves only studies in which the same quantity varies.
The Snakefile imports this: no pandas or scipy here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from uncanny.runtime import files

if TYPE_CHECKING:
    from uncanny.evaluation.trainings import Spread

# Part of the repository: it decides verdicts, so it is not among results, which may be deleted.
PATH = Path(__file__).parents[3] / "config/training_spreads.json"
NUMBERS = {"variance": 0, "freedom": 1, "evaluation": 0, "evaluation_freedom": 1}  # and least value


def read(path: Path | str = PATH) -> dict[str, "Spread"]:
    """Spreads by fingerprint; none where the file does not exist. Raises ValueError that names the
    file where it is damaged.
    """
    if not Path(path).exists():
        return {}
    stored = files.read_json(path).get("spreads")
    if not isinstance(stored, dict):
        raise ValueError(f"{path}: no spreads between trainings; expected those of `make keep`")
    return {name: _spread(path, name, entry) for name, entry in stored.items()}


def _spread(path: Path | str, name: str, entry: object) -> "Spread":
    from uncanny.evaluation.trainings import Spread

    names = {*NUMBERS, "source"}
    if not isinstance(entry, dict) or entry.keys() != names or not isinstance(entry["source"], str):
        raise ValueError(f"{path}: spreads.{name}: expected {', '.join(sorted(names))}")
    for key, least in NUMBERS.items():
        value = entry[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise ValueError(f"{path}: spreads.{name}.{key}: {value!r}; expected {least} or more")
    return Spread(**entry)


def write(spreads: Mapping[str, "Spread"], path: Path | str = PATH) -> None:
    """Write spreads by fingerprint."""
    files.write_json(path, {"spreads": {name: asdict(s) for name, s in spreads.items()}})


def version(path: Path | str = PATH) -> str:
    """Checksum of the stored file, by which Snakemake knows that it changed; empty without one."""
    return files.sha256(path) if Path(path).exists() else ""


def of_study(study: str, claims: Mapping) -> dict[str, "Spread"]:
    """Spreads by fingerprint of all findings in a study's tables/claims.json.

    Only those that the study has measured: it trained with two seeds or more.
    """
    from uncanny.evaluation.trainings import Spread

    return {
        name: Spread(**entry | {"source": f"{study}, {finding['scope']}"})
        for claim in claims["claims"].values()
        for finding in _findings(claim)
        for name, entry in finding["spreads"].items()
        if not entry["source"]  # else stored by another study
    }


def merged(known: Mapping[str, "Spread"], study: str, new: Mapping[str, "Spread"]) -> dict:
    """Stored spreads with those of a study replaced by new ones."""
    others = {name: s for name, s in known.items() if not s.source.startswith(f"{study}, ")}
    return others | dict(new)


def _findings(claim: Mapping) -> Iterator[Mapping]:
    yield claim["finding"]
    for section in ("parts", "controls"):
        yield from claim[section].values()
