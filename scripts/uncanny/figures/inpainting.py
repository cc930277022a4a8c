"""Inpainting: original, masked and inpainted images, and the error of the removed pixels."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.evaluation import summaries
from uncanny.evaluation.contrasts import half_width
from uncanny.figures import _images, _lines, _page, captions, style
from uncanny.figures.figure_data import FigureData
from uncanny.registry.option_types import SmallInt
from uncanny.runtime.result_paths import Cell

NEEDS = ("scores", "samples")
EPOCHS = "last"
RUNS = "all"

POINTS = 1.0  # inches, height of the panels with points
OTHER = "another image"  # the baseline
REMOVED = 128  # grey level in which removed pixels are shown


def inpainting(
    data: FigureData, panels: list, *, metric: str, columns: SmallInt = 12
) -> tuple[Figure, pd.DataFrame]:
    """The first `columns` images of a sample set: original, masked, and inpainted by every model of
    the panel; below, the error of the removed pixels, and the metric of the whole images.

    panels: one, {models, samplers, guidances} with one sampler and one guidance, of inpainting. The
    error is the root mean square difference over all removed pixels of a sample set, in grey levels
    of 255; as a baseline, removed pixels are taken from the next original. Raises ValueError for
    several panels, and for cells without originals.
    """
    cells = _cells(data, panels)
    errors = pd.concat([_errors(data, cell) for cell in cells], ignore_index=True)
    parts = [_summarise(data, errors), _scored(data, panels[0], metric)]
    summary = pd.concat(parts, ignore_index=True)
    order = sorted(cells, key=lambda c: (panels[0]["models"].index(c.model), c.seed, c.draw))
    first = list({cell.model: cell for cell in reversed(order)}.values())[::-1]
    images, rows = _strip(data, first, columns)
    with style.context():
        strip_height = 0.82 * style.FULL_WIDTH * (rows["row"].max() + 1) / columns + 0.25
        figure, ((strip,), lower) = _page.rows([1, 2], [strip_height, POINTS])
        _draw_strip(strip, images, rows)
        looks = _lines.with_looks(summary, data)
        for ax, (letter, points) in zip(lower, looks.groupby("panel"), strict=True):
            _lines.draw_rows(ax, points, points["label"])
            _page.set_panel_title(ax, letter, points["panel_title"].iloc[0])
        _page.finish(figure, [], "")
    table = pd.concat([rows, errors.assign(role="draw"), summary], ignore_index=True)
    table = table.assign(diverged=0)
    return figure, captions.with_facts(table, facts(table))


def _cells(data: FigureData, panels: list) -> list[Cell]:
    names = [panels[0][key] for key in ("models", "samplers")]
    guidances = panels[0].get("guidances", ["none"])
    if len(panels) > 1 or len(names[1]) > 1 or len(guidances) > 1:
        raise ValueError("figure: expected one panel with one sampler and one guidance")
    cells = [c for c in data.images if c.sampler == names[1][0] and c.guidance == guidances[0]]
    cells = sorted(c for c in cells if c.model in names[0] and len(data.images[c]))
    if missing := [c for c in cells if c not in data.inpainted]:
        raise ValueError(f"figure: no originals of the inpainted images of {missing[0]}")
    if missing := set(names[0]) - {c.model for c in cells}:
        raise ValueError(f"figure is empty: no images of {', '.join(sorted(missing))}")
    return cells


def _errors(data: FigureData, cell: Cell) -> pd.DataFrame:
    """Root mean square errors over the removed pixels of one sample set: of the inpainted images,
    and of those of another original.
    """
    original, known = (data.inpainted[cell][name] for name in ("originals", "known"))
    real = original.astype(float)
    # An image of the right law that ignores the known pixels, as a model's sample of the removed
    # ones must not. (The mean image would have a smaller error than any sample of the right law.)
    fillings = {"inpainted": data.images[cell].astype(float), OTHER: np.roll(real, 1, axis=0)}
    rows = [
        {"filling": name, "value": np.sqrt(np.square(filled - real)[~known].mean())}
        for name, filled in fillings.items()
    ]
    share = float((~known).mean())
    return pd.DataFrame(rows).assign(**vars(cell), n=len(real), removed=share, metric="rmse")


def _summarise(data: FigureData, errors: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error over sample sets for each model, and for the baseline once."""
    model = errors["model"].where(errors["filling"] != OTHER, "")
    table = errors.groupby(model, sort=False)["value"].agg(value="mean", se="sem", count="count")
    half = half_width(table["se"], table.pop("count") - 1)
    table = table.assign(lower=table["value"] - half, upper=table["value"] + half).reset_index()
    table = table.sort_values("model", key=lambda names: names == "", kind="stable")
    labels = [data.label("models", name) if name else OTHER for name in table["model"]]
    facts = {"role": "error", "panel": "b", "panel_title": "error of the removed pixels"}
    return table.assign(**facts, metric="rmse", label=labels, status="ok")


def _scored(data: FigureData, panel: dict, metric: str) -> pd.DataFrame:
    """The metric of the same models."""
    scores = summaries.summarise(data.table[data.table["metric"] == metric])
    scores = scores[scores["model"].isin(panel["models"])]
    title = f"{data.metric_label(metric)} of the whole images"
    facts = {"role": "score", "panel": "c", "panel_title": title}
    labels = [data.label("models", model) for model in scores["model"]]
    return scores.assign(**facts, label=labels)


def _strip(data: FigureData, cells: list[Cell], columns: int) -> tuple[list, pd.DataFrame]:
    """Images of the first sample set, row by row, and their rows of the table."""
    inputs = data.inpainted[cells[0]]
    original, known = inputs["originals"][:columns], inputs["known"][:columns]
    masked = np.where(known, original, REMOVED).astype(np.uint8)
    rows = [("original", original), ("masked", masked)]
    rows += [(data.label("models", cell.model), data.images[cell][:columns]) for cell in cells]
    images = [image for _, row in rows for image in row]
    table = [
        {"role": "image", "label": label, "row": number, "column": column, "index": column}
        | _images.describe(image)
        for number, (label, row) in enumerate(rows)
        for column, image in enumerate(row)
    ]
    return images, pd.DataFrame(table).assign(panel="a", panel_title="", status="ok")


def _draw_strip(ax: Axes, images: list, table: pd.DataFrame) -> None:
    _images.draw(ax, images, table, (table["column"].max() + 1, table["row"].max() + 1))
    for row in table[table["column"] == 0].itertuples():
        ax.text(-0.15, row.row + 0.5, row.label, ha="right", va="center", size=7.5)
    _page.set_panel_title(ax, "a", "")


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on images, masks and errors; also from the CSV."""
    images, sets = table[table["role"] == "image"], table[table["role"] == "draw"]
    count = captions.counted(f"{sets['draw'].nunique()}", "sampling seed")
    return [
        f"Panel a: the first {images['index'].max() + 1:.0f} test images, none chosen; the same "
        f"with {100 * sets['removed'].mean():.0f} % of the pixels removed (grey); and as each "
        "model fills these pixels, from the same noise",
        "Panel b: root mean square difference between removed and filled pixels, of 255 grey "
        "levels; as a baseline, "
        "they are filled with those of another test image, which ignores the known pixels",
        "Panel c: the images as a whole",
        f"Means over {count} with {captions.span(sets['n'])} images each; bars are 95 % intervals",
    ]
