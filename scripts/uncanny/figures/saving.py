"""Save figures."""

import contextlib
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from uncanny.figures import style
from uncanny.runtime import files


def save(figure: Figure, table: pd.DataFrame, stem: str | Path) -> None:
    """Write stem.pdf, stem.png (200 dpi) and stem.csv, either all or none, and their checksums.

    The same figure gives the same bytes: the files carry no date.
    """
    paths = {suffix: Path(f"{stem}.{suffix}") for suffix in ("pdf", "png", "csv")}
    with contextlib.ExitStack() as stack, style.context():
        temporary = {suffix: stack.enter_context(files.replacing(p)) for suffix, p in paths.items()}
        table.to_csv(temporary["csv"], index=False, lineterminator="\n")
        for kind in ("pdf", "png"):
            options = {"dpi": style.PNG_DPI, "bbox_inches": "tight", "pad_inches": 0.05}
            options["metadata"] = style.METADATA[kind]
            figure.savefig(temporary[kind], format=kind, **options)
    files.write_checksums(paths.values())
