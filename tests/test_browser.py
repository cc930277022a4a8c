"""The study page and Snakemake's report in headless Chromium: opened, clicked through, searched."""

import json
import subprocess
import sys
from pathlib import Path

import browser
import made_pages
import pytest
from made_pages import CAPTION, ORDER

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium on this machine")
SEARCH = "search.value = '{}'; search.dispatchEvent(new Event('input'))"
SHOWN = "items.filter((item) => item.getClientRects().length).map((item) => item.id)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    made_pages.write(folder)
    return folder


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser.page(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def page(window, folder):
    """The study page; afterwards its console has no error, and it has requested nothing."""
    window.errors.clear()
    window.requested.clear()
    window.open(folder / "results/tiny/index.html")
    yield window
    assert window.errors == []
    assert {address.partition(":")[0] for address in window.requested} == {"file", "data"}
    assert sum(address.startswith("file") for address in window.requested) == 1


def test_each_figure_is_enlarged_with_its_caption(page):
    assert page.run(SHOWN) == [*ORDER, "table_1", "table_2", "claims"]
    for name in ORDER:
        page.run(f"document.querySelector('#{name} .zoom').click()")
        assert page.run("dialog.open")
        assert page.run("dialog.querySelector('img').naturalWidth") == 300
        caption = page.run("dialog.querySelector('figcaption').textContent")
        assert caption.endswith(CAPTION)
        assert page.run(f"document.querySelector('#{name} figcaption').textContent") == caption
        page.run("dialog.querySelector('button').click()")
        assert not page.run("dialog.open")


def test_arrows_turn_to_the_next_figure(page):
    page.run("document.querySelector('#figure_2 .zoom').click()")
    pressed = "dialog.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Arrow{}'}})); enlarged.id"
    assert page.run(pressed.format("Right")) == "figure_10"
    assert page.run(pressed.format("Left")) == "figure_2"
    assert page.run(pressed.format("Left")) == ORDER[-1]


def test_the_search_shows_what_it_finds(page):
    everything = page.run(SHOWN)
    for words, expected in {
        "figure_A10": ["figure_A10"],
        "heun": ["figure_2", "figure_A2", "figure_2_more", "figure_extra", "claims"],
        "second ORDER": ["figure_2", "figure_A2", "figure_2_more", "figure_extra"],
        "<b>": ["figure_2", "claims"],
        "a|b": ["table_1", "table_2"],
        "nothing of this": [],
    }.items():
        page.run(SEARCH.format(words))
        assert page.run(SHOWN) == expected, words
        assert page.run("document.querySelector('#matches').textContent") == f"{len(expected)} of 9"
        listed = "[...document.querySelectorAll('nav li')].filter((each) => each.dataset.for && each.getClientRects().length).map((each) => each.dataset.for)"
        assert page.run(listed) == expected
    page.run(SEARCH.format(""))
    assert page.run(SHOWN) == everything


def test_key_figures_and_data_are_inside_the_page(page):
    sizes = "[...document.querySelectorAll('[data-copy]')].map((image) => image.naturalWidth)"
    page.wait(f"({sizes}).every(Boolean)")
    assert page.run(sizes) == [300, 300]
    csv = "fetch(document.querySelector('#figure_2 [download]').href).then((data) => data.text())"
    assert page.run(csv) == "x,y\n1,2\n\n"


def test_the_scorecard_is_first(page):
    rows = "[...document.querySelectorAll('header tbody tr')].map((row) => row.cells[2].className)"
    assert page.run(rows) == [
        "verdict not-reproduced-at-this-scale",
        "verdict not-testable",
    ]


@pytest.fixture(scope="module")
def report(window, folder):
    """Snakemake's report of the study, whose files no job has made, in the browser."""
    (folder / "study.yaml").write_text(json.dumps(made_pages.config()))
    (folder / "report.yaml").write_text('{"images per cell": 40}\n')
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "gallery", "training"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--report", "report.html"]
    command += ["--report-metadata", "report.yaml", "--configfile", "study.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    window.errors.clear()
    window.open(folder / "report.html")
    window.wait("document.querySelector('.overview') !== null")
    yield window
    assert window.errors == []


def test_the_first_page_of_the_report_has_scorecard_and_key_figures(report):
    text = report.run("document.querySelector('#app').innerText")
    assert (
        "4 figures, 1 model, 2 supplementary figures, 2 tables" in text
        and "not reproduced at this scale" in text
    )
    assert report.run("document.querySelectorAll('.overview img').length") == 2
    assert report.run("document.querySelector('.overview').getBoundingClientRect().top") >= 0
    assert report.run("document.querySelector('svg.marks, canvas') === null")  # no graph of jobs


def test_the_report_lists_figures_by_number_in_three_groups(report):
    cells = "[...document.querySelectorAll('.table-auto tbody tr')].map((row) => row.innerText)"
    listed = []
    for group in ("1 Main figures", "2 Appendix", "3 Supplementary figures"):
        view = {"navbarMode": "subcategory", "category": "Figures", "subcategory": group}
        report.run(f"app.setView({json.dumps(view)})")
        report.wait(f"{cells}.length === 2")
        listed += report.run(cells)
        report.run("app.setView({navbarMode: 'menu'})")  # a new list has to replace this one
        report.wait(f"{cells}.length === 0")
    numbers = [label.partition(":")[0] for label in listed]
    assert numbers == ["02", "10", "A02", "A10", "02 more", "extra"]


def test_the_search_of_the_report_finds_a_figure_by_its_name(report):
    report.run("app.setView({navbarMode: 'searchresults', searchTerm: 'figure_A10'})")
    report.wait("document.querySelectorAll('.table-auto tbody tr').length === 1")
    assert "A10" in report.run("document.querySelector('.table-auto tbody').innerText")
    report.run("app.setView({navbarMode: 'menu'})")


def test_a_figure_of_the_report_is_shown_with_its_caption(report):
    path = "results/tiny/figures/figure_2.html"
    report.run(
        f"app.setView({{content: 'html', contentPath: results['{path}'].data_uri, resultPath: '{path}'}})"
    )
    report.wait("document.querySelector('iframe') !== null")
    page = "fetch(document.querySelector('iframe').src).then((data) => data.text())"
    shown = report.run(
        f"{page}.then((text) => new DOMParser().parseFromString(text, 'text/html').body.innerText)"
    )
    assert CAPTION in shown and "figure_2.csv" in shown


def test_captions_and_parameters_are_plain_text(report):
    for path in report.run("Object.keys(results)"):
        report.run(f"app.showResultInfo('{path}')")
        assert report.run("document.querySelectorAll('a[href^=mailto]').length") == 0
    report.run("app.showResultInfo('results/tiny/figures/figure_2.html')")
    report.wait("document.body.innerText.includes('plot_figure')")
    text = report.run("document.body.innerText")
    assert CAPTION in text
    assert "figure=kind: curves" in text and "{'" not in text
