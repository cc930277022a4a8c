"""How often a sampler evaluates the network per image, its order and whether it adds noise, known
before anything runs.

Each sampler's module declares them next to the function: NFE = "2 * num_steps - 1", a formula of
the options of sampler and process, or NFE = None where a sampler chooses its steps image by image;
ORDER = "min(order, 2)" and NOISE = "eta > 0", formulas of the sampler's own options.
"""

import ast
import bisect
from collections.abc import Mapping

from uncanny.registry import components, option_types


def formula(kind: str) -> str | None:
    """What a sampler declares; ValueError where it declares nothing."""
    try:
        return components.constant("samplers", kind, "NFE")
    except ValueError:
        raise ValueError(
            f"samplers/{kind}.py: NFE is missing; expected the network evaluations per image, as "
            'NFE = "num_steps" or another formula of options, or None where images differ in them'
        ) from None


def nfe(sampler: dict, process: dict) -> int | None:
    """Network evaluations per image; None where they follow from the dataset or from the image.

    sampler: complete block. process: complete options, for samplers that visit all its noise
    levels. Raises ValueError for a formula of anything else.
    """
    text, kind = formula(sampler["kind"]), sampler["kind"]
    # An option of the sampler stands for one of its process that has the same name
    known = process | sampler["init_sampling"] | sampler["options"]
    return None if text is None else _evaluated(text, kind, known)


def nfe_per_step(sampler: dict) -> int | None:
    """Network evaluations that one more step takes; None where a sampler chooses its steps."""
    steps = sampler["init_sampling"].get("num_steps")
    if steps is None:
        return None
    longer = sampler["init_sampling"] | {"num_steps": steps + 1}
    return nfe(sampler | {"init_sampling": longer}, {}) - nfe(sampler, {})


def order(sampler: dict) -> int | None:
    """Order of convergence, without noise, of a sampler's complete block; None: none declared."""
    return _declared(sampler, "ORDER")


def is_stochastic(sampler: dict) -> bool | None:
    """Whether a sampler's complete block adds noise after the start; None: not declared."""
    value = _declared(sampler, "NOISE")
    return None if value is None else bool(value)


def _declared(sampler: dict, name: str) -> int | None:
    text = components.constant("samplers", sampler["kind"], name, None)
    return None if text is None else _evaluated(text, sampler["kind"], sampler["options"], name)


def most_steps(options: Mapping, most: int, key_path: str) -> int:
    """The most num_steps that take at most so many evaluations per image.

    options: kind and options of a block, others have their defaults. Raises ValueError that names
    the key for samplers that choose their steps, for options of another type, and for fewer
    evaluations than one step takes.
    """
    kind, text = options["kind"], formula(options["kind"])
    names = _names(text or "")
    if "num_steps" not in names:
        raise ValueError(f"{key_path}.nfe: {kind!r} has no number of steps; expected another kind")
    declared = components.signature("samplers", kind).options
    known = {name: declared[name][1] for name in names & declared.keys()}
    for name in names & declared.keys() & options.keys():
        option_types.check(options[name], declared[name][0], f"{key_path}.{name}")
        known[name] = options[name]

    def evaluations(steps: int) -> int:
        return _evaluated(text, kind, known | {"num_steps": steps}) or 0

    # A step takes an evaluation or more, so that there are no more steps than evaluations
    steps = bisect.bisect_right(range(1, most + 1), most, key=evaluations)
    if steps == 0:
        raise ValueError(
            f"{key_path}.nfe: {most}; expected at least {evaluations(1)}, as one step of {kind!r} "
            "takes"
        )
    return steps


def _names(text: str) -> set[str]:
    """Names of the options in a formula."""
    tree = ast.parse(text)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"min"}


def _evaluated(text: str, kind: str, known: Mapping, name: str = "NFE") -> int | None:
    """Value of a declared formula; None where an option in it is null."""
    try:
        if any(known[option] is None for option in _names(text)):
            return None
        return int(eval(text, {"__builtins__": {"min": min}}, dict(known)))
    except (KeyError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"samplers/{kind}.py: {name} = {text!r}: {error}; expected a formula of options, of "
            f"which there are {', '.join(sorted(known.keys() - {'kind'}))}"
        ) from None
