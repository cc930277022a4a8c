"""What the figures of experiments share: layout, colours of schedules, lines, intervals, axes."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from uncanny.figures import _lines, _page, palette, style
from uncanny.figures import panels as naming

SCHEDULES = ("exponential", "polynomial", "derived")
COLORS = {n: palette.HUES[h] for n, h in zip(SCHEDULES, ("blue", "orange", "green"), strict=True)}
MARKERS = dict(zip(SCHEDULES, "os^", strict=True))
SOLVERS = {"sde": "reverse SDE", "heun": "Heun", "euler": "Euler"}
METRICS = {"kl": "marginal KL", "path_kl": "path KL", "w2": "W2"}


def select(rows: pd.DataFrame, **conditions) -> pd.DataFrame:
    """Rows with a value in each column, or one of several in a list; none if a column is missing.

    Raises ValueError that lists the conditions if there are no such rows.
    """
    for column, value in conditions.items():
        values = value if isinstance(value, list | tuple) else [value]
        rows = rows[rows[column].isin(values)] if column in rows else rows[:0]
    if rows.empty:
        text = ", ".join(f"{key} {value!r}" for key, value in conditions.items())
        raise ValueError(f"figure is empty: its experiments have no rows with {text}")
    return rows


def panel_table(panels: list[tuple[str, pd.DataFrame]], columns: list[str]) -> pd.DataFrame:
    """One table of (title, rows) of panels, which get letters in their order."""
    tables = [
        rows.assign(panel=naming.letter(i), panel_title=title, diverged=0)
        for i, (title, rows) in enumerate(panels)
    ]
    return pd.concat(tables, ignore_index=True).reindex(columns=columns)


def mosaic(counts: list[int], heights: list[float]) -> tuple[Figure, list[Axes]]:
    """A full-width figure with `counts` panels in its rows, of `heights` in inches."""
    figure = _page.page(style.FULL_WIDTH, sum(heights), "constrained")
    rows = figure.add_gridspec(len(counts), 1, height_ratios=heights)
    cells = [
        cell for row, count in zip(rows, counts, strict=True) for cell in row.subgridspec(1, count)
    ]
    return figure, [figure.add_subplot(cell) for cell in cells]


def draw_panels(axes: list[Axes], plotted: pd.DataFrame, draw) -> None:
    """draw(ax, rows) and the title of every panel, a letter per axes."""
    order = sorted(plotted["panel"].unique(), key=lambda letter: (len(letter), letter))
    for ax, letter in zip(axes, order, strict=True):
        rows = plotted[plotted["panel"] == letter]
        draw(ax, rows)
        _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])


def draw_lines(ax: Axes, rows: pd.DataFrame, x: str, hue: str, colors: dict, **options) -> None:
    """A line per value of column `hue`, with a band from lower to upper where these are known."""
    shown = rows[rows[hue].isin(list(colors))]
    own = {"estimator": None, "legend": False, "markersize": 4, "markeredgewidth": 0.4}
    order = [name for name in colors if name in set(shown[hue])]
    names = {"hue": hue, "hue_order": order, "palette": {name: colors[name] for name in order}}
    sns.lineplot(shown, x=x, y="value", ax=ax, **names, **(own | options))
    has_bands = "lower" in shown
    for name, curve in shown.sort_values(x).groupby(hue, sort=False) if has_bands else ():
        bounds = curve[["lower", "upper"]].to_numpy(float).T
        ax.fill_between(curve[x], *bounds, color=colors[name], alpha=0.16, lw=0)


def draw_schedules(ax: Axes, rows: pd.DataFrame, x: str, **options) -> None:
    """A line per schedule."""
    looks = {"style": "schedule", "markers": MARKERS, "dashes": False}
    draw_lines(ax, rows, x, "schedule", COLORS, **looks, **options)


def draw_intervals(ax: Axes, rows: pd.DataFrame, labels: list[str], colors: list[str]) -> None:
    """A labelled row for each value with its interval, and a line at 1; a triangle is a bound."""
    for y, (row, color) in enumerate(zip(rows.itertuples(), colors, strict=True)):
        marker = ">" if row.status == "at least" else "o"
        ax.plot([row.lower, row.upper], [y, y], color=color, lw=1.4)
        ax.plot([row.value], [y], marker, color=color, ms=5, mew=0.5, mec="white")
    ax.axvline(1, color="0.35", lw=0.8)
    ax.set_yticks(range(len(rows)), labels)
    ax.set(ylim=(len(rows) - 0.4, -0.6), xscale="log")
    ax.grid(visible=False, axis="y")
    low, high = ax.get_xlim()
    subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 20 * low else (1.0, 3.0)
    ax.xaxis.set(
        major_locator=LogLocator(subs=subs) if high > 1.6 * low else MaxNLocator(4),
        major_formatter=StrMethodFormatter("{x:g}"),
        minor_locator=NullLocator(),
    )


def set_updates(ax: Axes, steps: pd.Series) -> None:
    """Set a logarithmic x axis of updates that includes 0."""
    smallest, has_start = steps[steps > 0].min(), bool((steps == 0).any())
    ax.set_xscale("symlog", linthresh=smallest, linscale=0.4)
    ax.set_xlim(-0.25 * smallest if has_start else 0.8 * smallest, 1.3 * steps.max())
    ax.set_xlabel("Updates of the network")
    gap = 0.36 / (ax.get_position().width * style.FULL_WIDTH)
    labelled = _lines.spaced(ax, steps[steps > 0], gap)
    _lines.number_ticks(ax, labelled, {0.0: "0"} if has_start else {})


def set_log(ax: Axes, rows: pd.DataFrame) -> None:
    """Set a logarithmic y axis that shows all values and bands."""
    values = rows.reindex(columns=["value", "lower", "upper"]).stack().dropna()
    _lines.set_y(ax, (values.min() / 1.2, values.max() * 1.2), "log")


def name_sides(ax: Axes) -> None:
    """Name the better schedule above and below 0, in its colour."""
    ax.axhline(0, color="0.35", lw=0.8, zorder=1.5)
    low, high = ax.get_ylim()
    margin = 0.16 * (high - low)
    ax.set_ylim(min(low, -margin), max(high, margin) + 0.5 * margin)
    text = {"transform": ax.transAxes, "size": 6.5}  # lines fall from above 0 to below it
    above, below = {"va": "top", "ha": "right"}, {"va": "bottom", "ha": "left"}
    ax.text(0.985, 0.975, "polynomial better", color=COLORS["polynomial"], **above, **text)
    ax.text(0.015, 0.025, "exponential better", color=COLORS["exponential"], **below, **text)


def schedule_legend(names) -> list[Line2D]:
    look = {"markeredgecolor": "white", "markeredgewidth": 0.4, "markersize": 4.5}
    shown = [name for name in SCHEDULES if name in set(names)]
    return [
        Line2D([], [], color=COLORS[n], marker=MARKERS[n], **look, label=f"{n} schedule")
        for n in shown
    ]
