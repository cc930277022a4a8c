"""Samplers: what they are, and the fewest evaluations with which they are as good as the best."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from uncanny.evaluation import score_records, standings
from uncanny.registry import components
from uncanny.registry.option_types import OpenFraction
from uncanny.samplers import nfe
from uncanny.tables import Contents, format_value

NEEDS = "scores"
SHOWS = (("scores",),)


def samplers(contents: Contents, *, metric: str, margin: OpenFraction = 0.02) -> pd.DataFrame:
    """One row for each model and series of samplers; a sampler without a series is its own.

    Order (without noise), evaluations per step and noise are those that the samplers declare. `best`
    is the series' best value, of all images at once and less its bias. `NFE, shown` is the fewest
    evaluations that lose no more than the margin against every other sampler of the model
    (`standings.standings`), `NFE, estimated` the fewest whose estimate is within the margin of the
    model's best. Milliseconds are per image, those of the sampling jobs, which share the machine.
    """
    table = score_records.tidy(contents.scores)
    table = table[(table["metric"] == metric) | (table["status"] == "diverged")]
    rows = []
    for model, own in table.groupby("model", sort=False):
        rows += _of_model(contents, model, own, margin)
    return pd.DataFrame(rows).astype({"order": "Int64", "NFE per step": "Int64"})


def _of_model(contents: Contents, model: str, table: pd.DataFrame, margin: float) -> list[dict]:
    points = _points(contents, table)
    points["within"], points["near"] = "", False
    measured = points[points["value"].notna()]
    if len(measured) > 1:
        kind = table["kind"].dropna().iloc[0]
        falling = kind in components.constant("metrics", kind, "FALLING")
        rule = {"falling": falling, "margin": margin}
        points.loc[measured.index, "within"] = standings.standings(measured["scores"], **rule)
        points.loc[measured.index, "near"] = standings.near(measured["value"], **rule)
        best = measured.groupby("series")["value"].agg("idxmin" if falling else "idxmax")
    else:
        best = measured.groupby("series")["value"].agg("idxmax")
    return [
        _row(contents, model, own, points.loc[best[series]] if series in best else None)
        for series, own in points.groupby("series", sort=False)
    ]


def _points(contents: Contents, table: pd.DataFrame) -> pd.DataFrame:
    """One row per sampler: means over its runs."""
    points = []
    for sampler, rows in table.groupby("sampler", sort=False):
        ok = rows[rows["status"] == "ok"]
        points.append(
            {
                "series": contents.label("series", sampler),
                "sampler": sampler,
                "x": ok["nfe"].mean(),
                "value": ok["corrected"].mean(),
                "se": np.sqrt((ok["corrected_se"] ** 2).sum()) / max(len(ok), 1),
                "scores": ok["score"].tolist(),
                "ms": 1000 * (ok["seconds"] / ok["n"].astype(float)).mean(),
                "diverged": len(rows) - len(ok),
            }
        )
    return pd.DataFrame(points)


def _row(contents: Contents, model: str, own: pd.DataFrame, best: pd.Series | None) -> dict:
    blocks = [contents.samplers[name][model] for name in own["sampler"]]
    shown = own.loc[own["within"] == standings.WITHIN, "x"].min()
    near = own.loc[own["near"], "x"].min()
    at = own[own["x"] == (near if np.isfinite(near) else np.nan)]
    return {
        "model": contents.label("models", model),
        "sampler": own["series"].iloc[0],
        "order": nfe.order(blocks[0]),
        "NFE per step": nfe.nfe_per_step(blocks[0]),
        "noise": format_value(nfe.is_stochastic(blocks[0])),
        "NFE, shown": shown,
        "NFE, estimated": near,
        "ms, estimated": at["ms"].mean(),
        "best": np.nan if best is None else best["value"],
        "standard error": np.nan if best is None else best["se"],
        "NFE of the best": np.nan if best is None else best["x"],
        "not decided": int((own["within"] == standings.OPEN).sum()),
        "diverged": int(own["diverged"].sum()),
    }
