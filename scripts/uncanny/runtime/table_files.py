"""Tables as three files: CSV to compute with, Markdown to read, LaTeX (booktabs) to print."""

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
    rules = ["---:" if _is_numeric(frame[name]) else "---" for name in frame.columns]
    rows = [[cell(str(name)) for name in frame.columns], rules]
    rows += [[cell(shown(v)) for v in row] for row in _rows(frame)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"## {title}", "", *lines, "", caption, ""])


def latex(frame: pd.DataFrame, *, title: str, caption: str, label: str) -> str:
    """The table as a LaTeX table environment."""
    rows = [" & ".join(tex(shown(v)) for v in row) + r" \\" for row in _rows(frame)]
    head = " & ".join(tex(str(name)) for name in frame.columns) + r" \\"
    about = " ".join(text for text in (f"\\textbf{{{tex(title)}.}}", tex(caption)) if text)
    return "\n".join(
        [
            *(r"\begin{table}", r"\centering", f"\\caption{{{about}}}", f"\\label{{tab:{label}}}"),
            *(f"\\begin{{tabular}}{{{_columns(frame)}}}", r"\toprule", head, r"\midrule"),
            *(*rows, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""),
        ]
    )


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


def _rows(frame: pd.DataFrame):
    return frame.astype(object).itertuples(index=False, name=None)


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
