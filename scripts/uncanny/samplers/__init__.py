"""Samplers: one algorithm, one module with one function of the same name.

Continuous: kind(denoiser, latents, sigmas, *, noise, path, ...) scales standard normal latents.
Discrete: kind(eps_model, x, times, *, noise, gradient, ...) walks on from x at times[0].
Annealed: kind(score_model, x, sigmas, *, noise, ...) walks on from any x.
Phase space: kind(phase_model, z, times, *, noise, ...) walks on from an augmented state.

`noise(step, like)` gives standard normal noise and is asked only where noise is used. The state is
float64 throughout; models convert to their own precision.
"""
