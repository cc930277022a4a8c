"""Whether a config is made of what a config is made of: mappings, lists, text, numbers.

YAML can say more (dates, sets, endless numbers, blocks that contain themselves), and some of it
says other things than it seems to: a key that stands twice counts once. What would surface hours
later, or nowhere, is one message here.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

import yaml

DEPTH = 24  # levels below the top
VALUES = 1_000_000  # of a config with all its references written out
WHOLE = 2**63  # from which on whole numbers are too large
TEXT = 10_000  # characters
HIDDEN = ("Cc", "Cs")  # control characters and halves of characters
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check(config: object) -> None:
    """ValueError that names the key of the first value that is none of a config."""
    _count(config, "config", (), {})


def _count(value: object, where: str, above: tuple, known: dict) -> int:
    """How many values there are in a value, itself included.

    above: identities of what it lies in. known: identity -> count, of what was looked at before.
    """
    if not isinstance(value, dict | list):
        _check_scalar(value, where)
        return 1
    if id(value) in above or len(above) > DEPTH:
        why = "contains itself" if id(value) in above else f"more than {DEPTH} levels deep"
        raise ValueError(f"{_short(where)}: {why}")
    if id(value) not in known:
        inside = (*above, id(value))
        parts = _entries(value, where)
        known[id(value)] = 1 + sum(_count(part, at, inside, known) for at, part in parts)
    if known[id(value)] > VALUES:
        raise ValueError(f"{_short(where)}: more than {VALUES} values")
    return known[id(value)]


def _entries(value: dict | list, where: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield f"{where}[{index}]", part
        return
    for key, part in value.items():
        if not isinstance(key, str):
            raise ValueError(
                f"{_short(where)}: the key {key!r} is a {type(key).__name__}, not text; quote it "
                "(YAML reads yes, no, on and off as true and false)"
            )
        _check_text(key, f"{where}: the key {key[:80]!r}", allowed="")
        yield (key if where == "config" else f"{where}.{key}"), part


def _check_scalar(value: object, where: str) -> None:
    if isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{_short(where)}: {value!r}; expected a finite number")
    elif isinstance(value, int) and abs(value) >= WHOLE:
        raise ValueError(f"{_short(where)}: a whole number beyond ±2^63; expected a smaller one")
    elif not isinstance(value, int | float | None):
        expected = "text, a number, true, false or null"
        kind = type(value).__name__
        raise ValueError(f"{_short(where)}: {value!r} is a {kind}; expected {expected}: quote it")


def _check_text(text: str, where: str, allowed: str = "\n\t") -> None:
    odd = next((c for c in text if category(c) in HIDDEN and c not in allowed), None)
    if odd is not None:
        raise ValueError(f"{_short(where)}: text with {odd!r}, which does not print")
    if not text and not allowed:
        raise ValueError(f"{_short(where)}; expected a name")
    if len(text) > TEXT:
        raise ValueError(
            f"{_short(where)}: text of {len(text)} characters; expected at most {TEXT}"
        )


def _short(where: str) -> str:
    return where if len(where) <= 200 else f"{where[:200]} …"


# ---- Keys that stand twice --------------------------------------------------------------------


def check_file(path: Path | str) -> None:
    """ValueError that names the key which stands twice in one mapping of a YAML file, and where.

    A file that is not there, or no YAML, is somebody else's to complain about.
    """
    try:
        with open(path, "rb") as file:
            document = yaml.compose(file, Loader=LOADER)
    except (OSError, yaml.YAMLError):
        return
    for where, first, second in _repeated(document, "", set()):
        raise ValueError(f"{path}: {where}: stands twice, in lines {first} and {second}")


def _repeated(node, where: str, seen: set) -> Iterator[tuple[str, int, int]]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, part in enumerate(node.value):
            yield from _repeated(part, f"{where}[{index}]", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines = {}
    for key, part in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        at = f"{where}.{name}" if where else name
        if isinstance(key, yaml.ScalarNode) and name in lines:
            yield at, lines[name], line
        lines.setdefault(name, line)
        yield from _repeated(part, at, seen)
