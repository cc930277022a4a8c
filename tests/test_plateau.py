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


def curve(model, values, seed=0, noise=0.02, **changes):
    """Records of one training; each group of images shifts all epochs alike, and each by itself."""
    rng, records = np.random.default_rng(seed), []
    shared = rng.normal(0, 0.5, 20)
    for epoch, value in zip(EPOCHS, values, strict=False):
        replicates = value + shared + rng.normal(0, noise, 20)
        without = {"value": value, "bias": 0.0, "replicates": replicates.tolist()}
        one = record(
            model=model, seed=seed, epoch=epoch, value=value, **{"jackknife": without} | changes
        )
        one["parameters"]["image_seeds"] = [1000 * seed, 1000 * seed + 399]
        one["groups"]["images"] = [f"{model}-{epoch}-{g}" for g in range(20)]
        records.append(one)
    return records


REFERENCES = {"digits": {"train": control(9.0), "gaussian": control(1.0)}}


def draw(records, panels=(PANEL,), references=REFERENCES, **options):
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
    assert rows.loc["ve", ["first", "last", "points", "seeds"]].tolist() == [18, 30, 3, 1]


def test_interval_is_the_jackknifes_with_what_epochs_share_cancelled():
    records = curve("ve", RISING, noise=0.001)
    _, rows = draw(records)
    result = [one["metrics"][0]["jackknife"]["replicates"] for one in records[3:]]
    ratio = 10 / 12 * (np.array(result[2]) - result[0]) / np.mean(result, axis=0)
    half = stats.t.ppf(0.975, 19) * 100 * np.sqrt(19 * ratio.var())
    assert rows.loc["ve", "upper"] - rows.loc["ve", "value"] == pytest.approx(half)
    # As if epochs were independent, the shift that they share would widen it.
    apart = np.sqrt(19 * np.var(result, axis=1)[[0, 2]].sum()) * 10 / 12 / np.mean(RISING[3:])
    assert half < 0.5 * 1.96 * 100 * apart


def test_of_a_falling_metric_a_descent_is_a_gain_in_per_cent_of_the_way_from_noise():
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    records = curve("vp", values, noise=0.001)
    _, rows = draw(records, increasing=False)
    assert rows.loc["vp", "value"] == pytest.approx(100 * (0.2 / 12 * 10) / (1.0 - 0.5))
    _, rows = draw(records, increasing=False, references={})
    assert rows.loc["vp", "value"] == pytest.approx(100 * (0.2 / 12 * 10) / 0.5)


def test_margin_of_a_settled_curve():
    for margin, status in ((5.0, "settled"), (0.01, "open")):
        _, rows = draw(curve("vp", SETTLED), margin=margin)
        assert rows.loc["vp", "status"] == status
        assert f"within ±{margin:g} %" in rows.attrs["facts"][1]


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
    steeper = [2.0, 3.0, 4.0, 4.0, 6.0, 8.0]
    _, rows = draw(curve("vp", RISING) + curve("vp", steeper, seed=1))
    gains = [100 * 10 / 6 / 6, 100 * 10 / 3 / 6]
    half = stats.t.ppf(0.975, 1) * np.std(gains, ddof=1) / np.sqrt(2)
    assert rows.loc["vp", "value"] == pytest.approx(np.mean(gains))
    assert rows.loc["vp", "upper"] == pytest.approx(np.mean(gains) + half)
    assert (rows.loc["vp", "seeds"], rows.loc["vp", "status"]) == (2, "open")


def test_curves_without_a_gain_say_why():
    records = curve("vp", SETTLED, jackknife=None) + curve("ve", RISING[:1])
    records += [diverged(model="ncsn", epoch=e) for e in EPOCHS]
    figure, rows = draw(records)
    assert rows["status"].tolist() == ["no error", "too few epochs", "diverged"]
    assert [t.get_text() for t in figure.texts] == ["diverged at some epoch: ncsn · DDIM"]


def test_caption_is_the_same_from_the_csv(tmp_path):
    figure, rows = draw(curve("vp", SETTLED) + curve("ve", RISING))
    saving.save(figure, rows, tmp_path / "f")
    assert facts(pd.read_csv(tmp_path / "f.csv")) == rows.attrs["facts"]
    assert "without the spread between trainings" in " ".join(rows.attrs["facts"])
