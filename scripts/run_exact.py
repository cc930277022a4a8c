"""Run one experiment on exact models: write its table and the verdict on each of its cells. Rule:
run_exact.
"""

from uncanny.registry import components
from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.diffusion.theory import verdicts
    from uncanny.runtime import hardware

    hardware.device(snakemake.threads)
    table, lines = components.call("experiments", snakemake.params.experiment)
    with files.replacing(snakemake.output.table) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    files.write_json_lines(snakemake.output.verdicts, lines)
    files.write_checksums([snakemake.output.table, snakemake.output.verdicts])
    files.write_json(snakemake.output.summary, verdicts.summary(lines))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
