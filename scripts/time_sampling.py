"""Time a trained model's samplers, in alternating rounds. Rule: time_sampling."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.evaluation import timing

    arguments = jobs.arguments(snakemake, "identity", "seed", "samplings", "num_images", "batches")
    arguments["classifiers"] = jobs.classifiers(snakemake, snakemake.params.classifiers)
    timing.time_sampling(**arguments, model=snakemake.wildcards.model)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
