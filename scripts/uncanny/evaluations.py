"""How often a sampler evaluates the network per image, known before anything runs."""

from collections.abc import Callable

# A step of Heun's method has two slopes, but the last one, which ends at sigma = 0.
EVALUATIONS: dict[str, Callable[[dict], int | None]] = {
    "ancestral": lambda options: options["num_steps"],
    "annealed_langevin": lambda options: (
        options["num_levels"] * options["steps_per_level"] + options["denoise"]
    ),
    "ddim": lambda options: options["num_steps"],
    "euler": lambda options: options["num_steps"],
    "heun": lambda options: 2 * options["num_steps"] - 1,
    "song_euler": lambda options: options["num_steps"],
    "reverse_sde": lambda options: options["num_steps"],
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
    """Network evaluations per image; None where they follow from the dataset, or are not known.

    sampler, process: complete options; of the process, the number of noise levels is read where the
    sampler visits all of them.
    """
    known = process | sampler
    if sampler["kind"] == "annealed_langevin" and known.get("num_levels") is None:
        return None
    count = EVALUATIONS.get(sampler["kind"])
    return count(known) if count else None
