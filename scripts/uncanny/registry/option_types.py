"""Types of options: bounds in a component's signature, checked before any job starts.

    def heun(denoiser, ..., *, S_churn: Nonnegative = 0.0, alpha: Annotated[float, Bounds(above=0)])

The names defined here may be used in the annotations of keyword-only arguments, next to built-in
types and `Literal`. A number must be finite and within the bounds of its type, if it has any.
"""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Bounds:
    """An interval: `at_least` and `at_most` belong to it, `above` and `below` do not."""

    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def check(self, value: float, key_path: str) -> None:
        """Raise ValueError that names the key, the number and the interval."""
        if not (self.at_least <= value <= self.at_most and self.above < value < self.below):
            raise ValueError(f"{key_path}: {value!r}; expected a number in {self}")

    def __str__(self) -> str:
        low, high = max(self.at_least, self.above), min(self.at_most, self.below)
        left = "[" if math.isfinite(low) and low > self.above else "("
        right = "]" if math.isfinite(high) and high < self.below else ")"
        return f"{left}{low:.10g}, {high:.10g}{right}"


class NotEmpty:
    """At least one entry in a list."""

    def check(self, value: list, key_path: str) -> None:
        if not value:
            raise ValueError(f"{key_path}: []; expected at least one entry")


@dataclass(frozen=True)
class Above:
    """More than another option of the component, where both are numbers."""

    other: str
    expected = "more than"

    def check_order(self, value: float | None, options: Mapping, key_path: str) -> None:
        """Raise ValueError that names the key where complete options contradict each other."""
        other = options.get(self.other)
        numbers = all(isinstance(v, int | float) for v in (value, other))  # not None, not a word
        if numbers and not self.holds(value, other):
            raise ValueError(
                f"{key_path}: {value!r}; expected {self.expected} {self.other}, which is {other!r}"
            )

    def holds(self, value: float, other: float) -> bool:
        return value > other


class NotBelow(Above):
    """At least as much as another option."""

    expected = "at least"

    def holds(self, value: float, other: float) -> bool:
        return value >= other


class NotAbove(Above):
    """At most as much as another option."""

    expected = "at most"

    def holds(self, value: float, other: float) -> bool:
        return value <= other


Seed = Annotated[int, Bounds(0, 2**32 - 1)]
WholeNumber = Annotated[int, Bounds(0, 1_000_000)]
PositiveInt = Annotated[int, Bounds(1, 1_000_000)]
TwoOrMore = Annotated[int, Bounds(2, 1_000_000)]
SmallInt = Annotated[int, Bounds(1, 1000)]  # rows, blocks of layers, neighbours
LayerSize = Annotated[int, Bounds(1, 65536)]  # channels, heads, resolutions of a network
Pixels = Annotated[int, Bounds(1, 16384)]

Nonnegative = Annotated[float, Bounds(0)]
Positive = Annotated[float, Bounds(above=0, at_most=1e9)]
Fraction = Probability = Annotated[float, Bounds(0, 1)]
ProperFraction = Annotated[float, Bounds(0, below=1)]
OpenFraction = Annotated[float, Bounds(above=0, below=1)]

NonEmpty = Annotated[list[Item], NotEmpty()]
Quorum = Literal["all", "any"] | SmallInt  # how many of several must hold


def evaluate(text: str) -> object:
    """Turn the text of an annotation into a type; NameError for a name that is not defined here."""
    builtins = {t.__name__: t for t in (int, float, bool, str, list, dict, object)}
    return eval(text, {"__builtins__": {}}, PUBLIC | builtins)


def name(annotation: object) -> str:
    """Format a type for messages, without its bounds."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return name(arguments[0])
    if origin is Literal:
        return "one of " * (len(arguments) > 1) + ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(name, arguments))
    if origin is list:
        return f"list[{name(arguments[0])}]"
    return (
        "None" if annotation is types.NoneType else getattr(annotation, "__name__", str(annotation))
    )


def fits(value: object, annotation: object) -> bool:
    """Whether a value is of a type, regardless of bounds and of the entries of a list; an integer
    may stand for a float, a bool for neither.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin is Literal:
        return any(value == a and type(value) is type(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, a) for a in arguments)
    accepted = int | float if annotation is float else origin or annotation
    is_number = annotation in (int, float)
    return isinstance(value, accepted) and not (is_number and isinstance(value, bool))


def check(value: object, annotation: object, key_path: str) -> None:
    """Raise ValueError that names the key, the value and what was expected, for a value that is not
    of a type or not within its bounds.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if not fits(value, annotation):
        hint = " (YAML reads 1e-4 as text: write 0.0001 or 1.0e-4)" if _numeric_text(value) else ""
        raise ValueError(f"{key_path}: {value!r} is not {name(annotation)}{hint}")
    if origin in (typing.Union, types.UnionType):
        check(value, next(a for a in arguments if fits(value, a)), key_path)
    if origin is Annotated:
        check(value, arguments[0], key_path)
        for bound in annotation.__metadata__:
            if hasattr(bound, "check"):
                bound.check(value, key_path)
    if origin is list:
        for index, item in enumerate(value):
            check(item, arguments[0], f"{key_path}[{index}]")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key_path}: {value!r}; expected a finite number")
    if value == "":
        raise ValueError(f"{key_path}: ''; expected text")


def check_order(options: Mapping, annotations: Mapping, key_path: str) -> None:
    """Raise ValueError that names the key where complete options contradict each other."""
    for key, annotation in annotations.items():
        for bound in getattr(annotation, "__metadata__", ()):
            if isinstance(bound, Above):
                bound.check_order(options[key], options, f"{key_path}.{key}")


def _numeric_text(value: object) -> bool:
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


PUBLIC = {key: value for key, value in vars().items() if key[0].isupper()}
