"""Claims of a paper and what a study's results say about them.

A kind of claim is a function in a module of its name. Its first argument says what it reads: cells
(scores), timings, sizes (scores over the number of images), reports (of classifiers), experiments;
SELECTIONS names the selections that it compares, () being any.
"""
