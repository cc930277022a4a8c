"""Plateaus: markers and arrows are the readings of convergence.plateau."""

import numpy as np
import pandas as pd
import pytest
from plotted import MODELS, control
from test_scores import diverged, record

from uncanny.evaluation import convergence, score_records
from uncanny.figures import saving, style
from uncanny.figures.figure_data import FigureData
from uncanny.figures.plateau import facts, plateau

EPOCHS = (2, 5, 10, 15, 20, 30)
SETTLED, RISING = (2.0, 6.0, 8.0, 8.0, 8.01, 8.0), (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
PANEL = {"models": ["vp", "ve", "ncsn"], "samplers": ["DDIM"]}


def curve(model, values, seed=0, **changes):
    return [
        record(model=model, seed=seed, epoch=e, value=v, **{"se": 0.02} | changes)
        for e, v in zip(EPOCHS, values, strict=False)
    ]


def draw(records, panels=(PANEL,), left_out=None):
    references = {"digits": {"train": control(9.0), "gaussian": control(1.0)}}
    if left_out:
        references["digits"] |= {name: [] for name in left_out}
    of_kind = {"references": references, "left_out": {"digits": left_out or {}}}
    data = FigureData(
        score_records.tidy(records), MODELS, metrics={"is10": {"label": "IS"}}, **of_kind
    )
    return plateau(data, list(panels), metric="is10")


def plateaus(drawn):
    return drawn[drawn["role"] == "plateau"].set_index("model")


def test_readings_are_those_of_convergence():
    records = curve("vp", SETTLED) + curve("ve", RISING) + curve("ncsn", [1.1] * 6)
    _, drawn = draw(records)
    rows = plateaus(drawn)
    assert rows["status"].tolist() == ["converged", "not_converged", "failed"]
    ends = {"floor": 1.0, "ceiling": 9.0}
    expected = convergence.plateau(EPOCHS, SETTLED, [0.02] * 6, **ends)
    assert rows.loc["vp", ["epoch", "level"]].tolist() == [expected.epoch, expected.level]
    many = convergence.plateau_distribution(EPOCHS, np.array(SETTLED), np.full(6, 0.02), **ends)
    mass = drawn[(drawn["role"] == "mass") & (drawn["model"] == "vp")]
    assert dict(zip(mass["epoch"], mass["probability"], strict=True)) == many.probabilities
    assert rows.loc["vp", "not_converged"] == many.censored


def test_artists_are_the_table():
    figure, drawn = draw(curve("vp", SETTLED) + curve("ve", RISING))
    ax, rows, looks = figure.axes[0], plateaus(drawn), style.model_styles(MODELS)
    markers = {line.get_label(): line for line in ax.get_lines()}
    assert markers["VP · DDIM"].get_xdata() == [rows.loc["vp", "epoch"]]
    assert markers["VP · DDIM"].get_color() == looks["vp"].color
    assert markers["VE · DDIM"].get_marker() == ">"
    assert markers["VE · DDIM"].get_xdata() == [30]
    bars = next(c for c in ax.containers if c.get_label() == "VP · DDIM")
    heights = [abs(bar.get_height()) for bar in bars]
    mass = drawn[(drawn["role"] == "mass") & (drawn["model"] == "vp")]
    assert heights == pytest.approx((0.62 * mass["probability"]).tolist())
    texts = [text.get_text() for text in ax.texts]
    assert texts[0].startswith("converged ")
    assert texts[1].startswith("not settled ")
    assert texts[2] == "missing"


def test_seeds_are_replicates():
    records = curve("vp", SETTLED) + curve("vp", np.array(SETTLED) + 0.3, seed=1)
    _, drawn = draw(records)
    assert plateaus(drawn).loc["vp", ["seeds", "points"]].tolist() == [2, 6]


def test_curves_that_cannot_be_read_say_so():
    records = curve("vp", SETTLED) + curve("ve", RISING[:4])
    records += [diverged(model="ncsn", epoch=e) for e in EPOCHS]
    figure, drawn = draw(records)
    assert plateaus(drawn)["status"].tolist() == ["converged", "too_few", "diverged"]
    assert plateaus(drawn).loc["ncsn", "diverged"] > 0
    assert figure.texts[0].get_text() == "diverged at some epoch: NCSN · DDIM".replace(
        "NCSN", "ncsn"
    )
    _, drawn = draw(curve("vp", SETTLED, se=None))
    assert plateaus(drawn).loc["vp", "status"] == "no_error"


def test_caption_is_the_same_from_the_csv(tmp_path):
    figure, drawn = draw(curve("vp", SETTLED) + curve("ve", RISING))
    saving.save(figure, drawn, tmp_path / "f")
    assert facts(pd.read_csv(tmp_path / "f.csv")) == drawn.attrs["facts"]
    assert "one training seed, the variation between trainings is not included" in " ".join(
        drawn.attrs["facts"]
    )


def test_without_real_images_no_curve_counts_as_failed_and_it_is_said():
    few = [{"metric": "is10", "kind": "inception_score", "n": 6, "needs": 10, "why": ""}]
    records = curve("vp", SETTLED) + curve("ncsn", [1.1] * 6)
    figure, drawn = draw(records, left_out={"train": few})
    assert plateaus(drawn).loc["ncsn", "status"] != "failed"
    note = (
        "not measured: IS of real train (n = 6, needs 10 images), so that no curve counts as failed"
    )
    assert [t.get_text().replace("\n", " ") for t in figure.texts] == [note]
    assert drawn.attrs["facts"][-1] == note
