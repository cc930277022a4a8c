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


def given_configs():
    """Config files of the command line, as seen from the working directory."""
    found = workflow.config_settings.configfiles or []
    return [os.path.relpath(path) for path in found]


def previous_checkpoint(wildcards):
    """The checkpoint from which a training segment continues; none for the first."""
    epoch = STUDY.previous_epoch(int(wildcards.epoch))
    if epoch is None:
        return []
    return file_of("checkpoints", wildcards, epoch=epoch)


@functools.cache
def limits():
    return estimate_limits.Limits(STUDY, Path(f"results/{STUDY.name}"))


def time_limit(wildcards, attempt, rulename):
    """Requested time in minutes: by the estimate, times the number of the attempt. Local jobs have no limit."""
    if workflow.local_exec or not workflow.is_main_process:
        return attempt * estimate_limits.LEAST
    on_device = "gpu" in workflow.get_rule(rulename).resources
    return attempt * limits().minutes(rulename, dict(wildcards.items()), on_device)


def prepared(dataset):
    return file_of("datasets", dataset=dataset)


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


def described(path, record, wildcards):
    """A line that changes with the files at `path`; if they are missing, the line in the record made from them."""
    if path is None:
        return None
    known = result_paths.path(record, **dict(wildcards.items()))
    return source_files.describe(path) or source_files.recorded(
        f"results/{STUDY.name}/{known}"
    )


def files_of_dataset(wildcards):
    path = STUDY.source("datasets", wildcards.dataset)
    return described(path, "datasets", wildcards)


def files_of_extractor(wildcards):
    path = STUDY.source("extractors", wildcards.extractor)
    return described(path, "extractor_reports", wildcards)


def files_of_weights(wildcards):
    return described(STUDY.external(wildcards.model)["path"], "histories", wildcards)


def files_of_samples(kind):
    """The same for imported samples, as a function; kind: "sample_records" or "many_sample_records"."""
    return lambda w: described(STUDY.identity(w.model)["samples"], kind, w)


def dataset_of_model(wildcards):
    return prepared(STUDY.names(wildcards.model)["dataset"])


def dataset_of_extractor(wildcards):
    return prepared(STUDY.component("extractors", wildcards.extractor)["dataset"])


def dataset_of_walk(wildcards):
    """The model's dataset, if sampling starts from its images."""
    w = wildcards
    from_data = STUDY.starts_from_data(w.sampler, w.model, w.guidance)
    return dataset_of_model(w) if from_data else []


def losses_of_walk(wildcards):
    """The checkpoint's denoising losses, if the sampler's grid is derived from them."""
    w = wildcards
    return file_of("losses", w) if STUDY.needs_losses(w.sampler, w.model) else []


def losses_of_comparison(wildcards):
    """The same for all samplers of an experiment."""
    derives = plan_experiments.derives(STUDY, wildcards.experiment, wildcards.model)
    return file_of("losses", wildcards) if derives else []


def best_checkpoint(wildcards):
    """The checkpoint that serves as the best denoiser."""
    epoch = plan_experiments.best_epoch(STUDY, wildcards.model)
    return file_of("checkpoints", wildcards, epoch=epoch)


def classifiers_of_guidance(wildcards):
    """Checkpoints of the classifiers of a guidance, trained for the model's noise."""
    return classifiers(STUDY.guiding(wildcards.guidance), wildcards.model)


def classifiers(names, model):
    return below_results(
        plan.classifier_file(STUDY, "classifiers", name, model) for name in names
    )


def walk(wildcards):
    """Everything that determines a checkpoint's samples, except code and seeds."""
    w = wildcards
    return {
        "identity": STUDY.identity(w.model),
        "sampler": STUDY.sampler(w.sampler, w.model),
        "guidance": STUDY.guidance(w.guidance),
        "classifiers": STUDY.guiding(w.guidance),
    }


def timed_samplings(wildcards):
    """All combinations of sampler and guidance that are timed for a model, with their names."""
    return [
        {
            "names": {"sampler": sampler, "guidance": guidance},
            "sampler": STUDY.sampler(sampler, wildcards.model),
            "guidance": STUDY.guidance(guidance),
            "classifiers": STUDY.guiding(guidance),
        }
        for sampler, guidance in plan_times.sampled(STUDY, wildcards.model)
    ]


