"""Figures: one module per kind, with a function of its name; from data and panels to a Figure.

`kind(data, panels, *, options) -> (figure, plotted)`: `plotted` is the table of everything in the
figure, and becomes the CSV beside it. The artists are made from this table, so that the two cannot
differ; images are listed in it by their hash. `plotted.attrs["facts"]` are the last sentences of
the caption.

Constants of a kind, literals that the plan of a study reads without importing it:
NEEDS: the kinds of files that it reads, one or several of figure_data.READERS.
EPOCHS: "all" or "last", the epochs of a curve in panels that name none.
RUNS: "all", or "first" for one training seed and one sampling seed.
"""
