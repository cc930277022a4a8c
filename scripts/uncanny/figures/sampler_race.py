"""A race of samplers: metrics less their bias against network evaluations, and the fastest sampler
that is about as good as the best.
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.evaluation import standings
from uncanny.evaluation.jackknife import Jackknife
from uncanny.figures import _lines, _page, _points, captions, style, sweep
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.registry import components
from uncanny.registry.option_types import OpenFraction
from uncanny.samplers import nfe

NEEDS = "scores"
EPOCHS = "last"
RUNS = "all"

RING = {"marker": "o", "ms": 11, "mfc": "none", "mew": 1.1, "ls": "none", "zorder": 5}
SHOWN, ESTIMATED = "0.1", "0.55"  # colours of rings around the fastest sampler


def sampler_race(
    data: FigureData, panels: list, *, metric: str, margin: OpenFraction = 0.02
) -> tuple[Figure, pd.DataFrame]:
    """Metrics of all images at once, less their bias, against evaluations (logarithmic), one curve
    per series of samplers; dashed: samplers that add noise.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title, metric = the
    figure's}; samplers of one `series` are a curve. margin: a share. A black ring marks the sampler
    with the fewest evaluations that is shown to lose no more than the margin against every other
    one of its panel (`evaluation.standings`), a grey one that whose estimate is within the margin
    of the best estimate. Raises ValueError as `sweep` does.
    """
    data = less_bias(data)
    panels = [panel | {"series": series_of(data, panel)} for panel in panels]
    y_scale = y_scale_of(data, metric)
    plotted = in_order(sweep.tabulate(data, panels, metric, "nfe", y_scale), panels)
    plotted = with_standings(plotted, data, margin)
    with style.context():
        figure, axes = _page.canvas(len(panels))
        points = _with_dashes(sweep.with_looks(plotted, data), data)
        sweep.draw(axes, plotted, points, {metric: y_scale}, "nfe")
        for ax, (panel, _) in zip(axes, plotted.groupby("panel"), strict=True):
            _draw_rings(ax, points[points["panel"] == panel])
        _page.finish(figure, _lines.legends(points), _points.notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


# ---- Data -----------------------------------------------------------------------------------


def less_bias(data: FigureData) -> FigureData:
    """The data with values of all images at once, less their bias, where a metric has any."""
    table, is_split = data.table, data.table["corrected"].notna()
    corrected = {
        "value": table["corrected"].where(is_split, table["value"]),
        "se": table["corrected_se"].where(is_split, table["se"]),
        "freedom": table["corrected_freedom"].where(is_split, table["freedom"]),
        "splits": table["splits"].mask(is_split),
        "images_per_split": table["images_per_split"].mask(is_split),
    }
    references = {
        dataset: {control: list(map(_entry_less_bias, entries)) for control, entries in own.items()}
        for dataset, own in data.references.items()
    }
    return replace(data, table=table.assign(**corrected), references=references)


def _entry_less_bias(entry: Mapping) -> dict:
    if not entry.get("jackknife"):
        return dict(entry)
    whole = Jackknife(**entry["jackknife"])
    return (
        entry
        | {"value": whole.corrected, "se": whole.se}
        | dict.fromkeys(("splits", "images_per_split", "jackknife"))
    )


def series_of(data: FigureData, panel: Mapping) -> list[dict]:
    """Samplers of a panel by their series, in order; one without a series is its own."""
    series = {}
    for sampler in panel["samplers"]:
        own = data.samplers.get(sampler, {}).get("series")
        series.setdefault(own or data.label("samplers", sampler), []).append(sampler)
    return [{"label": label, "samplers": samplers} for label, samplers in series.items()]


def in_order(plotted: pd.DataFrame, panels: list) -> pd.DataFrame:
    """The plotted table by panel, series in the order of the block, and evaluations."""
    labels = [series["label"] for panel in panels for series in panel["series"]]
    rank = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    rows = plotted.assign(rank=plotted["series"].map(rank)).sort_values(["panel", "rank", "x"])
    return rows.drop(columns="rank").reset_index(drop=True)


def with_standings(plotted: pd.DataFrame, data: FigureData, margin: float) -> pd.DataFrame:
    """The plotted table with the standing of each point in its panel, and `fastest`: "shown",
    "estimated" or both.
    """
    plotted = plotted.assign(margin=margin, standing="", fastest="")
    scores = data.table.dropna(subset="score").groupby([*CURVE, "epoch", "metric"])["score"]
    scores = scores.agg(list)
    for _, rows in plotted[plotted["control"].isna()].groupby("panel"):
        keys = rows[[*CURVE, "epoch", "metric"]].itertuples(index=False, name=None)
        own = [scores.get(key) for key in keys]
        rows = rows[[entry is not None for entry in own]]
        sets = [entry for entry in own if entry is not None]
        if len(rows) < 2:
            continue
        rule = {"falling": is_falling(data, rows["metric"].iloc[0]), "margin": margin}
        standing = standings.standings(sets, **rule)
        plotted.loc[rows.index, "standing"] = standing
        shown = rows[[name == standings.WITHIN for name in standing]]
        near = rows[standings.near(rows["value"], **rule)]
        for how, chosen in (("shown", shown), ("estimated", near)):
            for at in chosen["x"].nsmallest(1).index:
                plotted.loc[at, "fastest"] = ", ".join(filter(None, [plotted["fastest"][at], how]))
    return plotted


def is_falling(data: FigureData, metric: str) -> bool:
    """Whether less of a metric is better."""
    kind = data.table.loc[data.table["metric"] == metric, "kind"].iloc[0]
    return kind in components.constant("metrics", kind, "FALLING")


# ---- Drawing --------------------------------------------------------------------------------


def y_scale_of(data: FigureData, metric: str) -> str:
    """ "log" where all values of a metric are above 0 and differ tenfold, else "linear"."""
    values = data.table.loc[data.table["metric"] == metric, "value"]
    return "log" if values.min() > 0 and values.max() > 10 * values.min() else "linear"


def _with_dashes(points: pd.DataFrame, data: FigureData) -> pd.DataFrame:
    """Points with LOOK, dashed where the sampler adds noise."""
    blocks = data.table.drop_duplicates(["model", "sampler"]).set_index(["model", "sampler"])
    parameters = blocks["params"].to_dict()
    dashes = [
        style.DASHES[1]
        if _adds_noise(parameters.get((row.model, row.sampler), {}))
        else style.SOLID
        for row in points.itertuples()
    ]
    return points.assign(linestyle=dashes)


def _adds_noise(parameters: Mapping) -> bool:
    block = parameters.get("sampler") or {}
    return "kind" in block and bool(nfe.is_stochastic(block))


def _draw_rings(ax: Axes, points: pd.DataFrame) -> None:
    for row in points[points["fastest"] != ""].itertuples():
        color = SHOWN if "shown" in row.fastest else ESTIMATED
        ax.plot([row.x], [row.value], mec=color, label="fastest", **RING)


# ---- Caption --------------------------------------------------------------------------------


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences, also from the CSV: axes; what the rings mean; the fastest of each panel,
    and how many samplers could not be decided on; measurement.
    """
    points = table[table["control"].isna() & table["value"].notna()]
    artists = {"band": "bands", "bar": "bars"}[_lines.errors_of(points, sweep.GROUP, "bar")]
    percent = f"{100 * points['margin'].iloc[0]:g} %"
    sentences = [
        f"{captions.joined(points['metric_label'])} of all images at once, less the bias, against "
        f"network evaluations per image, epoch {captions.span(points['epoch'])}; dashed lines: "
        "samplers that add noise",
        f"Black ring: the fewest evaluations shown to lose no more than {percent} against every "
        "other point of the panel (paired by image, 5 % one-sided, for these weights); grey ring: "
        f"the fewest whose estimate is within {percent} of the best estimate",
        *(_panel_facts(panel, rows) for panel, rows in points.groupby("panel")),
        f"Each point is {captions.measured(points)}",
        captions.bands(points, artists) + captions.references(table),
    ]
    return captions.with_note(sentences, _points.notes(table))


def _panel_facts(panel: str, rows: pd.DataFrame) -> str:
    """ "Panel a: fastest UniPC (8 evaluations, shown), not decided for 5 of 20"."""
    fastest = [
        f"{row.series} ({row.x:g} evaluations, {row.fastest})"
        for row in rows[rows["fastest"].fillna("") != ""].sort_values("x").itertuples()
    ]
    undecided = (rows["standing"] == standings.OPEN).sum()
    return (
        f"Panel {panel}: fastest {'; '.join(fastest) or 'none'}; not decided for {undecided} of "
        f"{len(rows)} points"
    )
