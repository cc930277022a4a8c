"""Make one table from the config and records of training, timings, scores or verdicts. Rule:
make_table.
"""

import sys
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
        for key in ("timings", "scores", "trained", "likelihoods")
    }
    paths = snakemake.input.get("verdicts", [])
    contents = tables.Contents(
        **snakemake.params.contents,
        timings=[record for timing in records["timings"] for record in timing["records"]],
        scores=records["scores"],
        trained=records["trained"],
        likelihoods=records["likelihoods"],
        verdicts=[line for path in paths for line in files.read_json_lines(path)],
    )
    make = components.load("tables", block["kind"])
    frame = make(contents, **block.get("options", {}))
    sections = getattr(sys.modules[make.__module__], "sections", lambda frame: None)(frame)
    texts = {"title": block["title"], "caption": block.get("caption", "")}
    table_files.write(frame, Path(snakemake.output.csv).with_suffix(""), **texts, sections=sections)
    pages.write_table(snakemake.output.page, snakemake.output.md)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
