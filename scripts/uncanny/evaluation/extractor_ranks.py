"""Ranks of models under two extractors that were trained alike, with different seeds."""

from collections.abc import Sequence

import pandas as pd

from uncanny.registry import components

CONFIGURATION = ["dataset", "model", "sampler"]
SEEDS = ["train_seed", "sample_seed"]
METRICS = ("inception_score", "fid")  # kinds; of the first only with all images at once


def final_values(table: pd.DataFrame) -> pd.DataFrame:
    """Values less their bias of each configuration and its seeds, without guidance, at the last
    epoch; columns are metrics, with their kinds. table: as score_records.tidy gives it.
    """
    rows = table[(table["guidance"] == "none") & table["kind"].isin(METRICS)]
    rows = rows[(rows["kind"] != "inception_score") | (rows["splits"] == 1)]
    last = rows["epoch"] == rows.groupby("model")["epoch"].transform("max")
    return rows[last].pivot_table("corrected", CONFIGURATION + SEEDS, ["kind", "metric"])


def compared(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(mean rank of each model with both extractors, agreement of all configurations), by dataset
    and metric.

    first, second: final_values of the same study; seeds that both have are averaged. Rank 1 is the
    best. Raises ValueError where they have no configuration in common.
    """
    shared = first.index.intersection(second.index)
    if shared.empty:
        raise ValueError("the two sets of scores have no model and sampler in common")
    ranks, agreement = [], []
    falling = components.constant("metrics", "fid", "FALLING")
    for kind, metric in first.columns.intersection(second.columns):
        values = [table.loc[shared, (kind, metric)] for table in (first, second)]
        both = pd.concat(values, axis=1, keys=[1, 2]).dropna().groupby(CONFIGURATION).mean()
        for dataset, rows in both.groupby(level="dataset"):
            ranked = rows.rank(ascending=kind in falling)
            by_model = ranked.groupby(level="model").mean().reset_index()
            ranks.append(by_model.assign(dataset=dataset, metric=metric))
            agreement.append(
                {
                    "dataset": dataset,
                    "metric": metric,
                    "configurations": len(rows),
                    "Spearman": ranked[1].corr(ranked[2]),
                    "largest change of rank": int((ranked[1] - ranked[2]).abs().max()),
                }
            )
    return pd.concat(ranks, ignore_index=True), pd.DataFrame(agreement)


def page_tables(ranks: pd.DataFrame, agreement: pd.DataFrame) -> Sequence[pd.DataFrame]:
    """Both tables for readers: models as rows, extractors by metric as columns."""
    wide = ranks.pivot_table([1, 2], ["dataset", "model"], "metric")
    wide.columns = [f"{metric}, extractor {which}" for which, metric in wide.columns]
    shown = wide[sorted(wide.columns)].round(1).sort_values(list(wide.columns)[-1]).reset_index()
    return shown, agreement.round({"Spearman": 3})
