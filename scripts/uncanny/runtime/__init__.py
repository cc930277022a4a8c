"""What every job stands on: files with checksums, checkpoints, device and precision, random
streams, progress. Imports `registry` only.
"""
