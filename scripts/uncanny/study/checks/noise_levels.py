"""Check noise levels of processes and of their samplers, and variances of steps."""

from uncanny.diffusion import noise_range
from uncanny.registry import components
from uncanny.study import known_data
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
    asked = study.sampler(sampler, model)["init_sampling"]
    if "grid" in asked:
        _check_grid(asked["grid"]["kind"], process["kind"], f"samplers.{sampler}.grid", model)
    if process["kind"] != "continuous":
        return
    low, high = noise_range.ends(process)
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


def check_variance(study: Study, sampler: str, model: str) -> None:
    """Raise ValueError for a learned variance of a model that has learned none."""
    process, block = study.identity(model)["process"], study.sampler(sampler, model)
    learned = block["options"].get("variance") == "learned"
    if learned and process.get("variance") != "learned_range":
        raise ValueError(
            f"samplers.{sampler}.variance: learned, for model {model!r}; expected small or large, "
            f"or variance: learned_range of processes.{study.names(model)['process']}"
        )


def _check_grid(grid: str, process: str, key_path: str, model: str) -> None:
    """Grids of a table of levels are for discrete models, those of losses for continuous ones."""
    for argument, kind in (("table", "discrete"), ("losses", "continuous")):
        if components.takes("sigma_grids", grid, argument) and process != kind:
            raise ValueError(
                f"{key_path}: {grid!r} for model {model!r}, which is {process}; expected another "
                f"grid, for this one is of {kind} models"
            )


def check_likelihoods(study: Study, table: dict, key_path: str) -> None:
    """Refuse models in a table of likelihoods that have no chain of steps between grey images."""
    for model in table.get("models", []):
        process, dataset = study.names(model)["process"], study.names(model)["dataset"]
        if study.block("processes", process)["kind"] != "discrete":
            raise ValueError(f"{key_path}.models: {model!r}; expected models of discrete processes")
        shape = known_data.dataset(study, dataset).shape
        if shape is not None and len(shape) != 3:
            raise ValueError(f"{key_path}.models: {model!r} has vectors; expected images")


def check_churned(study: Study, table: dict, key_path: str) -> None:
    """Refuse models in a table of churned levels whose levels are not those of a continuous one."""
    for model in table.get("models", []):
        process = study.names(model)["process"] if model in study.config["models"] else None
        if process and study.block("processes", process)["kind"] != "continuous":
            raise ValueError(
                f"{key_path}.models: {model!r} is no continuous model; expected those only"
            )
