"""Fail, by name, where a model behind a figure diverged. The figure itself is drawn. Rule:
confirm_figure.
"""

from uncanny.runtime import files
from uncanny.workflow import jobs


def main(snakemake):
    import pandas as pd

    files.check_checksum(snakemake.input[0])
    drawn = pd.read_csv(snakemake.input[0])
    lost = drawn[drawn["diverged"].fillna(0) > 0]
    if len(lost):
        first = lost.groupby("model")["epoch"].min()
        names = ", ".join(f"{model} (from epoch {int(epoch)})" for model, epoch in first.items())
        raise ValueError(
            f"{snakemake.wildcards.figure} is drawn without models that diverged: {names}"
        )


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
