"""Plot one figure from the files that its kind reads. Rule: plot_figure."""

from pathlib import Path

from uncanny.registry import components
from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.figures import captions, figure_data, saving
    from uncanny.workflow import pages

    block = snakemake.params.figure
    options = block.get("options", {}) | {k: block[k] for k in ("metric",) if k in block}
    read = figure_data.read(dict(snakemake.input.items()))
    data = figure_data.FigureData(**read, **snakemake.params.appearance)
    draw = components.load("figures", block["kind"])
    figure, plotted = draw(data, block.get("panels", []), **options)
    saving.save(figure, plotted, Path(snakemake.output.png).with_suffix(""))
    files.write_text(snakemake.output.caption, captions.caption(plotted, block) + "\n")
    pages.write_figure(snakemake.output.page, snakemake.params.heading, snakemake.output.png)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
