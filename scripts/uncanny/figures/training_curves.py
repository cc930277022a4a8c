"""Training curves of a model: loss and gradient norm of every epoch."""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _lines, _page, style

COLUMNS = ["seed", "epoch", "step", "images", "lr", "loss", "gradient_norm", "nonfinite_gradients"]
PANELS = {"loss": "Training loss", "gradient_norm": "Gradient norm"}
SHADES = ("0.1", "0.45", "0.65")  # one per training seed, repeated


def table(records: Iterable[Mapping]) -> pd.DataFrame:
    """One row per seed and epoch. records: of a model's last checkpoints, one per training seed."""
    rows = [{"seed": r["seed"]} | entry for r in records for entry in r["history"]]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(PANELS, float))


def draw(records: list[Mapping], label: str) -> tuple[Figure, pd.DataFrame]:
    """Plot means over each epoch, a line per training seed; a note lists diverged trainings.

    The gradient norm is that before clipping.
    """
    plotted = table(records)
    diverged = [f"seed {r['seed']}: {r['reason']}" for r in records if r["status"] == "diverged"]
    with style.context():
        figure, axes = _page.canvas(len(PANELS), columns=2)
        for ax, letter, (name, title) in zip(axes, "ab", PANELS.items(), strict=True):
            _draw(ax, plotted, name)
            _page.set_panel_title(ax, letter, f"{label}: {title[0].lower()}{title[1:]}")
            _lines.set_epochs(ax)
            ax.set_ylabel(title)
        _page.finish(figure, [], "; ".join(diverged))
    return figure, plotted


def caption(label: str) -> str:
    """What the curves of a model are."""
    return (
        f"Training of {label}. Mean loss and mean gradient norm before clipping in each training "
        "epoch, one line per training seed.\n"
    )


def _draw(ax: Axes, plotted: pd.DataFrame, name: str) -> None:
    shown = plotted.dropna(subset=name)
    for number, (seed, rows) in enumerate(shown.groupby("seed")):
        color = SHADES[number % len(SHADES)]
        ax.plot(rows["epoch"], rows[name], color=color, lw=1.0, label=f"seed {seed}")
    _lines.set_log_y(ax, shown, (name,))
    if shown["seed"].nunique() > 1:
        ax.legend(fontsize=6)
