"""How strong guidance is along the walk, by tenths of the process's time."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uncanny.figures import _lines, _page, captions, style
from uncanny.figures import panels as naming
from uncanny.figures.figure_data import FigureData
from uncanny.figures.panels import CURVE

NEEDS = "samples"
EPOCHS = "last"
RUNS = "first"

QUANTITIES = {
    "rho_mark": r"Shift / noise of a step, $\rho_\mathrm{MARK}$",
    "rho_ddim": r"Shift / $\hat\epsilon$, $\rho_\mathrm{DDIM}$",
    "log_p": r"log $p(y\,|\,\hat x_0)$ (nats)",
}
KEY = "guidance_deciles"  # of a sample's record, written by guidances.Account
COLUMNS = [
    *["panel", "panel_title", "curve", *CURVE, "seed", "draw", "epoch", "quantity", "decile"],
    *["t_first", "t_last", "steps", "value", "largest", "n", "diverged", "status"],
]


def deciles(data: FigureData, panels: list) -> tuple[Figure, pd.DataFrame]:
    """Three axes per panel: guidance beside the noise of an ancestral step, beside the predicted
    noise, and log p of the class by the classifier, against deciles of t.

    A panel is {models, samplers, guidances, epochs = the last one, title}; of several training
    seeds and draws the first is shown. Values are means over images and steps of the decile.

    Raises ValueError when no record has an account of its guidance.
    """
    read = [_panel(data, panel, index) for index, panel in enumerate(panels)]
    drawn = pd.concat(read, ignore_index=True)[COLUMNS]
    if not drawn["value"].notna().any():
        raise ValueError(f"figure is empty: no record of its cells has {KEY}")
    variants = _lines.variants(drawn.assign(control=pd.NA), ["guidance"])
    with style.context():
        figure, axes = _page.canvas(len(QUANTITIES) * len(panels), columns=len(QUANTITIES))
        for ax, (letter, rows) in zip(axes, drawn.groupby("panel", sort=False), strict=True):
            _draw(ax, rows, data, variants)
            _page.set_panel_title(ax, letter, rows["panel_title"].iloc[0])
        labels = [data.guidance_label(guidance) for (guidance,) in variants]
        legends = _lines.legends(data, drawn.assign(control=pd.NA), variants, labels)
        _page.finish(figure, legends, _notes(drawn))
    return figure, captions.with_facts(drawn, facts(drawn))


def _panel(data: FigureData, panel: dict, index: int) -> pd.DataFrame:
    rows = []
    for _, *curve in naming.curves_of(panel):
        cells = sorted(c for c in data.records if [c.model, c.sampler, c.guidance] == curve)
        epochs = panel.get("epochs") or [max((c.epoch for c in cells), default=0)]
        named = dict(zip(CURVE, curve, strict=True)) | {"curve": data.curve_label(*curve)}
        for epoch in epochs:
            cell = next((c for c in cells if c.epoch == epoch), None)
            rows += [named | {"epoch": epoch} | row for row in _account(data, cell)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    title = panel.get("title") or data.label("samplers", panel["samplers"][0])
    letters = {q: naming.letter(len(QUANTITIES) * index + i) for i, q in enumerate(QUANTITIES)}
    table = table.assign(panel=table["quantity"].map(letters), panel_title=title)
    return table.sort_values("panel", kind="stable")


def _account(data: FigureData, cell) -> list[dict]:
    """Rows of one cell: each quantity at each decile; or one without a value per quantity."""
    record = data.records[cell] if cell else {}
    status = record.get("status", "missing")
    shared = {"diverged": int(status == "diverged"), "n": record.get("num_images")}
    shared |= {"seed": cell.seed, "draw": cell.draw} if cell else {}
    if not record.get(KEY):
        status = "no account" if status == "ok" else status
        return [shared | {"quantity": quantity, "status": status} for quantity in QUANTITIES]
    return [
        shared
        | {"quantity": quantity, "decile": entry["decile"], "steps": entry["steps"]}
        | {"t_first": entry["t"][0], "t_last": entry["t"][1], "status": status}
        | {"value": entry[quantity], "largest": entry.get(f"{quantity}_max")}
        for entry in record[KEY]
        for quantity in QUANTITIES
    ]


def _draw(ax: Axes, table: pd.DataFrame, data: FigureData, variants: dict) -> None:
    looks, quantity = style.model_styles(data.models), table["quantity"].iloc[0]
    for (model, guidance, _), rows in table.groupby(["model", "guidance", "sampler"], sort=False):
        look = style.line_look(looks[model], variants[(guidance,)])
        values = rows["value"].to_numpy(float, na_value=np.nan)
        if np.isfinite(values).any():
            ax.plot(rows["decile"].astype(float) + 1, values, **look, label=rows["curve"].iloc[0])
    positive = table["value"].dropna()
    if quantity != "log_p" and len(positive) and positive.gt(0).all():
        _lines.set_y(ax, (positive.min() / 1.5, positive.max() * 1.5), "log")
    ax.set(xlabel="Tenth of time t (10: noise)", xlim=(0.6, 10.4), xticks=range(1, 11))
    ax.set_ylabel(QUANTITIES[quantity])


def _notes(drawn: pd.DataFrame) -> str:
    lost = drawn[drawn["value"].isna() & (drawn["status"] != "ok")].drop_duplicates("curve")
    return "; ".join(f"{row.status}: {row.curve}" for row in lost.itertuples())


def facts(table: pd.DataFrame) -> list[str]:
    """What the ratios are and over what they are means; also from the CSV."""
    known = table[table["value"].notna()]
    sentences = [
        "ρ_MARK is the root mean square of the shift that guidance gives an ancestral step, over "
        "the noise of that step; ρ_DDIM that of the shift of the predicted noise over it; "
        "both whatever the sampler",
        f"Means over {captions.span(known['n'])} images (log p: the first 64) and the steps in "
        f"each tenth, epoch {captions.span(known['epoch'])}; no bands: the spread is not kept",
    ]
    return captions.with_note(sentences, _notes(table))
