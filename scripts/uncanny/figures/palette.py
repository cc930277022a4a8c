"""Colour and marker of every model: decided by what the model is, so that all figures of all
studies agree.

The hues are seaborn's "colorblind" palette without its grey, which means a reference. Free of
matplotlib and seaborn: the plan of a study reads it, too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

HUES = {
    "blue": "#0173b2",
    "orange": "#de8f05",
    "green": "#029e73",
    "vermilion": "#d55e00",
    "pink": "#cc78bc",
    "brown": "#ca9161",
    "rose": "#fbafe4",
    "yellow": "#ece133",
    "sky": "#56b4e9",
}
SHADES = {"": None, "dark": "#000000", "light": "#ffffff"}  # mixed with the hue in equal parts
MARKERS = "os^DvPX*<h>pd8"


class Look(NamedTuple):
    """A colour as #rrggbb and a marker."""

    color: str
    marker: str


# What a model is → hue, shade and marker. Chosen so that models that share a panel stay apart with
# every colour-vision deficiency.
ROLES = {
    "linear 0.25": ("green", "light", "o"),
    "linear 0.5": ("green", "", "s"),
    "linear 0.75": ("sky", "dark", "^"),
    "linear 1": ("orange", "dark", "D"),
    "cosine": ("orange", "", "v"),
    "sigmoid": ("pink", "", "P"),
    "vp": ("blue", "", "o"),
    "ve": ("vermilion", "", "v"),
    "edm": ("brown", "", "<"),
    "edm log_uniform": ("sky", "", "D"),
    "edm inverse_variance": ("rose", "dark", "^"),
    "edm log_uniform inverse_variance": ("blue", "dark", "P"),
    "annealed": ("yellow", "dark", "X"),
    "psld 0": ("vermilion", "", "<"),
    "psld 0.005": ("green", "light", "h"),
    "psld 0.01": ("green", "", ">"),
    "psld 0.02": ("rose", "dark", "*"),
    "psld 0.04": ("orange", "dark", "p"),
    "psld 0.25": ("green", "dark", "d"),
}
# Models of one role: the second is darker, the third lighter; conditional ones start at lighter.
VARIANTS = {False: ("", "dark", "light"), True: ("light", "dark", "")}


def role(identity: Mapping) -> str:
    """What a model is: its noise schedule, preconditioning or recipe, whatever its data and
    network; "" for imported images.

    identity: complete, as of `Study.identity`.
    """
    process = identity.get("process") or {}
    if identity.get("schedule"):
        return _named(identity["schedule"], "scale")
    if process.get("kind") == "continuous":
        own = [process.get(key, "matched") for key in ("levels", "weight")]
        return " ".join([process["preconditioning"], *(name for name in own if name != "matched")])
    recipe = process.get("recipe")
    if recipe:
        return _named({"kind": recipe} if isinstance(recipe, str) else recipe, "gamma")
    return process.get("kind", "")


def _named(block: Mapping, option: str) -> str:
    value = block.get(option)
    return block["kind"] + ("" if value is None else f" {value:g}")


def looks(models: Mapping[str, Mapping]) -> dict[str, Look]:
    """The look of every model of a study.

    `models` maps names to {role, dataset, conditional, color}, all optional. A role that is not one
    of ROLES gets a colour that no other model of the study has; `color` replaces the colour. Raises
    ValueError where colours do not suffice.
    """
    known = {look.get("role") for look in models.values()} & ROLES.keys()
    spare = _spare({ROLES[name][:2] for name in known})
    of_role, count, result = dict(ROLES), Counter(), {}
    for name, look in models.items():
        what = look.get("role") or name
        if what not in of_role:
            of_role[what] = next(spare, None) or _refuse(name, f"all {len(HUES) * 3} are taken")
        family = what, look.get("dataset"), bool(look.get("conditional"))
        result[name] = _look(name, of_role[what], family[2], count[family], look.get("color"))
        count[family] += 1
    return result


def _spare(taken: set) -> Iterator[tuple[str, str, str]]:
    """Hue, shade and marker of models whose role is not known here."""
    free = [pair[::-1] for pair in product(SHADES, HUES) if pair[::-1] not in taken]
    for index, (hue, shade) in enumerate(free):
        yield hue, shade, MARKERS[index % len(MARKERS)]


def _look(name: str, own: tuple, conditional: bool, position: int, color: str | None) -> Look:
    """The look of the model at a position among those of the same role, dataset and condition."""
    hue, shade, marker = own
    if position >= len(VARIANTS[conditional]) and not color:
        _refuse(name, f"a {hue} has {len(SHADES)} shades, and {position} models have them")
    variant = VARIANTS[conditional][position % len(SHADES)]
    start = MARKERS.index(marker)
    step = 2 * position + conditional  # conditional or not, each position has its own marker
    base = mix(HUES[hue], SHADES[shade])
    return Look(color or mix(base, SHADES[variant]), MARKERS[(start + step) % len(MARKERS)])


def _refuse(model: str, reason: str) -> None:
    raise ValueError(
        f"models.{model}: the palette has no colour left for it ({reason}); give it a `color`, "
        "expected a colour such as '#0173b2'"
    )


def mix(color: str, other: str | None) -> str:
    """The middle of two colours #rrggbb; the first alone if there is no other."""
    if other is None:
        return color
    pairs = zip(bytes.fromhex(color[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes((a + b) // 2 for a, b in pairs).hex()
