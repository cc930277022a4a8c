"""What figures, tables and claims of a study are drawn from: what its archive holds. No torch
here.
"""

from uncanny.study import plan
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import experiments as plan_experiments
from uncanny.study.study import Study

# Of which kinds of file a figure compares with real images, or with their scores.
SCORED, SHOWN = {"scores", "sizes"}, {"samples", "traces"}


def files(study: Study) -> list[str]:
    """Files below the study's results, each once."""
    found = [path for figure in study.config["figures"] for path in _of_figure(study, figure)]
    for table, block in study.config["tables"].items():
        found += plan.timing_files(study, block) + plan.table_scores(study, block)
        found += plan.table_verdicts(study, table)
    if study.config["claims"]:
        found += [path for paths in plan_claims.files(study).values() for path in paths]
    for name in study.config["experiments"]:
        found += plan_experiments.files(study, name)
    return plan.unique(found)


def _of_figure(study: Study, figure: str) -> list[str]:
    kinds, found = set(plan.needs(study, figure)), plan.figure_data(study, figure)
    datasets = plan.figure_datasets(study, figure)
    if kinds & SCORED:
        found += [f"scores/references/{name}.json" for name in datasets]
    if kinds & SHOWN:
        found += [f"datasets/{name}/dataset.json" for name in datasets]
    return found


def identity(study: Study) -> dict:
    """What the numbers of a study follow from: its config without what is shown, and how."""
    left_out = {"figures", "tables", "claims", "estimate", "timing"}
    kept = {key: value for key, value in study.config.items() if key not in left_out}
    return _bare(kept)


def _bare(value: object) -> object:
    """The same without labels and colours."""
    if isinstance(value, dict):
        return {key: _bare(value[key]) for key in sorted(value) if key not in ("label", "color")}
    return [_bare(part) for part in value] if isinstance(value, list) else value
