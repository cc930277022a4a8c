"""From a checkpoint to images: drawing, the job, shards, trajectories. Imports the rooms up to
`training`.
"""
