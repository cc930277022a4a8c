"""Make a feature extractor, by training or from a weight file, and report how it scores known
images. Rule: train_extractor.
"""

from pathlib import Path

from uncanny.registry import components
from uncanny.runtime import files, source_files
from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.datasets import Dataset
    from uncanny.evaluation import extractors
    from uncanny.runtime import hardware

    device = hardware.device(snakemake.threads)
    dataset = Dataset.open(Path(snakemake.input.dataset).parent, whole=True)
    options = {k: v for k, v in snakemake.params.extractor.items() if k not in ("kind", "dataset")}
    make = components.load("extractors", snakemake.params.extractor["kind"])
    state = make(dataset, str(device), **options)
    extractors.save(snakemake.output.extractor, state)
    files.write_json(
        snakemake.output.report,
        extractors.report(extractors.Extractor(state, str(device)), dataset),
    )
    source_files.keep(snakemake.output.report, snakemake.params.source_files)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
