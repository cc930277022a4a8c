"""Verdicts on claims as a forest plot: estimate, 95 % interval and margin of each claim."""

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from uncanny.figures import captions, palette, style
from uncanny.figures.figure_data import FigureData

NEEDS = "claims"
EPOCHS = "last"
RUNS = "first"

RELATIVE = "%"  # estimates in this unit share the axis, those in other units are texts
UNTESTABLE = "not testable"
MINUS = "\N{MINUS SIGN}"
CORE = 5.0  # per cent: the axis is linear up to here, and logarithmic from here on
# Largest end of the axis → ticks above 0, far enough apart for their numbers.
TICKS = {20: (1, 2, 5, 10), 120: (2, 5, 20, 50, 100), 1200: (5, 20, 100, 500)}
TICKS |= {float("inf"): (5, 100, 10_000)}
LINE, GAP = 0.115, 0.1  # inches: a line of text, and the space between claims
WIDE, REASON = 54, 68  # letters in a line of a claim, and of the reason why it is not testable
NARROW = 28  # letters in a line of numbers
LINES = 3  # of each; what is longer ends in dots
LEFT, RIGHT = 0.47, 0.8  # ends of the axis as shares of the figure's width
AXIS = 0.5  # inches: ticks and label of the axis
COLUMNS = [
    *["claim", "statement", "verdict", "part", "value", "lower", "upper", "unit", "margin"],
    *["includes", "limit", "diverged"],
]


class Look(NamedTuple):
    """Colour, marker and filling of a verdict."""

    color: str
    marker: str
    is_filled: bool


# In the order of groups, from top to bottom.
LOOKS = {
    "supported": Look(palette.HUES["green"], "o", True),
    "refuted": Look(palette.HUES["vermilion"], "X", True),
    "not reproduced at this scale": Look(palette.HUES["vermilion"], "v", False),
    "inconclusive": Look(palette.HUES["orange"], "s", True),
    "cannot decide": Look(palette.HUES["orange"], "D", False),
    "by construction": Look(palette.HUES["blue"], "P", True),
    UNTESTABLE: Look("0.4", "o", False),
}


