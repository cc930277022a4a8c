# Checks and set-up at the start of a run.


def apply_gpu_request():
    """Ask for GPUs as the site does: the profile's default-resources may say gpu_request=gres."""
    for each in workflow.rules:
        if profiles.GPU_REQUEST in each.resources:
            asked = {name: resource.raw for name, resource in each.resources.items()}
            try:
                each.resources.update(profiles.gpu_resources(asked))
            except ValueError as error:
                raise WorkflowError(f"profile: {each.name}: {error}") from None


def check_job_slots():
    """Stop with one message where no job could ever start, or where -j would not be heeded."""
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


def check_cluster():
    """Stop with one message where the cluster cannot take the jobs that are to run there."""
    todo = sorted(workflow.dag.needrun_jobs(), key=lambda job: job.rule.name)
    jobs = {job.rule.name: job.resources for job in todo if not job.is_local}
    try:
        notes = cluster.check(jobs, workflow.executor_settings.partition_config)
    except ValueError as error:
        raise WorkflowError(f"cluster: {error}") from None
    for note in notes:
        logger.warning(f"cluster: {note}")
