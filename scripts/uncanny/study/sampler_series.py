"""Series of samplers: one block at several numbers of network evaluations.

`UNIPC: {kind: unipc, nfe: [4, 8]}` stands for the samplers UNIPC_4 and UNIPC_8, and UNIPC in a list
of samplers for both.
"""

from collections.abc import Mapping

from uncanny.registry import components
from uncanny.samplers import nfe

DECIDED = "num_steps"  # what follows from the evaluations


def expanded(config: Mapping) -> dict:
    """A config with a block for each number under `nfe` of a sampler, and the names of these blocks
    wherever it lists the sampler.

    Raises ValueError that names the key for a sampler without a number of steps, for numbers that
    no step or the same number of steps fits, and for names that are taken.
    """
    samplers = config["samplers"]
    members = {name: _members(name, block) for name, block in samplers.items() if "nfe" in block}
    for name, blocks in members.items():
        for taken in sorted(blocks.keys() & samplers.keys()):
            raise ValueError(
                f"samplers.{taken}: one of samplers.{name}.nfe has this name, too; expected another"
            )
    every = {}
    for name, block in samplers.items():
        every |= members.get(name, {name: block})
    named = {key: _listed(value, members) for key, value in config.items() if key != "samplers"}
    return {key: every if key == "samplers" else named[key] for key in config}


def _listed(value: object, members: Mapping) -> object:
    """A part of a config with the members of each series in its lists of samplers."""
    if isinstance(value, Mapping):
        return {
            key: _names(part, members)
            if key == "samplers" and isinstance(part, list)
            else _listed(part, members)
            for key, part in value.items()
        }
    return [_listed(part, members) for part in value] if isinstance(value, list) else value


def _names(names: list, members: Mapping) -> list:
    return list(dict.fromkeys(one for name in names for one in members.get(name, [name])))


def _members(name: str, block: Mapping) -> dict[str, dict]:
    """Name → block of the samplers of a series."""
    key_path, label = f"samplers.{name}", block.get("label", name)
    for path, part in ((key_path, block), *_special(block, key_path)):
        if DECIDED in part:
            raise ValueError(f"{path}.{DECIDED}: does not go with nfe, from which it follows")
    series = {"series": block.get("series", label)}
    made = {
        f"{name}_{most}": _at(block, most, key_path) | {"label": f"{label}, NFE ≤ {most}"} | series
        for most in block["nfe"]
    }
    steps = {}
    for most, member in zip(block["nfe"], made.values(), strict=True):
        same = steps.setdefault(member[DECIDED], most)
        if same != most:
            raise ValueError(
                f"{key_path}.nfe: {same} and {most} are both {member[DECIDED]} steps; expected "
                "numbers that differ in steps"
            )
    return made


def _special(block: Mapping, key_path: str) -> list[tuple[str, Mapping]]:
    parts = block.get("by_process", {}).items()
    return [(f"{key_path}.by_process.{process}", part) for process, part in parts]


def _at(block: Mapping, most: int, key_path: str) -> dict:
    """A block with the most steps that take no more than `most` evaluations, also of its options
    for single processes.
    """
    own = {key: value for key, value in block.items() if key not in ("nfe", "by_process")}
    result = own | {DECIDED: _steps(own, most, key_path)}
    special = {
        process: part | {DECIDED: _steps(own | part, most, f"{key_path}.by_process.{process}")}
        for process, part in block.get("by_process", {}).items()
    }
    return result | ({"by_process": special} if special else {})


def _steps(options: Mapping, most: int, key_path: str) -> int:
    components.check("samplers", options["kind"], {}, key_path)
    return nfe.most_steps(options, most, key_path)
