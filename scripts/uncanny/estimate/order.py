"""The order in which jobs start, so that figures come one after another. No torch here."""

from collections.abc import Iterable, Sequence

from uncanny.estimate.job import Job, Jobs
from uncanny.runtime import result_paths
from uncanny.study.study import Study

CHAINED = "train_model"  # jobs of this rule wait for each other


def wanted(study: Study) -> list[str]:
    """One file of every figure and table of a study, in the order of its config; claims last."""
    figures, tables = study.config["figures"], [*study.config["tables"], "claims"]
    return [
        *(result_paths.path("figures", figure=figure, suffix="png") for figure in figures),
        *(result_paths.path("tables", table=table, suffix="csv") for table in tables),
    ]


def in_order(jobs: Jobs, files: Iterable[str]) -> tuple[list[Job], list[str]]:
    """(all jobs in the order in which they should start, files in the order in which they come).

    files: wanted in this order, as far as there is a job that makes them. A file that needs only
    one job more than the files before it comes at once. Jobs behind none of the files are last.
    """
    behind = {file: jobs.behind([file]) for file in files}
    sequence = _sequence({file: needed for file, needed in behind.items() if needed})
    ordered: dict[str, Job] = {}
    for needed in (*map(behind.get, sequence), jobs.behind(jobs.outputs)):
        new = [job for job in needed if job.name not in ordered]
        ordered |= {job.name: job for job in _chains_first(jobs, new)}
    return list(ordered.values()), sequence


def _sequence(behind: dict[str, list[Job]]) -> list[str]:
    left = {file: {job.name for job in needed} for file, needed in behind.items()}
    sequence = []
    while left:
        file = next((file for file, names in left.items() if len(names) <= 1), next(iter(left)))
        sequence.append(file)
        made = left.pop(file)
        left = {file: names - made for file, names in left.items()}
    return sequence


def _chains_first(jobs: Jobs, new: Sequence[Job]) -> list[Job]:
    """Jobs with the most segments of training after them first, so that long chains start early.

    The others remain as they are, cell after cell: parts of a cell are deleted soon.
    """
    ahead = {job.name: 0 for job in new}
    for job in reversed(new):
        ahead[job.name] += job.rule == CHAINED
        for name in ahead.keys() & set(jobs.needed(job)):
            ahead[name] = max(ahead[name], ahead[job.name])
    return sorted(new, key=lambda job: -ahead[job.name])
