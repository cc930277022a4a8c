"""Page layout of a figure: panels, titles, labels at the margin, a legend and a note below."""

import itertools
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.figures.style import COLUMN_WIDTH, FULL_WIDTH

PANEL_HEIGHTS = {1: 2.6, 2: 2.35, 3: 2.1}  # inches, by panels in a row, with title and axis labels
LETTERS = 15  # of a title, in one inch
_COLUMNS = 2
_LINE = 0.058  # height of a line of a margin label, as a fraction of the axis


def page(width: float, height: float, layout: str | None = None) -> Figure:
    """A figure of a size in inches that does not depend on pyplot."""
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


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
    figure = page(width, rows * (height or PANEL_HEIGHTS[columns]), "constrained")
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
    figure = page(width, rows * row_height + _GUTTER)
    axes = []
    for row, column in itertools.product(range(rows), range(columns)):
        left = _GUTTER + column * (panel_width + _GUTTER)
        bottom = _GUTTER + (rows - 1 - row) * row_height
        box = np.array([left, bottom, panel_width, panel_width * height])
        axes.append(figure.add_axes(box / np.tile(figure.get_size_inches(), 2)))
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def lanes(count: int, height: float, width: float) -> tuple[Figure, list[Axes]]:
    """A full-width figure with `count` strips, one below the other.

    height, width: of one strip, in the same unit.
    """
    lane_height = (FULL_WIDTH - 2 * _GUTTER) * height / width
    figure = page(FULL_WIDTH, count * (lane_height + _GUTTER) + _GUTTER)
    size = np.tile(figure.get_size_inches(), 2)
    tops = [_GUTTER + i * (lane_height + _GUTTER) for i in reversed(range(count))]
    boxes = [np.array([_GUTTER, top, FULL_WIDTH - 2 * _GUTTER, lane_height]) / size for top in tops]
    return figure, [figure.add_axes(box) for box in boxes]


def set_panel_title(ax: Axes, letter: str, title: str) -> None:
    """Set a bold letter and a title, aligned left and wrapped at the panel's width."""
    bold = rf"$\mathbf{{{letter}}}$  " if letter else ""
    width = ax.get_position().width * ax.get_figure().get_size_inches()[0]
    wrapped = "\n".join(textwrap.wrap(title, int(width * LETTERS)))
    ax.set_title(bold + wrapped.replace("$", r"\$"), loc="left")


def margin_labels(ax: Axes, labels: list[tuple[float, str, str]], x: float = 1.0) -> None:
    """Write labels (value, text, colour) right of the axes, next to their values and without
    overlap.

    A value outside the axis has its label at the end of the axis, without a leader. x: where the
    labels start, as a fraction of the axis.
    """
    labels = sorted(labels, key=lambda label: label[0])
    to_axis = ax.transScale + ax.transLimits
    positions = [float(to_axis.transform((1, value))[1]) for value, _, _ in labels]
    clipped = [min(max(position, 0.0), 1.0) for position in positions]
    sizes = [_LINE * (text.count("\n") + 1) for _, text, _ in labels]
    for position, label_position, (_, text, color) in zip(
        positions, _spread(clipped, sizes), labels, strict=True
    ):
        text_style = {"transform": ax.transAxes, "va": "center", "linespacing": 1.0}
        ax.text(x + 0.045, label_position, text, color=color, size=6.5, **text_style)
        if 0 <= position <= 1:
            leader = {"transform": ax.transAxes, "color": color, "lw": 0.5, "clip_on": False}
            ax.add_line(Line2D([x, x + 0.035], [position, label_position], **leader))


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
    """Add a note and legends, one below the other, below the panels. The page that is saved grows
    by them.
    """
    width, height = figure.get_size_inches()
    lines, top = textwrap.wrap(note, int(width * 17)), -0.01
    if lines:
        figure.text(0.01, top, "\n".join(lines), size=6.5, va="top", style="italic")
        top -= (0.13 * len(lines) + 0.05) / height
    for handles in filter(None, legends):
        longest = max(len(handle.get_label()) for handle in handles)
        columns = max(1, min(len(handles), int(width * 17 / (longest + 8))))
        rows = -(-len(handles) // columns)
        columns = -(-len(handles) // rows)  # evenly filled
        options = {"loc": "upper center", "bbox_to_anchor": (0.5, top), "borderaxespad": 0}
        figure.legend(handles=_by_rows(handles, columns), ncols=columns, borderpad=0, **options)
        top -= (0.155 * rows + 0.05) / height


def _by_rows(handles: list[Line2D], columns: int) -> list[Line2D]:
    """Reorder handles so that a legend, which fills column by column, shows them row by row."""
    blanks = [Line2D([], [], linestyle="", label=" ") for _ in range(-len(handles) % columns)]
    cells = handles + blanks
    return [cells[i] for column in range(columns) for i in range(column, len(cells), columns)]
