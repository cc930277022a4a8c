"""Diffusion processes: forward trajectories of a real image, backward ones of a generated image."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _images, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData, Trace
from uncanny.figures.panels import CURVE

NEEDS = "traces"
EPOCHS = "last"
RUNS = "first"

COLORS = {"NCSN": "#7b3fa0", "DDPM": "#5f6670", "SDE": "#0e9aa7"}  # purple, grey, cyan
OTHER_COLOR = "#444444"
# Forward process of a lane; of SDE one that shrinks the image, and one that does not
FORMULAS = {
    ("NCSN", False): r"$x_i = x_0 + \sigma_i\,\epsilon$",
    ("DDPM", True): r"$x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1 - \bar\alpha_t}\,\epsilon$",
    ("SDE", True): r"$dx = -\frac{1}{2}\,\beta(t)\,x\,dt + \sqrt{\beta(t)}\,dw$",
    ("SDE", False): r"$dx = \sqrt{d\sigma^2(t)/dt}\;dw$",
}
SPACING = 1.18  # distance between images, in image widths
GAP = 0.5  # between the two rows of a lane, in image heights
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "seed", "epoch", "lane", "axis", "direction"],
    *["level", "sigma", "alpha_bar", "sha256", "mean", "diverged", "status"],
]


def processes(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """One lane per panel: above, a real image becomes noise; below, noise becomes an image.

    A panel is {models: [one], samplers: [one], epochs = the last one, title = name of the lane}.
    Below each lane are the noise level sigma and the signal's share: alpha_bar, or 1 / (1 +
    sigma^2) for processes that do not scale the image. Of several training seeds the first is
    shown. Raises ValueError for a panel without a trace, and for one with several curves.
    """
    lanes = [_lane(data, panel) for panel in panels]
    tables = [
        _table(data, trace, naming.letter(i), panel)
        for i, (trace, panel) in enumerate(zip(lanes, panels, strict=True))
    ]
    plotted = pd.concat(tables, ignore_index=True)[COLUMNS]
    with style.context():
        width = LABELS + (max(len(trace.sigma) for trace in lanes) - 1) * SPACING + 1
        size = {"shape": HEIGHT / width, "width": style.FULL_WIDTH, "titles": 0.1}
        figure, axes = _page.image_canvas(len(lanes), 1, **size)
        for ax, trace, (_, rows) in zip(axes, lanes, plotted.groupby("panel"), strict=True):
            ax.set(xlim=(-LABELS, width - LABELS), ylim=(HEIGHT - FORMULA, -FORMULA))
            _draw(ax, trace, rows)
    return figure, captions.with_facts(plotted, facts(plotted))


def _lane(data: FigureData, panel: dict) -> Trace:
    curves = naming.curves_of(panel)
    if len(curves) != 1:
        raise ValueError(
            f"figure: expected one model with one sampler in a panel, got {len(curves)} curves"
        )
    _, model, sampler, _ = curves[0]
    traces = [t for t in data.traces if (t.model, t.sampler) == (model, sampler)]
    epochs = panel.get("epochs") or [max((t.epoch for t in traces), default=0)]
    traces = [trace for trace in traces if trace.epoch in epochs]
    if not traces:
        raise ValueError(f"figure is empty: no trace of {model} with {sampler}")
    return min(traces, key=lambda trace: trace.seed)


def _table(data: FigureData, trace: Trace, letter: str, panel: dict) -> pd.DataFrame:
    """One row per image of the lane."""
    ways = {"forward": trace.forward, "backward": trace.backward}
    levels = {"sigma": trace.sigma, "alpha_bar": trace.alpha_bar}
    tables = [
        pd.DataFrame(levels | {"direction": way, "mean": images.mean(axis=(1, 2, 3))}).assign(
            level=range(len(images)),
            sha256=[_images.describe(_pixels(image))["sha256"] for image in images],
        )
        for way, images in ways.items()
    ]
    facts = {"panel": letter, "panel_title": panel.get("title") or trace.lane}
    keys = ("model", "seed", "sampler", "epoch", "lane", "axis")
    facts |= {key: getattr(trace, key) for key in keys}
    facts |= {"curve": data.curve_label(trace.model, trace.sampler, "none"), "guidance": "none"}
    return pd.concat(tables).assign(**facts, diverged=0, status="ok")


def _pixels(image: np.ndarray) -> np.ndarray:
    """Image, float [C, H, W], clipped to [-1, 1], as uint8."""
    return np.clip(127.5 * image + 128, 0, 255).astype(np.uint8)


# ---- Artists --------------------------------------------------------------------------------

# Margins on the left and below, and the line of the formula above, in image widths
LABELS, NUMBERS, FORMULA = 1.55, 0.85, 0.42
HEIGHT = FORMULA + 2 + GAP + NUMBERS
MIDDLE = {"ha": "center", "va": "center"}


def _draw(ax: Axes, trace: Trace, rows: pd.DataFrame) -> None:
    """Draw the two rows of images of a lane with their arrows and names."""
    color = COLORS.get(trace.lane, OTHER_COLOR)
    ax.set_aspect("equal")
    ax.set_axis_off()
    formula = FORMULAS.get((trace.lane, _shrinks(trace)), "")
    ax.text(0, -FORMULA / 2, formula, color=color, size=8, va="center")
    last = (len(trace.sigma) - 1) * SPACING + 1
    arrow = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    ways = (("forward", trace.forward, 0, 1.16), ("backward", trace.backward, 1 + GAP, GAP + 0.84))
    for name, images, top, arrow_top in ways:
        for level, image in enumerate(images):
            left = level * SPACING
            _images.show(ax, _pixels(image), (left, left + 1, top + 1, top))
        tip, tail = (last, 0) if name == "forward" else (0, last)
        ax.annotate("", (tip, arrow_top), (tail, arrow_top), arrowprops=arrow)
        ax.text(-0.15, top + 0.5, name, ha="right", va="center", color=color, size=7)
    title = {"color": color, "weight": "bold", "size": 9, "rotation": 90}
    ax.text(-LABELS + 0.1, (2 + GAP) / 2, rows["panel_title"].iloc[0], **title, **MIDDLE)
    _write_levels(ax, trace)


def _write_levels(ax: Axes, trace: Trace) -> None:
    """Write sigma and the signal's share below the images."""
    shrinks = _shrinks(trace)
    signal = trace.alpha_bar if shrinks else 1 / (1 + trace.sigma**2)
    name = r"$\bar\alpha$" if shrinks else r"$1/(1{+}\sigma^2)$"
    lines = ((r"$\sigma$", trace.sigma), (name, signal))
    for line, (label, values) in enumerate(lines):
        y = 2 + GAP + 0.25 + 0.36 * line
        ax.text(-0.15, y, label, ha="right", va="center", size=6.5, color="0.25")
        for level, value in enumerate(values):
            ax.text(level * SPACING + 0.5, y, _number(value), size=6.5, color="0.25", **MIDDLE)


