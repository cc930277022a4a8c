"""What claims were decided from, kept in the repository: a small archive per study.

It holds what the claims read, but for experiments in closed form, which are computed again in
seconds, and further score records of the same cells under other training or sampling seeds
(redraws), which show how far intervals cover. No torch here.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from uncanny.runtime.result_paths import Cell, is_of
from uncanny.study.plan import claims as plan_claims
from uncanny.study.study import Study

FOLDER = "results/measured/evidence"  # of the repository
EXACT = "exact/"  # results of experiments in closed form
MOST = 4_000_000  # bytes of all archives together


def archive_of(study: Study, base: Path) -> Path:
    """Path of a study's archive; base: the repository."""
    return base / FOLDER / f"{study.name}.tar.xz"


def contents(study: Study, results: Path) -> list[str]:
    """Paths of everything that is kept, below the study's results.

    Raises ValueError that names what the claims read and the results lack.
    """
    read = [path for paths in plan_claims.files(study).values() for path in paths]
    needed = [path for path in read if not path.startswith(EXACT)]
    if absent := [path for path in needed if not (results / path).exists()]:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise ValueError(f"{results / absent[0]}{more}: no such file; run `snakemake claims` first")
    return [*needed, *sorted(set(redraws(study, results)) - set(needed))]


def redraws(study: Study, results: Path) -> Iterator[str]:
    """Score records of cells that differ from the claims' only in their seeds."""
    planned = {_without_seeds(path) for path in plan_claims.files(study)["scores"]}
    for file in (results / "scores").rglob("*.json"):
        path = file.relative_to(results).as_posix()
        if is_of("scores", path) and _without_seeds(path) in planned:
            yield path


def _without_seeds(path: str) -> Cell:
    return replace(Cell.from_path(path), seed=0, draw=0)


def check_size(base: Path) -> int:
    """Bytes of all archives. Raises ValueError where they are too many for the repository."""
    sizes = {path.name: path.stat().st_size for path in (base / FOLDER).glob("*.tar.xz")}
    if (total := sum(sizes.values())) > MOST:
        listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        raise ValueError(f"{base / FOLDER}: {total:,} bytes ({listed}); expected {MOST:,} at most")
    return total


def by_kind(study: Study, results: Path) -> dict[str, list[str]]:
    """Paths of the kept files by kind, scores with redraws, as `claims.reading` reads them."""
    planned = plan_claims.files(study)
    scores = [*planned["scores"], *sorted(redraws(study, results))]
    kinds = planned | {"scores": list(dict.fromkeys(scores))}
    return {kind: [str(results / path) for path in paths] for kind, paths in kinds.items()}
