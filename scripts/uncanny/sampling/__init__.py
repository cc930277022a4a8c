"""From a checkpoint to images: drawing, shards, trajectories. Imports the rooms up to
`training`.
"""
