"""Inpainting: original, masked and inpainted images, and the error of the removed pixels."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from uncanny.evaluation import score_records
from uncanny.figures import _images, _page, captions, style
from uncanny.figures import panels as naming
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
    summary = pd.concat([_summarise(data, errors), _scored(data, panels[0], metric)])
    first = [min((c for c in cells if c.model == m), key=lambda c: (c.seed, c.draw))
             for m in panels[0]["models"]]  # fmt: skip
    images, rows = _strip(data, first, columns)
    with style.context():
        figure, strip, lower = _canvas(columns, rows["row"].max() + 1)
        _draw_strip(strip, images, rows)
        for ax, (letter, points) in zip(lower, summary.groupby("panel"), strict=True):
            _draw_points(ax, points, data, letter)
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
    rows = []
    of_models = [
        (model, errors[(errors["model"] == model) & (errors["filling"] == "inpainted")])
        for model in errors["model"].unique()
    ]
    for model, selected in [*of_models, ("", errors[errors["filling"] == OTHER])]:
        value, count = selected["value"], len(selected)
        se = value.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        label = data.label("models", model) if model else OTHER
        rows.append({"model": model, "label": label, "value": value.mean(), "se": se})
    title = "error of the removed pixels"
    facts = {"role": "error", "panel": "b", "panel_title": title, "metric": "rmse"}
    return pd.DataFrame(rows).assign(**facts, status="ok")


def _scored(data: FigureData, panel: dict, metric: str) -> pd.DataFrame:
    """The metric of the same models."""
    scores = score_records.summarise(data.table[data.table["metric"] == metric])
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
    return images, pd.DataFrame(table).assign(panel=naming.letter(0), panel_title="", status="ok")


def _canvas(columns: int, rows: int) -> tuple[Figure, Axes, list[Axes]]:
    strip = 0.82 * style.FULL_WIDTH * rows / columns + 0.25
    size = (style.FULL_WIDTH, strip + POINTS)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    page = figure.add_gridspec(2, 2, height_ratios=[strip, POINTS])
    return figure, figure.add_subplot(page[0, :]), [figure.add_subplot(page[1, i]) for i in (0, 1)]


def _draw_strip(ax: Axes, images: list, table: pd.DataFrame) -> None:
    _images.frame(ax, table["column"].max() + 1, table["row"].max() + 1)
    for image, row in zip(images, table.itertuples(), strict=True):
        _images.draw_image(ax, image, row.column, row.row)
    for row in table[table["column"] == 0].itertuples():
        ax.text(-0.15, row.row + 0.5, row.label, ha="right", va="center", size=7.5)
    _page.set_panel_title(ax, table["panel"].iloc[0], "")


def _draw_points(ax: Axes, points: pd.DataFrame, data: FigureData, letter: str) -> None:
    """Draw a dot with an error bar for each model, from the top down."""
    looks = style.model_styles(data.models)
    grey = style.ModelStyle("", "0.5", "o")
    for y, row in enumerate(points.itertuples()):
        look = style.line_look(looks.get(row.model, grey), style.SOLID)
        half_width = captions.HALF_BAND * row.se
        ax.plot(
            [row.value - half_width, row.value + half_width], [y, y], color=look["color"], lw=1.0
        )
        ax.plot([row.value], [y], **look | {"linestyle": ""}, label=row.label)
    ax.set_yticks(range(len(points)), list(points["label"]))
    ax.set_ylim(len(points) - 0.5, -0.5)
    _page.set_panel_title(ax, letter, points["panel_title"].iloc[0])


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
        f"Means over {count} with {captions.span(sets['n'])} images each; bars are "
        f"±{captions.HALF_BAND} standard errors",
    ]
