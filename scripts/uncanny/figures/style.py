"""Style of all figures: sizes, fonts, colours, markers, dashes.

Across figures a model keeps its colour and marker, and grey means a reference. Colours are
distinguishable with colour-vision deficiencies, markers in black and white.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import is_color_like, to_hex, to_rgb

COLUMN_WIDTH = 3.35  # inches: one column of the page
FULL_WIDTH = 6.9
PNG_DPI = 200
# Without dates the same figure is the same bytes.
METADATA = {"pdf": {"CreationDate": None}, "png": {}}

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "0.2",
    "axes.titlepad": 4.0,
    "axes.labelpad": 3.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markeredgewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "legend.columnspacing": 1.4,
    "legend.handletextpad": 0.5,
    "legend.labelspacing": 0.35,
    "figure.dpi": 100,
    "savefig.bbox": None,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
}


def context() -> AbstractContextManager:
    """Context in which figures are drawn and saved, independent of the user's own settings."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **RC})


@dataclass(frozen=True)
class ModelStyle:
    """Label, colour and marker of one model in all figures."""

    label: str
    color: str
    marker: str


# One ramp per group of models, dark to light; the first is the longest, for a family of schedules.
RAMPS = [
    ["#2b1a5e", "#2457a6", "#1e97a8", "#58b368", "#c3c63c"],
    ["#8c1616", "#e4572e", "#f4916c"],
    ["#7a1f6b", "#c04fb4", "#ee9fd2"],
    ["#1a1a1a", "#7d5a3c", "#bf9b77"],
    ["#0b4f30", "#2f9e5f", "#9ad7a5"],
    ["#12407f", "#4a90d9", "#a5cdf2"],
    ["#5e5a08", "#b0a51a", "#e3d96a"],
    ["#26343f", "#62798a", "#a9bbc7"],
]
# Marker → size in points, such that all look equally large.
MARKERS = dict(
    zip(
        "os^DvPX*<h>pd8",
        (3.6, 3.4, 4.2, 3.2, 4.2, 4.5, 4.5, 5.8, 4.2, 4.2, 4.2, 4.3, 4.2, 4.0),
        strict=True,
    )
)


def model_styles(models: Mapping[str, Mapping]) -> dict[str, ModelStyle]:
    """Colour, marker and label of every model of a study, the same in all of its figures.

    `models` maps names to appearances with the optional keys label (default: the name), color,
    group (default: the name up to the first underscore). Models of a group share a hue and differ
    in lightness. Groups get hues, and models lightness and markers, in order of first appearance;
    models with their own color count, too, so that the rest does not depend on it. Raises
    ValueError for a value that is not a colour.
    """
    groups: dict[str, list[str]] = {}
    for name, look in models.items():
        groups.setdefault(look.get("group") or name.split("_")[0], []).append(name)
    automatic = {
        name: _ramp_color(index, position, len(members))
        for index, members in enumerate(groups.values())
        for position, name in enumerate(members)
    }
    return {
        name: ModelStyle(
            label=look.get("label") or name,
            color=_valid_color(name, look.get("color") or automatic[name]),
            marker=list(MARKERS)[index % len(MARKERS)],
        )
        for index, (name, look) in enumerate(models.items())
    }


def _ramp_color(group: int, position: int, members: int) -> str:
    """The colour of one of `members` evenly spaced positions on a ramp; the middle for one."""
    ramp = np.array([to_rgb(stop) for stop in RAMPS[group % len(RAMPS)]])
    ramp_position = (position + 0.25) / (members - 0.5) * (len(ramp) - 1)
    color = [np.interp(ramp_position, range(len(ramp)), channel) for channel in ramp.T]
    shade = 0.6 ** (group // len(RAMPS))  # further groups repeat the hues, darker
    return to_hex(np.array(color) * shade)


def _valid_color(model: str, color: object) -> str:
    if not is_color_like(color):
        raise ValueError(f"model {model}: color is {color!r}, expected a colour such as '#1f77b4'")
    return to_hex(color)


@dataclass(frozen=True)
class VariantStyle:
    """Line dash and marker filling of one sampler (with its guidance) in a panel."""

    dash: tuple
    is_filled: bool


# An odd number, so that with two alternating fillings there are twice as many looks.
_DASHES = [
    (0, ()),
    (0, (3.5, 1.5)),
    (0, (1.2, 1.1)),
    (0, (5, 1.2, 1.2, 1.2)),
    (0, (7, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 2.4)),
]


SOLID = VariantStyle(_DASHES[0], is_filled=True)


def variant_styles(variants: Iterable) -> dict:
    """Line dash and marker filling of each variant, in the order given; the first is solid."""
    return {
        variant: VariantStyle(_DASHES[index % len(_DASHES)], is_filled=index % 2 == 0)
        for index, variant in enumerate(variants)
    }


@dataclass(frozen=True)
class ReferenceStyle:
    """Label, colour and dash of a horizontal reference line."""

    label: str
    color: str
    dash: tuple


REFERENCES = {
    "train": ReferenceStyle("real train", "0.35", (0, (7, 2))),
    "test": ReferenceStyle("real test", "0.5", (0, (3, 1.8))),
    "gaussian": ReferenceStyle("Gaussian noise", "0.35", (0, (1, 1.6))),
    "uniform": ReferenceStyle("uniform noise", "0.5", (0, (5, 1.6, 1, 1.6))),
}


def reference_style(name: str) -> ReferenceStyle:
    """The style of a reference; one without its own has a default style and its name as label."""
    return REFERENCES.get(name) or ReferenceStyle(re.sub("_", " ", name), "0.6", (0, (2, 1, 1, 1)))


def line_look(model: ModelStyle, variant: VariantStyle) -> dict:
    """Arguments of `plot` for a curve: colour and marker of the model, dash of the variant."""
    filled = {"markerfacecolor": model.color, "markeredgecolor": "white", "markeredgewidth": 0.4}
    hollow = {"markerfacecolor": "white", "markeredgecolor": model.color}
    face = filled if variant.is_filled else hollow
    marker = {"marker": model.marker, "markersize": MARKERS[model.marker], **face}
    return {"color": model.color, "linestyle": variant.dash, **marker}
