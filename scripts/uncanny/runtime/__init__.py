"""Foundations of every job: files with checksums, checkpoints, device and precision, random
streams, progress, resuming. Imports `registry` only.
"""
