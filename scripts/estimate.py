"""Estimate the cost of every target of a study before it is run. Rule: estimate."""

import sys
from pathlib import Path

from uncanny.workflow import jobs as workflow_jobs


def main(snakemake):
    from uncanny.estimate import report, totals
    from uncanny.study.study import Study
    from uncanny.workflow import dag

    params, results = snakemake.params, Path(snakemake.params.results)
    study, jobs = Study(params.config), dag.read()
    device = totals.device_of(study, results, jobs)
    gpus = params.devices
    if device.accelerates and not params.on_cluster:
        gpus = max(1, (gpus or 1) // params.config["jobs_per_gpu"])
    site = totals.Site(
        device,
        at_once=params.config["estimate"].get("jobs") or params.at_once,
        start=totals.START["cluster" if params.on_cluster else "here"],
        one_machine=not params.on_cluster,
        devices=gpus,
    )
    estimate = totals.Estimate(study, results, site, jobs)
    text = report.write(estimate, results / "tables" / "estimate")
    print(text, file=sys.__stdout__, flush=True)  # sys.stdout is the log


if __name__ == "__main__":
    workflow_jobs.run(__file__, snakemake)  # noqa: F821
