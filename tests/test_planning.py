"""Planning grows with the study and no faster: counted in lines of our own code that run."""

import copy
import sys
from pathlib import Path

import pytest
from test_configuration import TINY, plan

from uncanny.registry import components, fingerprint
from uncanny.study import checks
from uncanny.study import plan as planning
from uncanny.study.plan import cell_record, inputs
from uncanny.study.plan import claims as plan_claims
from uncanny.study.study import Study

LIBRARY = str(Path(planning.__file__).parent)


def lines_run(work):
    """Lines of the library that run in work()."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def planned(config):
    """All that the rules ask of the plan: once for each job, twice for each figure."""
    study = Study(config)
    checks.check(study)
    for figure in 2 * [*config["figures"]]:
        inputs.of_figure(study, figure)
        planning.appearance(study, figure)
    plan_claims.files(study)
    cells = {cell for figure in config["figures"] for cell in planning.figure_cells(study, figure)}
    for cell in cells:
        dataset = study.names(cell.model)["dataset"]
        cell_record(study, cell)
        study.evaluation(dataset)
        study.code("score_samples", evaluation=dataset)
        study.code("draw_samples", model=cell.model, sampler=cell.sampler, guidance=cell.guidance)
        planning.shard_files(study, cell, 0, config["num_images"])


def study_of(figures=1, **changes):
    """The tiny study, with so many copies of each figure."""
    config = copy.deepcopy(plan(TINY | changes).config)
    blocks = config["figures"].items()
    copies = {f"{name}_{n}": block for name, block in blocks for n in range(figures)}
    return config | {"figures": copies}


GROWING = {
    "seeds": lambda n: study_of(seeds=list(range(n))),
    "sampling_seeds": lambda n: study_of(sampling_seeds=list(range(n))),
    "milestones": lambda n: study_of(milestones=list(range(1, n + 1)), segment_epochs=1),
    "figures": lambda n: study_of(figures=n),
}


@pytest.mark.parametrize("axis", GROWING)
def test_planning_grows_no_faster_than_the_study(axis):
    for cached in (components.parse, fingerprint._digest):  # what depends on the code alone
        cached.cache_clear()
    planned(GROWING[axis](1))
    counts = {n: lines_run(lambda n=n: planned(GROWING[axis](n))) for n in (2, 4, 8)}
    steps = (counts[4] - counts[2]) / 2, (counts[8] - counts[4]) / 4
    assert steps[1] == pytest.approx(steps[0], rel=0.1)
    assert counts[8] < 4.2 * counts[2]
