"""Gains: points and intervals are the late slopes of the curves."""

import numpy as np
import pandas as pd
import pytest
from plotted import MODELS, control
from scipy import stats
from test_scores import diverged, record

from uncanny.evaluation import score_records
from uncanny.figures import saving, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.plateau import facts, plateau

EPOCHS = (2, 5, 10, 18, 24, 30)
SETTLED, RISING = (2.0, 6.0, 8.0, 8.0, 8.01, 8.0), (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
PANEL = {"models": ["vp", "ve", "ncsn"], "samplers": ["DDIM"]}


def curve(model, values, seed=0, **changes):
    return [
        record(model=model, seed=seed, epoch=e, value=v, **{"se": 0.02} | changes)
        for e, v in zip(EPOCHS, values, strict=False)
    ]


def draw(records, panels=(PANEL,), **options):
    references = {"digits": {"train": control(9.0), "gaussian": control(1.0)}}
    data = FigureData(
        score_records.tidy(records),
        MODELS,
        metrics={"is10": {"label": "IS"}},
        references=references,
    )
    figure, drawn = plateau(data, list(panels), metric="is10", **options)
    return figure, drawn.set_index("model", drop=False)


def test_gain_is_the_late_slope_over_a_third_of_the_training():
    falling = [9.0, 8.0, 7.0, 6.0, 5.5, 5.0]
    _, rows = draw(curve("vp", SETTLED) + curve("ve", RISING) + curve("ncsn", falling))
    assert rows["status"].tolist() == ["settled", "rising", "falling"]
    slope, _ = np.polyfit((18, 24, 30), RISING[3:], 1)
    assert rows.loc["ve", "value"] == pytest.approx(100 * slope * 10 / np.mean(RISING[3:]))
    # slope = (v3 - v1) / 12, so that its standard error is sqrt(2) * 0.02 / 12
    half = 1.96 * np.sqrt(2) * 0.02 / 12 * 10 / np.mean(RISING[3:]) * 100
    assert rows.loc["ve", "upper"] - rows.loc["ve", "value"] == pytest.approx(half)
    assert rows.loc["ve", ["first", "last", "points", "seeds"]].tolist() == [18, 30, 3, 1]


def test_of_a_falling_metric_a_descent_is_a_gain_in_per_cent_of_the_way_from_noise():
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    _, rows = draw(curve("vp", values, se=0.001), increasing=False)
    assert rows.loc["vp", "value"] == pytest.approx(100 * (0.2 / 12 * 10) / (1.0 - 0.5))
    assert rows.loc["vp", "status"] == "rising"


def test_artists_are_the_table():
    figure, rows = draw(curve("vp", SETTLED) + curve("ve", RISING))
    ax, looks = figure.axes[0], style.model_styles(MODELS)
    for y, model in enumerate(("vp", "ve")):
        (container,) = [c for c in ax.containers if c.get_label() == rows.loc[model, "curve"]]
        assert container[0].get_xydata().tolist() == [[rows.loc[model, "value"], y]]
        assert container[0].get_color() == looks[model].color
        (bar,) = container[2][0].get_segments()
        assert bar[:, 0] == pytest.approx(rows.loc[model, ["lower", "upper"]].tolist())
    assert [text.get_text() for text in ax.texts] == ["settled", "rising", "missing"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["VP", "VE", "ncsn"]


def test_several_training_seeds_have_students_interval():
    records = curve("vp", RISING) + curve("vp", 2 * np.array(RISING), seed=1)
    _, rows = draw(records)
    mean, base = 1.5 * 1 / 6 * 10, 1.5 * 6.0
    half = stats.t.ppf(0.975, 1) * np.std([1, 2], ddof=1) / np.sqrt(2) * 10 / 6
    assert rows.loc["vp", "value"] == pytest.approx(100 * mean / base)
    assert rows.loc["vp", "upper"] == pytest.approx(100 * (mean + half) / base)
    assert rows.loc["vp", "status"] == "open"


def test_curves_without_a_gain_say_why():
    records = curve("vp", SETTLED, se=None) + curve("ve", RISING[:1])
    records += [diverged(model="ncsn", epoch=e) for e in EPOCHS]
    figure, rows = draw(records)
    assert rows["status"].tolist() == ["no error", "too few epochs", "diverged"]
    assert [t.get_text() for t in figure.texts] == ["diverged at some epoch: ncsn · DDIM"]


def test_caption_is_the_same_from_the_csv(tmp_path):
    figure, rows = draw(curve("vp", SETTLED) + curve("ve", RISING))
    saving.save(figure, rows, tmp_path / "f")
    assert facts(pd.read_csv(tmp_path / "f.csv")) == rows.attrs["facts"]
    assert "without the spread between trainings" in " ".join(rows.attrs["facts"])
