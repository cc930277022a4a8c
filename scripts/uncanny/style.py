"""The look of every figure: sizes, fonts, colours, markers, dashes.

Two rules hold across figures: a model keeps its colour and its marker, and grey means a reference.
Colours are chosen to stay apart with colour-vision deficiencies, markers to do so in black and
white.
"""

import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

COLUMN_WIDTH = 3.35  # inches: one column of the page
FULL_WIDTH = 6.9
PNG_DPI = 200
# Without dates the same figure is the same bytes.
METADATA = {"pdf": {"CreationDate": None}, "png": {}}

RC = {
    "font.family": "DejaVu Sans",
    **{"font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "legend.fontsize": 7.5},
    **{"xtick.labelsize": 7, "ytick.labelsize": 7},
    **{"axes.linewidth": 0.6, "axes.edgecolor": "0.2", "axes.titlepad": 4.0, "axes.labelpad": 3.0},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True},
    **{"axes.grid": True, "grid.color": "0.92", "grid.linewidth": 0.5},
    **{"xtick.major.width": 0.6, "ytick.major.width": 0.6},
    **{"xtick.major.size": 2.5, "ytick.major.size": 2.5},
    **{"lines.linewidth": 1.1, "lines.markeredgewidth": 0.8},
    **{"legend.frameon": False, "legend.handlelength": 2.6, "legend.columnspacing": 1.4},
    **{"legend.handletextpad": 0.5, "legend.labelspacing": 0.35},
    **{"figure.dpi": 100, "savefig.bbox": None, "pdf.fonttype": 42, "pdf.compression": 6},
}


