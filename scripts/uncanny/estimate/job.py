"""Jobs as plain values, and which of them a file depends on. No torch here.

`workflow.dag` takes them from Snakemake; nothing here depends on what a rule reads or writes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from uncanny.study.study import Study


@dataclass(frozen=True, eq=False)
class Job:
    """One job of the workflow, or a target: a rule without outputs that gathers files.

    name: RULE/… of its log and of its benchmark record. inputs, outputs: files below the study's
    results. on_device: whether it asks for a GPU. alone: whether it takes all cores of the machine.
    """

    rule: str
    name: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    on_device: bool
    alone: bool

    @property
    def subject(self) -> str:
        """The name without the rule, which identifies the job within its rule."""
        return self.name.partition("/")[2]


def target_rules(study: Study) -> list[str]:
    """Names of the targets that are estimated, each a rule of the Snakefile."""
    config = study.config
    claims = ["claims"] if config["claims"] else []
    return [*config["figures"], *config["tables"], *claims, "all_figures", "all"]


class Jobs:
    """The jobs of a study by the files that they make."""

    def __init__(self, jobs: Iterable[Job], targets: Iterable[str] = ()):
        jobs = list(jobs)
        self._makers = {path: job for job in jobs for path in job.outputs}
        inputs = {job.rule: job.inputs for job in jobs}
        self.targets = {target: inputs[target] for target in targets}

    @property
    def outputs(self) -> Collection[str]:
        """All files that the jobs make."""
        return self._makers.keys()

    def needed(self, job: Job) -> list[str]:
        """Names of the jobs that make a job's inputs."""
        makers = (self._makers.get(path) for path in job.inputs)
        return list(dict.fromkeys(maker.name for maker in makers if maker))

    def behind(
        self, paths: Iterable[str], exists: Callable[[str], bool] = lambda path: False
    ) -> list[Job]:
        """The jobs that files depend on, without repetition, in an order in which they can run.

        exists(path): whether a file is there; such a file needs no jobs.
        """
        jobs: dict[str, Job] = {}

        def add(paths: Iterable[str]) -> None:
            # Depth first; Snakemake's own graph uses more of the stack per step of a chain.
            for path in paths:
                job = self._makers.get(path)
                if job and job.name not in jobs and not exists(path):
                    add(job.inputs)
                    jobs[job.name] = job

        add(paths)
        return list(jobs.values())
