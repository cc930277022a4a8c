"""Components by name: a family, which is a section of a config, and a kind lead to one function,
with no list to maintain.

`samplers/heun.py` with a function `heun` is the sampler `heun`; the function `cosine` of
`diffusion/schedules.py` is the schedule `cosine`. The options of a component are read from its
signature in the syntax tree, so that a study can be checked without importing torch.
"""

import ast
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uncanny.registry import option_types

LIBRARY = Path(__file__).parents[1]

# Section of a config -> the package, or the module, of its components.
PACKAGES = {
    "datasets": "datasets",
    "schedules": "diffusion.schedules",
    "sigma_grids": "diffusion.sigma_grids",
    "preconditioning": "diffusion.preconditioning",
    "recipes": "diffusion.recipes",
    "processes": "diffusion.processes",
    "networks": "networks",
    "samplers": "samplers",
    "guidances": "guidance.guidances",
    "extractors": "evaluation.extractors",
    "metrics": "evaluation.metrics",
    "figures": "figures",
    "tables": "tables",
    "claims": "claims",
    "experiments": "experiments",
    "externals": "interop.formats",
}

REQUIRED = object()  # the default of an option that has none

# A public function is a component of its family when its first argument has one of these names.
FIRST_ARGUMENTS = {
    "datasets": {"folder"},
    "schedules": {"num_levels"},
    "sigma_grids": {"num_steps"},
    "preconditioning": {""},
    "recipes": {""},
    "networks": {"shape"},
    "processes": {"schedule"},
    "samplers": {"denoiser", "eps_model", "score_model", "phase_model"},
    "guidances": {"classifiers"},
    "extractors": {"dataset"},
    "metrics": {"sample"},
    "figures": {"data"},
    "tables": {"contents"},
    "claims": {"cells", "timings", "sizes", "reports", "experiments"},
    "experiments": {"", "checkpoints"},
}

# Keyword arguments that the library passes itself, so that no config may set them.
RESERVED = {"noise", "gradient", "constrain", "path", "shape", "num_classes", "reference"}
RESERVED |= {"threads", "losses", "table"}


@dataclass(frozen=True)
class Signature:
    """First argument of a component and its options: name -> (type, default or REQUIRED)."""

    first: str
    options: dict


