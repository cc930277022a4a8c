"""From images to numbers: features, metrics, score records, contrasts, timing. Imports the rooms up
to `sampling`.
"""
