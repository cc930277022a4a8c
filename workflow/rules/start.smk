# Order of jobs; checks and set-up at the start of a run.

RESULTS = f"results/{STUDY.name}"


def start_run():
    """Check what this run needs, say what is noteworthy, and begin what accompanies it."""
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


@functools.cache
def jobs_in_order():
    """Jobs of this run in the order in which they should start; figures in that order."""
    jobs = estimate_job.Jobs(dag.needed(workflow, RESULTS).values())
    return estimate_order.in_order(jobs, estimate_order.wanted(STUDY))


@functools.cache
def ranks():
    """(rule, wildcards) → number of jobs that should start after it."""
    jobs, _ = jobs_in_order()
    keys = [(job.rule, frozenset(job.wildcards.items())) for job in reversed(jobs)]
    return {key: number for number, key in enumerate(keys)}


def by_rank(rule, first):
    """Priority of a rule's jobs. first: the rule's own, which counts more than the order."""
    return lambda wildcards: (
        first * len(ranks()) + ranks().get((rule, frozenset(wildcards.items())), 0)
    )


def order_jobs():
    """Let figures come one after another, in the order of the config."""
    for each in workflow.rules:
        each.priority = by_rank(each.name, each.priority)


def print_progress():
    """Print percent, time left and the next figure while jobs run."""
    jobs, (_, files) = dag.needed(workflow, RESULTS), jobs_in_order()
    logger.addHandler(run_progress.RunProgress(jobs, files, logger.info))


def apply_gpu_request():
    """Request GPUs in the form of the site: gpu_request=gres in the profile's default-resources."""
    for each in workflow.rules:
        if profiles.GPU_REQUEST in each.resources:
            asked = {name: resource.raw for name, resource in each.resources.items()}
            try:
                each.resources.update(profiles.gpu_resources(asked))
            except ValueError as error:
                raise WorkflowError(f"profile: {each.name}: {error}") from None


def use_processor():
    """Ask for no GPU where the study computes on the processor."""
    if STUDY.config["device"] != "cpu":
        return
    for each in workflow.rules:
        if "gpu" in each.resources:
            each.resources.update({"gpu": 0})


def share_gpus():
    """Give each job with gpu=1 a GPU of this machine, and start no more of them than there are places."""
    if STUDY.config["device"] == "cpu":
        return
    offered = gpus.places(STUDY.config["jobs_per_gpu"], os.environ)
    check_gpus(len(offered.names) if offered else 0)
    if offered is None:
        return
    gpus.offer(offered)
    if limit("gpu") is None:
        workflow.scheduler.global_resources["gpu"] = offered.total
        workflow.scheduler.resources["gpu"] = offered.total
    logger.info(f"{offered}; other jobs on {workflow.cores} cores")
    try:
        notes = gpus.precision_notes(offered.names, STUDY.precisions())
    except ValueError as error:
        raise WorkflowError(f"config: {error}") from None
    for note in notes:
        logger.info(note)


def check_gpus(there):
    """Stop with one message if a recipe of this run asks for more GPUs than there are."""
    todo = (
        job for job in workflow.dag.needrun_jobs() if job.rule.name == "train_model"
    )
    for model in {job.wildcards.model for job in todo}:
        if STUDY.gpus(model) > max(there, 1):
            raise WorkflowError(
                f"training.{STUDY.names(model)['training']}.gpus: {STUDY.gpus(model)}; this machine has {there} GPUs"
            )


def check_job_slots():
    """Stop with one message if no job could ever start, or if -j would have no effect."""
    settings = workflow.resource_settings
    for option, number in (("--cores", settings.cores), ("--jobs", settings.nodes)):
        if number is not None and number < 1:
            raise WorkflowError(
                f"{option} {number}: no job could start; expected at least 1"
            )
    if workflow.local_exec and settings.nodes not in (None, settings.cores):
        raise WorkflowError(
            f"-j {settings.nodes}: on this machine --cores says how much runs at a time (all, by "
            f"profiles/default); expected --cores {settings.nodes}"
        )


def list_jobs():
    """The jobs behind all targets, for a rule of this run that says what they cost."""
    rules = {job.rule.name for job in workflow.dag.needrun_jobs()}
    asked_digests = bool(rules & {"record_docs", "check_docs"})
    if asked_digests or rules & {"estimate", "gallery"}:
        targets = estimate_job.target_rules(STUDY)
        dag.list_jobs(workflow, targets, RESULTS, digests=asked_digests)


def request_of(job):
    """A job's rule and GPUs, to sort by."""
    asked = (job.resources.get(key) for key in ("gpu", "gres"))
    return job.rule.name, *(str(number or "").rjust(20) for number in asked)


def check_cluster():
    """Stop with one message if the cluster cannot run the jobs of this run."""
    todo = sorted(workflow.dag.needrun_jobs(), key=request_of)  # of a rule, the last
    jobs = {job.rule.name: job.resources for job in todo if not job.is_local}
    try:
        notes = cluster.check(jobs, workflow.executor_settings.partition_config)
    except ValueError as error:
        raise WorkflowError(f"cluster: {error}") from None
    for note in notes:
        logger.warning(f"cluster: {note}")
