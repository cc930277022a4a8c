"""Draw one figure from its score records. Rule: plot_figure."""

from pathlib import Path

from uncanny import components, files, jobs


def main(snakemake):
    from uncanny import plotting, scores

    block = snakemake.params.figure
    options = block.get("options", {}) | {k: block[k] for k in ("metric",) if k in block}
    references = [files.read_json(path) for path in snakemake.input.references]
    data = plotting.FigureData(
        table=scores.tidy(scores.read_records(snakemake.input.scores)),
        references={entry["dataset"]: entry["references"] for entry in references},
        **snakemake.params.appearance,
    )
    figure, drawn = components.load("plotting", block["kind"])(data, block["panels"], **options)
    stem = Path(snakemake.output.png).with_suffix("")
    plotting.save(figure, drawn, stem)
    files.write_text(snakemake.output.caption, plotting.caption(drawn, block) + "\n")


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
