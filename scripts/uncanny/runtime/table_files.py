"""Tables as three files: CSV to compute with, Markdown to read, LaTeX (booktabs) to print.

What pandas writes Markdown and LaTeX with, tabulate and Jinja2, comes with Snakemake.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from uncanny.runtime import files

DIGITS = 4  # significant digits in Markdown and LaTeX; CSV keeps all of them
FEWEST_ROWS = 3  # of a table whose constant columns become a note
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


def write(
    frame: pd.DataFrame,
    stem: Path | str,
    *,
    title: str,
    caption: str,
    sections: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write stem.csv, stem.md and stem.tex, each whole or not at all, the same bytes for the same
    table.

    The index is not written. A missing value (NaN, None, NA) is empty. CSV has all columns with all
    digits. Markdown and LaTeX have `sections`, heading → table (default: one, without a heading),
    condensed and with DIGITS significant digits. In LaTeX each is a table environment that needs
    the package booktabs; labels are tab: and the file's name, from the second on with a number.
    Raises ValueError for a table without columns or with a repeated column name.
    """
    if frame.columns.empty or frame.columns.has_duplicates:
        raise ValueError(f"{stem}: columns {list(frame.columns)}: expected different names")
    stem = Path(stem)
    shown = {heading: condensed(part) for heading, part in (sections or {"": frame}).items()}
    texts = {
        "csv": frame.to_csv(index=False, lineterminator="\n"),
        "md": _sections_in_markdown(shown, title, caption),
        "tex": _sections_in_latex(shown, title, caption, stem.name),
    }
    for suffix, text in texts.items():
        files.write_text(stem.with_name(f"{stem.name}.{suffix}"), text)


def condensed(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The columns that differ between rows, and a note on the others: their value, or that they are
    empty. The first column stays; a table of fewer than FEWEST_ROWS rows stays as it is.
    """
    if len(frame) < FEWEST_ROWS:
        return frame, ""
    texts = frame.astype(object).map(shown)
    constant = [name for name in frame.columns[1:] if texts[name].nunique() == 1]
    empty = [str(name) for name in constant if not texts[name].iloc[0]]
    same = [f"{name}: {texts[name].iloc[0]}" for name in constant if texts[name].iloc[0]]
    notes = [f"The same in all rows: {'; '.join(same)}."] if same else []
    notes += [f"Without a value in any row ({len(empty)}): {', '.join(empty)}."] if empty else []
    return frame.drop(columns=constant), " ".join(notes)


def _sections_in_markdown(parts: Mapping, title: str, caption: str) -> str:
    texts = [f"## {title}"]
    for heading, (frame, note) in parts.items():
        texts += [f"### {heading}" if heading else "", _markdown_table(frame), note]
    return "\n\n".join(text for text in [*texts, caption] if text) + "\n"


def _sections_in_latex(parts: Mapping, title: str, caption: str, name: str) -> str:
    texts = []
    for number, (heading, (frame, note)) in enumerate(parts.items(), 1):
        own = f"{title}: {heading}" if heading else title
        about = " ".join(text for text in (note, caption if number == 1 else "") if text)
        label = name if number == 1 else f"{name}-{number}"
        texts.append(latex(frame, title=own, caption=about, label=label))
    return "\n".join(texts)


def markdown(frame: pd.DataFrame, *, title: str, caption: str) -> str:
    """Title, table and caption as Markdown; numbers are aligned to the right."""
    return f"## {title}\n\n{_markdown_table(frame)}\n\n{caption}\n"


def _markdown_table(frame: pd.DataFrame) -> str:
    sides = ["right" if _is_numeric(frame[name]) else "left" for name in frame]
    return _texts(frame, cell).to_markdown(index=False, disable_numparse=True, colalign=sides)


def read_markdown(text: str) -> list[dict]:
    """Tables of a text by `markdown`: title, header, rows, caption, and which columns are numeric
    (`numeric`, their positions), as texts.
    """
    parts = [part for part in re.split(r"^## ", text, flags=re.M) if part.strip()]
    return [sheet for part in parts for sheet in _sheets(part)]


def _sheets(part: str) -> list[dict]:
    """One entry per table; the note below it and the caption are its `caption`."""
    title, *blocks = part.strip().split("\n\n")
    heading, sheets = title, []
    for block in blocks:
        if block.startswith("### "):
            heading = f"{title}: {block.removeprefix('### ')}"
        elif re.match(r"\|.*\n\|[ :-]", block):
            sheets.append(_sheet(heading, block))
        else:
            sheets[-1]["caption"] = "\n\n".join(filter(None, (sheets[-1]["caption"], block)))
    return sheets


def _sheet(title: str, table: str) -> dict:
    header, sides, *rows = ([*_cells(line)] for line in table.splitlines())
    numeric = [number for number, side in enumerate(sides) if side.endswith(":")]
    return {"title": title, "header": header, "rows": rows, "caption": "", "numeric": numeric}


def _cells(line: str) -> Iterator[str]:
    """Cells of a line of a table in Markdown, without the escapes of `cell`."""
    for match in re.finditer(r"\|((?:\\.|[^\\|])+)", line):
        yield re.sub(r"\\(.)", r"\1", match[1]).strip()


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
