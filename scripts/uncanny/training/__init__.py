"""The training loop and the jobs that use it: models and noisy classifiers. Imports the rooms up to
`guidance`.
"""
