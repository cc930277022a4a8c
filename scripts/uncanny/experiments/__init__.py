"""Experiments: one module per kind, with a function of its name.

On exact models, `kind(*, options) -> (table, verdicts)`: a tidy table, and one JSON object per cell
that has a verdict (theory.verdicts); this takes seconds on one core. On trained models,
`kind(checkpoints, *, options)`, with the same results.
"""
