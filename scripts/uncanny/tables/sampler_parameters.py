"""How every sampler walks: solver, time steps, noise level and scaling, steps, evaluations."""

from typing import Literal

import pandas as pd

from uncanny.samplers import nfe
from uncanny.tables import Contents, Walk, formulas, said
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

    Processes on which a sampler walks with the same options share a column; where they make a
    difference all the same, as the range of noise levels does, the cell tells them apart.
    """
    table = {}
    for walks in _grouped(contents.walks()):
        several = sum(walk.name == walks[0].name for walk in contents.walks()) > len(walks)
        processes = ", ".join(walk.process_label for walk in walks)
        heading = f"{walks[0].label} ({processes})" if several else walks[0].label
        table[f"{heading} [{walks[0].name}]" if heading in table else heading] = _joined(walks)
    frame = pd.DataFrame(table)
    frame = frame.T if layout == "rows" else frame
    return frame.rename_axis("sampler" if layout == "rows" else "parameter").reset_index()


def _grouped(walks: list[Walk]) -> list[list[Walk]]:
    groups = []
    for walk in walks:
        for group in groups:
            if (group[0].name, group[0].sampler) == (walk.name, walk.sampler):
                group.append(walk)
                break
        else:
            groups.append([walk])
    return groups


def _joined(walks: list[Walk]) -> dict[str, str]:
    """The rows of one column; what differs between processes is said for each."""
    every = [_rows(walk) for walk in walks]
    cells = {"processes": ", ".join(walk.process_label for walk in walks)}
    for row in every[0]:
        texts = [rows[row] for rows in every]
        named = [f"{w.process_label}: {t}" for w, t in zip(walks, texts, strict=True)]
        cells[row] = texts[0] if len(set(texts)) == 1 else "; ".join(named)
    return cells


def _rows(walk: Walk) -> dict[str, str]:
    kind, steps = walk.sampler["kind"], nfe.nfe(walk.sampler, walk.process)
    options = walk.sampler["options"] | walk.sampler["init_sampling"]
    if walk.sampler["precision"] != "fp32":
        options["precision"] = walk.sampler["precision"]
    describe = DESCRIBED.get(walk.process["kind"], _other)
    rest = [f"{name} {said(options[name])}" for name in sorted(options) if name not in SHOWN]
    return {
        "solver": formulas.SOLVERS.get(kind, kind),
        **describe(walk.sampler["init_sampling"], walk.process),
        "evaluations (NFE)": "follows from the data" if steps is None else str(steps),
        "further options": "; ".join(rest),
    }


def _continuous(options: dict, process: dict) -> dict[str, str]:
    sigmas, path = noise_levels(options, process)
    grid = {name: value for name, value in options["grid"].items() if name != "kind"}
    constants = {SYMBOLS.get(name, name): value for name, value in sorted(grid.items())}
    if options["time"] == "vp":
        constants |= {"β_d": path.time.beta_d, "β_min": path.time.beta_min}
    return {
        "time steps t_i": formulas.time_steps(options["grid"]["kind"], options["time"]),
        "noise level σ(t)": formulas.CLOCKS[options["time"]],
        "scaling s(t)": formulas.SCALINGS[options["scaling"]],
        "constants": ", ".join(f"{name} = {said(value)}" for name, value in constants.items()),
        "σ_min … σ_max": f"{said(float(sigmas[-2]))} … {said(float(sigmas[0]))}",
        "steps N": str(options["num_steps"]),
    }


def _discrete(options: dict, process: dict) -> dict[str, str]:
    return {
        "time steps t_i": formulas.TIMES[options["times"]],
        "noise level σ(t)": formulas.DISCRETE["sigma"],
        "scaling s(t)": formulas.DISCRETE["scale"],
        "constants": f"T = {process['num_levels']}",
        "σ_min … σ_max": "of the schedule",
        "steps N": str(options["num_steps"]),
    }


def _annealed(options: dict, process: dict) -> dict[str, str]:
    def known(value: object) -> str:
        return "from the data" if value is None else said(value)

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
        "constants": f"ε_s = {said(options['epsilon_s'])}",
        "σ_min … σ_max": "of the recipe",
        "steps N": "chosen" if steps is None else str(steps),
    }


def _other(options: dict, process: dict) -> dict[str, str]:
    """Of a kind of process that no formula describes."""
    unknown = ("time steps t_i", "noise level σ(t)", "scaling s(t)", "constants", "σ_min … σ_max")
    steps = options.get("num_steps")
    return dict.fromkeys(unknown, "of the process") | {
        "steps N": "chosen" if steps is None else str(steps)
    }


DESCRIBED = {
    "continuous": _continuous,
    "discrete": _discrete,
    "annealed": _annealed,
    "phase_space": _phase,
}
