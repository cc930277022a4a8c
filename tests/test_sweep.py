"""Sweeps: a metric against a number that the records say."""

import numpy as np
import pandas as pd
import pytest
from plotted import MODELS, band, control, curve, legend_texts
from test_scores import record

from uncanny.evaluation import score_records
from uncanny.figures import saving
from uncanny.figures.figure_data import FigureData
from uncanny.figures.sweep import facts, sweep

STEPS = (8, 16, 64)
SERIES = [
    {"label": "own", "samplers": [f"E{n}" for n in STEPS]},
    {"label": "VP", "samplers": [f"V{n}" for n in STEPS]},
]
PANEL = {"models": ["ve"], "samplers": ["E8"], "series": SERIES}


def with_steps(name, n, epoch=10, **changes):
    return record(model="ve", sampler=f"{name}{n}", epoch=epoch, **changes) | {"nfe": n}


def made():
    return [with_steps(name, n, value=n / 10 + (name == "V")) for name in "EV" for n in STEPS]


def data(records, **references):
    return FigureData(
        **{
            "table": score_records.tidy(records),
            "models": MODELS,
            "metrics": {"is10": {"label": "IS"}},
        },
        references={"digits": references},
    )


def test_lines_hold_the_values_of_the_csv(tmp_path):
    figure, drawn = sweep(data(made()), [PANEL], metric="is10", x="nfe")
    saving.save(figure, drawn, tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.csv")
    assert facts(table) == drawn.attrs["facts"]
    for series in ("own", "VP"):
        rows = table[table["series"] == series]
        line = curve(figure.axes[0], rows, "x")
        assert line.get_xdata().tolist() == rows["x"].tolist() == list(STEPS)
        assert line.get_ydata().tolist() == rows["value"].tolist()
        lower, upper = band(figure.axes[0], rows, "x")
        assert upper - lower == pytest.approx(np.full(3, 2 * 2.2621572 * 0.1))
    assert legend_texts(figure) == [["own", "VP"]]
    assert figure.axes[0].get_xscale() == "log"


def test_evaluations_that_a_sampler_chose():
    """The mean over draws is where a point stands; ticks are round numbers."""
    records = [
        with_steps("E", n, draw=draw) | {"nfe": n + 0.5 + draw / 2}
        for n in STEPS
        for draw in (0, 1)
    ]
    panel = {"models": ["ve"], "samplers": [f"E{n}" for n in STEPS]}
    figure, drawn = sweep(data(records), [panel], metric="is10", x="nfe")
    assert drawn["x"].tolist() == [n + 0.75 for n in STEPS]
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    assert all(tick == round(tick) for tick in ax.get_xticks() if tick > 5)


def test_without_series_all_samplers_are_one_curve():
    panel = {"models": ["ve"], "samplers": [f"E{n}" for n in STEPS]}
    figure, drawn = sweep(data(made()), [panel], metric="is10", x="nfe")
    line = curve(figure.axes[0], drawn, "x")
    assert line.get_xdata().tolist() == list(STEPS)
    assert legend_texts(figure) == [["VE"]]


def test_scale_begins_at_sampling_without_guidance():
    records = []
    for guidance, scale in (("none", None), ("G1", 1.0), ("G10", 10.0)):
        one = record(model="ve")
        one["cell"]["guidance"], one["parameters"]["guidance"] = guidance, {"scale": scale}
        records.append(one)
    panel = {"models": ["ve"], "samplers": ["DDIM"], "guidances": ["none", "G1", "G10"]}
    figure, drawn = sweep(data(records), [panel], metric="is10", x="scale")
    assert drawn["x"].tolist() == [0, 1, 10]
    assert figure.axes[0].get_xscale() == "symlog"
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["none", "1", "10"]
    assert -1 < figure.axes[0].get_xlim()[0] < 0
    assert drawn["curve"].tolist()[1] == "VE · DDIM · G1"


def test_last_epoch_unless_said_otherwise():
    records = made() + [with_steps("E", n, epoch=5) for n in STEPS]
    _, drawn = sweep(data(records), [PANEL], metric="is10", x="nfe")
    assert set(drawn["epoch"]) == {10}
    figure, drawn = sweep(data(records), [PANEL | {"epochs": [5, 10]}], metric="is10", x="nfe")
    assert "own · epoch 5" in legend_texts(figure)[-1]


def test_references_and_caption():
    figure, drawn = sweep(data(made(), train=control(6.0)), [PANEL], metric="is10", x="nfe")
    assert [t.get_text() for t in figure.axes[0].texts] == ["real train"]
    assert drawn.attrs["facts"][0] == "IS against network evaluations per image, epoch 10"


def test_record_that_does_not_say_x():
    with pytest.raises(ValueError, match="the records of VE · E8 have no nfe"):
        sweep(data([with_steps("E", 8) | {"nfe": None}]), [PANEL], metric="is10", x="nfe")
