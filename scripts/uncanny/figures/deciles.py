"""Strength of guidance during sampling, by tenths of the process's time."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _lines, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE
from uncanny.runtime.result_paths import Cell

NEEDS = "samples"
EPOCHS = "last"
RUNS = "first"

QUANTITIES = {
    "rho_mark": r"Shift / noise of a step, $\rho_\mathrm{MARK}$",
    "rho_ddim": r"Shift / $\hat\epsilon$, $\rho_\mathrm{DDIM}$",
    "log_p": r"log $p(y\,|\,\hat x_0)$ (nats)",
}
DOTTED = (0, (1, 1.6))
KEY = "guidance_deciles"  # of the record of a sample set
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "seed", "draw", "epoch", "quantity", "decile"],
    *["t_first", "t_last", "steps", "value", "upper", "n", "diverged", "status"],
]


def deciles(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """Three axes per panel, against deciles of t: the shift by guidance over the noise of an
    ancestral step, over the predicted noise, and log p of the class by the classifier.

    A panel is {models, samplers, guidances, epochs = the last one, title}; of several training and
    sampling seeds the first is shown. Values are means over images and steps of the decile; dotted
    lines are the largest values of the two ratios.

    Raises ValueError if no record has statistics of its guidance.
    """
    tables = [_panel(data, panel, index) for index, panel in enumerate(panels)]
    plotted = pd.concat(tables, ignore_index=True)[COLUMNS]
    if not plotted["value"].notna().any():
        raise ValueError(f"figure is empty: no record of its cells has {KEY}")
    looks = _lines.with_looks(plotted, data, ("guidance",))
    with style.context():
        figure, axes = _page.canvas(len(QUANTITIES) * len(panels), columns=len(QUANTITIES))
        for ax, (letter, rows) in zip(axes, looks.groupby("panel", sort=False), strict=True):
            _draw(ax, rows)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        _page.finish(figure, _lines.legends(looks), _notes(plotted))
    return figure, captions.with_facts(plotted, facts(plotted))


def _panel(data: FigureData, panel: dict, index: int) -> pd.DataFrame:
    rows = []
    for cell in naming.cells_of(panel, data.records):
        curve = {name: getattr(cell, name) for name in CURVE}
        names = curve | {"curve": data.curve_label(**curve), "epoch": cell.epoch}
        rows += [names | row for row in _cell_rows(data, cell)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    title = panel.get("title") or data.label("samplers", panel["samplers"][0])
    letters = {q: naming.letter(len(QUANTITIES) * index + i) for i, q in enumerate(QUANTITIES)}
    table = table.assign(panel=table["quantity"].map(letters), panel_title=title)
    return table.sort_values("panel", kind="stable")


def _cell_rows(data: FigureData, cell: Cell) -> list[dict]:
    """Rows of one cell: each quantity at each decile; without statistics, one row per quantity."""
    record = data.records.get(cell, {})
    status = record.get("status", "missing")
    shared = {"diverged": int(status == "diverged"), "n": record.get("num_images")}
    shared |= {"seed": cell.seed, "draw": cell.draw}
    if not record.get(KEY):
        status = "not recorded" if status == "ok" else status
        return [shared | {"quantity": quantity, "status": status} for quantity in QUANTITIES]
    return [
        shared
        | {"quantity": quantity, "decile": entry["decile"], "steps": entry["steps"]}
        | {"t_first": entry["t"][0], "t_last": entry["t"][1], "status": status}
        | {"value": entry[quantity], "upper": entry.get(f"{quantity}_max")}
        for entry in record[KEY]
        for quantity in QUANTITIES
    ]


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    quantity = table["quantity"].iloc[0]
    table = table.assign(tenth=table["decile"].astype(float) + 1)
    _lines.draw_curves(ax, table, "tenth")
    if quantity != "log_p":
        dotted = {"marker": "None", "linestyle": [DOTTED] * len(table)}
        _lines.draw_curves(ax, table.assign(value=table["upper"], **dotted), "tenth", width=0.7)
        _lines.set_log_y(ax, table, ("value", "upper"))
    ax.set(xlabel="Tenth of time t (10: noise)", xlim=(0.6, 10.4), xticks=range(1, 11))
    ax.set_ylabel(QUANTITIES[quantity])


def _notes(plotted: pd.DataFrame) -> str:
    missing = plotted[plotted["value"].isna() & (plotted["status"] != "ok")]
    missing = missing.drop_duplicates("curve")
    return "; ".join(f"{row.status}: {row.curve}" for row in missing.itertuples())


def facts(table: pd.DataFrame) -> list[str]:
    """Caption sentences: definitions of the ratios, images and steps; also from the CSV."""
    measured = table[table["value"].notna()]
    sentences = [
        "ρ_MARK is the root mean square shift of an ancestral step by guidance, divided by the "
        "noise of that step; ρ_DDIM is the root mean square shift of the predicted noise, divided "
        "by that noise; both for any sampler",
        f"Means over {captions.span(measured['n'])} images (log p: the first 64) and the steps in "
        f"each tenth, epoch {captions.span(measured['epoch'])}; dotted: the largest "
        "value of any image and step; the standard error of the means is not recorded",
    ]
    return captions.with_note(sentences, _notes(table))
