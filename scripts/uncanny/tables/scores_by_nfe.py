"""What each sampler reaches with a number of network evaluations, to be quoted and compared."""

import pandas as pd

from uncanny.registry.option_types import NonEmpty, PositiveInt
from uncanny.samplers import nfe as evaluations
from uncanny.tables import Contents
from uncanny.tables.samplers import cells_by_model, points

NEEDS = "scores"
SHOWS = (("scores",),)


def scores_by_nfe(contents: Contents, *, metric: str, nfe: NonEmpty[PositiveInt]) -> pd.DataFrame:
    """One row for each model, series of samplers and number of evaluations in `nfe` (`at most`).

    `value` is of the sampler with the most evaluations (`NFE`) that do not exceed it, of all images
    at once and less the bias; none where its images diverged. Numbers below a series' fewest
    evaluations have no row.
    """
    rows = [
        {"model": contents.label("models", model), "sampler": series, "at most": limit}
        | {"NFE": one["x"], "value": one["value"], "standard error": one["se"]}
        for model, cells in cells_by_model(contents, metric).items()
        for series, own in _placed(contents, model, cells).groupby("series", sort=False)
        for limit in sorted(nfe)
        for _, one in own[own["x"] <= limit].nlargest(1, "x").iterrows()
    ]
    return pd.DataFrame(rows).astype({"at most": "Int64"})


def _placed(contents: Contents, model: str, cells: pd.DataFrame) -> pd.DataFrame:
    """Points of a model; where images diverged, with the evaluations that the sampler declares."""
    table, process = points(contents, cells), contents.process(model)
    blocks = [contents.samplers[name][model] for name in table["sampler"]]
    declared = pd.Series([evaluations.nfe(block, process) for block in blocks], dtype=float)
    return table.assign(x=table["x"].fillna(declared))


def sections(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table for each model: a row for each sampler, a column for each number of evaluations."""
    return {model: _wide(rows) for model, rows in frame.groupby("model", sort=False)}


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows.assign(text=rows[["value", "standard error"]].apply(_text, axis=1))
    wide = shown.pivot(index="sampler", columns="at most", values="text")
    wide = wide.reindex(rows["sampler"].unique()).fillna("").rename(columns=lambda n: f"≤ {n}")
    return wide.rename_axis(columns=None).reset_index()


def _text(row: pd.Series) -> str:
    return "diverged" if pd.isna(row["value"]) else "{:.3g} ± {:.2g}".format(*row)
