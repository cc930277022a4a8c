"""Made score records and the figures that tests draw from them."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection
from test_scores import record

from uncanny.evaluation import score_records
from uncanny.figures.curves import curves
from uncanny.figures.figure_data import FigureData

MODELS = {"vp": {"label": "VP"}, "ve": {"label": "VE"}, "ncsn": {}}
SAMPLERS = {"DDIM": {"label": "DDIM"}, "MARK": {"label": "Markovian"}}
METRICS = {"is10": {"label": "Inception Score"}, "fid": {"label": "FID", "unit": "a.u."}}
EPOCHS = (10, 20, 40)


def value_of(model, sampler, epoch):
    return 5.0 + len(model) + 0.1 * (model == "ve") + 0.3 * (sampler == "MARK") + epoch / 40


def made(models=("vp", "ve"), samplers=("DDIM",), epochs=EPOCHS, **changes):
    """Records of the product, with a smooth value."""
    return [
        record(model=m, sampler=s, epoch=e, value=value_of(m, s, e), **changes)
        for m, s, e in itertools.product(models, samplers, epochs)
    ]


def control(value, se=0.05, n=1000, **changes):
    entry = {"metric": "is10", "value": value, "se": se, "n": n, "splits": 10}
    return [
        entry | {"images_per_split": n // 10, "extractor": "cnn@1", "reference": None} | changes
    ]


def draw(
    records,
    panels=None,
    *,
    references=None,
    left_out=None,
    metric="is10",
    models=MODELS,
    **options,
):
    data = FigureData(
        score_records.tidy(records),
        models,
        SAMPLERS,
        {},
        METRICS,
        {"digits": references or {}},
        {"digits": left_out or {}},
    )
    panels = panels or [{"models": ["vp", "ve"], "samplers": ["DDIM"]}]
    return curves(data, panels, metric=metric, **options)


def lines(ax, label):
    """Lines with a label, as references have."""
    return [line for line in ax.get_lines() if line.get_label() == label]


def curve(ax, rows, x="epoch"):
    """The one line through the points of a table's rows; missing values are gaps."""
    wanted = rows[x].to_numpy(float), rows["value"].to_numpy(float)
    (line,) = [
        line
        for line in ax.get_lines()
        if all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(wanted, line.get_data(), strict=True)
        )
    ]
    return line


def bands(ax):
    return [artist for artist in ax.collections if isinstance(artist, PolyCollection)]


def band(ax, rows, x="epoch"):
    """Lower and upper edge of the band of a table's rows."""
    edges = []
    for filled in bands(ax):
        corners = pd.DataFrame(filled.get_paths()[0].vertices, columns=["x", "y"])
        edges.append(corners.groupby("x")["y"].agg(["min", "max"]).to_numpy().T)
    wanted = rows[["lower", "upper"]].to_numpy(float).T
    (result,) = [e for e in edges if e.shape == wanted.shape and np.allclose(e, wanted)]
    return result


def dash(line):
    """On and off lengths of a line in line widths, empty for a solid one."""
    return tuple(np.round(np.array(line._dash_pattern[1] or []) / line.get_linewidth(), 3))


def legend_texts(figure):
    return [[t.get_text() for t in g.get_texts() if t.get_text().strip()] for g in figure.legends]
