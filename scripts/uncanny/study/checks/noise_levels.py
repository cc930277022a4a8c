"""Check ranges of noise levels, of continuous processes and of their samplers."""

from uncanny.diffusion import noise_range
from uncanny.study.study import Study


def check_process(study: Study, name: str) -> None:
    """Raise ValueError for a range that a process cannot have."""
    process = study.component("processes", name)
    if process["kind"] == "continuous":
        noise_range.check(process, f"processes.{name}")


def check_sampler(study: Study, sampler: str, model: str) -> None:
    """Raise ValueError for noise levels of a sampler beyond those that a model is trained at."""
    name = study.names(model)["process"]
    process = study.component("processes", name)
    if process["kind"] != "continuous":
        return
    low, high = noise_range.ends(process)
    asked = study.sampler(sampler, model)["init_sampling"]
    for key in noise_range.OPTIONS:
        value = asked[key]
        if value is not None and (value < low or (high is not None and value > high)):
            limit = low if value < low else high
            relation = "at least" if value < low else "at most"
            end = "sigma_min" if value < low else "sigma_max"
            raise ValueError(
                f"samplers.{sampler}.{key}: {value:g}; expected {relation} {limit:.6g}, "
                f"processes.{name}.{end}: model {model!r} is not trained beyond it"
            )
