"""Files of a diffusers folder. No torch here: the Snakefile imports this."""

import json
from pathlib import Path

from uncanny.interop.formats import _settings
from uncanny.runtime import files

COMPONENTS = {"unet", "scheduler"}  # of a pipeline


def of(path: str) -> Path:
    """The folder with unet/ and scheduler/, or with the files of both, that a path names."""
    folder = Path(path)
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise ValueError(f"{path}: {got}; expected a diffusers folder with unet/ and scheduler/")
    scheduler = folder.parent / "scheduler"
    return folder.parent if folder.name == "unet" and scheduler.is_dir() else folder


def check_pipeline(folder: Path) -> None:
    """Reject pipelines with further components, whose networks do not see pixels."""
    path = folder / "model_index.json"
    components = files.read_settings(path) if path.is_file() else {}
    for name, entry in components.items():
        if name not in COMPONENTS and isinstance(entry, list) and any(entry):
            raise ValueError(
                f"{path}: {name} {json.dumps(entry)} is not supported; expected only unet and "
                "scheduler, a model of pixels"
            )


def scheduler(folder: Path) -> Path:
    """Settings of the scheduler."""
    return one_of(folder, "scheduler", "scheduler_config.json")


def network(folder: Path) -> Path:
    """Settings of the network."""
    return one_of(folder, "unet", "config.json")


def one_of(folder: Path, component: str, *names: str, expected: str = "") -> Path:
    """The first of these files, in the folder of a component or in the folder itself.

    Raises ValueError that lists the files that are there instead.
    """
    paths = [parent / name for parent in (folder / component, folder) for name in names]
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        parent = folder / component if (folder / component).is_dir() else folder
        present = _settings.listed(item.name for item in parent.iterdir()) or "nothing"
        raise ValueError(
            f"{parent / names[0]}: no such file, but {present}; expected {expected or names[0]}"
        )
    return path