def context() -> AbstractContextManager:
    """Draw and save inside this context, whatever the user's own matplotlib settings are."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **RC})


@dataclass(frozen=True)
class ModelStyle:
    """How one model looks in every figure."""

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
# Markers and the sizes, in points, at which they look equally large.
MARKERS = {
    **{"o": 3.6, "s": 3.4, "^": 4.2, "D": 3.2, "v": 4.2, "P": 4.5, "X": 4.5, "*": 5.8, "<": 4.2},
    **{"h": 4.2, ">": 4.2, "p": 4.3, "d": 4.2, "8": 4.0},
}


def model_styles(models: Mapping[str, Mapping]) -> dict[str, ModelStyle]:
    """Colour, marker and label of every model of a study, the same in all of its figures.

    `models` maps names to appearances with the optional keys label (default: the name), color,
    group. Models of one group share a hue and differ in lightness; the group of a model without
    that key is its name up to the first underscore. Groups take hues, and models take lightness
    and markers, in order of first appearance. A model with its own color keeps its place, so that
    the others do not change. Raises ValueError for a value that is not a colour.
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
    """The colour of one of `members` evenly spaced places on a ramp; the middle for one."""
    ramp = np.array([to_rgb(stop) for stop in RAMPS[group % len(RAMPS)]])
    at = (position + 0.25) / (members - 0.5) * (len(ramp) - 1)
    color = [np.interp(at, range(len(ramp)), channel) for channel in ramp.T]
    shade = 0.6 ** (group // len(RAMPS))  # further groups repeat the hues, darker
    return to_hex(np.array(color) * shade)


def _valid_color(model: str, color: object) -> str:
    if not is_color_like(color):
        raise ValueError(f"model {model}: color is {color!r}, expected a colour such as '#1f77b4'")
    return to_hex(color)


@dataclass(frozen=True)
class VariantStyle:
    """How one sampler (with its guidance) looks beside others in the same panel."""

    dash: tuple
    is_filled: bool


# An odd number: with the two fillings there are twice as many looks.
_DASHES = [
    *[(0, ()), (0, (3.5, 1.5)), (0, (1.2, 1.1)), (0, (5, 1.2, 1.2, 1.2))],
    *[
        (0, (7, 2)),
        (0, (3, 1, 1, 1, 1, 1)),
        (0, (1, 2.4)),
    ],
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
    """How a horizontal reference line looks."""

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
    """The style of a reference; one without its own style is drawn thin and named as it is."""
    return REFERENCES.get(name) or ReferenceStyle(re.sub("_", " ", name), "0.6", (0, (2, 1, 1, 1)))


def line_look(model: ModelStyle, variant: VariantStyle) -> dict:
    """Arguments of `plot` for a curve: colour and marker of the model, dash of the variant."""
    filled = {"markerfacecolor": model.color, "markeredgecolor": "white", "markeredgewidth": 0.4}
    hollow = {"markerfacecolor": "white", "markeredgecolor": model.color}
    face = filled if variant.is_filled else hollow
    marker = {"marker": model.marker, "markersize": MARKERS[model.marker], **face}
    return {"color": model.color, "linestyle": variant.dash, **marker}


# ---- The page: panels, labels at the margin, legend and note below ---------------------------

PANEL_HEIGHTS = {1: 2.6, 2: 2.35, 3: 2.1}  # inches, by panels in a row, with title and axis labels
_COLUMNS = 2
_LINE = 0.058  # height of a line of a margin label, as a part of the axis


def canvas(
    count: int, *, columns: int = _COLUMNS, height: float | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels: one in a column's width, more in rows of `columns`.

    height: of a row in inches; None: as its panels look best.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    width = COLUMN_WIDTH if count == 1 else FULL_WIDTH
    size = (width, rows * (height or PANEL_HEIGHTS[columns]))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


_TITLE, _GUTTER = 0.24, 0.12  # inches, around the panels of a mosaic


def mosaic(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of images, up to three in a row; height: of a panel by its
    width."""
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = -(-count // columns)
    width = COLUMN_WIDTH if count == 1 else FULL_WIDTH
    each = (width - (columns + 1) * _GUTTER) / columns
    tall = each * height + _TITLE
    figure = Figure(figsize=(width, rows * tall + _GUTTER))
    FigureCanvasAgg(figure)
    axes = []
    for row, column in itertools.product(range(rows), range(columns)):
        left = _GUTTER + column * (each + _GUTTER)
        bottom = _GUTTER + (rows - 1 - row) * tall
        box = np.array([left, bottom, each, each * height]) / np.tile(figure.get_size_inches(), 2)
        axes.append(figure.add_axes(box))
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def lanes(count: int, height: float, width: float) -> tuple[Figure, list[Axes]]:
    """A full-width figure with `count` strips, one below the other; height, width: of one strip in
    the same unit."""
    tall = (FULL_WIDTH - 2 * _GUTTER) * height / width
    figure = Figure(figsize=(FULL_WIDTH, count * (tall + _GUTTER) + _GUTTER))
    FigureCanvasAgg(figure)
    size = np.tile(figure.get_size_inches(), 2)
    tops = [_GUTTER + i * (tall + _GUTTER) for i in reversed(range(count))]
    boxes = [np.array([_GUTTER, top, FULL_WIDTH - 2 * _GUTTER, tall]) / size for top in tops]
    return figure, [figure.add_axes(box) for box in boxes]


def is_first_in_row(panel: int) -> bool:
    """Whether the panel of this index (of several) begins a row."""
    return panel % _COLUMNS == 0


def set_panel_title(ax: Axes, letter: str, title: str) -> None:
    """A bold letter and a title, on the left."""
    bold = rf"$\mathbf{{{letter}}}$  " if letter else ""
    ax.set_title(bold + title.replace("$", r"\$"), loc="left")


def margin_labels(ax: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Write (value, text, colour) right of the axes beside their values, without overlap.

    A value outside the axis is labelled at its end, without a leader.
    """
    to_axis = ax.transScale + ax.transLimits
    places = [float(to_axis.transform((1, value))[1]) for value, _, _ in labels]
    ends = [min(max(place, 0.0), 1.0) for place in places]
    sizes = [_LINE * (text.count("\n") + 1) for _, text, _ in labels]
    for place, at, (_, text, color) in zip(places, _spread(ends, sizes), labels, strict=True):
        place_text = {"transform": ax.transAxes, "va": "center", "linespacing": 1.0}
        ax.text(1.045, at, text, color=color, size=6.5, **place_text)
        if 0 <= place <= 1:
            leader = {"transform": ax.transAxes, "color": color, "lw": 0.5, "clip_on": False}
            ax.add_line(Line2D([1.0, 1.035], [place, at], **leader))


def _spread(places: list[float], sizes: list[float]) -> list[float]:
    """Move centres apart, from the bottom up and then back below the top, until none overlap."""
    order = np.argsort(places, kind="stable")
    spread = list(places)
    for before, here in itertools.pairwise(order):
        spread[here] = max(spread[here], spread[before] + (sizes[before] + sizes[here]) / 2)
    top = 1.0 + _LINE
    for here in order[::-1]:
        spread[here] = min(spread[here], top - sizes[here] / 2)
        top = spread[here] - sizes[here] / 2
    return spread


def finish(figure: Figure, legends: list[list[Line2D]], note: str) -> None:
    """Add legends, one above the other, and a note below the panels, making room for them."""
    width, height = figure.get_size_inches()
    note = "\n".join(textwrap.wrap(note, int(width * 17)))
    tops = [0.13 * (note.count("\n") + 1) + 0.07 if note else 0.03]
    placed = []
    for handles in reversed([handles for handles in legends if handles]):
        legend, legend_height = _legend(figure, handles)
        placed.append((legend, tops[-1]))
        tops.append(tops[-1] + legend_height + 0.04)
    height += tops[-1]
    _raise_panels(figure, tops[-1])
    for legend, bottom in placed:
        legend.set_bbox_to_anchor((0.5, bottom / height), transform=figure.transFigure)
    if note:
        figure.text(0.01, 0.04 / height, note, size=6.5, va="bottom", style="italic")


def _raise_panels(figure: Figure, room: float) -> None:
    """Make the figure taller by `room` inches at its bottom."""
    width, height = figure.get_size_inches()
    share = room / (height + room)
    figure.set_size_inches(width, height + room)
    if figure.get_layout_engine():
        figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
        return
    for ax in figure.axes:
        left, bottom, wide, high = ax.get_position().bounds
        ax.set_position((left, share + (1 - share) * bottom, wide, (1 - share) * high))


def _legend(figure: Figure, handles: list[Line2D]) -> tuple[Legend, float]:
    """A legend with as few rows as fit the width, filled evenly; and its height in inches."""
    for most in range(len(handles), 0, -1):
        rows = -(-len(handles) // most)
        columns = -(-len(handles) // rows)
        place = {"loc": "lower center", "borderaxespad": 0, "borderpad": 0}
        legend = figure.legend(handles=_by_rows(handles, columns), ncols=columns, **place)
        box = legend.get_window_extent(figure.canvas.get_renderer())
        if box.width <= figure.bbox.width or most == 1:
            break
        legend.remove()
    return legend, box.height / figure.dpi


def _by_rows(handles: list[Line2D], columns: int) -> list[Line2D]:
    """Handles in the order that a legend, which fills column by column, shows as rows."""
    blanks = [Line2D([], [], linestyle="none", label=" ") for _ in range(-len(handles) % columns)]
    cells = handles + blanks
    return [cells[i] for column in range(columns) for i in range(column, len(cells), columns)]
