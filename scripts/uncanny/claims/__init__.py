"""Claims of a paper, and their verdicts by a study's results.

A kind of claim is a function in a module of its name. The name of its first argument is what it
reads: cells (scores), timings, sizes (scores by number of images), reports (of classifiers) or
experiments. SELECTIONS names the selections that it compares; () allows any names.
"""
