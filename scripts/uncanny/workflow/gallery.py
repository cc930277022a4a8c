"""A study on one page of Markdown: verdicts, small figures, and the command and cost of each."""

from collections.abc import Mapping

from uncanny.runtime.progress import format_duration
from uncanny.runtime.table_files import cell, read_markdown
from uncanny.study import plan
from uncanny.study.study import Study
from uncanny.workflow.study_page import SHOWN

WIDTH = 420  # pixels of a picture
TIMES = (
    "Times are sums over all jobs that a target needs, as this run recorded them; it may have "
    "shared its machine."
)


def page(study: Study, command: str, costs: Mapping[str, dict], claims: str) -> str:
    """Text of the page, for a file in the folder of figures/ and tables/.

    command: shell command for a target, with {} for its name. costs: rows of
    `estimate.totals.Estimate.of_targets` by target. claims: text of tables/claims.md, or empty.
    """
    paper = plan.paper_figures(study)
    supplementary = [name for name in study.config["figures"] if name not in paper]
    everything = _cost(command, "all", costs)
    blocks = [f"# Study `{study.name}`", f"All of it: {everything}. {TIMES}"]
    if claims:
        blocks += ["## Verdicts", *_verdicts(claims), _cost(command, "claims", costs)]
    for title, names in (("Figures", paper), ("Beyond the paper", supplementary)):
        if names:
            blocks += [f"## {title}", _figures(study, names, command, costs)]
    tables = [_table(study, name, command, costs) for name in study.config["tables"]]
    return "\n\n".join([*blocks, *(["## Tables", "\n".join(tables)] if tables else []), ""])


def _verdicts(claims: str) -> list[str]:
    """Numbers of verdicts, the first columns of the scorecard, and a link to all of it."""
    sheet = read_markdown(claims)[0]
    rows = [sheet["header"], ["---"] * len(sheet["header"]), *sheet["rows"]]
    lines = ["| " + " | ".join(map(cell, row[:SHOWN])) + " |" for row in rows]
    return [
        f"{sheet['title']}.",
        "\n".join(lines),
        "Words, intervals and controls: [tables/claims.md](tables/claims.md).",
    ]


def _figures(study: Study, names: list[str], command: str, costs: Mapping) -> str:
    rows = ["| | |", "|---|---|"]
    for name in names:
        block = study.block("figures", name)
        picture = f'<img src="figures/{name}.png" width="{WIDTH}" alt="{name}">'
        text = ". ".join(block[key].rstrip(".") for key in ("title", "caption") if block.get(key))
        rows.append(f"| {picture} | **{name}.** {cell(text)}. {_cost(command, name, costs)} |")
    return "\n".join(rows)


def _table(study: Study, name: str, command: str, costs: Mapping) -> str:
    title = study.block("tables", name)["title"]
    return f"- [{title}](tables/{name}.md). {_cost(command, name, costs)}"


def _cost(command: str, target: str, costs: Mapping[str, dict]) -> str:
    """The command of a target, the number of its jobs and their time."""
    row = costs[target]
    number = f"{row['jobs']} job{'s' if row['jobs'] > 1 else ''}"
    hours = row["device_hours"] + row["cpu_hours"]
    return f"`{command.format(target)}`: {number}, {format_duration(3600 * hours)}"
