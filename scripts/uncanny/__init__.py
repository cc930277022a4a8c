"""Diffusion-model studies as pure functions on tensors; knows nothing of Snakemake."""

__version__ = "0.1.0"
