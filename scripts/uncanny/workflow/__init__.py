"""What knows Snakemake: jobs, the fork server, clusters, archives, watching a run, study pages.
Imports any room.
"""
