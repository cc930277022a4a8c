"""Tables as three files: CSV to compute with, Markdown to read, LaTeX (booktabs) to print.

What pandas writes Markdown and LaTeX with, tabulate and Jinja2, comes with Snakemake.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from uncanny.runtime import files

DIGITS = 4  # significant digits in Markdown and LaTeX; CSV keeps all of them
LONG = 32  # a text column with a longer cell breaks its lines in LaTeX
TEXT_WIDTH = 0.9  # of the line, shared by the long columns

# Characters that are commands in LaTeX, and those that its fonts lack.
_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{"–": "--", "—": "---", "…": r"\dots{}", "“": "``", "”": "''", "’": "'", "‘": "`"},
    **{"×": r"$\times$", "·": r"$\cdot$", "±": r"$\pm$", "−": "$-$", "→": r"$\to$"},
    **{"≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "≠": r"$\neq$", "∞": r"$\infty$"},
    **{"²": "$^2$", "³": "$^3$", "⁴": "$^4$", "§": r"\S{}", "°": r"$^\circ$", "√": r"$\surd$"},
    **{"α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "Δ": r"$\Delta$"},
    **{"ε": r"$\varepsilon$", "λ": r"$\lambda$", "μ": r"$\mu$", "σ": r"$\sigma$", "Γ": r"$\Gamma$"},
    **{"τ": r"$\tau$", "ρ": r"$\rho$", "∈": r"$\in$", "⊂": r"$\subset$", "\n": " "},
    **{"Σ": r"$\Sigma$", "κ": r"$\kappa$", "½": "1/2", "ᵀ": "$^T$", "⁻": "$^-$", "¹": "$^1$"},
}


def write(frame: pd.DataFrame, stem: Path | str, *, title: str, caption: str) -> None:
    """Write stem.csv, stem.md and stem.tex, each whole or not at all, the same bytes for the same
    table.

    The index is not written. A missing value (NaN, None, NA) is empty. CSV has all digits and the
    column names as they are; Markdown and LaTeX have DIGITS significant digits. The LaTeX file is
    a table environment that needs the package booktabs; its label is tab: and the file's name.
    Raises ValueError for a table without columns or with a repeated column name.
    """
    if frame.columns.empty or frame.columns.has_duplicates:
        raise ValueError(f"{stem}: columns {list(frame.columns)}: expected different names")
    stem = Path(stem)
    texts = {
        "csv": frame.to_csv(index=False, lineterminator="\n"),
        "md": markdown(frame, title=title, caption=caption),
        "tex": latex(frame, title=title, caption=caption, label=stem.name),
    }
    for suffix, text in texts.items():
        files.write_text(stem.with_name(f"{stem.name}.{suffix}"), text)


def markdown(frame: pd.DataFrame, *, title: str, caption: str) -> str:
    """Title, table and caption as Markdown; numbers are aligned to the right."""
    sides = ["right" if _is_numeric(frame[name]) else "left" for name in frame]
    texts = _texts(frame, cell)
    table = texts.to_markdown(index=False, disable_numparse=True, colalign=sides)
    return f"## {title}\n\n{table}\n\n{caption}\n"


def read_markdown(text: str) -> list[dict]:
    """Tables of a text by `markdown`: title, header, rows, caption, and which columns are numeric
    (`numeric`, their positions), as texts.
    """
    return [_sheet(part) for part in re.split(r"^## ", text, flags=re.M) if part.strip()]


def _sheet(text: str) -> dict:
    title, table, *caption = text.strip().split("\n\n")
    header, sides, *rows = ([*_cells(line)] for line in table.splitlines())
    numeric = [number for number, side in enumerate(sides) if side.endswith(":")]
    caption = "\n\n".join(caption)
    return {"title": title, "header": header, "rows": rows, "caption": caption, "numeric": numeric}


def _cells(line: str) -> Iterator[str]:
    """Cells of a line of a table in Markdown, without the escapes of `cell`."""
    for found in re.finditer(r"\|((?:\\.|[^\\|])+)", line):
        yield re.sub(r"\\(.)", r"\1", found[1]).strip()


def latex(frame: pd.DataFrame, *, title: str, caption: str, label: str) -> str:
    """The table as a LaTeX table environment."""
    about = " ".join(text for text in (f"\\textbf{{{tex(title)}.}}", tex(caption)) if text)
    look = {"column_format": _columns(frame), "position_float": "centering", "hrules": True}
    table = _texts(frame, tex).style.hide(axis="index")
    return table.to_latex(caption=about, label=f"tab:{label}", **look)


def _texts(frame: pd.DataFrame, escape: Callable[[str], str]) -> pd.DataFrame:
    """The table as it is shown, names of columns included."""
    texts = frame.astype(object).map(lambda value: escape(shown(value)))
    return texts.set_axis([escape(str(name)) for name in frame], axis=1)


def tex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(_TEX.get(character, character) for character in text)


def shown(value: object) -> str:
    """A value as text: empty where missing, yes or no, at most DIGITS significant digits, large
    numbers without exponent.
    """
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if 10**DIGITS <= abs(value) < 1e15 else f"{value:.{DIGITS}g}"
    return str(value)


def _is_numeric(column: pd.Series) -> bool:
    values = column.dropna()
    is_number = [isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values]
    return bool(is_number) and all(is_number)


def cell(text: str) -> str:
    """Text as a cell of a table in Markdown."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _columns(frame: pd.DataFrame) -> str:
    """Alignment of each column; long text shares the width of the line."""
    lengths = [max((len(shown(v)) for v in frame[n].astype(object)), default=0) for n in frame]
    long = [n > LONG for n in lengths]
    width = f"p{{{TEXT_WIDTH / max(sum(long), 1):.2f}\\linewidth}}"
    numeric = ["r" if _is_numeric(frame[name]) else "l" for name in frame]
    return "".join(width if is_long else side for is_long, side in zip(long, numeric, strict=True))
