"""A study as one self-contained page: its order, its text, nothing from elsewhere."""

import re

import made_pages
import pytest
from made_pages import CAPTION, ODD, ORDER

from uncanny.registry.blocks import Readable
from uncanny.study.plan import listing
from uncanny.workflow import pages


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_pages.write(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def text(made):
    return (made[1] / "index.html").read_text()


def test_figures_stand_in_order_of_their_numbers_by_group(made):
    groups = listing.by_group(made[0])
    assert [name for names in groups.values() for name in names] == ORDER
    assert {key: len(names) for key, names in groups.items()} == {
        "main": 2,
        "appendix": 2,
        "supplementary": 2,
    }


def test_labels_of_the_report_sort_as_the_page_does(made):
    study = made[0]
    labels = {
        n: (listing.report_group(study, n), listing.report_label(study, "figures", n))
        for n in ORDER
    }
    assert sorted(ORDER, key=labels.get) == ORDER
    assert labels["figure_A2"][1].startswith("A02: ")
    assert not re.search(r"[{}]", "".join(label for _, label in labels.values()))


def test_all_items_are_on_the_page_in_order(made, text):
    study = made[0]
    assert re.findall(r'class="item" id="(\w+)"', text) == [
        *ORDER,
        *study.config["tables"],
        "claims",
    ]
    assert re.findall(r'<li data-for="(\w+)"', text) == [*ORDER, *study.config["tables"], "claims"]
    assert re.findall(r'data-zoom="(\w+)"', text) == ["figure_A10", "figure_2"]


def test_the_page_counts_what_it_shows(text):
    # The study has four models, its figures show one of them.
    assert "4 figures, 1 model, 2 supplementary figures, 2 tables, 2 claims" in text
    assert "images per cell: 40" in text


def test_nothing_is_loaded_from_elsewhere(text):
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", text) + re.findall(
        r"url\(([^)]*)", text
    )
    assert len(addresses) > 20
    assert {re.match(r"#|data:\w+/\w+;base64,", address)[0] for address in addresses} == {
        "#",
        "data:image/png;base64,",
        "data:text/csv;base64,",
    }
    assert "http" not in text


def test_every_value_is_escaped_and_no_markup_is_read(text):
    assert ODD not in text and "Heun &amp; &lt;b&gt;Euler&lt;/b&gt; {x} `y` *z* w_" in text
    assert text.count(CAPTION.replace("&", "&amp;").replace("<", "&lt;")) == 6
    assert "mailto" not in text


def test_a_caption_does_not_repeat_the_title(made):
    page = (made[1] / "figures/figure_2.html").read_text()
    assert (
        page.count("Heun &amp; &lt;b&gt;") == 3
    )  # title of the page, of the picture, of the caption
    assert page.count("What is seen") == 1


def test_the_search_has_names_and_labels(made):
    words = listing.searched(made[0], "figure_2")
    for word in ("figure_2", "HEUN", "second order", "vp_uncond", "VP"):
        assert word in words


def test_a_large_data_file_is_named_only(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "LARGEST", 3)
    for name, size in (("small.csv", 3), ("large.csv", 4)):
        (tmp_path / name).write_text("x" * size)
    assert pages.attachment(tmp_path / "small.csv")["address"].startswith("data:text/csv")
    assert pages.attachment(tmp_path / "large.csv") == {"name": "large.csv", "address": None}


def test_a_block_prints_as_plain_text():
    block = Readable(
        {
            "kind": "curves",
            "panels": [{"models": ["a", "b"]}],
            "on": True,
            "none": None,
            "a": {"label": "A"},
        }
    )
    assert f"{block}" == "kind: curves; panels: (models: a, b); on: yes; none: none; a: A"
    assert repr(block) == repr(dict(block))  # what Snakemake compares with the last run
