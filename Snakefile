from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# One study is one config file: --configfile replaces the default study, --config overrides keys of the loaded one. The
# default study is that of the folder in which Snakemake runs; a folder without one has this repository's.
if set(config) <= set(workflow.config_settings.config):
    DEFAULT = Path("config/config.yaml")

    configfile: str(DEFAULT if DEFAULT.exists() else Path(workflow.current_basedir) / DEFAULT)


include: "workflow/rules/common.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/exact.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/archive.smk"
include: "workflow/rules/estimate.smk"
include: "workflow/rules/gallery.smk"
include: "workflow/rules/docs.smk"
include: "workflow/rules/training_curves.smk"
include: "workflow/rules/start.smk"


report: "workflow/report/workflow.rst"


onstart:
    for line in checks_data.attention_notes(STUDY):
        logger.info(line)
    check_job_slots()
    list_jobs()
    print_progress()
    if workflow.local_exec:
        share_gpus()
        # With --sdm, a rule runs in the environment that it names, not in a fork of this one.
        if not workflow.deployment_settings.deployment_method:
            fork_server.start()
    elif workflow.executor_plugin.name == "slurm":
        check_cluster()
    # No limit of submissions per second: on a cluster `jobs` limits the queue. With a limit, each finished job leaves a
    # timer that checks all waiting jobs every second, and in the end the timers cost more than the jobs.
    workflow.scheduler.job_rate_limiter = None


rule all_figures:
    default_target: True
    input:
        [figure_target(figure) for figure in plan.paper_figures(STUDY)],
    localrule: True


rule all_tables:
    input:
        [table_target(table) for table in STUDY.config["tables"]],
    localrule: True


rule claims:
    input:
        table_target("claims") if STUDY.config["claims"] else [],
    localrule: True


rule all:
    input:
        [figure_target(figure) for figure in STUDY.config["figures"]],
        below_results(
            plan_experiments.table(STUDY, name) for name in STUDY.config["experiments"]
        ),
        rules.all_tables.input,
        rules.claims.input,
    localrule: True


rule archive:
    input:
        rules.pack_archive.output,
    localrule: True


for target in [*STUDY.config["figures"], *STUDY.config["tables"]]:

    rule:
        name:
            target
        input:
            figure_target(target)
            if target in STUDY.config["figures"]
            else table_target(target),
        localrule: True


use_processor()
apply_gpu_request()
order_jobs()
