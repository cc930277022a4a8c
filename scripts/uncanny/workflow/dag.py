"""The jobs behind a study's targets, from Snakemake's own graph of jobs, as plain values.

The main Snakemake has the rules and all settings of its command line: it builds the graph a second
time, for all targets, whether or not they are to be run (`list_jobs`, when a run starts). A job
of the same run reads the list (`read`), which is deleted when the run ends.
"""

import atexit
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path, PurePath

from uncanny.estimate.job import Job

OUTSIDE = {"source_files"}  # params that describe files outside of the repository
VARIABLE = "UNCANNY_JOBS"  # names the file with the list, for all jobs of a run


def list_jobs(workflow, targets: Iterable[str], results: str, *, digests: bool = False) -> None:
    """Write the jobs behind target rules for the jobs of this run.

    workflow: Snakemake's, outside of its event loop. results: folder of the study's results.
    digests: whether to compute the jobs' digests, which takes about a millisecond per job.
    """
    jobs = [asdict(job) for job in jobs_behind(workflow, targets, results, digests=digests)]
    descriptor, path = tempfile.mkstemp(prefix="uncanny-jobs-", suffix=".json")
    atexit.register(Path(path).unlink, missing_ok=True)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(jobs, file)
    os.environ[VARIABLE] = path


def read() -> list[Job]:
    """The jobs that `list_jobs` wrote when this run started; ValueError where it did not."""
    path = os.environ.get(VARIABLE)
    if path is None:
        raise ValueError(
            "no list of jobs: it is made by onstart; expected a run without --no-hooks"
        )
    return from_json(Path(path).read_text(encoding="utf-8"))


def from_json(text: str) -> list[Job]:
    entries = json.loads(text)
    return [Job(**e | {key: tuple(e[key]) for key in ("inputs", "outputs")}) for e in entries]


def needed(workflow, results: str) -> dict[int, Job]:
    """The jobs that this run executes, by Snakemake's number of the job."""
    jobs = workflow.dag.needrun_jobs()
    return {job.jobid: _as_value(job, results, workflow.cores) for job in jobs}


def jobs_behind(
    workflow, targets: Iterable[str], results: str, *, digests: bool = False
) -> list[Job]:
    """The jobs behind target rules, and those of the targets themselves."""
    from snakemake.dag import DAG  # slow, and not needed by a job that reads the list

    graph = DAG(workflow, workflow.rules, targetrules=set())
    workflow.async_run(_add(graph, [workflow.get_rule(target) for target in targets]))
    graph.cleanup()  # rules that match a file, but were not chosen to make it
    jobs = [_as_value(job, results, workflow.cores) for job in graph.jobs]
    if not digests:
        return jobs
    return [replace(job, digest=_digest(each)) for job, each in zip(jobs, graph.jobs, strict=True)]


async def _add(graph, rules: list) -> None:
    for rule in rules:
        graph.targetjobs.add(await graph.update([await graph.rule2job(rule)]))


def _as_value(job, results: str, cores: int | None) -> Job:
    # Asked for by its rule, though a study or a site may have changed that to 0
    on_device = _requested(job, "gpu") is not None
    return Job(
        job.rule.name,
        _name(job, results),
        dict(job.wildcards_dict),
        *(tuple(_below(results, path) for path in paths) for paths in (job.input, job.output)),
        on_device=on_device,
        # Such a job computes on the device and only keeps the cores from other jobs. Threads that
        # compute save as much time as they keep others waiting.
        alone=on_device and cores is not None and 1 < cores <= _requested(job, "_cores"),
    )


def _digest(job) -> str:
    """Twelve hex digits that change with a job's wildcards and params."""
    params = {name: value for name, value in job.params.items() if name not in OUTSIDE}
    values = [dict(job.wildcards_dict), params]
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=sorted)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _requested(job, name: str) -> object:
    """How much of a resource a job requests. A number in its rule holds for all its jobs; only
    functions are evaluated, since evaluating a job's resources takes as long as making the job.
    """
    resource = job.rule.resources.get(name)
    if resource is None or isinstance(resource.raw, int):
        return resource and resource.raw
    return job.resources.get(name)


def _name(job, results: str) -> str:
    """RULE/… as in the path of its log; for a rule without a log, rule and wildcards."""
    if job.log:
        return str(PurePath(_below(f"{results}/logs", job.log[0])).with_suffix(""))
    return "/".join([job.rule.name, *job.wildcards_dict.values()])


def _below(folder: str, path: str) -> str:
    return str(path).removeprefix(f"{folder}/")
