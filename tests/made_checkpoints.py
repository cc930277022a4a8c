"""Made checkpoints of experiments on trained models: losses of a Gaussian, scores as asked for."""

import itertools

import numpy as np

from uncanny.diffusion.theory import grids
from uncanny.experiments.checkpoint_records import Checkpoint

STD, DIM = 0.002, 4
SIGMA = np.geomspace(0.002, 80, 40)
NFE_PER_STEP = {"sde": 1, "heun": 2}
GRIDS = {**grids.GRIDS, "derived": grids.exponential}


def losses(width, *, levels="lognormal", weight="unit_output", **names):
    """A record of losses: the model that denoises for data of standard deviation `width`, on data of
    standard deviation STD.
    """
    lam, share = SIGMA**2, width**2 / (width**2 + SIGMA**2)
    mmse = DIM * STD**2 * lam / (STD**2 + lam)
    best = STD**2 / (STD**2 + lam)
    distance = DIM * (share - best) ** 2 * (STD**2 + lam)
    return names | {
        **{"levels": levels, "weight": weight, "dim": DIM, "second_moment": DIM * STD**2},
        **{"sigma": SIGMA.tolist(), "mmse": mmse.tolist(), "distance": distance.tolist()},
        "loss": (mmse + distance).tolist(),
    }


def scores(value, *, solvers=("sde",), steps=(10,), schedules=grids.GRIDS, draws=3):
    """Entries of `comparing`; value(schedule, solver, draw) is the metric."""
    return [
        {
            **{"sampler": f"{solver}{n}_{schedule}", "solver": solver, "schedule": schedule},
            **{"rho": 7.0 if schedule == "polynomial" else None, "num_steps": n, "draw": draw},
            **{
                "nodes": GRIDS[schedule](n - 1).tolist(),
                "nfe": NFE_PER_STEP[solver] * n,
                "se": 0.001,
            },
            "value": value(schedule, solver, draw),
        }
        for solver, n, schedule, draw in itertools.product(solvers, steps, schedules, range(draws))
    ]


def checkpoint(epoch, value, *, model="ring", seed=0, width=None, way=None, **extent):
    """One checkpoint; the longer it is trained, the finer the detail that its losses know."""
    names = {"model": model, "seed": seed, "epoch": epoch}
    width = 4.0 * 0.4**epoch + STD if width is None else width
    result = losses(width, **names, **(way or {}))
    return Checkpoint(
        **names,
        dataset="ring",
        metric="w2",
        step=20 * epoch,
        losses=result,
        scores=scores(value, **extent),
    )


def turning(epoch, at=4, gap=0.1):
    """Values with which the polynomial schedule is better before epoch `at`, the other from it on."""
    sign = 1 if epoch < at else -1

    def value(schedule, solver, draw):
        better = {"exponential": sign * gap, "polynomial": 0.0, "derived": -2 * gap}[schedule]
        return (1 + better + 0.004 * draw + 0.001 * draw * (schedule == "polynomial")) / (1 + epoch)

    return value


def series(epochs=(0, 1, 2, 4, 8, 16), seeds=(0, 1), at=4, **options):
    return [
        checkpoint(epoch, turning(epoch, at), seed=seed, **options)
        for seed, epoch in itertools.product(seeds, epochs)
    ]
