"""Sample images from a checkpoint's averaged network. Rule: draw_samples. Also draw_part."""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.sampling import job

    names = ("seed", "draw", "first", "num_images", "code")
    arguments = jobs.arguments(snakemake, *names) | snakemake.params.sampling
    arguments["classifiers"] = jobs.classifiers(snakemake, arguments["classifiers"])
    job.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
