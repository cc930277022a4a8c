"""Blocks of a config: complete nested blocks, and list the components that a block names."""

from collections.abc import Iterable, Iterator
from typing import Literal

from uncanny.registry import components

IMPORTED = "given"  # kind of the sampler of imported images
NESTED = {"grid": "sigma_grids", "recipe": "recipes"}  # options that are blocks with a kind
PRECISION = {"precision": (Literal["fp32", "tf32", "bf16"], "fp32")}  # of any sampler's network
NAMED_WITHIN = {"recipes": "recipes"}  # options that are such blocks by name


class Readable(dict):
    """A block that prints as plain text, for the information panels of Snakemake's report."""

    def __str__(self) -> str:
        return "; ".join(f"{key}: {_readable(value)}" for key, value in self.items())

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return value["label"] if value.keys() == {"label"} else f"({Readable(value)})"
    if isinstance(value, list | tuple):
        return ", ".join(map(_readable, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def canonical(value: object) -> object:
    """Sort the keys of all mappings in a value."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(v) for v in value] if isinstance(value, list) else value


def by_process(block: dict, key_path: str) -> list[tuple[str, dict]]:
    """(key path, options) of what a sampler's block sets for single processes."""
    return [
        (f"{key_path}.by_process.{name}", part)
        for name, part in block.get("by_process", {}).items()
    ]


def expanded(options: dict) -> dict:
    """Write `grid: polynomial` out as `grid: {kind: polynomial}`, also among named blocks."""
    return {
        key: {name: _block(part) for name, part in value.items()}
        if key in NAMED_WITHIN and isinstance(value, dict)
        else _block(value)
        if key in NESTED
        else value
        for key, value in options.items()
    }


def _block(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


def completed(options: dict, key_path: str) -> dict:
    """Fill in the defaults of nested blocks."""
    return {
        key: _complete_option(key, value, f"{key_path}.{key}") for key, value in options.items()
    }


def _complete_option(key: str, value: object, key_path: str) -> object:
    if not isinstance(value, dict) or key not in NESTED | NAMED_WITHIN:
        return value
    if key in NESTED:
        return _nested(NESTED[key], value, key_path)
    family = NAMED_WITHIN[key]
    return {name: _nested(family, part, f"{key_path}.{name}") for name, part in value.items()}


def _nested(family: str, block: dict, key_path: str) -> dict:
    if not isinstance(block, dict) or "kind" not in block:
        raise ValueError(
            f"{key_path}.kind: missing; expected one of {', '.join(components.kinds(family))}"
        )
    options = {k: v for k, v in block.items() if k != "kind"}
    return {"kind": block["kind"]} | components.resolve(family, block["kind"], options, key_path)


def sampler(kind: str, process: str, options: dict, key_path: str) -> dict:
    """Complete block of a sampler: kind, precision, `options` of the sampler itself, and options
    of `init_sampling`, which sets it up for models of a kind of process. An option that both
    declare is in both.
    """
    own = components.signature("samplers", kind).options
    init = components.init_options(components.sampled_as(process, kind) or process)
    more = init | PRECISION
    complete = components.resolve("samplers", kind, expanded(options), key_path, more=more)
    complete = completed(complete, key_path)

    def chosen(names: Iterable[str]) -> dict:
        return {name: complete[name] for name in sorted(names)}

    return {
        "kind": kind,
        "precision": complete["precision"],
        "options": chosen(own),
        "init_sampling": chosen(init),
    }


def named_within(options: dict) -> Iterator[tuple[str, str]]:
    """Components that options name: a grid of noise levels, recipes, a preconditioning."""
    for key, family in NESTED.items():
        if key in options:
            yield family, options[key]["kind"]
    for key, family in NAMED_WITHIN.items():
        yield from ((family, part["kind"]) for part in options.get(key, {}).values())
    if "preconditioning" in options:
        yield "preconditioning", options["preconditioning"]
