"""Figures: one module per kind, with a function of its name; from data and panels to a Figure.

`kind(data, panels, *, options) -> (figure, drawn)`: `drawn` is the table of all that is drawn. The
artists are made from it (or named in it by their hash, where they are images), so that the CSV
beside a figure cannot differ from it. `drawn.attrs["facts"]` are the sentences that the figure's
caption ends with.

Constants of a kind, literals that the plan of a study reads without importing it:
NEEDS: the kinds of files that it draws, one or several of figure_data.READERS.
EPOCHS: "all" or "last", the epochs of a curve that it draws where a panel does not say.
RUNS: "all", or "first" for one training seed and one draw.
"""
