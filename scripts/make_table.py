"""Make one table from the config, or from records of times or scores. Rule: make_table."""

from pathlib import Path

from uncanny import components, files, jobs


def main(snakemake):
    from uncanny import table_files, tables

    block = snakemake.params.table
    paths = snakemake.input.get("timings", [])
    timings = [record for path in paths for record in files.read_json(path)["records"]]
    scores = [files.read_json(path) for path in snakemake.input.get("scores", [])]
    contents = tables.Contents(**snakemake.params.contents, timings=timings, scores=scores)
    frame = components.load("tables", block["kind"])(contents, **block.get("options", {}))
    stem = Path(snakemake.output.csv).with_suffix("")
    table_files.write(frame, stem, title=block["title"], caption=block.get("caption", ""))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
