"""Page layout of a figure: panels, titles, labels at the margin, a legend and a note below."""

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uncanny.figures.style import COLUMN_WIDTH, FULL_WIDTH

PANEL_HEIGHTS = {1: 2.6, 2: 2.35, 3: 2.1}  # inches, by panels in a row, with title and axis labels
LETTERS = 15  # of a title, in one inch
_LINE = 0.058  # height of a line of a margin label, as a fraction of the axis


def canvas(
    count: int,
    *,
    columns: int = 2,
    height: float | None = None,
    width: float | None = None,
    layout: str = "constrained",
    **sharing,
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in rows of `columns`.

    height: of a row in inches; None: PANEL_HEIGHTS. width: of the page; None: that of a text column
    for one panel, of both columns for more. layout, sharing: as of Figure and of its subplots.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    width = width or (COLUMN_WIDTH if count == 1 else FULL_WIDTH)
    figure = Figure(figsize=(width, rows * (height or PANEL_HEIGHTS[columns])), layout=layout)
    axes = list(figure.subplots(rows, columns, squeeze=False, **sharing).flat)
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def image_canvas(
    count: int, columns: int, shape: float, *, width: float | None = None, titles: float = 0.6
) -> tuple[Figure, list[Axes]]:
    """A figure with panels of images, as close as their titles allow.

    shape: height of a panel in units of its width. width: as of `canvas`. titles: inches for the
    title of a panel; what is left over is cut off.
    """
    height = shape * (width or (COLUMN_WIDTH if count == 1 else FULL_WIDTH)) / columns
    size = {"height": height + titles, "width": width, "layout": "compressed"}
    return canvas(count, columns=columns, **size)


def rows(counts: list[int], heights: list[float]) -> tuple[Figure, list[list[Axes]]]:
    """A full-width figure with `counts` panels in its rows, of `heights` in inches."""
    figure = Figure(figsize=(FULL_WIDTH, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(counts), 1, height_ratios=heights)
    return figure, [
        list(row.subgridspec(1, count).subplots(squeeze=False).flat)
        for row, count in zip(grid, counts, strict=True)
    ]


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
    look = {"xycoords": "axes fraction", "size": 6.5, "va": "center", "linespacing": 1.0}
    for at, shown_at, (_, text, color) in zip(
        positions, _spread(clipped, sizes), labels, strict=True
    ):
        line = {"arrowstyle": "-", "color": color, "lw": 0.5, "shrinkA": 0, "shrinkB": 0}
        leader = {**line, "relpos": (0, 0.5)} if 0 <= at <= 1 else None
        ax.annotate(text, (x, at), (x + 0.045, shown_at), color=color, arrowprops=leader, **look)


def _spread(positions: list[float], sizes: list[float]) -> list[float]:
    """Move label centres, in rising order, apart: up from the bottom, then down from the top,
    until none overlap.
    """
    spread = list(positions)
    for i in range(1, len(spread)):
        spread[i] = max(spread[i], spread[i - 1] + (sizes[i - 1] + sizes[i]) / 2)
    top = 1.0  # above is the panel's title
    for i in reversed(range(len(spread))):
        spread[i] = min(spread[i], top - sizes[i] / 2)
        top = spread[i] - sizes[i] / 2
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
    blanks = [Line2D([], [], linestyle="", label=" ")] * (-len(handles) % columns)
    cells = handles + blanks
    return [cell for column in range(columns) for cell in cells[column::columns]]
