"""Samplers as formulas: solvers, noise levels, clocks and scalings by their names.

Written with i = 0 … N−1 for the step, N for num_steps, and otherwise the names of options and of
`processes`. A test compares each with the code that it describes.
"""

SOLVERS = {
    "ancestral": "ancestral (Markovian) chain",
    "annealed_langevin": "annealed Langevin dynamics",
    "ddim": "DDIM (implicit)",
    "deis": "DEIS, multistep",
    "dpm_2": "DPM-Solver-2, 2nd order",
    "dpmpp": "DPM-Solver++, multistep",
    "euler": "Euler, 1st order",
    "heun": "Heun, 2nd order",
    "ipndm": "iPNDM, multistep",
    "lms": "Adams–Bashforth, multistep",
    "phase_euler": "Euler–Maruyama in phase space, 1st order",
    "predictor_corrector": "predictor–corrector",
    "probability_flow": "Dormand–Prince 5(4), adaptive",
    "reverse_sde": "exponential integrator of the reverse SDE",
    "rk45": "Dormand–Prince 5(4), adaptive",
    "song_euler": "Euler in the SDE's time, 1st order",
    "sscs": "symmetric splitting in phase space",
    "unipc": "UniPC, multistep predictor and corrector",
}

# sigma_i of each grid of noise levels
GRIDS = {
    "derived": "equal steps in the integral of √κ(σ) d log σ, κ from the model's own losses",
    "ends": "chosen image by image, from σ_max to σ_min",
    "exponential": "σ_max·(σ_min/σ_max)^(i/(N−1))",
    "iddpm": "every (M−1)/(N−1)-th level of iDDPM's table of M within [σ_min, σ_max]",
    "levels": "levels of the discrete process",
    "polynomial": "(σ_max^(1/ρ) + i/(N−1)·(σ_min^(1/ρ) − σ_max^(1/ρ)))^ρ",
    "ve": "σ_min·(σ_max/σ_min)^(1 + i/(N−1)·(ε_s − 1))",
    "vp": "√(exp(β_d·u²/2 + β_min·u) − 1), u = 1 + i/(N−1)·(ε_s − 1)",
}

# sigma(t) and its inverse
CLOCKS = {
    "geometric": "σ_min·(σ_max/σ_min)^t",
    "linear": "t",
    "ve": "√(t)",
    "vp": "√(exp(β_d·t²/2 + β_min·t) − 1)",
}
INVERSES = {
    "geometric": "log(σ/σ_min)/log(σ_max/σ_min)",
    "linear": "σ",
    "ve": "σ²",
    "vp": "(√(β_min² + 2·β_d·log(1 + σ²)) − β_min)/β_d",
}
SCALINGS = {"none": "1", "vp": "1/√(1 + σ²)"}

# Times of a grid on its own clock: even in time, or as printed.
MATCHED = {
    ("vp", "vp"): "1 + i/(N−1)·(ε_s − 1)",
    ("ve", "geometric"): "1 + i/(N−1)·(ε_s − 1)",
    ("ve", "ve"): "σ_max²·(σ_min²/σ_max²)^((1 − ε_s)·i/(N−1))",
}

# Times of the discrete process with T levels, and σ and scaling at them (a_t is its alpha_bar)
TIMES = {
    "ancestral": "round((T−1)·(N−1−i)/(N−1))",
    "ddim": "trunc(T − 1 − i·T/N)",
    "quad": "trunc((√(0.8·T)·(N−1−i)/(N−1))²)",
}
DISCRETE = {"sigma": "√((1 − a_t)/a_t), a_t = (1 − β_0)·…·(1 − β_t)", "scale": "√(a_t)"}
# Times of a process made by a recipe, with K steps before the one to 0
PHASE_TIMES = {
    "ends": "chosen image by image, from 1 to ε_s",
    "quadratic": "ε_s + (1 − ε_s)·(1 − i/K)²",
    "uniform": "ε_s + (1 − ε_s)·(1 − i/K)",
}
ANNEALED = {"sigma": "σ_max·(σ_min/σ_max)^(i/(L−1))", "scale": "1"}


def time_steps(grid: str, time: str) -> str:
    """t_i, i < N, of a grid of noise levels on a clock; t_N = 0."""
    if (grid, time) in MATCHED:
        return MATCHED[grid, time]
    if time == "linear" or grid == "ends":
        return GRIDS.get(grid, grid)
    return f"{INVERSES[time]}, σ = {GRIDS.get(grid, grid)}"
