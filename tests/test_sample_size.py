"""Metric against the number of images: means, fit, limit and spread."""

import numpy as np
import pandas as pd
import pytest
from plotted import curve, legend_texts, lines

from uncanny.evaluation import sample_size as size_limit
from uncanny.figures import saving
from uncanny.figures.figure_data import FigureData
from uncanny.figures.sample_size import facts, sample_size

SIZES = (100, 200, 400, 800, 1600)
PANEL = {"models": ["ve"], "samplers": ["EUL"]}


def entry(metric, n, value, se, splits=None, std=None):
    return {
        **{"metric": metric, "kind": metric, "value": value, "se": se, "n": n, "splits": splits},
        **{"images_per_split": n // splits if splits else None, "extractor": "cnn@1"},
        **{"reference": None, "details": {} if std is None else {"std": std}},
    }


def record(sizes=SIZES, status="ok", epoch=30, **cell):
    cell = {"dataset": "digits", "model": "ve", "seed": 0, "sampler": "EUL"} | cell
    result = [
        {
            "n": n,
            "metrics": [
                entry("is10", n, 8 - 60 / n, 0.5 / n**0.5, 10, 3 / n**0.5),
                entry("is1", n, 8 - 6 / n, 0.5 / n**0.5, 1, 0.0),
                entry("fid", n, 3 + 500 / n, 5 / n**0.5),
            ],
        }
        for n in sizes
    ]
    cell |= {"guidance": "none", "draw": 0, "epoch": epoch}
    return {"cell": cell, "status": status, "sizes": result if status == "ok" else []}


def draw(*records, metric="is10", panels=(PANEL,), **options):
    metrics = {"is10": {"label": "IS"}, "is1": {"label": "IS, one split"}, "fid": {"label": "FID"}}
    data = FigureData(models={"ve": {"label": "VE"}}, metrics=metrics, sizes=list(records))
    return sample_size(data, list(panels), metric=metric, **options)


def test_means_fit_and_limit_are_the_table():
    figure, drawn = draw(record())
    left = figure.axes[0]
    points, fit = drawn[drawn["role"] == "mean"], drawn[drawn["role"] == "fit"].iloc[0]
    line = curve(left, points, "n")
    assert line.get_xdata().tolist() == list(SIZES)
    assert line.get_ydata().tolist() == points["value"].tolist()
    assert (fit["value"], fit["coefficient"]) == pytest.approx((8, -60))
    known = size_limit.size_limit(SIZES, points["value"], points["se"])
    interval = np.quantile(known.replicates()[:, 0], [0.025, 0.975])
    assert fit[["lower", "upper"]].tolist() == pytest.approx(interval)
    (fitted,) = lines(left, "VE · EUL fit")
    assert fitted.get_ydata() == pytest.approx(8 - 60 / fitted.get_xdata())
    (bar,) = left.containers[-1][2]
    assert bar.get_segments()[0][:, 1] == pytest.approx(fit[["lower", "upper"]].tolist())
    assert [t.get_text() for t in left.get_xticklabels()][-1] == "∞"


def test_spread_between_splits_falls_with_the_root_of_n():
    figure, drawn = draw(record())
    right = figure.axes[1]
    spread = drawn[drawn["role"] == "spread"]
    assert spread["value"].tolist() == pytest.approx([3 / n**0.5 for n in SIZES])
    assert drawn[drawn["role"] == "guide"]["coefficient"].tolist() == pytest.approx([3])
    assert curve(right, spread, "n")
    assert right.get_ylabel() == "Std. between splits"
    assert (right.get_xscale(), right.get_yscale()) == ("log", "log")


def test_metric_without_splits_shows_its_standard_error():
    figure, drawn = draw(record(), metric="fid")
    assert drawn[drawn["role"] == "spread"]["value"].tolist() == pytest.approx(
        [5 / n**0.5 for n in SIZES]
    )
    assert [ax.get_ylabel() for ax in figure.axes] == ["FID", "Standard error"]


def test_one_split_is_drawn_beside():
    figure, drawn = draw(record(), one_split="is1")
    fits = drawn[drawn["role"] == "fit"].set_index("metric")["coefficient"]
    assert fits.to_dict() == pytest.approx({"is10": -60, "is1": -6})
    assert legend_texts(figure)[0] == ["IS", "IS, one split"]
    assert legend_texts(figure)[1] == ["fit: limit + c / n", "falling as 1/√n"]
    assert set(drawn[drawn["role"] == "spread"]["metric"]) == {"is10"}


def test_few_sizes_are_not_fitted():
    _, drawn = draw(record(sizes=SIZES[:3]))
    assert "fit" not in set(drawn["role"])


def test_a_metric_may_begin_at_a_larger_size():
    one = record()
    for size in one["sizes"][:1]:
        size["metrics"] = [result for result in size["metrics"] if result["metric"] != "fid"]
    _, drawn = draw(one, metric="fid")
    assert drawn[drawn["role"] == "mean"]["n"].tolist() == list(SIZES[1:])
    assert drawn[drawn["role"] == "fit"]["value"].tolist() == pytest.approx([3])


def test_seeds_are_averaged_and_the_last_epoch_is_shown():
    _, drawn = draw(record(seed=0), record(seed=1), record(epoch=5))
    points = drawn[drawn["role"] == "mean"]
    assert set(points["seeds"]) == {2}
    assert set(points["epoch"]) == {30}


def test_diverged_and_missing():
    figure, drawn = draw(record(), record(status="diverged", sampler="HEUN"), panels=[
        PANEL | {"samplers": ["EUL", "HEUN", "X"]}
    ])  # fmt: skip
    assert figure.texts[0].get_text() == "diverged: VE · HEUN; missing: VE · X"
    assert drawn.loc[drawn["sampler"] == "HEUN", "diverged"].tolist() == [1]
    with pytest.raises(ValueError, match="figure is empty: no value of is10"):
        draw(record(status="diverged"))


def test_caption_is_the_same_from_the_csv(tmp_path):
    figure, drawn = draw(record(), one_split="is1")
    saving.save(figure, drawn, tmp_path / "f")
    assert facts(pd.read_csv(tmp_path / "f.csv")) == drawn.attrs["facts"]
    assert "n images deviate by -60/n, which is -0.5% at n = 1,600" in drawn.attrs["facts"][3]


def test_sizes_that_do_not_carry_a_metric_are_said(tmp_path):
    whole = record()
    for size in whole["sizes"][:2]:
        size["metrics"] = [e for e in size["metrics"] if e["metric"] != "fid"]
        few = {"metric": "fid", "kind": "fid", "n": size["n"], "needs": 257, "why": ""}
        size["left_out"] = [few]
    figure, drawn = draw(whole, metric="fid")
    note = "not measured: FID of n = 100, 200 (needs 257 images)"
    assert [t.get_text().replace("\n", " ") for t in figure.texts] == [note]
    assert drawn.loc[drawn["role"] == "mean", "n"].tolist() == [400, 800, 1600]
    assert drawn.loc[drawn["role"] == "left out", "n"].tolist() == [100, 200]
    assert figure.axes[0].get_xlim()[0] > 200
    drawn.to_csv(tmp_path / "drawn.csv", index=False)
    assert facts(pd.read_csv(tmp_path / "drawn.csv"))[-1] == note
    figure, drawn = draw(whole, metric="is10")
    assert not figure.texts and "left out" not in set(drawn["role"])
