"""Draw how a model learned. Rule: plot_training."""

from pathlib import Path

from uncanny import files, jobs


def main(snakemake):
    from uncanny import learning
    from uncanny.plotting import saving

    records = [files.read_json(path) for path in snakemake.input]
    figure, drawn = learning.draw(records, snakemake.params.label)
    saving.save(figure, drawn, Path(snakemake.output.png).with_suffix(""))


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
