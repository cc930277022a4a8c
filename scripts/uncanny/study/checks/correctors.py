"""Check correctors of samplers in phase space: they need the score of every component."""

from uncanny.study.study import Study

# Which components of the state have noise, by the recipe's complete options
NOISY = {
    "cld": lambda recipe: [False, True],
    "matrices": lambda recipe: [any(row) for row in recipe["D"]],
    "position_noise": lambda recipe: [True, False],
    "psld": lambda recipe: [recipe["gamma"] > 0, recipe["nu"] != 0],
    "vp": lambda recipe: [True],
}


def knows_one_score(process: dict) -> bool:
    """Whether models of a process in phase space predict the noise of one component of several, as
    `linear_process.Process.predicted` does.

    process: complete options. False for recipes that are not known here.
    """
    recipe = process["recipe"]
    noisy = NOISY.get(recipe["kind"], lambda recipe: [True])(recipe)
    alone = [0 if process["factor"] == "upper" else len(noisy) - 1]
    return len(noisy) > 1 and [i for i, has_noise in enumerate(noisy) if has_noise] == alone


def check(study: Study, sampler: str, model: str) -> None:
    """Raise ValueError for a corrector where the score of a component is not known."""
    name = study.names(model)["process"]
    process = study.component("processes", name)
    kind = study.sampler(sampler, model)["options"].get("corrector", "none")
    if process["kind"] == "phase_space" and kind != "none" and knows_one_score(process):
        raise ValueError(
            f"samplers.{sampler}.corrector: {kind!r} for model {model!r}, which knows the score of "
            f"one component; expected none, or noise in all components of processes.{name}"
        )
