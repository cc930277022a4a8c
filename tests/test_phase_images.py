"""Figures of guided and of inpainted images."""

import numpy as np
import pandas as pd
import pytest
from plotted import curve
from test_grid import hash_of
from test_scores import record

from uncanny.evaluation import score_records
from uncanny.figures import class_guidance, inpainting, saving
from uncanny.figures.figure_data import FigureData
from uncanny.runtime.result_paths import Cell

RNG = np.random.default_rng(0)
LOOKS = {
    "models": {"m": {"label": "M"}, "n": {"label": "N"}},
    "metrics": {"is10": {"label": "IS"}},
    "guidances": {"G": {"label": "guided"}},
}


def cell(model="m", guidance="none", draw=0):
    return Cell(model, 0, "E", guidance, draw, 10)


def scored(model, guidance, draw=0, scale=None, value=5.0):
    one = record(model=model, sampler="E", draw=draw, value=value)
    one["cell"]["guidance"], one["parameters"]["guidance"] = guidance, {"scale": scale}
    return one


# --- Guidance ------------------------------------------------------------------------------------

PANEL = {"title": "IS", "models": ["m"], "samplers": ["E"], "guidances": ["none", "G"]}


def guided(shown=("none", "G"), count=30):
    images = {
        cell(guidance=g): RNG.integers(0, 255, (count, 1, 4, 4), np.uint8) for g in ("none", "G")
    }
    records = [scored("m", "none"), scored("m", "G", scale=2.0, value=6.0)]
    labels = {at: np.arange(count) % 3 for at in images}
    data = FigureData(score_records.tidy(records), images=images, labels=labels, **LOOKS)
    options = {"metric": "is10", "shown": list(shown), "per_class": 2}
    return images, class_guidance.class_guidance(data, [PANEL], **options)


def test_images_stand_below_the_class_that_was_asked_for(tmp_path):
    images, (figure, drawn) = guided()
    saving.save(figure, drawn, tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.csv")
    assert class_guidance.facts(table) == drawn.attrs["facts"]
    for letter, guidance in (("a", "none"), ("b", "G")):
        rows = table[table["panel"] == letter]
        assert rows["label"].tolist() == [0, 1, 2, 0, 1, 2]
        assert rows["index"].tolist() == [0, 1, 2, 3, 4, 5]
        assert rows["sha256"].tolist() == [hash_of(i) for i in images[cell(guidance=guidance)][:6]]
        ax = figure.axes["ab".index(letter)]
        lefts = [int(artist.get_extent()[0]) for artist in ax.images]
        assert lefts == rows["label"].tolist()
        places = {text.get_text(): int(text.get_position()[0]) for text in ax.texts}
        assert places == {"0": 0, "1": 1, "2": 2}  # classes above their columns


def test_the_scale_of_guidance_is_swept_below():
    _, (figure, drawn) = guided()
    line = curve(figure.axes[2], drawn[drawn["x"].notna()], "x")
    assert line.get_xdata().tolist() == [0, 2] and line.get_ydata().tolist() == [5, 6]
    assert drawn.loc[drawn["x"].notna(), "panel"].unique().tolist() == ["c"]


def test_a_guidance_without_images():
    with pytest.raises(ValueError, match="figure is empty: no images of M · E · G9"):
        guided(shown=["G9"])


# --- Inpainting ----------------------------------------------------------------------------------

INPAINTED = {"models": ["m", "n"], "samplers": ["E"], "guidances": ["G"]}


def inpainted(beside=True, panels=(INPAINTED,)):
    original = RNG.integers(0, 255, (20, 1, 4, 4), np.uint8)
    known = np.ones(original.shape, bool)
    known[..., 2:] = False
    result = {}
    for model, off in (("m", 3), ("n", 4)):
        filled = np.where(known, original, np.clip(original.astype(int) + off, 0, 255))
        result |= {cell(model, "G", draw): filled.astype(np.uint8) for draw in (0, 1)}
    records = [scored(at.model, "G", at.draw) for at in result]
    sides = {at: {"originals": original, "known": known} for at in result} if beside else {}
    labels = {at: np.zeros(20, int) for at in result}
    data = FigureData(
        score_records.tidy(records), images=result, labels=labels, inpainted=sides, **LOOKS
    )
    return original, result, inpainting.inpainting(data, list(panels), metric="is10", columns=3)


def test_errors_are_those_of_the_removed_pixels(tmp_path):
    original, result, (figure, drawn) = inpainted()
    saving.save(figure, drawn, tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.csv")
    assert inpainting.facts(table) == drawn.attrs["facts"]
    off = result[cell("n", "G")].astype(float) - original
    errors = table[table["role"] == "error"].set_index("label")
    assert errors.loc["N", "value"] == pytest.approx(np.sqrt(np.square(off[..., 2:]).mean()))
    assert (
        errors.loc["M", "value"] < errors.loc["N", "value"] < errors.loc["another image", "value"]
    )
    other = original.astype(float) - np.roll(original, 1, axis=0)
    other = np.sqrt(np.square(other[..., 2:]).mean())
    assert errors.loc["another image", "value"] == pytest.approx(other)
    assert errors.loc["M", "se"] == pytest.approx(0)  # the draws of this test are the same
    assert table.loc[table["role"] == "draw", "removed"].unique() == [0.5]


def test_the_strip_shows_original_masked_and_inpainted():
    original, result, (figure, drawn) = inpainted()
    strip = drawn[drawn["role"] == "image"]
    assert strip["label"].unique().tolist() == ["original", "masked", "M", "N"]
    assert len(figure.axes[0].images) == 12
    shown = strip.set_index("label")["sha256"]
    assert shown["original"].tolist() == [hash_of(image) for image in original[:3]]
    assert shown["N"].tolist() == [hash_of(image) for image in result[cell("n", "G")][:3]]
    masked = np.asarray(figure.axes[0].images[3].get_array())
    assert (masked[:, 2:] == inpainting.REMOVED).all()
    assert (masked[:, :2] == original[0, 0, :, :2]).all()


def test_inpainted_images_need_originals_and_one_panel():
    with pytest.raises(
        ValueError, match="no originals of the inpainted images of m/seed-0/E/G/draw-0"
    ):
        inpainted(beside=False)
    with pytest.raises(ValueError, match="expected one panel with one sampler and one guidance"):
        inpainted(panels=[INPAINTED, INPAINTED])
