"""Reject YAML that a study may not contain: anything but mappings, lists, text and numbers.

YAML allows more (dates, sets, infinite numbers, blocks that contain themselves), and silently
ignores the first of two equal keys. Each is refused here with one message.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

import yaml

DEPTH = 24  # levels below the top
VALUES = 1_000_000  # of a config with all its aliases expanded
WHOLE = 2**63  # bound on whole numbers
TEXT = 10_000  # characters
HIDDEN = ("Cc", "Cs")  # control characters and surrogates
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check(config: object) -> None:
    """Raise ValueError that names the key of the first value that a config may not contain."""
    _count(config, "config", (), {})


def _count(value: object, key_path: str, above: tuple, known: dict) -> int:
    """Count the values within a value, itself included, and check each.

    above: identities of the mappings and lists that contain it. known: identity -> count of those
    that were counted before.
    """
    if not isinstance(value, dict | list):
        _check_scalar(value, key_path)
        return 1
    if id(value) in above or len(above) > DEPTH:
        why = "contains itself" if id(value) in above else f"more than {DEPTH} levels deep"
        raise ValueError(f"{_short(key_path)}: {why}")
    if id(value) not in known:
        inside = (*above, id(value))
        items = _entries(value, key_path)
        known[id(value)] = 1 + sum(_count(item, at, inside, known) for at, item in items)
    if known[id(value)] > VALUES:
        raise ValueError(f"{_short(key_path)}: more than {VALUES} values")
    return known[id(value)]


def _entries(value: dict | list, key_path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{key_path}[{index}]", item
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise ValueError(
                f"{_short(key_path)}: the key {key!r} is a {type(key).__name__}, not text; quote "
                "it (YAML reads yes, no, on and off as true and false)"
            )
        _check_text(key, f"{key_path}: the key {key[:80]!r}", allowed="")
        yield (key if key_path == "config" else f"{key_path}.{key}"), item


def _check_scalar(value: object, key_path: str) -> None:
    if isinstance(value, str):
        _check_text(value, key_path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{_short(key_path)}: {value!r}; expected a finite number")
    elif isinstance(value, int) and abs(value) >= WHOLE:
        raise ValueError(f"{_short(key_path)}: a whole number beyond ±2^63; expected a smaller one")
    elif not isinstance(value, int | float | None):
        expected = "text, a number, true, false or null"
        kind = type(value).__name__
        raise ValueError(
            f"{_short(key_path)}: {value!r} is a {kind}; expected {expected}: quote it"
        )


def _check_text(text: str, key_path: str, allowed: str = "\n\t") -> None:
    odd = next((c for c in text if category(c) in HIDDEN and c not in allowed), None)
    if odd is not None:
        raise ValueError(f"{_short(key_path)}: text with {odd!r}, which does not print")
    if not text and not allowed:
        raise ValueError(f"{_short(key_path)}; expected a name")
    if len(text) > TEXT:
        raise ValueError(
            f"{_short(key_path)}: text of {len(text)} characters; expected at most {TEXT}"
        )


def _short(key_path: str) -> str:
    return key_path if len(key_path) <= 200 else f"{key_path[:200]} …"


# ---- Duplicate keys ---------------------------------------------------------------------------


def check_file(path: Path | str) -> None:
    """Raise ValueError that names a duplicate key in a mapping of a YAML file, and its lines.

    Missing files and invalid YAML are reported by whoever loads the file.
    """
    try:
        with open(path, "rb") as file:
            document = yaml.compose(file, Loader=LOADER)
    except (OSError, yaml.YAMLError):
        return
    for key_path, first, second in _repeated(document, "", set()):
        raise ValueError(f"{path}: {key_path}: stands twice, in lines {first} and {second}")


def _repeated(node, key_path: str, seen: set) -> Iterator[tuple[str, int, int]]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, f"{key_path}[{index}]", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines = {}
    for key, item in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        at = f"{key_path}.{name}" if key_path else name
        if isinstance(key, yaml.ScalarNode) and name in lines:
            yield at, lines[name], line
        lines.setdefault(name, line)
        yield from _repeated(item, at, seen)
