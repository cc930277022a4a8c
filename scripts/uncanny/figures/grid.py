"""Sample grids: the first images of a sample set, without selection."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import distance

from uncanny.evaluation.contrasts import half_width
from uncanny.evaluation.score_records import CELL_COLUMNS
from uncanny.figures import _images, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.registry.option_types import SmallInt
from uncanny.runtime.result_paths import Cell

NEEDS = ("samples", "scores")
EPOCHS = "last"
RUNS = "first"

AT_ONCE = 1000  # training images compared at a time, as floats
LINE = 0.42  # height of a line of text below a grid, in images
SCORE = ["metric", "kind", "metric_label", "value", "se", "freedom", "n", "extractor_id"]
IMAGE = ["index", "label", "sha256", "mean_pixel", "distance"]
COLUMNS = ["panel", "panel_title", "curve", *CURVE, "seed", "draw", "epoch", "dataset", "role"]
COLUMNS += [*IMAGE, "row", "column", *SCORE, "diverged", "status"]
# What a kind of metric counts, for the caption
MEANINGS = {
    "noise_share": "an image counts as unlike if, in the features of {extractor}, it is further "
    "from every training image than 99 % of real images that no model has seen are"
}


def grid(
    data: FigureData,
    panels: list,
    *,
    metric: str | None = None,
    rows: SmallInt = 8,
    columns: SmallInt = 8,
    nearest: bool = False,
) -> tuple[Figure, pd.DataFrame]:
    """The first rows × columns images of a sample set, one grid per cell of a panel, side by side.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title}. Of several
    training and sampling seeds the first is shown. metric: below each grid, the score of its whole
    sample set. nearest: below each grid, the nearest training image (pixel distance) of each image
    in the first row. In the table, `label` of a sample is its class, also for an
    unconditional model, and empty for a training image, whose `index` is its position in the
    training set; rows with role `score` and `real` have the metric of the set and of real images.

    Raises ValueError if there is no image at all, and for nearest without training images.
    """
    cells = [(panel, cell) for panel in panels for cell in naming.cells_of(panel, data.images)]
    images, tables = [], []
    for index, (panel, cell) in enumerate(cells):
        pictures, table = _samples(data, cell, rows * columns)
        parts = [table] + ([_scores(data, cell, metric)] if metric and len(pictures) else [])
        if nearest and len(pictures):
            near, table = _nearest(data, cell, pictures[:columns])
            pictures, parts = np.concatenate([pictures, near]), [*parts, table]
        images.append(pictures)
        names = {"panel": naming.letter(index)} | _names(data, panel, cell)
        tables.append(pd.concat(parts, ignore_index=True).assign(**names))
    plotted = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    position = plotted.groupby(["panel", "role"]).cumcount()
    plotted["row"], plotted["column"] = position // columns, position % columns
    if not plotted["sha256"].notna().any():
        raise ValueError("figure is empty: no images of any of its cells")
    with style.context():
        height = rows + LINE * (metric is not None) + nearest * (LINE + 1)
        side_by_side = {1: 1, 2: 2, 4: 2}.get(len(cells), 3)
        figure, axes = _page.image_canvas(len(cells), side_by_side, height / columns)
        groups = plotted.groupby("panel")
        for ax, pictures, (letter, table) in zip(axes, images, groups, strict=True):
            _draw(ax, pictures, table, (rows, columns), height)
            # A space that does not break keeps the number of an epoch with its word.
            title = table["panel_title"].iloc[0].replace("epoch ", "epoch\N{NO-BREAK SPACE}")
            _page.set_panel_title(ax, letter if len(cells) > 1 else "", title)
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


# ---- Plotted table --------------------------------------------------------------------------


def _names(data: FigureData, panel: dict, cell: Cell) -> dict:
    curve = data.curve_label(cell.model, cell.sampler, cell.guidance)
    epoch = "" if data.is_imported(cell.model) else f", epoch {cell.epoch}"
    names = {"panel_title": (panel.get("title") or curve) + epoch, "curve": curve}
    return names | {"dataset": data.datasets.get(cell.model)} | vars(cell)


def _samples(data: FigureData, cell: Cell, count: int) -> tuple[np.ndarray, pd.DataFrame]:
    images = data.images.get(cell)
    status = "missing" if images is None else data.records.get(cell, {}).get("status", "ok")
    images = np.zeros((0, 1, 1, 1), np.uint8) if images is None else images
    labels = data.labels.get(cell, np.full(len(images), -1))
    rows = [
        _images.describe(image) | {"index": index, "label": label}
        for index, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True))
    ]
    table = pd.DataFrame(rows or [{}], columns=IMAGE)
    shared = {"role": "sample", "n": len(images), "diverged": int(status == "diverged")}
    return images[:count], table.assign(**shared, status=status)


def _scores(data: FigureData, cell: Cell, metric: str) -> pd.DataFrame:
    """Rows with the metric of a sample set, and of the real images of the test split."""
    table = data.table[data.table["metric"] == metric]
    rows = table[(table[CELL_COLUMNS] == list(vars(cell).values())).all(axis=1)]
    rows = rows.assign(role="score").to_dict("records")
    real, measured = data.references_of(data.datasets[cell.model], metric).get("test", ({}, False))
    if measured:
        rows.append({key: real.get(key) for key in SCORE} | {"role": "real"})
    rows = pd.DataFrame(rows, columns=["role", *SCORE])
    return rows.assign(metric_label=data.metric_label(metric), diverged=0, status="ok")


def _nearest(data: FigureData, cell: Cell, images: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """The nearest training image of each image, and rows with RMS differences in grey levels."""
    dataset = data.datasets.get(cell.model)
    if dataset not in data.training:
        raise ValueError(
            f"figure: nearest requires training images of {dataset!r}, the dataset of {cell.model}"
        )
    training = data.training[dataset]
    flat = images.reshape(len(images), -1)
    real = training.reshape(len(training), -1)
    parts = [real[start : start + AT_ONCE] for start in range(0, len(real), AT_ONCE)]
    squares = np.hstack([distance.cdist(flat, part, "sqeuclidean") for part in parts])
    index = squares.argmin(axis=1)
    table = pd.DataFrame([_images.describe(training[i]) for i in index], columns=IMAGE)
    table = table.assign(index=index, distance=np.sqrt(squares.min(axis=1) / flat.shape[1]))
    shared = {"role": "nearest", "n": len(training), "diverged": 0, "status": "ok"}
    return training[index], table.assign(**shared)


# ---- Artists --------------------------------------------------------------------------------


def _draw(
    ax: Axes, images: np.ndarray, table: pd.DataFrame, shape: tuple[int, int], bottom: float
) -> None:
    """Draw each image at its position; below, the score and the nearest training images."""
    rows, columns = shape
    pictures = table[table["role"].isin(["sample", "nearest"])]
    is_near = pictures["role"] == "nearest"
    tops = pictures["row"].mask(is_near, bottom - 1)
    _images.draw(ax, images, pictures.assign(row=tops), (columns, bottom))
    if (table["role"] == "score").any():
        ax.text(0, rows + LINE / 2, _score_line(table), **_SMALL)
    if is_near.any():
        ax.text(0, bottom - 1 - LINE / 2, "nearest training images of the first row", **_SMALL)
    if not len(images):
        ax.text(columns / 2, rows / 2, table["status"].iloc[0], ha="center", va="center")


_SMALL = {"size": 6.5, "color": "0.35", "va": "center"}


def _score_line(table: pd.DataFrame) -> str:
    """The score of a grid with its interval, and that of real images."""
    score, real = (table[table["role"] == role] for role in ("score", "real"))
    row = score.iloc[0]
    half = half_width(row.se, row.freedom)
    text = f"{row.metric_label}: {captions.rounded(row.value, 2)} ± {captions.rounded(half, 1)}"
    shown = [captions.rounded(value, 2) for value in real["value"].iloc[:1]]
    return text + (f" (real test images: {shown[0]})" if shown else "")


# ---- Caption --------------------------------------------------------------------------------


def _notes(plotted: pd.DataFrame) -> str:
    missing = plotted[(plotted["role"] == "sample") & plotted["sha256"].isna()]
    texts = [f"{row.status}: {row.curve}, epoch {row.epoch}" for row in missing.itertuples()]
    return "; ".join(texts)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the samples and their nearest training images; also from the CSV."""
    samples = table[(table["role"] == "sample") & table["sha256"].notna()]
    shown, total = captions.span(samples.groupby("panel").size()), captions.span(samples["n"])
    seeds = captions.span(samples["seed"]), captions.span(samples["draw"])
    several = samples["panel"].nunique() > 1
    count = f"All {total}" if shown == total else f"The first {shown} of {total}"
    sentences = [
        f"{count} generated images, none chosen (training seed {seeds[0]}, sampling seed "
        f"{seeds[1]})"
        + "; images at the same position of different grids start from the same noise"
        * several
    ]
    scores = table[table["role"] == "score"]
    if len(scores):
        label, kind = scores[["metric_label", "kind"]].iloc[0]
        meaning = MEANINGS.get(kind, "").format(extractor=captions.extractors(scores))
        sentences.append(
            f"The number below a grid is the {label} of all {captions.span(scores['n'])} images, "
            "± half its 95 % interval" + (f": {meaning}" if meaning else "")
        )
    near = table[table["role"] == "nearest"]
    if len(near):
        low, high = near["distance"].min(), near["distance"].max()
        sentences.append(
            f"The last row has, below each image of the first row, the nearest of the "
            f"{captions.span(near['n'])} training images; their pixels differ by {low:.0f} to "
            f"{high:.0f} of 255 grey levels (root mean square)"
        )
    return captions.with_note(sentences, _notes(table))
