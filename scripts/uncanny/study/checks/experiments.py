"""Whether experiments on trained models can be made and judged: before anything is trained."""

from uncanny.registry import components
from uncanny.registry.option_types import Above
from uncanny.study import plan
from uncanny.study.checks import origins as checks_origins
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.study import Study

FEWEST_DRAWS, FEWEST_EPOCHS = 2, 3  # of a verdict, and of a crossing


def check(study: Study) -> None:
    """Check experiments, and how losses are measured; the first mistake raises ValueError."""
    losses = study.config["losses"]
    Above("sigma_min").check_beside(losses["sigma_max"], losses, "losses.sigma_max")
    for name in study.config["experiments"]:
        if plan_experiments.is_trained(study, name):
            _check_trained(study, name)


def _check_trained(study: Study, name: str) -> None:
    wanted, where = plan_experiments.extent(study, name), f"experiments.{name}"
    for section in ("models", "samplers"):
        for entry in wanted[section]:
            _refer(study, section, entry, f"{where}.{section}")
    _refer(study, "metrics", wanted["metric"], f"{where}.metric")
    seeds = wanted["sampling_seeds"]
    if len(set(seeds)) < FEWEST_DRAWS:
        raise ValueError(
            f"{where}.sampling_seeds: {seeds}; a verdict on {wanted['metric']} takes at least "
            f"{FEWEST_DRAWS} sampling seeds"
        )
    for model in wanted["models"]:
        _check_model(study, model, wanted, where)


def _check_model(study: Study, model: str, wanted: dict, where: str) -> None:
    checks_origins.refuse(study, model, f"{where}.models", "samples")
    process, dataset = study.names(model)["process"], study.names(model)["dataset"]
    kind = study.block("processes", process)["kind"]
    if kind != "continuous":
        raise ValueError(
            f"{where}.models: {model!r} is a {kind} model; expected a continuous one, whose noise "
            "levels can be chosen"
        )
    known = study.block("evaluation", dataset)["metrics"]
    if wanted["metric"] not in known:
        raise ValueError(
            f"{where}.metric: {wanted['metric']!r} is not measured on {dataset!r}; known: "
            f"{', '.join(known)}"
        )
    milestones = study.milestones(model)
    if len(milestones) < FEWEST_EPOCHS:
        raise ValueError(
            f"{where}.models: {model!r} has milestones {milestones}; a crossing takes at least "
            f"{FEWEST_EPOCHS} checkpoints"
        )
    for sampler in wanted["samplers"]:
        if not plan.fits(study, model, sampler):
            walks = components.signature("samplers", study.sampler_kind(sampler, model)).first
            raise ValueError(
                f"{where}.samplers: {sampler!r} walks with {walks}, but model {model!r} gives "
                "a denoiser"
            )


def _refer(study: Study, section: str, name: str, where: str) -> None:
    known = study.config.get(section, {})
    if name not in known:
        near = components.near(name, known)
        raise ValueError(f"{where}: {name!r} is not defined in {section}{near}")
