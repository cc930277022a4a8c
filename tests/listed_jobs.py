"""The jobs behind a study's targets, as the workflow lists them for the estimate."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from uncanny.estimate.job import target_rules
from uncanny.study.study import Study
from uncanny.workflow import dag

ROOT = Path(__file__).parent.parent
CORES = 2


def jobs_of(config, digests=False):
    """config: of a study, without what the schema has as default."""
    return _jobs_of(json.dumps(config), digests)


@cache
def _jobs_of(text, digests):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(text)
        with SnakemakeApi(OutputSettings()) as api:
            workflow = api.workflow(
                ResourceSettings(cores=CORES),
                config_settings=ConfigSettings(configfiles=[path]),
                snakefile=ROOT / "Snakefile",
                workdir=Path(folder),
            )._workflow
            workflow.dag_settings = DAGSettings()
            study = Study(workflow.globals["config"])
            results = f"results/{study.name}"
            return dag.jobs_behind(workflow, target_rules(study), results, digests=digests)


def job_of(jobs, path):
    """The job that makes a file."""
    return next(job for job in jobs if path in job.outputs)
