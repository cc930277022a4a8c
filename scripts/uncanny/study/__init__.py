"""A config as a study: loading and validation, what its blocks mean, the plan of its files, checks.
Imports names and signatures of other rooms through `registry`, and no torch.
"""
