"""Estimate what every target of a study costs before it is run. Rule: estimate."""

import sys
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    import torch

    from uncanny.estimate import costs, report, totals
    from uncanny.study.study import Study

    given, wanted = snakemake.params, snakemake.params.config.get("estimate", {})
    device = wanted.get("device", "auto")
    if device == "auto":
        found = given.on_cluster or torch.cuda.is_available()
        device = "accelerator" if found else "processor"
    place = totals.Place(
        costs.DEVICES[device],
        at_once=wanted.get("jobs") or given.at_once,
        start=totals.START["cluster" if given.on_cluster else "here"],
        one_machine=not given.on_cluster,
        devices=given.devices,
    )
    found = totals.Estimate(Study(given.config), Path(given.results), place)
    text = report.write(found, Path(given.results) / "tables" / "estimate")
    print(text, file=sys.__stdout__, flush=True)  # the log has what else is printed


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
