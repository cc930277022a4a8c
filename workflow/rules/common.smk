import functools
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

# Snakemake may run in any folder, so the library is found relative to this file.
BASE = Path(workflow.current_basedir).parents[1]
sys.path.insert(0, str(BASE / "scripts"))

# Snakemake does not quote the interpreter's path in shell commands, and the folder of a clone may contain a space.
if os.path.exists(sys.executable):
    sys.executable = shlex.quote(sys.executable)

from uncanny.claims import stored_spreads
from uncanny.estimate import job as estimate_job
from uncanny.estimate import limits as estimate_limits
from uncanny.estimate import order as estimate_order
from uncanny.registry import components
from uncanny.registry.blocks import Readable
from uncanny.runtime import result_paths, source_files
from uncanny.runtime.result_paths import CELL, CHECKPOINT, CLASSIFIER, TRACE, Cell
from uncanny.study import checks, configuration, plan
from uncanny.study.checks import data as checks_data
from uncanny.study.plan import archive as plan_archive
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.plan import inputs as plan_inputs
from uncanny.study.plan import listing
from uncanny.study.plan import tables as plan_tables
from uncanny.study.plan import timings as plan_times
from uncanny.study.study import Study
from uncanny.workflow import dag, fork_server, gpus, pages, profiles, run_progress

try:
    config.update(
        configuration.validated(
            config,
            BASE,
            workflow.configfiles,
            workflow.config_settings.config,
        )
    )
    STUDY = Study(config)
    checks.check(STUDY)
except ValueError as error:
    raise WorkflowError(f"config: {error}") from None


try:
    profile_paths = profiles.paths(sys.argv[1:], os.environ)
    profiles.check(profile_paths, BASE)
    profiles.merge(workflow.resource_settings, profile_paths)
except ValueError as error:
    raise WorkflowError(f"profile: {error}") from None

# The environment of a single machine may lack the plugin for Slurm.
if ExecutorPluginRegistry().is_installed("slurm"):
    from uncanny.workflow import cluster, slurm_executor

    slurm_executor.register()


pathvars:
    results=f"results/{STUDY.name}",
    logs=f"results/{STUDY.name}/logs",


wildcard_constraints:
    **STUDY.wildcards,


def of_models(*origins):
    """Pattern of the wildcard `model` in a rule for models of these origins."""
    return one_of(STUDY.models_of(*origins))


def of_sampled_models(in_shards):
    """The same for models that are sampled here: those whose cells consist of several shards, or the others."""
    models = STUDY.models_of("trained", "external")
    return one_of(
        m for m in models if in_shards == (len(plan.cell_spans(STUDY, m)) > 1)
    )


def one_of(names):
    return "|".join(names) or "(?!)"


def pattern(kind):
    """Paths of one kind of file, with wildcards."""
    return f"<results>/{result_paths.FILES[kind]}"


def below_results(paths):
    return [f"<results>/{path}" for path in paths]


def below_results_by_kind(paths):
    return {kind: below_results(listed) for kind, listed in paths.items()}


def file_of(kind, wildcards=(), **names):
    """Path of one kind of file, from a job's wildcards and further names."""
    known = dict(wildcards.items()) if wildcards else {}
    return f"<results>/{result_paths.path(kind, **(known | names))}"


def cell_of(wildcards):
    """The cell of a job."""
    w = wildcards
    return Cell(w.model, int(w.seed), w.sampler, w.guidance, int(w.draw), int(w.epoch))


def figure_target(figure):
    """A figure's files, and the check that none of its models diverged."""
    suffixes = ("pdf", "png", "csv", "html", "complete")
    return [file_of("figures", figure=figure, suffix=suffix) for suffix in suffixes]


def table_target(table):
    suffixes = ("csv", "md", "tex", "html")
    return [file_of("tables", table=table, suffix=suffix) for suffix in suffixes]


@functools.cache
def limits():
    return estimate_limits.Limits(STUDY, Path(f"results/{STUDY.name}"))


def time_limit(wildcards, attempt, rulename):
    """Requested time in minutes: by the estimate, times the number of the attempt. Local jobs have no limit."""
    if workflow.local_exec or not workflow.is_main_process:
        return attempt * estimate_limits.LEAST
    on_device = "gpu" in workflow.get_rule(rulename).resources
    return attempt * limits().minutes(rulename, dict(wildcards.items()), on_device)


def threads_of_dataset(wildcards):
    """Four threads for datasets that are decoded image by image; Snakemake limits them to the machine's cores."""
    kind = STUDY.block("datasets", wildcards.dataset)["kind"]
    return 4 if components.takes("datasets", kind, "threads") else 1


def gpus_of_training():
    """GPUs of a training job: a number if no recipe says `gpus`, else a function of its model."""
    if not any("gpus" in block for block in STUDY.config["training"].values()):
        return 1
    return lambda wildcards: STUDY.gpus(wildcards.model)


def threads_of_sampling():
    """Threads that generate noise for a GPU of this machine: up to four, if its jobs leave so many cores. A processor
    is used better by several jobs. For a cluster, see its profile.
    """
    known = STUDY.config["device"] != "cpu" and workflow.cores
    offered = gpus.places(STUDY.config["jobs_per_gpu"], os.environ) if known else None
    if offered is None:
        return 1
    return max(1, min(4, (workflow.cores - 1) // offered.total))


def places():
    """Number of jobs at a time: cores of this machine, or submissions to a cluster."""
    return workflow.cores if workflow.local_exec else workflow.nodes


def limit(resource):
    """Total of a resource that `--resources` allows, or None."""
    known = workflow.global_resources.get(resource)
    return None if known is None else known.value
