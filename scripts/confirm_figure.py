"""Fail if a model of a figure diverged, and name it. The figure itself leaves it out. Rule:
confirm_figure.
"""

from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    import pandas as pd

    files.check_checksum(snakemake.input[0])
    plotted = pd.read_csv(snakemake.input[0])
    diverged = plotted[plotted["diverged"].fillna(0) > 0]
    if len(diverged):
        first = diverged.groupby("model")["epoch"].min()
        names = ", ".join(f"{model} (from epoch {int(epoch)})" for model, epoch in first.items())
        raise ValueError(
            f"{snakemake.wildcards.figure} is drawn without models that diverged: {names}"
        )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
