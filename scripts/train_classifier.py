"""Train the noisy classifier of one dataset and noise schedule, and report its accuracy by noise
level. Rule: train_classifier.
"""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.training import classifiers

    arguments = jobs.arguments(snakemake, "identity", "code")
    classifiers.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
