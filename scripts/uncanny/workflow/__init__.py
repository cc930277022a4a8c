"""Everything that depends on Snakemake: jobs, fork server, clusters, archives, watching a run,
study pages. Imports any room.
"""
