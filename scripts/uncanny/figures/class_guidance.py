"""Guidance towards classes: images by requested class, and a metric against the scale."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _images, _lines, _page, _points, captions, style, sweep
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import SmallInt

NEEDS = ("scores", "samples")
EPOCHS = "last"
RUNS = "all"

CURVES = 2.4  # inches, height of the panels with curves
TITLE = 0.3
LABELS = 0.75  # height of the class labels above a grid, in images


def class_guidance(
    data: FigureData,
    panels: list,
    *,
    metric: str,
    shown: list[str],
    per_class: SmallInt = 6,
    y_scale: Literal["linear", "log"] = "linear",
) -> tuple[Figure, pd.DataFrame]:
    """For each guidance in `shown` ("none" is no guidance), the first images of each requested
    class, a column per class; then, for each of `panels` (see `sweep`), a metric against the
    guidance scale.

    Images are of the first panel's first model and sampler, with the first training and sampling
    seed, at the last epoch. Raises ValueError for a guidance in `shown` without images.
    """
    grids = [_grid(data, panels[0], name, i, per_class) for i, name in enumerate(shown)]
    images = pd.concat([table for _, table in grids], ignore_index=True)
    plotted = sweep.tabulate(data, panels, metric, "scale", y_scale)
    letters = {naming.letter(i): naming.letter(len(shown) + i) for i in range(len(panels))}
    plotted["panel"] = plotted["panel"].map(letters)
    with style.context():
        classes = int(images["label"].max()) + 1
        grid_height = style.FULL_WIDTH / len(shown) * (per_class + LABELS) / classes + TITLE
        heights = [grid_height, CURVES]
        figure, (upper, lower) = _page.rows([len(shown), len(panels)], heights)
        for ax, (pictures, table) in zip(upper, grids, strict=True):
            _draw_grid(ax, pictures, table, (classes, per_class))
        points = sweep.with_looks(plotted, data)
        sweep.draw(lower, plotted, points, {metric: y_scale}, "scale")
        _page.finish(figure, _lines.legends(points), _points.notes(plotted))
    table = pd.concat([images, plotted], ignore_index=True)
    return figure, captions.with_facts(table, facts(table))


def _grid(data: FigureData, panel: dict, guidance: str, index: int, per_class: int) -> tuple:
    """The first images of each class in one cell, and their rows of the table."""
    curve = {"model": panel["models"][0], "sampler": panel["samplers"][0], "guidance": guidance}
    lists = {f"{name}s": [value] for name, value in curve.items()}
    (cell,) = naming.cells_of(lists, data.images)
    if not len(data.images.get(cell, ())):
        raise ValueError(f"figure is empty: no images of {data.curve_label(**curve)}")
    table = pd.DataFrame({"index": range(len(data.images[cell])), "label": data.labels[cell]})
    table["row"] = table.groupby("label").cumcount()
    table = table[table["row"] < per_class].sort_values(["row", "label"])
    pictures = data.images[cell][table["index"]]
    descriptions = pd.DataFrame([_images.describe(image) for image in pictures])
    facts = {"panel": naming.letter(index), "panel_title": data.guidance_label(guidance)}
    facts |= {"curve": data.curve_label(**curve), "role": "sample", "diverged": 0, "status": "ok"}
    table = table.reset_index(drop=True).join(descriptions)
    return pictures, table.assign(**facts, **vars(cell), n=len(data.images[cell]))


def _draw_grid(ax: Axes, pictures, table: pd.DataFrame, shape: tuple[int, int]) -> None:
    columns, rows = shape
    _images.draw(ax, pictures, table.assign(column=table["label"]), shape)
    ax.set_ylim(rows, -LABELS)
    for label in range(columns):
        ax.text(label + 0.5, -0.1, str(label), size=7, ha="center", va="bottom")
    _page.set_panel_title(ax, table["panel"].iloc[0], table["panel_title"].iloc[0])


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the images and on the points; also from the CSV."""
    samples, rest = table[table["role"] == "sample"], table[table["role"] != "sample"]
    points = rest[rest["control"].isna() & rest["value"].notna()]
    first, note = samples.iloc[0], _points.notes(rest)
    zero = sweep.unguided(points) if sweep.is_free(points) else ""
    sentences = [
        f"Images of {first['curve'].split(' · ')[0]}, epoch {first['epoch']:.0f}: a column per "
        f"requested class, whose number is above it, with its first {samples['row'].max() + 1:.0f} "
        f"of {first['n']:.0f} images, none chosen; the same noise at the start with every guidance",
        f"Each point is {captions.measured(points)}{zero}",
        captions.bands(points) + captions.references(rest),
    ]
    return captions.with_note(sentences, note)
