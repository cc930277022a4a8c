"""How often a sampler evaluates the network per image, known before anything runs."""

from collections.abc import Callable

# Samplers that do not look exactly once per step. A step of Heun's method has two slopes, but the
# last one, which ends at sigma = 0.
EVALUATIONS: dict[str, Callable[[dict], int | None]] = {
    "annealed_langevin": lambda options: (
        options["num_levels"] * options["steps_per_level"] + options["denoise"]
    ),
    "heun": lambda options: 2 * options["num_steps"] - 1,
    "probability_flow": lambda options: None,  # chooses its steps, image by image
    "phase_euler": lambda options: options["num_steps"] + _corrections(options),
    "sscs": lambda options: (
        options["order"] * _steps(options) + options["denoise"] + _corrections(options)
    ),
}


def _steps(options: dict) -> int:
    """Steps of an augmented walk before the one that denoises."""
    return options["num_steps"] - options["denoise"]


def _corrections(options: dict) -> int:
    return 0 if options["corrector"] == "none" else _steps(options)


def nfe(sampler: dict, process: dict) -> int | None:
    """Network evaluations per image, one per step where nothing else is known of a sampler; None
    where they follow from the dataset or from the image.

    sampler, process: complete options; of the process, the number of noise levels is read where the
    sampler visits all of them.
    """
    known = process | sampler
    if sampler["kind"] == "annealed_langevin" and known.get("num_levels") is None:
        return None
    count = EVALUATIONS.get(sampler["kind"], lambda options: options.get("num_steps"))
    return count(known)
