"""Names by which one block of a config refers to another."""

from uncanny.registry import components
from uncanny.study.study import Study


def refer(study: Study, section: str, name: str, key_path: str) -> None:
    """Raise ValueError that names the key and the nearest name where a section lacks a name."""
    known = study.config.get(section, {})
    if name not in known:
        near = components.near(name, known)
        raise ValueError(f"{key_path}: {name!r} is not defined in {section}{near}")
