"""One checkpoint sampled in many ways, in one process: each sampler with each draw, scored.

A draw gives every sampler the same latents and, step by step, the same noise: what two samplers
with as many steps differ in is their schedule alone.
"""

from itertools import product

import numpy as np

from uncanny.evaluation import extractors, features
from uncanny.evaluation.scoring import BATCH
from uncanny.registry import components
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing

SOLVERS = {"reverse_sde": "sde"}  # what a kind of sampler is called in records; others as they are


def run(
    *,
    checkpoint,
    identity,
    seed,
    losses,
    samplers,
    extent,
    metric,
    extractor,
    reference,
    names,
    output,
    threads,
) -> None:
    """Draw with every sampler and draw, score, and write one record.

    losses: file of the checkpoint's losses, or None. samplers: name -> complete options. extent:
    {"sampling_seeds", "num_images"}. metric: its complete block. extractor, reference: files, as
    scores have them. names: {"model", "dataset", "metric"} of the study, for the record.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{checkpoint}: the model diverged: {state['reason']}")
    model = drawing.Trained.of(state, device)
    measured = files.read_json(losses) if losses else None
    network, (real, _) = extractors.load(extractor, str(device)), features.load(reference)
    options = {key: value for key, value in metric.items() if key != "kind"}
    score = components.load("metrics", metric["kind"])

    def scored(sampler: dict, draw: int) -> dict:
        seeds = image_seeds(draw, 0, extent["num_images"])
        drawn = drawing.draw_images(model, sampler, seeds, losses=measured)
        found = {"draw": draw, "nfe": drawn.nfe, "value": None, "se": None}
        if bool(np.isfinite(drawn.images.numpy()).all()):
            images = drawing.stored(drawn.images)
            estimate = score(features.extract(network, images, BATCH), real, **options)
            found |= {"value": estimate.value, "se": estimate.se}
        return found

    rows = [
        {"sampler": name} | about(model, sampler, measured) | scored(sampler, draw)
        for (name, sampler), draw in product(samplers.items(), extent["sampling_seeds"])
    ]
    facts = {"seed": seed, "epoch": state["epoch"], "step": state["step"]}
    facts |= {"num_images": extent["num_images"], "extractor": network.id, "scores": rows}
    files.write_json(output, names | facts)


def about(model: drawing.Trained, sampler: dict, losses: dict | None) -> dict:
    """Solver, schedule and noise levels of a sampler's walk, without the final 0."""
    _, start, _ = drawing.walk(sampler, type(model.family).__module__.rsplit(".", 1)[-1])
    start |= {"losses": losses} if losses else {}
    _, sigmas, _ = model.family.start(model.family.bind(model.network, None), None, **start)
    return {
        "solver": SOLVERS.get(sampler["kind"], sampler["kind"]),
        "schedule": sampler["grid"]["kind"],
        "rho": sampler["grid"].get("rho"),
        "num_steps": sampler["num_steps"],
        "nodes": sigmas[sigmas > 0].tolist(),
    }
