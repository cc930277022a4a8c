"""Experiments that no model is trained for: one module per kind, with a function of its name.

`kind(*, options) -> (table, verdicts)`: a tidy table, and one JSON object per cell that has a
verdict (theory.verdicts). Seconds of one core.
"""