@cache
def parse(path: Path) -> ast.Module:
    """Syntax tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def source(family: str, kind: str) -> Path:
    """File in which the component is defined."""
    package = _package(family)
    return package / f"{kind}.py" if package.is_dir() else package.with_suffix(".py")


def _package(family: str) -> Path:
    return LIBRARY.joinpath(*PACKAGES[family].split("."))


def _function(family: str, kind: str) -> ast.FunctionDef | None:
    path = source(family, kind)
    if not path.exists():
        return None
    for node in parse(path).body:
        if isinstance(node, ast.FunctionDef) and node.name == kind:
            return node if _first_argument(node) in FIRST_ARGUMENTS[family] else None
    return None


def _first_argument(node: ast.FunctionDef) -> str:
    arguments = node.args.posonlyargs + node.args.args
    return arguments[0].arg if arguments else ""


@cache
def kinds(family: str) -> list[str]:
    """Names of all components of a family, sorted."""
    package = _package(family)
    if package.is_dir():
        names = [path.stem for path in package.glob("*.py")]
    else:
        body = parse(package.with_suffix(".py")).body
        names = [n.name for n in body if isinstance(n, ast.FunctionDef)]
    return sorted(n for n in names if not n.startswith("_") and _function(family, n) is not None)


def options_of(path: Path, function: str) -> dict:
    """Keyword-only arguments of a function in a file, reserved ones left out: name -> (type,
    default or REQUIRED).
    """
    functions = {n.name: n for n in parse(path).body if isinstance(n, ast.FunctionDef)}
    if function not in functions:
        raise ValueError(f"{path}: no function {function}; expected one of keyword-only options")
    node = functions[function]
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {
        argument.arg: (
            _annotation(argument, path),
            REQUIRED if default is None else ast.literal_eval(default),
        )
        for argument, default in pairs
        if argument.arg not in RESERVED
    }


@cache
def signature(family: str, kind: str) -> Signature:
    """Options of a component, read from its keyword-only arguments without importing it."""
    node = _function(family, kind)
    if node is None:
        raise ValueError(f"{kind!r} is not one of the {family}: {', '.join(kinds(family))}")
    return Signature(_first_argument(node), options_of(source(family, kind), kind))


def _annotation(argument: ast.arg, path: Path) -> object:
    if argument.annotation is None:
        return object
    text = ast.unparse(argument.annotation)
    try:
        return option_types.evaluate(text)
    except NameError as error:
        raise ValueError(
            f"{path}: the type of option {argument.arg} is {text}: {error}; expected one made of "
            "built-in types and those of uncanny.registry.option_types"
        ) from None


@cache
def init_options(process: str) -> dict:
    """Options with which a kind of process sets up sampling: name -> (type, default)."""
    return options_of(source("processes", process), "init_sampling")


def sampled_as(process: str, sampler: str) -> str | None:
    """Kind of process whose `init_sampling` sets up a sampler for models of a kind: the process
    itself or, where the sampler takes another view of its models, that of the view. None where it
    takes none.
    """
    first = signature("samplers", sampler).first
    if first == constant("processes", process, "MODEL_INTERFACE"):
        return process
    return (constant("processes", process, "VIEWS", None) or {}).get(first)


def takes(family: str, kind: str, argument: str) -> bool:
    """Whether a component has a keyword-only argument of this name, a reserved one included."""
    return argument in {a.arg for a in _function(family, kind).args.kwonlyargs}


@cache
def constant(family: str, kind: str, name: str, default: object = REQUIRED) -> object:
    """The literal that a component's module binds to a name, read without importing it."""
    for node in parse(source(family, kind)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    if default is REQUIRED:
        raise ValueError(f"{family}/{kind}.py: no constant {name}")
    return default


def load(family: str, kind: str):
    """Import a component's module, and no other component's, and return the component."""
    if _function(family, kind) is None:
        raise ValueError(f"{kind!r} is not one of the {family}: {', '.join(kinds(family))}")
    module = f"uncanny.{PACKAGES[family]}" + (f".{kind}" if _package(family).is_dir() else "")
    return getattr(importlib.import_module(module), kind)


def call(family: str, block: Mapping, *arguments):
    """Call the component of a block's kind, with the block's other entries as its options."""
    options = {key: value for key, value in block.items() if key != "kind"}
    return load(family, block["kind"])(*arguments, **options)


def check(
    family: str, kind: str, options: dict, key_path: str, *, more: dict | None = None
) -> dict:
    """Check options of a component (known names, right types, numbers within their bounds) and
    return all that it knows: name -> (type, default).

    options: as the config has them. key_path: of the block, for messages. more: further options
    that the block may have. Raises ValueError that names the key, the value and what was expected.
    """
    if kind not in kinds(family):
        raise ValueError(
            f"{key_path}.kind: {kind!r} is not one of the {family}{near(kind, kinds(family))}"
        )
    known = signature(family, kind).options | (more or {})
    for key, value in options.items():
        if key not in known:
            raise ValueError(f"{key_path}.{key}: unknown option of {kind!r}{near(key, known)}")
        option_types.check(value, known[key][0], f"{key_path}.{key}")
    return known


def resolve(
    family: str, kind: str, options: dict, key_path: str, *, more: dict | None = None
) -> dict:
    """Complete options of a component: those of the config, defaults for the rest, sorted by name.
    See `check`.
    """
    known = check(family, kind, options, key_path, more=more)
    for name, (annotation, default) in known.items():
        if name not in options and default is REQUIRED:
            raise ValueError(
                f"{key_path}.{name}: missing; expected {option_types.name(annotation)}"
            )
    complete = {name: options.get(name, known[name][1]) for name in sorted(known)}
    option_types.check_order(complete, {name: known[name][0] for name in complete}, key_path)
    return complete


# Keys and kinds of a config by their former names.
RENAMED = {
    "says": "statement",
    "where": "source",
    "need": "require",
    "each": "per",
    "readings": "interpretation",
    "companion": "supplementary",
    "draws": "sampling_seeds",
    "phase_walks": "phase_trajectories",
}
REMOVED = {"scaled": "`scale: published` or `scale: reduced` (the default) is a key of the study"}


def near(word: str, words) -> str:
    """The end of a message about an unknown word: its new name, the nearest known word, or all."""
    if RENAMED.get(word) in words:
        return f"; it is called {RENAMED[word]!r} now"
    if word in REMOVED:
        return f"; {REMOVED[word]}"
    close = difflib.get_close_matches(str(word), list(words), n=1)
    return (
        f"; did you mean {close[0]!r}?"
        if close
        else f"; known: {', '.join(sorted(words)) or 'none'}"
    )