def _shrinks(trace: Trace) -> bool:
    """Whether the process shrinks the image as noise grows."""
    return bool(np.isfinite(trace.alpha_bar).all())


def _number(value: float) -> str:
    """A number with two digits, or with one digit and a power of ten if very small or large."""
    if value == 0 or 0.001 <= value < 100:
        return f"{value:.2g}"
    if 100 <= value < 1000:
        return f"{value:.0f}"
    digit, power = f"{value:.0e}".split("e")
    return rf"${digit}\cdot10^{{{int(power)}}}$"


# ---- Caption --------------------------------------------------------------------------------


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences on the rows of each lane; also from the CSV."""
    lanes = table.drop_duplicates("panel")
    texts = [f"{row.panel_title}: {row.curve}, epoch {row.epoch}" for row in lanes.itertuples()]
    levels = captions.span(table.groupby(["panel", "direction"]).size())
    return [
        "Upper row of a lane, and formula: the forward process takes a real image to noise (the "
        "training image with the most contrast between neighbouring pixels)",
        "Lower row: a trained model takes noise to an image, at the same noise levels (of the "
        "first eight images that it generates, the one that is nearest to a training image, pixel "
        "by pixel)",
        f"{levels} of the sampler's noise levels σ are shown, evenly spaced along its steps, with "
        "the share of the signal in the variance; images are shown as x / (1 + σ²)^½, clipped to "
        "the range of pixels",
        "; ".join(texts),
    ]
