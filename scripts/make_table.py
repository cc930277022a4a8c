"""Make one table from the config, from timing records, or from verdicts. Rule: make_table."""

from pathlib import Path

from uncanny import components, files, jobs


def main(snakemake):
    from uncanny import table_files, tables

    block = snakemake.params.table
    paths = snakemake.input.get("timings", [])
    timings = [record for path in paths for record in files.read_json(path)["records"]]
    paths = snakemake.input.get("verdicts", [])
    verdicts = [line for path in paths for line in files.read_json_lines(path)]
    contents = tables.Contents(**snakemake.params.contents, timings=timings, verdicts=verdicts)
    frame = components.load("tables", block["kind"])(contents, **block.get("options", {}))
    stem = Path(snakemake.output.csv).with_suffix("")
    table_files.write(frame, stem, title=block["title"], caption=block.get("caption", ""))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
