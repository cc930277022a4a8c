"""Plot the training curves of a model. Rule: plot_training."""

from pathlib import Path

from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.figures import saving, training_curves
    from uncanny.workflow import pages

    records = [files.read_json(path) for path in snakemake.input]
    figure, plotted = training_curves.draw(records, snakemake.params.label)
    saving.save(figure, plotted, Path(snakemake.output.png).with_suffix(""))
    files.write_text(snakemake.output.caption, training_curves.caption(snakemake.params.label))
    heading = f"Training of {snakemake.params.label}"
    pages.write_figure(snakemake.output.page, heading, snakemake.output.png)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
