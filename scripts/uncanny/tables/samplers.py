"""Samplers: what they are, and the fewest evaluations with which they are as good as the best."""

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

    Order (without noise), evaluations per step and noise are those that the samplers declare.
    `best` is the series' best value, of all images at once and less its bias. `NFE, shown` is the
    fewest evaluations that lose no more than the margin against every other sampler of the model
    (`standings.standings`), `NFE, estimated` the fewest whose estimate is within the margin of the
    model's best, `NFE near its best` of the series' own best; `ms` are milliseconds per image with
    the latter, in the sampling jobs, which share the machine.
    """
    rows = []
    for model, cells in cells_by_model(contents, metric).items():
        rows += _of_model(contents, model, cells, margin)
    return pd.DataFrame(rows).astype({"order": "Int64", "NFE per step": "Int64"})


def cells_by_model(contents: Contents, metric: str) -> dict[str, pd.DataFrame]:
    """Scores of each model's cells by a metric, and its cells that diverged; without imported
    images, whose sampler is not known.
    """
    table = score_records.tidy(contents.scores)
    table = table[(table["metric"] == metric) | (table["status"] == "diverged")]
    by_model = table.groupby("model", sort=False)
    return {model: cells for model, cells in by_model if model in contents.models}


def _of_model(contents: Contents, model: str, table: pd.DataFrame, margin: float) -> list[dict]:
    by_sampler = points(contents, table).assign(standing="", near=False, near_own=False, best=False)
    measured = by_sampler[by_sampler["value"].notna()]
    if len(measured):
        kind = table["kind"].dropna().iloc[0]
        rule = {"falling": kind in components.constant("metrics", kind, "FALLING")}
        best = measured.groupby("series")["value"].agg("idxmin" if rule["falling"] else "idxmax")
        by_sampler.loc[best, "best"] = True
        rule |= {"margin": margin}
        standing = standings.standings(measured["scores"].tolist(), **rule)
        by_sampler.loc[measured.index, "standing"] = standing
        by_sampler.loc[measured.index, "near"] = standings.near(measured["value"], **rule)
        for _, own in measured.groupby("series"):
            by_sampler.loc[own.index, "near_own"] = standings.near(own["value"], **rule)
    return [_row(contents, model, own) for _, own in by_sampler.groupby("series", sort=False)]


def points(contents: Contents, table: pd.DataFrame) -> pd.DataFrame:
    """One row per sampler of one model, means over its runs: `x` evaluations, `value` of all images
    at once and less its bias, `se`, and `ms` per image.
    """
    rows = []
    for sampler, cells in table.groupby("sampler", sort=False):
        ok = cells[cells["status"] == "ok"]
        rows.append(
            {
                "series": contents.label("series", sampler),
                "sampler": sampler,
                "x": ok["nfe"].mean(),
                "value": ok["corrected"].mean(),
                "se": np.sqrt((ok["corrected_se"] ** 2).sum()) / max(len(ok), 1),
                "scores": ok["score"].tolist(),
                "ms": 1000 * (ok["seconds"] / ok["n"].astype(float)).mean(),
                "diverged": len(cells) - len(ok),
            }
        )
    return pd.DataFrame(rows)


def _row(contents: Contents, model: str, own: pd.DataFrame) -> dict:
    block = contents.samplers[own["sampler"].iloc[0]][model]
    best, fewest = own[own["best"]], own[own["near_own"]].nsmallest(1, "x")
    return {
        "model": contents.label("models", model),
        "sampler": own["series"].iloc[0],
        "order": nfe.order(block),
        "NFE per step": nfe.nfe_per_step(block),
        "noise": format_value(nfe.is_stochastic(block)),
        "NFE, shown": own.loc[own["standing"] == standings.WITHIN, "x"].min(),
        "NFE, estimated": own.loc[own["near"], "x"].min(),
        "best": best["value"].min(),
        "standard error": best["se"].min(),
        "NFE near its best": fewest["x"].min(),
        "ms": fewest["ms"].min(),
        "not decided": int((own["standing"] == standings.OPEN).sum()),
        "diverged": int(own["diverged"].sum()),
    }
