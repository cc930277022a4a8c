"""Captions: title and caption of a figure's block, then facts about its points."""

from collections.abc import Iterable, Mapping

import pandas as pd

from uncanny.figures.style import NOISES


def with_facts(plotted: pd.DataFrame, facts: Iterable[str]) -> pd.DataFrame:
    """Attach caption sentences to a plotted table."""
    plotted.attrs["facts"] = list(facts)
    return plotted


def with_note(sentences: list[str], note: str) -> list[str]:
    """The sentences, and the note if it is not empty."""
    return [*sentences, note] if note else sentences


def caption(plotted: pd.DataFrame, block: Mapping) -> str:
    """The figure's title and caption from its block, then the facts of the plotted table."""
    own = [block[key].rstrip(".") for key in ("title", "caption") if block.get(key)]
    return " ".join(f"{sentence}." for sentence in [*own, *plotted.attrs["facts"]])


def rounded(value: float, digits: int) -> str:
    """A number with so many significant digits, without a power of ten below a million."""
    return f"{float(f'{value:.{digits}g}'):g}"


def measured(points: pd.DataFrame) -> str:
    """Seeds, images, splits and extractor of summarised points."""
    train, sampling, n = (span(points[key]) for key in ("seeds", "draws", "n"))
    text = f"the mean over {counted(train, 'training seed')}"
    text += f" with {counted(sampling, 'sampling seed')} each"
    text = "of one training and one sampling seed" if (train, sampling) == ("1", "1") else text
    text += f", n = {n} images per sampling seed"
    split = points.dropna(subset="splits").drop_duplicates(["splits", "images_per_split"])
    for row in split.itertuples():
        text += f", in {counted(f'{row.splits:.0f}', 'split')} of {row.images_per_split:,.0f}"
    return f"{text}, extractor {extractors(points)}"


def extractors(points: pd.DataFrame) -> str:
    """Names of the feature extractors with which points were measured."""
    return joined(points["extractor_id"])


def bands(points: pd.DataFrame, artists: str = "bands") -> str:
    """Meaning of the bands (or bars) of points, and which points have none."""
    has_band = points["se"].notna()
    if not has_band.any():
        return f"No {artists}: the standard errors are not known"
    levels = " or ".join(f"({names})" for names in points.loc[has_band, "levels"].unique())
    text = f"{artists.capitalize()} are 95 % intervals of the mean by Student's t {levels}"
    rest = f"; points without a {artists.rstrip('s')} have no known error"
    return text if has_band.all() else text + rest


def extremes(points: pd.DataFrame) -> list[str]:
    """One sentence per panel: its highest and its lowest curve at the last epoch."""
    last = points[~points["behind"].astype(bool)]
    last = last[last["epoch"] == last.groupby("panel")["epoch"].transform("max")]
    texts = []
    for panel, rows in last.groupby("panel"):
        ends = [rows.loc[rows["value"].idxmax()], rows.loc[rows["value"].idxmin()]]
        high, low = (f"{row['curve']} ({rounded(row['value'], 3)})" for row in ends)
        texts.append(f"Panel {panel}, last epoch: highest {high}, lowest {low}")
    return texts


def references(table: pd.DataFrame) -> str:
    """Values of the references by metric, with their number of images if it differs from the
    curves'.
    """
    n = table[table["control"].isna()].groupby("metric")["n"].max()
    measured = table[table["control"].notna() & table["value"].notna()]
    measured = measured.drop_duplicates(["curve", "metric"])
    texts = []
    for (metric, label), rows in measured.groupby(["metric", "metric_label"], sort=False):
        values = [
            f"{row.curve} {row.value:.4g}" + ("" if row.n == n[metric] else f" (n = {row.n:,.0f})")
            for row in rows.itertuples()
        ]
        name = f"{label} of " if measured["metric"].nunique() > 1 else ""
        texts.append(name + ", ".join(values))
    return f"; references in grey: {'; '.join(texts)}" + capped(measured) if texts else ""


def capped(references: pd.DataFrame) -> str:
    """By how much splits lower the score of real images."""
    split = references.dropna(subset="unsplit") if "unsplit" in references else references[:0]
    real = split[~split["control"].isin(NOISES)]
    texts = [
        f"{row.curve} at {rounded(row.value, 3)} of {rounded(row.unsplit, 3)}"
        for row in real.itertuples()
    ]
    if not texts:
        return ""
    size = span(real["images_per_split"])
    about = "without splits and less bias"
    return f"; splits of {size} images cap real images: {', '.join(texts)} ({about})"


def joined(names: pd.Series) -> str:
    """ "a, b and c" of different names."""
    *first, last = names.dropna().unique()
    return f"{', '.join(first)} and {last}" if first else last


def span(values: pd.Series) -> str:
    """ "3", or "3 to 5"."""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def counted(number: str, noun: str) -> str:
    """ "1 split", "2 splits"."""
    return f"{number} {noun}" + ("" if number == "1" else "s")
