"""Sample grids: the first images of a draw, never chosen."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _images, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.runtime.result_paths import Cell

NEEDS = "samples"
EPOCHS = "last"
RUNS = "first"

TITLE_WIDTH = 46  # characters in a line above a grid
AT_ONCE = 1000  # training images held at a time as numbers
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
    rows: int = 8,
    columns: int = 8,
    nearest: bool = False,
    nearest_rows: int = 1,
) -> tuple[Figure, pd.DataFrame]:
    """The first rows x columns images of a draw, one grid per cell of a panel, side by side.

    A panel is {models, samplers, guidances = ["none"], epochs = the last one, title}. Of several
    training seeds and draws the first is shown. nearest: under each grid, the nearest training
    image (pixel distance) of each image of its first nearest_rows rows. `label` of a sample is the
    class it was drawn with, also where the model is not told; of a training image it is empty, and
    its index is the place among the training images.

    Raises ValueError when there is no image at all, and for nearest without training images.
    """
    below = nearest_rows * columns if nearest else 0
    shown = [
        _grid(data, naming.letter(i), panel, cell, (rows * columns, columns, below))
        for i, (panel, cell) in enumerate(_cells(data, panels))
    ]
    drawn = pd.concat([table for _, table in shown], ignore_index=True)
    if not drawn["sha256"].notna().any():
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
        _page.finish(figure, [], _notes(drawn))
    return figure, captions.with_facts(drawn, facts(drawn))


# ---- The drawn table ------------------------------------------------------------------------


def _cells(data: FigureData, panels: list) -> list[tuple[dict, Cell]]:
    """Every panel with each of its cells; one without images has the first seed and draw."""
    found = []
    for panel in panels:
        for _, *curve in naming.curves_of(panel):
            cells = sorted(c for c in data.images if [c.model, c.sampler, c.guidance] == curve)
            epochs = panel.get("epochs") or [max((c.epoch for c in cells), default=0)]
            model, sampler, guidance = curve
            for epoch in epochs:
                absent = Cell(model, 0, sampler, guidance, 0, epoch)
                found.append((panel, next((c for c in cells if c.epoch == epoch), absent)))
    return found


def _grid(
    data: FigureData, letter: str, panel: dict, cell: Cell, counts: tuple[int, int, int]
) -> tuple[np.ndarray, pd.DataFrame]:
    """The images of one grid and their rows of the table; counts: of samples, of columns, of
    samples whose nearest training images follow them."""
    count, columns, below = counts
    images, table = _samples(data, cell, count)
    if below and len(images):
        near = _nearest(data, cell, images[:below])
        images = np.concatenate([images, near[0]])
        table = pd.concat([table, near[1]], ignore_index=True)
    place = table.groupby("role").cumcount()
    table["row"], table["column"] = place // columns, place % columns
    title = panel.get("title") or data.curve_label(cell.model, cell.sampler, cell.guidance)
    title += "" if data.is_given(cell.model) else f", epoch {cell.epoch}"
    named = {"panel": letter, "panel_title": title, **vars(cell)}
    named["curve"] = data.curve_label(cell.model, cell.sampler, cell.guidance)
    named["dataset"] = data.datasets.get(cell.model)
    return images, table.assign(**named)[COLUMNS]


def _samples(data: FigureData, cell: Cell, count: int) -> tuple[np.ndarray, pd.DataFrame]:
    images = data.images.get(cell)
    status = "missing" if images is None else data.records.get(cell, {}).get("status", "ok")
    images = np.zeros((0, 1, 1, 1), np.uint8) if images is None else images
    labels = data.labels.get(cell, np.full(len(images), -1))
    rows = [
        _images.described(image) | {"index": index, "label": label}
        for index, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True))
    ]
    table = pd.DataFrame(rows or [{}], columns=[*_IMAGE, "distance"])
    shared = {"role": "sample", "n": len(images), "diverged": int(status == "diverged")}
    return images[:count], table.assign(**shared, status=status)


_IMAGE = ["index", "label", "sha256", "mean_pixel"]


def _nearest(data: FigureData, cell: Cell, images: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """The nearest training image of each image, with the rms difference in grey levels."""
    dataset = data.datasets.get(cell.model)
    if dataset not in data.training:
        raise ValueError(
            f"figure: nearest needs training images of {dataset!r}, the dataset of {cell.model}"
        )
    training = data.training[dataset]
    found, rows = [], []
    for place, square in zip(*_least_squares(images, training), strict=True):
        found.append(training[place])
        facts = {"index": int(place), "distance": float(np.sqrt(square))}
        rows.append(_images.described(training[place]) | facts)
    table = pd.DataFrame(rows, columns=[*_IMAGE, "distance"])
    shared = {"role": "nearest", "n": len(training), "diverged": 0, "status": "ok"}
    return np.stack(found), table.assign(**shared)


def _least_squares(images: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of the nearest training image of each image, and the mean square of the difference."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    places, least = np.zeros(len(flat), int), np.full(len(flat), np.inf, np.float32)
    for start in range(0, len(training), AT_ONCE):
        real = np.asarray(training[start : start + AT_ONCE], np.float32).reshape(-1, flat.shape[1])
        squares = np.stack([np.square(real - image).mean(axis=1) for image in flat])
        nearest = squares.argmin(axis=1)
        here = squares[np.arange(len(flat)), nearest]
        places = np.where(here < least, start + nearest, places)
        least = np.minimum(here, least)
    return places, least


# ---- Artists --------------------------------------------------------------------------------


def _draw(ax: Axes, images: np.ndarray, table: pd.DataFrame, shape: tuple[int, int]) -> None:
    """Each image at its place, pixels as squares; nearest training images below, framed."""
    rows, columns = shape
    below = (table["role"] == "nearest") * (rows + GAP)
    bottom = max(rows, (table["row"] + below).max() + 1)
    _images.frame(ax, columns, bottom)
    for image, column, top in zip(images, table["column"], table["row"] + below, strict=False):
        _images.place(ax, image, column, top)
    if below.any():
        count = int(table["row"][below > 0].max()) + 1
        first = "first row" if count == 1 else f"first {count} rows"
        ax.text(0, rows + GAP / 2, f"nearest training images of the {first}", **_SMALL)
    if not len(images):
        ax.text(columns / 2, rows / 2, table["status"].iloc[0], ha="center", va="center")


_SMALL = {"size": 6.5, "color": "0.35", "va": "center"}


# ---- Words ----------------------------------------------------------------------------------


def _notes(drawn: pd.DataFrame) -> str:
    absent = drawn[drawn["sha256"].isna()]
    named = [f"{row.status}: {row.curve}, epoch {row.epoch}" for row in absent.itertuples()]
    return "; ".join(named)


def facts(table: pd.DataFrame) -> list[str]:
    """Which images are shown, and what lies below them; also from the CSV."""
    samples = table[(table["role"] == "sample") & table["sha256"].notna()]
    counts = samples.groupby("panel").size()
    drawn = captions.span(samples["n"])
    seeds = captions.span(samples["seed"]), captions.span(samples["draw"])
    sentences = [
        f"The first {captions.span(counts)} of {drawn} images of a draw in the order of their "
        f"seeds, none chosen (training seed {seeds[0]}, draw {seeds[1]}): the image at the same "
        "place begins from the same latents in every grid"
    ]
    near = table[table["role"] == "nearest"]
    if len(near):
        low, high = near["distance"].min(), near["distance"].max()
        sentences.append(
            f"Below, the nearest of {captions.span(near['n'])} training images by pixel distance; "
            f"root mean square difference {low:.0f} to {high:.0f} of 255 grey levels"
        )
    return captions.with_note(sentences, _notes(table))
