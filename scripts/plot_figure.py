"""Plot one figure from the files that its kind reads. Rule: plot_figure."""

import sys
from pathlib import Path

from uncanny.registry import components
from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.figures import captions, figure_data, saving

    block = snakemake.params.figure
    options = block.get("options", {}) | {k: block[k] for k in ("metric",) if k in block}
    references = [files.read_json(path) for path in snakemake.input.get("references", [])]
    draw = components.load("figures", block["kind"])
    data = figure_data.FigureData(
        **figure_data.read(sys.modules[draw.__module__].NEEDS, snakemake.input.data),
        references={entry["dataset"]: entry["references"] for entry in references},
        left_out={entry["dataset"]: entry.get("left_out", {}) for entry in references},
        training=figure_data.read_training(snakemake.input.get("training", [])),
        **snakemake.params.appearance,
    )
    figure, plotted = draw(data, block.get("panels", []), **options)
    saving.save(figure, plotted, Path(snakemake.output.png).with_suffix(""))
    files.write_text(snakemake.output.caption, captions.caption(plotted, block) + "\n")


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
