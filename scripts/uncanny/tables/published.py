"""Scores of a study next to those that a paper printed for the same model and sampler."""

import numpy as np
import pandas as pd

from uncanny.evaluation import score_records, summaries
from uncanny.registry.option_types import NonEmpty
from uncanny.tables import Contents, psld_paper

NEEDS = "scores"
ERROR = ", s.e."


def published(contents: Contents, *, metrics: NonEmpty[str]) -> pd.DataFrame:
    """One row per cell and number of images, means over seeds and draws: evaluations, each metric
    with its standard error; and what arXiv 2303.01748 printed, where dataset, process, network,
    sampler and number of images are the same, else nothing.
    """
    table = score_records.tidy([entry for record in contents.scores for entry in _by_size(record)])
    if table.empty:
        raise ValueError("published: no scores to be shown")
    evaluations = table.groupby(["model", "sampler", "guidance"])["nfe"].mean()
    summary = summaries.summarise(table[table["metric"].isin(metrics)])
    keys = ["model", "sampler", "guidance", "epoch", "n"]
    rows = []
    for key, points in summary.drop_duplicates([*keys, "metric"]).groupby(keys, sort=False):
        named = dict(zip(keys, key, strict=True))
        rows.append(
            _row(contents, named, evaluations[key[:3]], points.set_index("metric"), metrics)
        )
    return pd.DataFrame(rows).astype({"images": "Int64", "epoch": "Int64"})


def sections(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table, with each metric and its standard error in a column."""
    shown = frame.copy()
    for error in [name for name in frame if name.endswith(ERROR)]:
        metric = error.removesuffix(ERROR)
        values = frame[[metric, error]].itertuples(index=False, name=None)
        shown[metric] = [_with_error(*pair) for pair in values]
        shown = shown.drop(columns=error)
    return {"": shown}


def _with_error(value: float, error: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.4g}" if np.isnan(error) else f"{value:.4g} ± {error:.2g}"


def _by_size(record: dict) -> list[dict]:
    """A record of a cell, or of its sample sizes as one record for each size."""
    if "sizes" not in record:
        return [record]
    rest = {key: value for key, value in record.items() if key != "sizes"}
    sized = [rest | {"metrics": size["metrics"]} for size in record["sizes"]]
    for entry in sized:  # the name of the dataset keeps cells of different sizes apart
        name = f"{entry['cell']['dataset']}, n = {entry['metrics'][0]['n']}"
        entry["cell"] = entry["cell"] | {"dataset": name}
    return sized


def _row(contents: Contents, named: dict, nfe: float, points: pd.DataFrame, metrics: list) -> dict:
    row = {
        "model": contents.label("models", named["model"]),
        "sampler": contents.label("samplers", named["sampler"]),
        "guidance": contents.label("guidances", named["guidance"]),
        "epoch": named["epoch"],
        "images": named["n"],
        "NFE": nfe,
    }
    for metric in metrics:
        has_metric, label = metric in points.index, contents.label("metrics", metric)
        row[label] = points.loc[metric, "value"] if has_metric else np.nan
        row[label + ERROR] = points.loc[metric, "se"] if has_metric else np.nan
    sampler = contents.samplers[named["sampler"]][named["model"]]
    facts = psld_paper.facts(contents.models[named["model"]], sampler, named["guidance"])
    return row | psld_paper.printed(facts | {"n": str(named["n"])})
