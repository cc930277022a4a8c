"""Record a forward and a backward trajectory of one image each, for the figure of processes. Rule:
trace_process.
"""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.sampling import trajectories

    arguments = jobs.arguments(snakemake, "identity", "seed", "sampler")
    trajectories.run(**arguments, threads=snakemake.threads)


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
