"""Page layout of a figure: panels, titles, labels at the margin, legends and a note below."""

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
_LINE = 0.058  # height of a line of a margin label, as a fraction of the axis


def canvas(
    count: int, *, columns: int = _COLUMNS, height: float | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels: one has the width of a text column, more are in rows of
    `columns`.

    height: of a row in inches; None: PANEL_HEIGHTS.
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
    """A figure with `count` panels of images, up to three in a row.

    height: of a panel, in units of its width. lines: of the longest title.
    """
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = -(-count // columns)
    width = COLUMN_WIDTH if count == 1 else FULL_WIDTH
    panel_width = (width - (columns + 1) * _GUTTER) / columns
    row_height = panel_width * height + _TITLE + (lines - 1) * _TITLE_LINE
    figure = Figure(figsize=(width, rows * row_height + _GUTTER))
    FigureCanvasAgg(figure)
    axes = []
    for row, column in itertools.product(range(rows), range(columns)):
        left = _GUTTER + column * (panel_width + _GUTTER)
        bottom = _GUTTER + (rows - 1 - row) * row_height
        box = np.array([left, bottom, panel_width, panel_width * height]) / np.tile(
            figure.get_size_inches(), 2
        )
        axes.append(figure.add_axes(box))
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def lanes(count: int, height: float, width: float) -> tuple[Figure, list[Axes]]:
    """A full-width figure with `count` strips, one below the other.

    height, width: of one strip, in the same unit.
    """
    lane_height = (FULL_WIDTH - 2 * _GUTTER) * height / width
    figure = Figure(figsize=(FULL_WIDTH, count * (lane_height + _GUTTER) + _GUTTER))
    FigureCanvasAgg(figure)
    size = np.tile(figure.get_size_inches(), 2)
    tops = [_GUTTER + i * (lane_height + _GUTTER) for i in reversed(range(count))]
    boxes = [np.array([_GUTTER, top, FULL_WIDTH - 2 * _GUTTER, lane_height]) / size for top in tops]
    return figure, [figure.add_axes(box) for box in boxes]


def is_first_in_row(panel: int) -> bool:
    """Whether a panel, by its index among several, is the first in its row."""
    return panel % _COLUMNS == 0


def set_panel_title(ax: Axes, letter: str, title: str) -> None:
    """Set a bold letter and a title, aligned left."""
    bold = rf"$\mathbf{{{letter}}}$  " if letter else ""
    ax.set_title(bold + title.replace("$", r"\$"), loc="left")


def margin_labels(ax: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Write labels (value, text, colour) right of the axes, next to their values and without
    overlap.

    A value outside the axis has its label at the end of the axis, without a leader.
    """
    to_axis = ax.transScale + ax.transLimits
    positions = [float(to_axis.transform((1, value))[1]) for value, _, _ in labels]
    clipped = [min(max(position, 0.0), 1.0) for position in positions]
    sizes = [_LINE * (text.count("\n") + 1) for _, text, _ in labels]
    for position, label_position, (_, text, color) in zip(
        positions, _spread(clipped, sizes), labels, strict=True
    ):
        text_style = {"transform": ax.transAxes, "va": "center", "linespacing": 1.0}
        ax.text(1.045, label_position, text, color=color, size=6.5, **text_style)
        if 0 <= position <= 1:
            leader = {"transform": ax.transAxes, "color": color, "lw": 0.5, "clip_on": False}
            ax.add_line(Line2D([1.0, 1.035], [position, label_position], **leader))


def _spread(positions: list[float], sizes: list[float]) -> list[float]:
    """Move label centres apart: up from the bottom, then down from the top, until none overlap."""
    order = np.argsort(positions, kind="stable")
    spread = list(positions)
    for lower, index in itertools.pairwise(order):
        spread[index] = max(spread[index], spread[lower] + (sizes[lower] + sizes[index]) / 2)
    top = 1.0 + _LINE
    for index in order[::-1]:
        spread[index] = min(spread[index], top - sizes[index] / 2)
        top = spread[index] - sizes[index] / 2
    return spread


def finish(figure: Figure, legends: list[list[Line2D]], note: str) -> None:
    """Add legends, one above the other, and a note below the panels; make the page taller."""
    width, height = figure.get_size_inches()
    note = "\n".join(textwrap.wrap(note, int(width * 17)))
    tops = [0.13 * (note.count("\n") + 1) + 0.07 if note else 0.03]
    legends_at = []
    for handles in reversed([handles for handles in legends if handles]):
        legend, legend_height = _legend(figure, handles)
        legends_at.append((legend, tops[-1]))
        tops.append(tops[-1] + legend_height + 0.04)
    height += tops[-1]
    _raise_panels(figure, tops[-1])
    for legend, bottom in legends_at:
        legend.set_bbox_to_anchor((0.5, bottom / height), transform=figure.transFigure)
    if note:
        figure.text(0.01, 0.04 / height, note, size=6.5, va="bottom", style="italic")


def _raise_panels(figure: Figure, room: float) -> None:
    """Make the figure taller by `room` inches, at its bottom."""
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
    """A legend with as few rows as the width allows, evenly filled; and its height in inches."""
    for per_row in range(len(handles), 0, -1):
        rows = -(-len(handles) // per_row)
        columns = -(-len(handles) // rows)
        options = {"loc": "lower center", "borderaxespad": 0, "borderpad": 0}
        legend = figure.legend(handles=_by_rows(handles, columns), ncols=columns, **options)
        box = legend.get_window_extent(figure.canvas.get_renderer())
        if box.width <= figure.bbox.width or per_row == 1:
            break
        legend.remove()
    return legend, box.height / figure.dpi


def _by_rows(handles: list[Line2D], columns: int) -> list[Line2D]:
    """Reorder handles so that a legend, which fills column by column, shows them row by row."""
    blanks = [Line2D([], [], linestyle="none", label=" ") for _ in range(-len(handles) % columns)]
    cells = handles + blanks
    return [cells[i] for column in range(columns) for i in range(column, len(cells), columns)]
