"""The mathematics: how data become noise (`processes`, `forward`, `linear_process`), schedules and
grids of noise levels, preconditioning, losses; `theory` has closed forms. Imports `registry` and
`runtime`.
"""
