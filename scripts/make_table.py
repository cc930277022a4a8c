"""Make one table from the config, or from timings, scores or verdicts. Rule: make_table."""

from pathlib import Path

from uncanny.registry import components
from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny import tables
    from uncanny.runtime import table_files
    from uncanny.workflow import pages

    block = snakemake.params.table
    records = {
        key: [files.read_json(path) for path in snakemake.input.get(key, [])]
        for key in ("timings", "scores")
    }
    paths = snakemake.input.get("verdicts", [])
    contents = tables.Contents(
        **snakemake.params.contents,
        timings=[record for timing in records["timings"] for record in timing["records"]],
        scores=records["scores"],
        verdicts=[line for path in paths for line in files.read_json_lines(path)],
    )
    frame = components.load("tables", block["kind"])(contents, **block.get("options", {}))
    stem = Path(snakemake.output.csv).with_suffix("")
    table_files.write(frame, stem, title=block["title"], caption=block.get("caption", ""))
    table = pages.table(snakemake.output.md)
    files.write_text(snakemake.output.page, pages.render("table.html", table=table))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
