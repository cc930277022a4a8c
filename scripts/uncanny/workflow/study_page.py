"""A study as one self-contained HTML file: scorecard, key figures, all figures and tables."""

from pathlib import Path

from uncanny.runtime import table_files
from uncanny.study.plan import listing
from uncanny.study.study import Study
from uncanny.workflow import pages

SHOWN = 5  # columns of the scorecard: claim, the paper says, verdict, the data say, can it decide


def page(study: Study, command: str, folder: Path) -> str:
    """Text of the page.

    command: shell command for a target, with {} for its name. folder: of figures/ and tables/.
    """
    groups = [
        {
            "heading": listing.GROUPS[key],
            "listed": [_figure(study, name, command, folder) for name in names],
        }
        for key, names in listing.by_group(study).items()
    ]
    names = [*study.config["tables"], *(["claims"] if study.config["claims"] else [])]
    tables = [_table(name, command, folder) for name in names]
    groups += [{"heading": "Tables", "listed": tables}] if tables else []
    by_name = {item["name"]: item for group in groups for item in group["listed"]}
    return pages.render(
        "study.html",
        study=study.name,
        extent=listing.extent(study),
        scale=", ".join(f"{noun}: {n}" for noun, n in listing.scale(study).items()),
        scorecard=scorecard(study, folder),
        key_figures=[by_name[name] for name in listing.key_figures(study)],
        groups=groups,
    )


def overview(study: Study, folder: Path) -> str:
    """Scorecard and key figures for the first page of Snakemake's report; folder: as of `page`."""
    return pages.render(
        "overview.html",
        study=study.name,
        extent=listing.extent(study),
        scorecard=scorecard(study, folder),
        key_figures=[_picture(study, name, folder) for name in listing.key_figures(study)],
    )


def scorecard(study: Study, folder: Path) -> dict | None:
    """The first SHOWN columns of the first table of the claims, whose title counts the verdicts;
    None for a study without claims.
    """
    if not study.config["claims"]:
        return None
    text = (folder / "tables/claims.md").read_text(encoding="utf-8")
    sheet = table_files.read_markdown(text)[0]
    rows = [row[:SHOWN] for row in sheet["rows"]]
    return sheet | {"header": sheet["header"][:SHOWN], "rows": rows, "numeric": [], "caption": ""}


def _figure(study: Study, name: str, command: str, folder: Path) -> dict:
    more = {"command": command.format(name), "searched": listing.searched(study, name)}
    return _picture(study, name, folder) | more


def _picture(study: Study, name: str, folder: Path) -> dict:
    return pages.figure(listing.heading(study, name), folder / f"figures/{name}.png")


def _table(name: str, command: str, folder: Path) -> dict:
    table = pages.table(folder / f"tables/{name}.md")
    heading = table["title"]
    return table | {"command": command.format(name), "heading": heading, "searched": name}
