"""Images in figures: their position on the axes, and their entries in the plotted table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from uncanny.runtime import files


def draw(
    ax: Axes, images: Iterable[np.ndarray], table: pd.DataFrame, shape: tuple[float, float]
) -> None:
    """Draw images, uint8 [C, H, W], at the columns and rows of the table.

    shape: columns and rows of the axes in images, with the origin at the top left.
    """
    ax.set(xlim=(0, shape[0]), ylim=(shape[1], 0), aspect="equal")
    ax.set_axis_off()
    for image, left, top in zip(images, table["column"], table["row"], strict=False):
        # A white gap keeps dark images apart, a grey border light ones.
        ax.add_patch(Rectangle((left + 0.03, top + 0.03), 0.94, 0.94, color="0.7", lw=0))
        show(ax, image, (left + 0.05, left + 0.95, top + 0.95, top + 0.05))


def show(ax: Axes, image: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Draw an image, uint8 [C, H, W], at (left, right, bottom, top), above all else."""
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    sharp = {"interpolation": "nearest", "aspect": "equal", "zorder": 2}
    ax.imshow(pixels, extent=extent, cmap="gray", vmin=0, vmax=255, **sharp)


def describe(image: np.ndarray) -> dict:
    """Entries of an image in the plotted table: a hash of its content, and its mean."""
    content = np.ascontiguousarray(image).tobytes()
    return {"sha256": files.checksum([content])[:16], "mean_pixel": image.mean()}
