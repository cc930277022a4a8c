"""Self-contained HTML pages of a study: pictures, tables and data are inside the file.

Templates escape every value. No page loads anything from elsewhere.
"""

import base64
import mimetypes
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from uncanny.runtime import files, table_files

TEMPLATES = Path(__file__).parent / "templates"
LARGEST = 2_000_000  # bytes of a data file inside a page; a larger one is named only


def render(template: str, **values: object) -> str:
    """Text of a page from one of the TEMPLATES; an undefined value is an error."""
    return _environment().get_template(template).render(values)


@cache
def _environment():
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def version() -> str:
    """Twelve hex digits that change with the contents of TEMPLATES."""
    contents = [path.name.encode() + path.read_bytes() for path in sorted(TEMPLATES.iterdir())]
    return files.checksum([b"\0".join(contents)])[:12]


def figure(heading: str, picture: Path | str) -> dict:
    """Values of a figure in a template: its files are PICTURE.png, .csv and .txt, the caption."""
    path = Path(picture)
    caption = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
    title = heading.partition(": ")[2] if heading.startswith("Figure ") else heading
    return {
        "name": path.stem,
        "heading": heading,
        "title": title,
        "caption": caption.removeprefix(f"{title}.").strip(),
        "picture": data_uri(path),
        "data": attachment(path.with_suffix(".csv")),
    }


def table(path: Path | str) -> dict:
    """Values of a table in a template: its files are PATH, Markdown, and PATH's .csv."""
    path = Path(path)
    sheets = table_files.read_markdown(path.read_text(encoding="utf-8"))
    data = attachment(path.with_suffix(".csv"))
    return {"name": path.stem, "title": sheets[0]["title"], "sheets": sheets, "data": data}


def write_figure(page: Path | str, heading: str, picture: Path | str) -> None:
    """Write the page of one figure."""
    files.write_text(page, render("figure.html", figure=figure(heading, picture)))


def write_table(page: Path | str, path: Path | str) -> None:
    """Write the page of the table in a Markdown file."""
    files.write_text(page, render("table.html", table=table(path)))


def attachment(path: Path | str) -> dict:
    """A data file to download from a page: its name, and its address if it is not too LARGE."""
    path = Path(path)
    is_small = path.stat().st_size <= LARGEST
    return {"name": path.name, "address": data_uri(path) if is_small else None}


def data_uri(path: Path | str) -> str:
    """A file as an address that holds its contents."""
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def command(configs: Iterable[Path | str], base: Path) -> str:
    """Command of a study for readers, with {} in place of the target. configs: of the command line;
    those of the repository at base are named as seen from it, others as seen from here.
    """
    paths = [Path(path).resolve() for path in configs]
    base = base.resolve()
    shown = [os.path.relpath(p, base if p.is_relative_to(base) else None) for p in paths]
    return "snakemake {}" + "".join(f" --configfile {path}" for path in shown)
