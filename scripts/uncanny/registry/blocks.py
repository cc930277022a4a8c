"""Blocks of a config: blocks within them made complete, and the components that they name."""

from collections.abc import Iterable, Iterator
from typing import Literal

from uncanny.registry import components

GIVEN = "given"  # kind of the sampler of images that were drawn elsewhere
NESTED = {"grid": "sigma_grids", "recipe": "recipes"}  # options that are blocks with a kind
PRECISION = {"precision": (Literal["fp32", "tf32", "bf16"], "fp32")}  # of any sampler's network
NAMED_WITHIN = {"recipes": "recipes"}  # options that are such blocks by name


def canonical(value: object) -> object:
    """The same value with the keys of all mappings sorted."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(v) for v in value] if isinstance(value, list) else value


def by_process(block: dict, where: str) -> list[tuple[str, dict]]:
    return [
        (f"{where}.by_process.{name}", part) for name, part in block.get("by_process", {}).items()
    ]


def expanded(given: dict) -> dict:
    """`grid: polynomial` is short for `grid: {kind: polynomial}`, also among named blocks."""
    return {
        key: {name: _block(part) for name, part in value.items()}
        if key in NAMED_WITHIN and isinstance(value, dict)
        else _block(value)
        if key in NESTED
        else value
        for key, value in given.items()
    }


def _block(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


def completed(options: dict, where: str) -> dict:
    """Options whose nested blocks are complete."""
    return {key: _complete_option(key, value, f"{where}.{key}") for key, value in options.items()}


def _complete_option(key: str, value: object, where: str) -> object:
    if not isinstance(value, dict) or key not in NESTED | NAMED_WITHIN:
        return value
    if key in NESTED:
        return _nested(NESTED[key], value, where)
    family = NAMED_WITHIN[key]
    return {name: _nested(family, part, f"{where}.{name}") for name, part in value.items()}


def _nested(family: str, block: dict, where: str) -> dict:
    if not isinstance(block, dict) or "kind" not in block:
        raise ValueError(
            f"{where}.kind: missing; expected one of {', '.join(components.kinds(family))}"
        )
    given = {k: v for k, v in block.items() if k != "kind"}
    return {"kind": block["kind"]} | components.resolve(family, block["kind"], given, where)


def sampler(kind: str, process: str, given: dict, where: str) -> dict:
    """A sampler's complete block: kind, precision, `options` of the sampler itself, and options of
    `init_sampling`, which sets it up for models of a kind of process. An option that both declare
    is in both.
    """
    own, init = components.signature("samplers", kind).options, components.init_options(process)
    found = components.resolve("samplers", kind, expanded(given), where, more=init | PRECISION)
    found = completed(found, where)

    def chosen(names: Iterable[str]) -> dict:
        return {name: found[name] for name in sorted(names)}

    both = {"options": chosen(own), "init_sampling": chosen(init)}
    return {"kind": kind, "precision": found["precision"]} | both


def named_within(options: dict) -> Iterator[tuple[str, str]]:
    """Components that options name: a grid of noise levels, recipes, a preconditioning."""
    for key, family in NESTED.items():
        if key in options:
            yield family, options[key]["kind"]
    for key, family in NAMED_WITHIN.items():
        yield from ((family, part["kind"]) for part in options.get(key, {}).values())
    if "preconditioning" in options:
        yield "preconditioning", options["preconditioning"]