def classifiers_of_timing(wildcards):
    """Checkpoints of all classifiers in a model's timings."""
    return classifiers(plan_times.guiding(STUDY, wildcards.model), wildcards.model)


def losses_of_timing(wildcards):
    """The checkpoint's denoising losses, if a timed sampler needs them."""
    needed = plan_times.needs_losses(STUDY, wildcards.model)
    return file_of("losses", wildcards) if needed else []


def timing_code(wildcards):
    """Fingerprints of the code of all timed samplers."""
    model = wildcards.model
    return [
        STUDY.code("time_sampling", model=model, sampler=sampler, guidance=guidance)
        for sampler, guidance in plan_times.sampled(STUDY, model)
    ]


def images_of_cell(wildcards):
    """Number of images of a cell."""
    return plan.images_of_cell(STUDY, wildcards.model)


def parts_of_cell(wildcards):
    """Shards of a cell's images."""
    cell, count = cell_of(wildcards), images_of_cell(wildcards)
    return below_results(plan.shard_files(STUDY, cell, 0, count))


def parts_of_many(wildcards):
    """A cell's images, and shards up to the largest of the sample sizes."""
    cell, first = cell_of(wildcards), images_of_cell(wildcards)
    more = plan.shard_files(
        STUDY, cell, first, max(STUDY.config["sample_sizes"], default=0)
    )
    return below_results([cell.path("samples"), *more])


def records_of(sample_sets):
    return [path.removesuffix(".npz") + ".json" for path in sample_sets]


def extractor_of_dataset(wildcards):
    return file_of(
        "extractors", extractor=STUDY.evaluation(wildcards.dataset)["extractor"]
    )


def reference_of_dataset(wildcards):
    """Features of the real images that samples are compared with."""
    return reference_features(wildcards.dataset)


def reference_features(dataset):
    block = STUDY.evaluation(dataset)
    return file_of(
        "reference_features",
        extractor=block["extractor"],
        dataset=dataset,
        split=block["reference"],
    )


def evaluation_of_model(wildcards):
    return STUDY.evaluation_of(wildcards.model)


def evaluation_of_sizes(wildcards):
    model = wildcards.model
    return STUDY.evaluation_of_sizes(STUDY.names(model)["dataset"], model)


def extractor_of_model(wildcards):
    return file_of("extractors", extractor=evaluation_of_model(wildcards)["extractor"])


def reference_of_model(wildcards):
    return reference_features(STUDY.names(wildcards.model)["dataset"])


def features_of(wildcards):
    """Path of a cell's features, which later metrics use again."""
    extractor = evaluation_of_model(wildcards)["extractor"]
    path = cell_of(wildcards).path("features", extractor=extractor)
    return f"results/{STUDY.name}/{path}"


def features_apart(kind):
    """A cell's features, as an input function, if jobs of their own extract them; kind: "features" or "many_features"."""

    def apart(wildcards):
        if not STUDY.extracts_apart(STUDY.names(wildcards.model)["dataset"]):
            return []
        extractor = evaluation_of_model(wildcards)["extractor"]
        return file_of(kind, wildcards, extractor=extractor)

    return apart


def group_of_scores(wildcards):
    """Scoring is submitted with the cell, unless it is long: then it must not keep a GPU."""
    dataset = STUDY.names(wildcards.model)["dataset"]
    return None if STUDY.extracts_apart(dataset) else "cell"


def walk_code(script, wildcards):
    """Fingerprint of the code with which a model is sampled."""
    w = wildcards
    return STUDY.code(script, model=w.model, sampler=w.sampler, guidance=w.guidance)


def scoring_code(script, wildcards):
    return STUDY.code(script, evaluation=STUDY.names(wildcards.model)["dataset"])


def places():
    """Number of jobs at a time: cores of this machine, or submissions to a cluster."""
    return workflow.cores if workflow.local_exec else workflow.nodes


def limit(resource):
    """Total of a resource that `--resources` allows, or None."""
    found = workflow.global_resources.get(resource)
    return found.value if found is not None else None
