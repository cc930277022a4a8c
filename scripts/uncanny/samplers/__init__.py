"""Samplers: one algorithm, one module with one function of the same name, and NFE, its number of
network evaluations per image as a formula of options; likewise ORDER, its order of convergence, and
NOISE, whether it adds noise.

Continuous: kind(denoiser, latents, sigmas, *, noise, path, ...) scales standard normal latents.
Discrete: kind(eps_model, x, times, *, noise, gradient, ...) starts from x at times[0].
Annealed: kind(score_model, x, sigmas, *, noise, ...) starts from any x.
Phase space: kind(phase_model, z, times, *, noise, ...) starts from an augmented state.

`noise(step, like)` gives standard normal noise and is asked only where noise is used. The state is
float64 throughout; models convert to their own precision.
"""
