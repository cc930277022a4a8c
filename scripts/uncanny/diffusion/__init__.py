"""The mathematics of diffusion: processes, schedules, grids of noise levels, losses.

How data become noise: `processes`, `forward`, `linear_process`. What a network learns:
`preconditioning`, `losses`. `theory` has closed forms. Imports `registry` and `runtime`.
"""
