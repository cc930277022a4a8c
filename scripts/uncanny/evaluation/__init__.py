"""From images to numbers: features, metrics, score records, convergence, timing. Imports the rooms
up to `sampling`.
"""
