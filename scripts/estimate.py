"""Estimate the cost of every target of a study before it is run. Rule: estimate."""

import sys
from pathlib import Path

from uncanny.workflow import jobs


def main(snakemake):
    import torch

    from uncanny.estimate import costs, report, totals
    from uncanny.study.study import Study
    from uncanny.workflow import dag

    params, results = snakemake.params, Path(snakemake.params.results)
    options = params.config.get("estimate", {})
    device = options.get("device", "auto")
    if device == "auto":
        has_gpu = params.on_cluster or torch.cuda.is_available()
        device = "accelerator" if has_gpu else "processor"
    site = totals.Site(
        costs.DEVICES[device],
        at_once=options.get("jobs") or params.at_once,
        start=totals.START["cluster" if params.on_cluster else "here"],
        one_machine=not params.on_cluster,
        devices=params.devices,
    )
    estimate = totals.Estimate(Study(params.config), results, site, dag.read())
    text = report.write(estimate, results / "tables" / "estimate")
    print(text, file=sys.__stdout__, flush=True)  # sys.stdout is the log


if __name__ == "__main__":
    jobs.run(__file__, snakemake)  # noqa: F821
