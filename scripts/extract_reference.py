"""Extract reference features from a dataset's real images. Rule: extract_reference."""

import dataclasses
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.datasets import Dataset
    from uncanny.evaluation import extractors, features, kernels, neighbours, scoring
    from uncanny.runtime import hardware

    extractor = extractors.load(snakemake.input.extractor, str(hardware.device(snakemake.threads)))
    data = Dataset.open(Path(snakemake.input.dataset).parent, whole=True)
    split = data.splits[snakemake.wildcards.split]
    extracted = features.extract(extractor, split.images, scoring.BATCH, split.labels)
    if snakemake.params.neighbours:
        near = neighbours.within(extracted.pool, snakemake.params.neighbours)
        extracted = dataclasses.replace(extracted, neighbours=near)
    if snakemake.params.kernels:
        mean = kernels.mean_within(extracted.pool)
        extracted = dataclasses.replace(extracted, kernels=mean)
    if snakemake.params.held_out:
        other = data.splits[{"train": "test", "test": "train"}[snakemake.wildcards.split]]
        new = features.extract(extractor, other.images, scoring.BATCH)
        nearest = neighbours.distances(new.pool, extracted.pool)[:, 0]
        extracted = dataclasses.replace(extracted, held_out=nearest)
    features.save(
        snakemake.output[0], extracted, features.identity(extractor, split.images, split.labels)
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
