"""Record a forward and a backward trajectory of one image each, for the figure of processes. Rule:
trace_process.
"""

from uncanny.workflow import jobs


def main(snakemake):
    from uncanny.sampling import trajectories

    trajectories.run(
        checkpoint=snakemake.input.checkpoint,
        dataset=snakemake.input.dataset,
        identity=snakemake.params.identity,
        seed=int(snakemake.wildcards.seed),
        sampler=snakemake.params.sampler,
        output=snakemake.output[0],
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
