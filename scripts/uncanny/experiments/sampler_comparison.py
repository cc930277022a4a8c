"""Sample one checkpoint with several samplers and sampling seeds in one process, and score them.

With a sampling seed, all samplers start from the same latents and get the same noise at each step,
so two samplers with equally many steps differ in their schedule alone.
"""

from itertools import product

import numpy as np

from uncanny.evaluation import extractors, features
from uncanny.evaluation.scoring import BATCH
from uncanny.registry import components
from uncanny.runtime import checkpoints, files, hardware
from uncanny.runtime.random_streams import image_seeds
from uncanny.sampling import drawing, sample_sets

SOLVERS = {"reverse_sde": "sde"}  # kinds of samplers with another name in records


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
    """Sample with every sampler and sampling seed, score, and write one record.

    losses: file of the checkpoint's denoising losses, or None. samplers: name → complete options.
    extent: {"sampling_seeds", "num_images": per sampling seed}. metric: complete block. extractor,
    reference: files of the extractor and of the reference features. names: {"model", "dataset",
    "metric"} of the study, for the record. Raises ValueError if the model diverged.
    """
    device = hardware.device(threads)
    state = checkpoints.load(checkpoint, identity=identity, seed=seed)
    if state["status"] == "diverged":
        raise ValueError(f"{checkpoint}: the model diverged: {state['reason']}")
    model = drawing.Trained.of(state, device)
    measured = files.read_json(losses) if losses else None
    network, (real, _) = extractors.load(extractor, str(device)), features.load(reference)

    def score_of(sampler: dict, sampling_seed: int) -> dict:
        seeds = image_seeds(sampling_seed, 0, extent["num_images"], seed)
        generated = drawing.draw_images(model, sampler, seeds, losses=measured)
        result = {"draw": sampling_seed, "nfe": generated.nfe, "value": None, "se": None}
        if bool(np.isfinite(generated.images.numpy()).all()):
            images = sample_sets.stored(generated.images)
            sample = features.extract(network, images, BATCH)
            estimate = components.call("metrics", metric, sample, real)
            result |= {"value": estimate.value, "se": estimate.se}
        return result

    rows = [
        {"sampler": name} | facts_of(model, sampler, measured) | score_of(sampler, sampling_seed)
        for (name, sampler), sampling_seed in product(samplers.items(), extent["sampling_seeds"])
    ]
    facts = {"seed": seed, "epoch": state["epoch"], "step": state["step"]}
    facts |= {"num_images": extent["num_images"], "extractor": network.id, "scores": rows}
    files.write_json(output, names | facts)


def facts_of(model: drawing.Trained, sampler: dict, losses: dict | None) -> dict:
    """Solver, schedule and noise levels of a sampler, without the final 0."""
    options = sampler["init_sampling"] | ({"losses": losses} if losses else {})
    bound = model.family.bind(model.network, None)
    _, sigmas, _ = model.family.init_sampling(bound, None, **options)
    return {
        "solver": SOLVERS.get(sampler["kind"], sampler["kind"]),
        "schedule": options["grid"]["kind"],
        "rho": options["grid"].get("rho"),
        "num_steps": options["num_steps"],
        "nodes": sigmas[sigmas > 0].tolist(),
    }
