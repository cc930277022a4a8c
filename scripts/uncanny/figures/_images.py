"""Images in figures: where they are placed, and what the drawn table holds of them."""

import hashlib

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle


def frame(ax: Axes, columns: float, rows: float) -> None:
    """Axes in units of images, from the top left corner down."""
    ax.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal")
    ax.set_axis_off()


def place(ax: Axes, image: np.ndarray, column: float, top: float) -> None:
    """An image, uint8 [C, H, W], at its place, pixels as squares."""
    # Grey between images: neither white nor black ones run into each other.
    ax.add_patch(Rectangle((column, top), 1, 1, color="0.55", lw=0))
    extent = (column + 0.02, column + 0.98, top + 0.98, top + 0.02)
    ax.imshow(_pixels(image), extent=extent, cmap="gray", vmin=0, vmax=255, **_SHARP)


_SHARP = {"interpolation": "nearest", "aspect": "equal", "zorder": 2}  # above the grey


def _pixels(image: np.ndarray) -> np.ndarray:
    """uint8 [C, H, W] as matplotlib wants it: [H, W] of a grey image, else [H, W, 3]."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def described(image: np.ndarray) -> dict:
    """What the table holds of an image: its mean and a hash of its content."""
    content = np.ascontiguousarray(image).tobytes()
    return {"sha256": hashlib.sha256(content).hexdigest()[:16], "mean_pixel": image.mean()}
