"""Sample grids: the first images of a sample set, without selection."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

AT_ONCE = 1000  # training images converted to float at a time
LINE = 0.42  # height of a line of text below a grid, in images
SCORE = ["metric", "kind", "metric_label", "value", "se", "n", "extractor_id"]
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
    nearest_rows: SmallInt = 1,
) -> tuple[Figure, pd.DataFrame]:
    """The first rows × columns images of a sample set, one grid per cell of a panel, side by side.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title}. Of several
    training and sampling seeds the first is shown. metric: below each grid, the score of its whole
    sample set. nearest: below each grid, the nearest training image (pixel distance) of each image
    in the first nearest_rows rows. In the table, `label` of a sample is its class, also for an
    unconditional model, and empty for a training image, whose `index` is its position in the
    training set; rows with role `score` and `real` have the metric of the set and of real images.

    Raises ValueError if there is no image at all, and for nearest without training images.
    """
    below = nearest_rows * columns if nearest else 0
    shown = [
        _grid(data, naming.letter(i), panel, cell, (rows * columns, columns, below), metric)
        for i, (panel, cell) in enumerate(_cells(data, panels))
    ]
    plotted = pd.concat([table for _, table in shown], ignore_index=True)
    if not plotted["sha256"].notna().any():
        raise ValueError("figure is empty: no images of any of its cells")
    with style.context():
        height = (rows + LINE * (metric is not None) + nearest * (LINE + nearest_rows)) / columns
        # A space that does not break keeps the number of an epoch with its word.
        titles = [
            table["panel_title"].iloc[0].replace("epoch ", "epoch\N{NO-BREAK SPACE}")
            for _, table in shown
        ]
        figure, axes = _page.mosaic(len(shown), height, lines=_lines(titles))
        for ax, (images, table), title in zip(axes, shown, titles, strict=True):
            _draw(ax, images, table, (rows, columns), height * columns)
            letter = table["panel"].iloc[0] if len(shown) > 1 else ""
            _page.set_panel_title(ax, letter, title)
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


def _lines(titles: list[str]) -> int:
    """Lines of the longest title, wrapped as `_page` wraps it; three panels in a row are narrow."""
    width = style.FULL_WIDTH / (2 if len(titles) in (1, 2, 4) else 3) - 0.2
    return max(len(textwrap.wrap(title, int(width * _page.LETTERS))) for title in titles)


# ---- Plotted table --------------------------------------------------------------------------


def _cells(data: FigureData, panels: list) -> list[tuple[dict, Cell]]:
    """Every panel with each of its cells; cells without images have seeds 0."""
    pairs = []
    for panel in panels:
        for _, *curve in naming.curves_of(panel):
            cells = sorted(c for c in data.images if [c.model, c.sampler, c.guidance] == curve)
            epochs = panel.get("epochs") or [max((c.epoch for c in cells), default=0)]
            model, sampler, guidance = curve
            for epoch in epochs:
                absent = Cell(model, 0, sampler, guidance, 0, epoch)
                pairs.append((panel, next((c for c in cells if c.epoch == epoch), absent)))
    return pairs


def _grid(
    data: FigureData,
    letter: str,
    panel: dict,
    cell: Cell,
    counts: tuple[int, int, int],
    metric: str | None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """The images of one grid, and their rows of the table.

    counts: of samples, of columns, and of samples whose nearest training images are shown.
    """
    count, columns, below = counts
    images, table = _samples(data, cell, count)
    tables = [table, *([_scores(data, cell, metric)] if metric and len(images) else [])]
    if below and len(images):
        nearest, rows = _nearest(data, cell, images[:below])
        images, tables = np.concatenate([images, nearest]), [*tables, rows]
    table = pd.concat(tables, ignore_index=True)
    index = table.groupby("role").cumcount()
    table["row"], table["column"] = index // columns, index % columns
    curve = data.curve_label(cell.model, cell.sampler, cell.guidance)
    epoch = "" if data.is_imported(cell.model) else f", epoch {cell.epoch}"
    facts = {"panel": letter, "panel_title": (panel.get("title") or curve) + epoch, **vars(cell)}
    facts |= {"curve": curve, "dataset": data.datasets.get(cell.model)}
    return images, table.assign(**facts).reindex(columns=COLUMNS)


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
    nearest, rows = [], []
    for index, mean_square in zip(*_least_squares(images, training), strict=True):
        nearest.append(training[index])
        facts = {"index": int(index), "distance": float(np.sqrt(mean_square))}
        rows.append(_images.describe(training[index]) | facts)
    table = pd.DataFrame(rows, columns=IMAGE)
    shared = {"role": "nearest", "n": len(training), "diverged": 0, "status": "ok"}
    return np.stack(nearest), table.assign(**shared)


def _least_squares(images: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest training image of each image, and the mean square difference."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    indices, least = np.zeros(len(flat), int), np.full(len(flat), np.inf, np.float32)
    for first in range(0, len(training), AT_ONCE):
        real = np.asarray(training[first : first + AT_ONCE], np.float32).reshape(-1, flat.shape[1])
        mean_squares = np.stack([np.square(real - image).mean(axis=1) for image in flat])
        nearest = mean_squares.argmin(axis=1)
        smallest = mean_squares[np.arange(len(flat)), nearest]
        indices = np.where(smallest < least, first + nearest, indices)
        least = np.minimum(smallest, least)
    return indices, least


# ---- Artists --------------------------------------------------------------------------------


def _draw(
    ax: Axes, images: np.ndarray, table: pd.DataFrame, shape: tuple[int, int], bottom: float
) -> None:
    """Draw each image at its position; below, the score and the nearest training images."""
    rows, columns = shape
    _images.frame(ax, columns, bottom)
    scores = table[table["role"] == "score"]
    if len(scores):
        ax.text(0, rows + LINE / 2, _score_line(table), **_SMALL)
    pictures = table[table["role"].isin(["sample", "nearest"])]
    is_near = pictures["role"] == "nearest"
    first_near = bottom - (pictures["row"][is_near].max() + 1 if is_near.any() else 0)
    tops = pictures["row"] + is_near * first_near
    for image, column, top in zip(images, pictures["column"], tops, strict=False):
        _images.draw_image(ax, image, column, top)
    if is_near.any():
        count = int(pictures["row"][is_near].max()) + 1
        above = "first row" if count == 1 else f"first {count} rows"
        text = f"nearest training images of the {above}"
        ax.text(0, first_near - LINE / 2, text, **_SMALL)
    if not len(images):
        ax.text(columns / 2, rows / 2, table["status"].iloc[0], ha="center", va="center")


_SMALL = {"size": 6.5, "color": "0.35", "va": "center"}


def _score_line(table: pd.DataFrame) -> str:
    """The score of a grid with its interval, and that of real images."""
    score, real = (table[table["role"] == role] for role in ("score", "real"))
    row = score.iloc[0]
    text = f"{row.metric_label}: {row.value:.2g} ± {captions.HALF_BAND * row.se:.1g}"
    return text + (f" (real test images: {real['value'].iloc[0]:.2g})" if len(real) else "")


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
            f"±{captions.HALF_BAND} standard errors" + (f": {meaning}" if meaning else "")
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
