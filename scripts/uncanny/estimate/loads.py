"""Load of a job of any rule: amounts of work, bytes on disk, memory.

Of a rule without an entry only startup and overhead are counted until its jobs have left records;
the estimate names it.
"""

from functools import cache

# The order of their entries, then of those here, is that of the report.
from uncanny.estimate import costs, model_loads, scoring_loads  # noqa: F401
from uncanny.estimate.facts import Facts
from uncanny.estimate.job import Job
from uncanny.estimate.work import ENTRIES, NO_REST, RECORD, Load, Work, entry
from uncanny.study.plan import timings as plan_times
from uncanny.training.lengths import UPDATES_BEFORE, UPDATES_PER_BLOCK

# Seconds on a core of jobs that neither train nor sample: per job, and per input file.
SHOWING = {"plot_figure": (1.0, 2e-3), "make_table": (0.3, 1e-3), "assess_claims": (3.0, 5e-3)}
SHOWING |= {"run_trained": (3.0, 2e-3), "run_exact": (7.0, 0.0)}
CONFIRMING = 0.05
FIGURE = 1_000_000


@cache
def of_job(facts: Facts, job: Job) -> tuple[Load, list[Work]]:
    """Load of a job, and all its work, the rest last."""
    known = ENTRIES.get(job.rule)
    load = known.load(facts, job, **job.wildcards) if known else Load()
    seconds = (facts.device if job.on_device else costs.PROCESSOR).rest
    rest = load.rest or Work(("rest", job.rule), 1, seconds)
    return load, [*load.works, *([rest] if rest.amount or not load.works else [])]


def kind(job: Job) -> str:
    """Kind of a job's work; for a rule without an entry, its name and that no cost is stated."""
    return ENTRIES[job.rule].kind if job.rule in ENTRIES else f"{job.rule} (no stated cost)"


# ---- Timing ---------------------------------------------------------------------------------


@entry("timing", "time_sampling")
def _time_sampling(facts: Facts, job: Job, model: str, **_) -> Load:
    config = facts.study.config
    count = config["timing"].get("num_images", config["num_images"])
    count = costs.batch_of(count, facts.data_of(model).values)
    images = (config["timing"]["batches"] + 1) * count  # a batch to warm up
    ways = plan_times.sampled(facts.study, model)
    return Load([model_loads.evaluations(facts, model, *way, images, count) for way in ways])


@entry("timing", "time_training")
def _time_training(facts: Facts, job: Job, **_) -> Load:
    count = facts.study.config["timing"]["blocks"] * (UPDATES_BEFORE + UPDATES_PER_BLOCK)
    models = plan_times.trained(facts.study)
    memory = max(model_loads.training_memory(facts, model) for model in models)  # one after another
    card = max(
        model_loads.training_card(facts.size(model), facts.batch_size(model)) for model in models
    )
    return Load(
        [model_loads.updates_of(facts, model, count) for model in models], memory=memory, card=card
    )


# ---- Figures, tables, claims ----------------------------------------------------------------


@entry("figures, tables, claims", *SHOWING)
def _show(facts: Facts, job: Job, **_) -> Load:
    """A job without networks: a constant, and a share per file that it reads."""
    constant, per_input = SHOWING[job.rule]
    shown = {key: job.wildcards[key] for key in ("figure", "table") if key in job.wildcards}
    kinds = [facts.study.block(f"{key}s", name)["kind"] for key, name in shown.items()]
    work = Work((job.rule, *kinds, job.subject), 1, constant + per_input * len(job.inputs))
    return Load([work], rest=NO_REST, disk=FIGURE if job.rule == "plot_figure" else RECORD)


@entry("figures, tables, claims", "confirm_figure")
def _confirm_figure(facts: Facts, job: Job, **_) -> Load:
    return Load([Work((job.rule,), 1, CONFIRMING)], rest=NO_REST)
