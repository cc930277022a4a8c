"""Images in figures: their position on the axes, and their entries in the plotted table."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from uncanny.runtime import files


def frame(ax: Axes, columns: float, rows: float) -> None:
    """Set up axes in units of images, with the origin at the top left."""
    ax.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal")
    ax.set_axis_off()


def draw_image(ax: Axes, image: np.ndarray, column: float, top: float) -> None:
    """Draw an image, uint8 [C, H, W], with its upper left corner at (column, top)."""
    # A white gap keeps dark images apart, a grey border light ones.
    ax.add_patch(Rectangle((column + 0.03, top + 0.03), 0.94, 0.94, color="0.7", lw=0))
    extent = (column + 0.05, column + 0.95, top + 0.95, top + 0.05)
    ax.imshow(_pixels(image), extent=extent, cmap="gray", vmin=0, vmax=255, **_SHARP)


_SHARP = {"interpolation": "nearest", "aspect": "equal", "zorder": 2}  # above the grey


def _pixels(image: np.ndarray) -> np.ndarray:
    """uint8 [C, H, W] as matplotlib expects it: [H, W] if grey, else [H, W, 3]."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def describe(image: np.ndarray) -> dict:
    """Entries of an image in the plotted table: a hash of its content, and its mean."""
    content = np.ascontiguousarray(image).tobytes()
    return {"sha256": files.checksum([content])[:16], "mean_pixel": image.mean()}
