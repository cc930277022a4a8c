"""Tables as files: what is escaped, what is empty, and that bytes are stable."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from uncanny.runtime import table_files


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "name": ["a|b", "50 % & more_of {it} \\ ~ ^ $ #", "±2 ≤ σ², 1 – 2 → 3"],
            "value": [1.23456789, np.nan, -0.000012345],
            "count": pd.array([1, None, 123456], dtype="Int64"),
            "flag": [True, False, None],
        }
    )


def written(frame, folder, **words):
    table_files.write(frame, folder / "t", **({"title": "Title_1", "caption": "Of 5 %."} | words))
    return {suffix: (folder / f"t.{suffix}").read_text() for suffix in ("csv", "md", "tex")}


def rows(markdown):
    """Rows of a table in Markdown, without the blanks that align them."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [re.sub(" +", " ", line) for line in lines]


def test_csv_holds_all_digits_and_round_trips(frame, tmp_path):
    read = pd.read_csv(io.StringIO(written(frame, tmp_path)["csv"]))
    assert read["value"].to_list() == pytest.approx(frame["value"].to_list(), rel=0, nan_ok=True)
    assert read["name"].to_list() == frame["name"].to_list()


def test_markdown_rows_have_one_cell_per_column(frame, tmp_path):
    lines = rows(written(frame, tmp_path)["md"])
    assert len(lines) == 5
    assert all(line.replace("\\|", "").count("|") == 5 for line in lines)
    assert re.fullmatch(r"\|:-+\|-+:\|-+:\|:-+\|", lines[1])
    assert lines[2] == "| a\\|b | 1.235 | 1 | yes |"
    assert lines[3].endswith("| | | no |")


def test_latex_is_escaped(frame, tmp_path):
    text = written(frame, tmp_path)["tex"]
    assert r"50 \% \& more\_of \{it\} \textbackslash{} \textasciitilde{}" in text
    assert r"$\pm$2 $\leq$ $\sigma$$^2$, 1 -- 2 $\to$ 3" in text
    assert r"\caption{\textbf{Title\_1.} Of 5 \%.}" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert [row.replace(r"\&", "").count("&") for row in body] == [3, 3, 3]
    assert all(row.endswith(r"\\") for row in body)
    assert text.isascii()


def test_long_text_breaks_its_lines_in_latex(tmp_path):
    text = written(pd.DataFrame({"a": ["word " * 20], "b": [1.0]}), tmp_path)["tex"]
    assert r"\begin{tabular}{p{0.90\linewidth}r}" in text


def test_same_table_same_bytes(frame, tmp_path):
    assert written(frame, tmp_path / "a") == written(frame.copy(), tmp_path / "b")


def test_a_line_break_stays_within_its_cell(tmp_path):
    texts = written(pd.DataFrame({"a": ["one\ntwo"]}), tmp_path)
    assert rows(texts["md"])[2] == "| one two |" and "one two \\\\" in texts["tex"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12346"),
        (123.456, "123.5"),
        (1e-7, "1e-07"),
        (np.float64(2), "2"),
        (np.inf, "inf"),
    ],
)
def test_numbers(value, text):
    assert table_files.shown(value) == text


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame([[1, 2]], columns=["a", "a"])])
def test_refused(frame, tmp_path):
    with pytest.raises(ValueError, match="expected different names"):
        table_files.write(frame, tmp_path / "t", title="", caption="")
    assert not list(tmp_path.iterdir())


RUNS = pd.DataFrame(
    {"model": "a", "value": [1.0, 2.0, 3.0], "device": "cpu", "published": [None] * 3}
)


def test_a_constant_column_becomes_a_note(tmp_path):
    texts = written(RUNS, tmp_path)
    assert rows(texts["md"])[0] == "| model | value |"  # the first column names the rows
    note = "The same in all rows: device: cpu. Without a value in any row (1): published."
    assert note in texts["md"] and note in texts["tex"]
    assert pd.read_csv(io.StringIO(texts["csv"])).columns.tolist() == list(RUNS)
    assert rows(written(RUNS[:2], tmp_path)["md"])[0] == "| model | value | device | published |"


def test_sections_are_tables_of_their_own(tmp_path):
    texts = written(
        RUNS, tmp_path, sections={"one": RUNS, "two": RUNS.assign(device=["x", "y", "z"])}
    )
    assert [line for line in texts["md"].splitlines() if line.startswith("#")] == [
        "## Title_1",
        "### one",
        "### two",
    ]
    assert re.findall(r"\\label\{(.*?)\}", texts["tex"]) == ["tab:t", "tab:t-2"]
    assert texts["md"].count("Of 5 %.") == texts["tex"].count(r"Of 5 \%.") == 1
