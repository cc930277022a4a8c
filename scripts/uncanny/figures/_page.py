"""The page of a figure: panels, their titles and margins, legends and a note below them."""

import itertools
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from uncanny.figures.style import COLUMN_WIDTH, FULL_WIDTH

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


_TITLE, _TITLE_LINE, _GUTTER = 0.24, 0.13, 0.12  # inches, around the panels of a mosaic


def mosaic(count: int, height: float, *, lines: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of images, up to three in a row; height: of a panel by its
    width; lines: of the longest title."""
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = -(-count // columns)
    width = COLUMN_WIDTH if count == 1 else FULL_WIDTH
    each = (width - (columns + 1) * _GUTTER) / columns
    tall = each * height + _TITLE + (lines - 1) * _TITLE_LINE
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
