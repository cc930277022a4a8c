"""Parameters of every sampler: solver, time steps, noise level and scaling, steps, evaluations."""

from typing import Literal

import pandas as pd

from uncanny.samplers import nfe
from uncanny.tables import Contents, Sampling, format_value, formulas
from uncanny.tables.noise_levels import noise_levels

NEEDS = "config"
SHOWS = (("models",), ("samplers",))

# Options that rows of their own show, or another table does.
SHOWN = {"num_steps", "steps_per_level", "step_size"}
SHOWN |= {"grid", "time", "scaling", "times"}
SHOWN |= {"sigma_min", "sigma_max", "S_churn", "S_tmin", "S_tmax", "S_noise"}
SYMBOLS = {"epsilon_s": "ε_s", "num_levels": "M", "rho": "ρ"}


def sampler_parameters(
    contents: Contents, *, layout: Literal["columns", "rows"] = "columns"
) -> pd.DataFrame:
    """One column per sampler and set of parameters (layout: columns), or one row (rows).

    Processes with which a sampler has the same options share a column. What differs between them
    nevertheless, as the range of noise levels does, is stated for each in the cell.
    """
    table = {}
    for samplings in _grouped(contents.samplings()):
        name, heading = samplings[0].name, samplings[0].label
        if sum(sampling.name == name for sampling in contents.samplings()) > len(samplings):
            heading += f" ({', '.join(sampling.process_label for sampling in samplings)})"
        table[f"{heading} [{name}]" if heading in table else heading] = _joined(samplings)
    frame = pd.DataFrame(table)
    frame = frame.T if layout == "rows" else frame
    return frame.rename_axis("sampler" if layout == "rows" else "parameter").reset_index()


def _grouped(samplings: list[Sampling]) -> list[list[Sampling]]:
    groups = []
    for sampling in samplings:
        for group in groups:
            if (group[0].name, group[0].sampler) == (sampling.name, sampling.sampler):
                group.append(sampling)
                break
        else:
            groups.append([sampling])
    return groups


def _joined(samplings: list[Sampling]) -> dict[str, str]:
    """The rows of one column; what differs between processes is stated for each."""
    every = [_rows(sampling) for sampling in samplings]
    cells = {"processes": ", ".join(sampling.process_label for sampling in samplings)}
    for row in every[0]:
        texts = [rows[row] for rows in every]
        named = [f"{s.process_label}: {t}" for s, t in zip(samplings, texts, strict=True)]
        cells[row] = texts[0] if len(set(texts)) == 1 else "; ".join(named)
    return cells


def _rows(sampling: Sampling) -> dict[str, str]:
    kind, steps = sampling.sampler["kind"], nfe.nfe(sampling.sampler, sampling.process)
    options = sampling.sampler["options"] | sampling.sampler["init_sampling"]
    if sampling.sampler["precision"] != "fp32":
        options["precision"] = sampling.sampler["precision"]
    describe = DESCRIBED.get(sampling.process["kind"], _other)
    rest = [f"{name} {format_value(options[name])}" for name in sorted(options.keys() - SHOWN)]
    return {
        "solver": formulas.SOLVERS.get(kind, kind),
        **describe(sampling.sampler["init_sampling"], sampling.process),
        "evaluations (NFE)": "follows from the data" if steps is None else str(steps),
        "further options": "; ".join(rest),
    }


def _continuous(options: dict, process: dict) -> dict[str, str]:
    sigmas, path = noise_levels(options, process)
    vp = {"β_d": path.time.beta_d, "β_min": path.time.beta_min} if options["time"] == "vp" else {}
    ends = f"{format_value(float(sigmas[-2]))} … {format_value(float(sigmas[0]))}"
    return _on_grid(options, _constants(options) | vp, ends)


def _viewed(options: dict, process: dict) -> dict[str, str]:
    """Of a discrete model that is sampled at noise levels between those of its training."""
    customary = "all" if options["grid"]["kind"] == "levels" else "of the grid"
    limits = [options["sigma_min"], options["sigma_max"]]
    ends = dict.fromkeys(customary if end is None else format_value(end) for end in limits)
    constants = {"T": process["num_levels"]} | _constants(options)
    return _on_grid(options, constants, " … ".join(ends) + ", within the schedule")


def _constants(options: dict) -> dict:
    """Options of a grid of noise levels, by their symbols."""
    grid = sorted(options["grid"].items())
    return {SYMBOLS.get(name, name): value for name, value in grid if name != "kind"}


def _on_grid(options: dict, constants: dict, ends: str) -> dict[str, str]:
    return {
        "time steps t_i": formulas.time_steps(options["grid"]["kind"], options["time"]),
        "noise level σ(t)": formulas.CLOCKS[options["time"]],
        "scaling s(t)": formulas.SCALINGS[options["scaling"]],
        "constants": ", ".join(f"{n} = {format_value(v)}" for n, v in constants.items()),
        "σ_min … σ_max": ends,
        "steps N": _steps(options),
    }


def _steps(options: dict) -> str:
    steps = options.get("num_steps")
    return "chosen" if steps is None else str(steps)


def _discrete(options: dict, process: dict) -> dict[str, str]:
    if "grid" in options:
        return _viewed(options, process)
    return {
        "time steps t_i": formulas.TIMES[options["times"]],
        "noise level σ(t)": formulas.DISCRETE["sigma"],
        "scaling s(t)": formulas.DISCRETE["scale"],
        "constants": f"T = {process['num_levels']}",
        "σ_min … σ_max": "of the schedule",
        "steps N": _steps(options),
    }


def _annealed(options: dict, process: dict) -> dict[str, str]:
    def known(value: object) -> str:
        return "from the data" if value is None else format_value(value)

    return {
        "time steps t_i": f"{options['steps_per_level']} at each of L levels",
        "noise level σ(t)": formulas.ANNEALED["sigma"],
        "scaling s(t)": formulas.ANNEALED["scale"],
        "constants": f"L = {known(process['num_levels'])}, ε = {known(options['step_size'])}",
        "σ_min … σ_max": f"{known(process['sigma_min'])} … {known(process['sigma_max'])}",
        "steps N": str(options["steps_per_level"]) + " L",
    }


def _phase(options: dict, process: dict) -> dict[str, str]:
    steps, last = options["num_steps"], options["denoise"]
    K = "" if steps is None else f", K = {steps - last}"
    return {
        "time steps t_i": formulas.PHASE_TIMES[options["times"]] + K,
        "noise level σ(t)": "of the recipe",
        "scaling s(t)": "of the recipe",
        "constants": f"ε_s = {format_value(options['epsilon_s'])}",
        "σ_min … σ_max": "of the recipe",
        "steps N": _steps(options),
    }


def _other(options: dict, process: dict) -> dict[str, str]:
    """Of a kind of process that no formula describes."""
    unknown = ("time steps t_i", "noise level σ(t)", "scaling s(t)", "constants", "σ_min … σ_max")
    return dict.fromkeys(unknown, "of the process") | {"steps N": _steps(options)}


DESCRIBED = {
    "continuous": _continuous,
    "discrete": _discrete,
    "annealed": _annealed,
    "phase_space": _phase,
}
