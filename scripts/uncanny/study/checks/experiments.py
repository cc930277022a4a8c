"""Check experiments on trained models before anything is trained."""

from uncanny.registry import components
from uncanny.registry.option_types import Above
from uncanny.study import plan
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks.names import refer
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.study import Study

FEWEST_DRAWS, FEWEST_EPOCHS = 2, 3  # for a verdict, and for a crossing


def check(study: Study) -> None:
    """Check experiments, and how losses are measured; the first mistake raises ValueError."""
    losses = study.config["losses"]
    Above("sigma_min").check_order(losses["sigma_max"], losses, "losses.sigma_max")
    for name in study.config["experiments"]:
        if plan_experiments.is_trained(study, name):
            _check_trained(study, name)


def _check_trained(study: Study, name: str) -> None:
    extent, key_path = plan_experiments.extent(study, name), f"experiments.{name}"
    for section in ("models", "samplers"):
        for entry in extent[section]:
            refer(study, section, entry, f"{key_path}.{section}")
    refer(study, "metrics", extent["metric"], f"{key_path}.metric")
    seeds = extent["sampling_seeds"]
    if len(set(seeds)) < FEWEST_DRAWS:
        raise ValueError(
            f"{key_path}.sampling_seeds: {seeds}; a verdict on {extent['metric']} takes at least "
            f"{FEWEST_DRAWS} sampling seeds"
        )
    for model in extent["models"]:
        _check_model(study, model, extent, key_path)


def _check_model(study: Study, model: str, extent: dict, key_path: str) -> None:
    checks_origins.refuse(study, model, f"{key_path}.models", "samples")
    process, dataset = study.names(model)["process"], study.names(model)["dataset"]
    kind = study.block("processes", process)["kind"]
    if kind != "continuous":
        raise ValueError(
            f"{key_path}.models: {model!r} is a {kind} model; expected a continuous one, whose "
            "noise levels can be chosen"
        )
    known = study.block("evaluation", dataset)["metrics"]
    if extent["metric"] not in known:
        raise ValueError(
            f"{key_path}.metric: {extent['metric']!r} is not measured on {dataset!r}; known: "
            f"{', '.join(known)}"
        )
    milestones = study.milestones(model)
    if len(milestones) < FEWEST_EPOCHS:
        raise ValueError(
            f"{key_path}.models: {model!r} has milestones {milestones}; a crossing takes at least "
            f"{FEWEST_EPOCHS} checkpoints"
        )
    for sampler in extent["samplers"]:
        if not plan.fits(study, model, sampler):
            takes = components.signature("samplers", study.sampler_kind(sampler, model)).first
            raise ValueError(
                f"{key_path}.samplers: {sampler!r} takes {takes}, but model {model!r} gives "
                "a denoiser"
            )
