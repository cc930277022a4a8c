"""A study's folder with pictures, captions and tables that no job has made, and its pages."""

import copy
import struct
import zlib
from pathlib import Path

import pandas as pd
from test_configuration import TINY, plan

from uncanny.runtime import files, table_files
from uncanny.study.plan import listing
from uncanny.workflow import pages, study_page

# Text that means something to HTML, to reStructuredText and to Snakemake.
ODD = "Heun & <b>Euler</b> {x} `y` *z* w_"
CAPTION = "What is seen, extractor classifier@1d7a59a5ee70, n < 40 & *no* `markup` at all_."
ORDER = ["figure_2", "figure_10", "figure_A2", "figure_A10", "figure_2_more", "figure_extra"]


def config():
    """The tiny study with figures of three groups, in no order."""
    made, panel = copy.deepcopy(TINY), TINY["figures"]["figure_2"] | {"supplementary": False}
    heun = panel | {"title": ODD, "caption": "Its purpose."}
    more = panel | {"supplementary": True, "title": "More of figure 2"}
    euler = panel | {"panels": [{"models": ["vp_uncond"], "samplers": ["EUL"]}]}
    names = ["figure_extra", "figure_A10", "figure_10", "figure_2_more", "figure_A2", "figure_2"]
    blocks = [more, euler, euler, more, panel, heun]
    made["figures"] = dict(zip(names, blocks, strict=True))
    made["samplers"]["HEUN"]["label"] = "second order"
    made["key_figures"] = ["figure_A10", "figure_2"]
    return made


def png(width, height):
    """A grey picture."""
    rows = b"".join(b"\0" + b"\x99" * width for _ in range(height))
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def write(folder: Path):
    """Files and pages of the study in results/tiny/ below a folder; returns study and results."""
    study, results = plan(config()), folder / "results/tiny"
    for name in ("figures", "tables", "training"):
        (results / name).mkdir(parents=True)
    for name, block in study.config["figures"].items():
        title = f"{block['title'].rstrip('.')}. " if "title" in block else ""
        _figure(results / f"figures/{name}", listing.heading(study, name), title + CAPTION)
    for model in study.config["models"]:
        _figure(results / f"training/{model}", f"Training of {model}", CAPTION)
    for name in study.config["tables"]:
        _table(results / f"tables/{name}", pd.DataFrame({"sampler": ["a|b\\"], "NFE": [7]}))
    verdicts = ["not reproduced at this scale", "not testable"]
    rows = {"claim": ["C01", "C02"], "the paper says": [ODD, "c"], "verdict": verdicts}
    rows |= {"what the data say at this scale": ["IS of A is 1 % below that of B", None]}
    rows |= {"can this scale decide?": ["yes", "no: none"], "p (Holm)": [0.1, 1]}
    _table(results / "tables/claims", pd.DataFrame(rows))
    files.write_text(results / "index.html", study_page.page(study, "snakemake {}", results))
    files.write_text(results / "overview.html", study_page.overview(study, results))
    return study, results


def _figure(stem, heading, caption):
    stem.with_suffix(".png").write_bytes(png(300, 200))
    for suffix, text in {"txt": caption, "csv": "x,y\n1,2\n", "pdf": "", "complete": ""}.items():
        stem.with_suffix(f".{suffix}").write_text(text + "\n")
    figure = pages.figure(heading, stem.with_suffix(".png"))
    files.write_text(stem.with_suffix(".html"), pages.render("figure.html", figure=figure))


def _table(stem, frame):
    table_files.write(frame, stem, title=f"Title of {stem.name}", caption="All about it & more.")
    table = pages.table(stem.with_suffix(".md"))
    files.write_text(stem.with_suffix(".html"), pages.render("table.html", table=table))
