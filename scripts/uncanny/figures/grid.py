"""Sample grids: the first images of a sample set, without selection."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _images, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.registry.option_types import SmallInt
from uncanny.runtime.result_paths import Cell

NEEDS = "samples"
EPOCHS = "last"
RUNS = "first"

TITLE_WIDTH = 46  # characters in a line above a grid
AT_ONCE = 1000  # training images converted to float at a time
GAP = 0.55  # between the grid and the nearest training images, in images
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "seed", "draw", "epoch", "dataset"],
    *["role", "index", "row", "column", "label", "sha256", "mean_pixel", "distance"],
    *["n", "diverged", "status"],
]


def grid(
    data: FigureData,
    panels: list,
    *,
    rows: SmallInt = 8,
    columns: SmallInt = 8,
    nearest: bool = False,
    nearest_rows: SmallInt = 1,
) -> tuple[Figure, pd.DataFrame]:
    """The first rows × columns images of a sample set, one grid per cell of a panel, side by side.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title}. Of several
    training and sampling seeds the first is shown. nearest: below each grid, show the nearest
    training image (pixel distance) of each image in the first nearest_rows rows. In the table,
    `label` of a sample is its class, also for an unconditional model, and empty for a training
    image, whose `index` is its position in the training set.

    Raises ValueError if there is no image at all, and for nearest without training images.
    """
    below = nearest_rows * columns if nearest else 0
    shown = [
        _grid(data, naming.letter(i), panel, cell, (rows * columns, columns, below))
        for i, (panel, cell) in enumerate(_cells(data, panels))
    ]
    plotted = pd.concat([table for _, table in shown], ignore_index=True)
    if not plotted["sha256"].notna().any():
        raise ValueError("figure is empty: no images of any of its cells")
    with style.context():
        height = (rows + nearest * (GAP + nearest_rows)) / columns
        titles = [textwrap.fill(t["panel_title"].iloc[0], TITLE_WIDTH) for _, t in shown]
        lines = 1 + max(title.count("\n") for title in titles)
        figure, axes = _page.mosaic(len(shown), height, lines=lines)
        for ax, (images, table), title in zip(axes, shown, titles, strict=True):
            _draw(ax, images, table, (rows, columns))
            letter = table["panel"].iloc[0] if len(shown) > 1 else ""
            _page.set_panel_title(ax, letter, title)
        _page.finish(figure, [], _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


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
    data: FigureData, letter: str, panel: dict, cell: Cell, counts: tuple[int, int, int]
) -> tuple[np.ndarray, pd.DataFrame]:
    """The images of one grid, and their rows of the table.

    counts: of samples, of columns, and of samples whose nearest training images are shown.
    """
    count, columns, below = counts
    images, table = _samples(data, cell, count)
    if below and len(images):
        nearest = _nearest(data, cell, images[:below])
        images = np.concatenate([images, nearest[0]])
        table = pd.concat([table, nearest[1]], ignore_index=True)
    index = table.groupby("role").cumcount()
    table["row"], table["column"] = index // columns, index % columns
    title = panel.get("title") or data.curve_label(cell.model, cell.sampler, cell.guidance)
    title += "" if data.is_imported(cell.model) else f", epoch {cell.epoch}"
    facts = {"panel": letter, "panel_title": title, **vars(cell)}
    facts["curve"] = data.curve_label(cell.model, cell.sampler, cell.guidance)
    facts["dataset"] = data.datasets.get(cell.model)
    return images, table.assign(**facts)[COLUMNS]


def _samples(data: FigureData, cell: Cell, count: int) -> tuple[np.ndarray, pd.DataFrame]:
    images = data.images.get(cell)
    status = "missing" if images is None else data.records.get(cell, {}).get("status", "ok")
    images = np.zeros((0, 1, 1, 1), np.uint8) if images is None else images
    labels = data.labels.get(cell, np.full(len(images), -1))
    rows = [
        _images.describe(image) | {"index": index, "label": label}
        for index, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True))
    ]
    table = pd.DataFrame(rows or [{}], columns=[*_IMAGE, "distance"])
    shared = {"role": "sample", "n": len(images), "diverged": int(status == "diverged")}
    return images[:count], table.assign(**shared, status=status)


_IMAGE = ["index", "label", "sha256", "mean_pixel"]


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
    table = pd.DataFrame(rows, columns=[*_IMAGE, "distance"])
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


def _draw(ax: Axes, images: np.ndarray, table: pd.DataFrame, shape: tuple[int, int]) -> None:
    """Draw each image at its position; nearest training images below."""
    rows, columns = shape
    below = (table["role"] == "nearest") * (rows + GAP)
    bottom = max(rows, (table["row"] + below).max() + 1)
    _images.frame(ax, columns, bottom)
    for image, column, top in zip(images, table["column"], table["row"] + below, strict=False):
        _images.draw_image(ax, image, column, top)
    if below.any():
        count = int(table["row"][below > 0].max()) + 1
        first = "first row" if count == 1 else f"first {count} rows"
        ax.text(0, rows + GAP / 2, f"nearest training images of the {first}", **_SMALL)
    if not len(images):
        ax.text(columns / 2, rows / 2, table["status"].iloc[0], ha="center", va="center")


_SMALL = {"size": 6.5, "color": "0.35", "va": "center"}


# ---- Caption --------------------------------------------------------------------------------


def _notes(plotted: pd.DataFrame) -> str:
    missing = plotted[plotted["sha256"].isna()]
    texts = [f"{row.status}: {row.curve}, epoch {row.epoch}" for row in missing.itertuples()]
    return "; ".join(texts)


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the samples and their nearest training images; also from the CSV."""
    samples = table[(table["role"] == "sample") & table["sha256"].notna()]
    shown, total = captions.span(samples.groupby("panel").size()), captions.span(samples["n"])
    seeds = captions.span(samples["seed"]), captions.span(samples["draw"])
    sentences = [
        f"The first {shown} of {total} images, without selection (training seed {seeds[0]}, "
        f"sampling seed {seeds[1]}); images at the same position of different grids start from the "
        "same latents"
    ]
    near = table[table["role"] == "nearest"]
    if len(near):
        low, high = near["distance"].min(), near["distance"].max()
        sentences.append(
            f"Below, the nearest of {captions.span(near['n'])} training images by pixel distance; "
            f"root mean square difference {low:.0f} to {high:.0f} of 255 grey levels"
        )
    return captions.with_note(sentences, _notes(table))
