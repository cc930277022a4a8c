"""Times that tables and claims of a study compare. No torch here."""

from functools import cache

from uncanny.study import plan
from uncanny.study.plan import claims as plan_claims
from uncanny.study.study import Study


@cache
def trained(study: Study) -> list[str]:
    """Models whose training is timed."""
    return plan.unique(model for block in _blocks(study) for model in block.get("training", []))


@cache
def sampled(study: Study, model: str) -> list[tuple[str, str]]:
    """(sampler, guidance) with which the sampling of a model is timed."""
    cells = [cell for block in _blocks(study) for cell in plan.timed_cells(study, block)]
    return plan.unique((cell.sampler, cell.guidance) for cell in cells if cell.model == model)


def guiding(study: Study, model: str) -> list[str]:
    """Names of the classifiers that guide the timed sampling of a model."""
    classifiers = [study.guiding(guidance) for _, guidance in sampled(study, model)]
    return plan.unique(name for names in classifiers for name in names)


def needs_losses(study: Study, model: str) -> bool:
    """Whether timed sampling of a model has a noise-level grid derived from its losses."""
    return any(study.needs_losses(sampler, model) for sampler, _ in sampled(study, model))


@cache
def _blocks(study: Study) -> list[dict]:
    """Blocks with `training` and `sampling` to be timed."""
    return [*study.config["tables"].values(), *plan_claims.timed_blocks(study)]
