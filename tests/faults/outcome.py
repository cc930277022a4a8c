"""What a study has made, to be compared with what another has made."""

import json
from pathlib import Path

RESULTS = "results/faults"
APART = ("logs", "benchmarks")  # folders without results


def results(folder) -> dict[str, object]:
    """All that a study has made, by path: JSON without times, of other files the bytes."""
    root = Path(folder) / RESULTS
    result = sorted(path for path in root.rglob("*") if path.is_file())
    paths = [path for path in result if path.relative_to(root).parts[0] not in APART]
    return {str(path.relative_to(root)): _timeless(path) for path in paths}


def _timeless(path: Path) -> object:
    if path.suffix != ".json":
        return path.read_bytes()
    value = json.loads(path.read_text())
    return {key: part for key, part in value.items() if key != "timing"}


def differences(folder, expected: dict[str, object]) -> list[str]:
    """Paths that are missing, left over, or other than expected."""
    result = results(folder)
    return sorted(
        path for path in result.keys() | expected.keys() if result.get(path) != expected.get(path)
    )
