"""How often a sampler evaluates the network per image, known before anything runs.

Each sampler's module declares it beside the function: NFE = "2 * num_steps - 1", a formula of the
options of sampler and process, or NFE = None where a sampler chooses its steps image by image.
"""

import ast

from uncanny.registry import components


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
    if text is None:
        return None
    # An option of the sampler stands for one of its process that has the same name
    known = process | sampler["init_sampling"] | sampler["options"]
    try:
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        if any(known[name] is None for name in names):
            return None
        return int(eval(text, {"__builtins__": {}}, known))
    except (KeyError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"samplers/{kind}.py: NFE = {text!r}: {error}; expected a formula of options, of which "
            f"there are {', '.join(sorted(known.keys() - {'kind'}))}"
        ) from None