def claims(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """One row per claim, grouped by verdict: estimate with its 95 % interval, on the axis where it
    is in %, else as text; grey: the margin of equality, or of the smallest effect. Below the axis,
    claims that are not testable and why.

    data.claims: claim → its entry in the JSON of the scorecard. panels: none. Raises ValueError for
    a verdict that is not one of LOOKS, and for a scorecard without claims.
    """
    plotted = _rows(data.claims)
    is_testable = plotted["verdict"] != UNTESTABLE
    tested, rest = _positions(plotted[is_testable]), _positions(plotted[~is_testable])
    heights = [tested.height + AXIS if is_testable.any() else 0.0, rest.height]
    with style.context():
        figure = Figure(figsize=(style.FULL_WIDTH, sum(heights)))
        if is_testable.any():
            _draw_tested(_axes(figure, 0.0, tested.height), plotted[is_testable], tested)
        if not is_testable.all():
            _draw_rest(_axes(figure, heights[0], rest.height), plotted[~is_testable], rest)
    return figure, captions.with_facts(plotted, facts(plotted))


def _rows(entries: Mapping[str, Mapping]) -> pd.DataFrame:
    """One row per claim in the order of the figure."""
    if not entries:
        raise ValueError("figure: the scorecard has no claims; expected at least one")
    table = pd.DataFrame([_row(name, entry) for name, entry in entries.items()], columns=COLUMNS)
    if unknown := set(table["verdict"]) - LOOKS.keys():
        raise ValueError(f"figure: verdict {min(unknown)!r}; expected one of {', '.join(LOOKS)}")
    numbers = ["value", "lower", "upper", "margin"]
    order = table["verdict"].map(list(LOOKS).index)
    table = table.assign(order=order).sort_values("order", kind="stable", ignore_index=True)
    return table.drop(columns="order").astype(dict.fromkeys(numbers, float))


def _row(name: str, entry: Mapping) -> dict:
    finding = entry["finding"]
    row = {"claim": name, "statement": entry["statement"], "part": entry["decides"]}
    row |= {"value": finding["estimate"], "lower": finding["low"], "upper": finding["high"]}
    row |= {key: finding[key] for key in ("verdict", "unit", "margin", "limit")}
    return row | {"includes": finding["scope"], "diverged": 0.0}


# ---- Rows of text ------------------------------------------------------------------------------


class Positions(NamedTuple):
    """Middles of claims and of the headings of verdicts, in inches from the top, and the height."""

    middle: dict[str, float]
    height: float


def _positions(rows: pd.DataFrame) -> Positions:
    middle, top = {}, 0.0
    for verdict, group in rows.groupby("verdict", sort=False):
        middle[verdict] = top + LINE
        top += 2 * LINE
        for row in group.itertuples():
            height = (
                LINE * max(len(_claim(row)), len(_reason(row)), _numbers(row).count("\n") + 1) + GAP
            )
            middle[row.claim], top = top + height / 2, top + height
    return Positions(middle, top)


def _claim(row: NamedTuple) -> list[str]:
    return _wrapped(row.statement, WIDE)


def _reason(row: NamedTuple) -> list[str]:
    return _wrapped(row.limit, REASON) if row.verdict == UNTESTABLE else []


def _wrapped(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, letters, max_lines=LINES, placeholder=" …")


def _axes(figure: Figure, top: float, height: float) -> Axes:
    """Axes whose y coordinate is in inches from their top; top: from that of the figure."""
    whole = figure.get_size_inches()[1]
    ax = figure.add_axes((LEFT, 1 - (top + height) / whole, RIGHT - LEFT, height / whole))
    ax.set(ylim=(height, 0), yticks=[])
    return ax


def _write_claims(ax: Axes, rows: pd.DataFrame, positions: Positions) -> None:
    """Headings of verdicts and texts of claims, left of the axes."""
    width = RIGHT - LEFT
    name, statement = -LEFT / width, (0.055 - LEFT) / width
    for verdict, count in rows["verdict"].value_counts(sort=False).items():
        heading = {"weight": "bold", "color": LOOKS[verdict].color}
        ax.text(name, positions.middle[verdict], f"{verdict}: {count}", **_text(ax) | heading)
    for row in rows.itertuples():
        y = positions.middle[row.claim]
        ax.text(name, y, row.claim, **_text(ax))
        ax.text(statement, y, "\n".join(_claim(row)), **_text(ax))


def _text(ax: Axes) -> dict:
    return {"size": 6.5, "va": "center", "transform": ax.get_yaxis_transform(), "linespacing": 1.15}


# ---- Drawing -----------------------------------------------------------------------------------


def _draw_rest(ax: Axes, rows: pd.DataFrame, positions: Positions) -> None:
    """Claims that are not testable, and why."""
    _write_claims(ax, rows, positions)
    for row in rows.itertuples():
        y = positions.middle[row.claim]
        ax.text(0, y, "\n".join(_reason(row)), **_text(ax) | {"color": "0.35"})
    ax.set_axis_off()


def _draw_tested(ax: Axes, rows: pd.DataFrame, positions: Positions) -> None:
    _write_claims(ax, rows, positions)
    on_axis = rows[(rows["unit"] == RELATIVE) & rows["value"].notna()]
    _set_axis(ax, on_axis)
    for row in rows.itertuples():
        y = positions.middle[row.claim]
        ax.text(1.03, y, _numbers(row), **_text(ax))
        if row.Index in on_axis.index:
            _draw_estimate(ax, row, y)


def _set_axis(ax: Axes, rows: pd.DataFrame) -> None:
    ends = rows[["value", "lower", "upper", "margin"]].abs().max().max()
    end = 1.2 * max(ends if np.isfinite(ends) else 0, CORE)
    ax.set_xscale("symlog", linthresh=CORE, linscale=0.6)
    ax.set(xlim=(-end, end), xlabel="Estimate (% of what it is compared with)")
    above = next(ticks for last, ticks in TICKS.items() if end <= last)
    ticks = [tick for tick in (*(-tick for tick in above), 0, *above) if abs(tick) < end]
    ax.set_xticks(ticks, [f"{tick:g}".replace("-", MINUS) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.axvline(0, color="0.5", lw=0.7, zorder=1)


def _draw_estimate(ax: Axes, row: NamedTuple, y: float) -> None:
    look = LOOKS[row.verdict]
    if np.isfinite(row.margin):
        ax.plot([-row.margin, row.margin], [y, y], color="0.85", lw=6, solid_capstyle="butt")
    if np.isfinite(row.lower) and np.isfinite(row.upper):
        ax.plot([row.lower, row.upper], [y, y], color=look.color, lw=1.1)
    face = look.color if look.is_filled else "white"
    point = {"marker": look.marker, "ms": style.MARKERS[look.marker], "mfc": face, "ls": ""}
    ax.plot([row.value], [y], color=look.color, mew=0.8, label=row.claim, **point)


def _numbers(row: NamedTuple) -> str:
    """Estimate and interval as text; nothing where nothing was estimated."""
    if not np.isfinite(row.value):
        return ""
    text = f"{_number(row.value)} {row.unit}".rstrip()
    if not (np.isfinite(row.lower) and np.isfinite(row.upper)):
        return "\n".join(textwrap.wrap(text, NARROW))
    interval = f"({_number(row.lower)} to {_number(row.upper)})"
    if len(text) + len(interval) < NARROW:
        return f"{text} {interval}"
    return "\n".join([*textwrap.wrap(text, NARROW), interval])


def _number(value: float) -> str:
    text = captions.rounded(value, 2) if abs(value) < 100 else f"{value:.0f}"
    return text.replace("-", MINUS)


# ---- Caption -----------------------------------------------------------------------------------


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences: counts, what is shown, intervals; also from the CSV."""
    counts = table["verdict"].value_counts(sort=False)
    about = "; ".join(f"{n} {verdict}" for verdict, n in counts.items())
    sentences = [
        f"{len(table)} claims: {about}",
        "Points: estimates of the parts that decide, in % of what is compared with; lines: their "
        "two-sided 95 % intervals, each for one claim; grey: the margin within which a difference "
        "counts as none. Right: the same numbers, and estimates in other units",
    ]
    scopes = table.loc[table["includes"].fillna("") != "", "includes"].value_counts(sort=False)
    if len(scopes):
        listed = "; ".join(f"{scope} ({n})" for scope, n in scopes.items())
        sentences.append(f"Beyond finite numbers of images, intervals include: {listed}")
    return sentences
