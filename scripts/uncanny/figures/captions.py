"""Captions: what a figure's block says, then how its points came about."""

from collections.abc import Iterable, Mapping

import pandas as pd

HALF_BAND = 1.96  # standard errors


def with_facts(drawn: pd.DataFrame, facts: Iterable[str]) -> pd.DataFrame:
    """The drawn table with the sentences about it."""
    drawn.attrs["facts"] = list(facts)
    return drawn


def with_note(sentences: list[str], note: str) -> list[str]:
    """The sentences, and a note where there is one."""
    return [*sentences, note] if note else sentences


def caption(drawn: pd.DataFrame, block: Mapping) -> str:
    """The figure's title and caption from its block, then the facts of the drawn table."""
    own = [block[key].rstrip(".") for key in ("title", "caption") if block.get(key)]
    return " ".join(f"{sentence}." for sentence in [*own, *drawn.attrs["facts"]])


def measured(points: pd.DataFrame) -> str:
    """The seeds, draws, images, splits and extractor of summarised points."""
    seeds, draws, n = (span(points[key]) for key in ("seeds", "draws", "n"))
    text = f"the mean over {counted(seeds, 'training seed')} with {counted(draws, 'draw')} each"
    text = "one draw from one training seed" if (seeds, draws) == ("1", "1") else text
    text += f", n = {n} images per draw"
    split = points.dropna(subset="splits").drop_duplicates(["splits", "images_per_split"])
    for row in split.itertuples():
        text += f", in {counted(f'{row.splits:.0f}', 'split')} of {row.images_per_split:,.0f}"
    return f"{text}, extractor {extractors(points)}"


def extractors(points: pd.DataFrame) -> str:
    """Names of the extractors that points were measured with."""
    return " and ".join(points["extractor_id"].dropna().unique())


def bands(points: pd.DataFrame, artists: str = "bands") -> str:
    """What the bands (or bars) of points show, and where they are missing."""
    has_band = points["se"].notna()
    if not has_band.any():
        return f"No {artists}: the standard errors are not known"
    levels = " or ".join(f"({names})" for names in points.loc[has_band, "levels"].unique())
    text = f"{artists.capitalize()} are ±{HALF_BAND} standard errors of the mean {levels}"
    rest = f"; points without a {artists.rstrip('s')} have no known error"
    return text if has_band.all() else text + rest


def references(table: pd.DataFrame) -> str:
    """The references with their values, and their number of images where it is another one."""
    n = table[table["control"].isna()].groupby("metric")["n"].max()
    found = table[table["control"].notna() & table["value"].notna()]
    found = found.drop_duplicates(["curve", "metric"])
    named = [
        f"{row.curve} {row.value:.4g}" + ("" if row.n == n[row.metric] else f" (n = {row.n:,.0f})")
        for row in found.itertuples()
    ]
    return f"; references in grey: {', '.join(named)}" if named else ""


def span(values: pd.Series) -> str:
    """ "3", or "3 to 5"."""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def counted(number: str, noun: str) -> str:
    """ "1 draw", "2 draws"."""
    return f"{number} {noun}" + ("" if number == "1" else "s")
