"""Curves: what is drawn is what the table says; references, diverged runs, captions."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from plotted import (
    EPOCHS,
    METRICS,
    MODELS,
    SAMPLERS,
    band,
    bands,
    control,
    curve,
    dash,
    draw,
    legend_texts,
    lines,
    made,
    value_of,
)
from scipy import special
from test_scores import diverged, record

from uncanny.evaluation import score_records
from uncanny.figures import _lines, captions, saving, style
from uncanny.figures._points import notes
from uncanny.figures.curves import curves, facts
from uncanny.figures.figure_data import FigureData

T9, T1 = special.stdtrit(
    [9, 1], 0.975
)  # quantiles of ten splits, and of two training seeds that differ


class TestDrawn:
    def test_lines_hold_the_values_of_the_csv(self, tmp_path):
        figure, drawn = draw(made())
        saving.save(figure, drawn, tmp_path / "f")
        table = pd.read_csv(tmp_path / "f.csv")
        for model in ("vp", "ve"):
            rows = table[table["model"] == model]
            line = curve(figure.axes[0], rows)
            assert line.get_xdata().tolist() == rows["epoch"].tolist() == list(EPOCHS)
            assert line.get_ydata().tolist() == rows["value"].tolist()
            assert rows["value"].tolist() == [value_of(model, "DDIM", e) for e in EPOCHS]

    def test_band_is_a_t_interval(self):
        figure, drawn = draw(made(se=0.2))
        rows = drawn[drawn["model"] == "vp"]
        lower, upper = band(figure.axes[0], rows)
        assert upper - lower == pytest.approx(np.full(3, 2 * T9 * 0.2))
        assert rows["lower"].tolist() == pytest.approx(lower)
        assert rows["upper"].tolist() == pytest.approx(upper)

    def test_curves_of_one_colour_have_a_band_each(self):
        _, drawn = draw(made())
        look = {"color": "#808080", "marker": "None", "fillcolor": "#808080"}
        table = drawn.assign(**look, linestyle=[(0, ())] * len(drawn))
        ax = Figure().add_subplot()
        with style.context():
            _lines.draw_curves(ax, table, "epoch", errors="band")
        for _, rows in table.groupby("model"):
            assert len(band(ax, rows)) == 2

    def test_band_over_seeds_and_draws(self):
        records = [
            record(seed=r, draw=k, value=4.0 + 2 * r + k, se=0.1, epoch=e)
            for r, k, e in itertools.product(range(2), range(2), EPOCHS)
        ]
        figure, drawn = draw(records, [{"models": ["vp"], "samplers": ["DDIM"]}])
        lower, upper = band(figure.axes[0], drawn)
        assert drawn["value"].tolist() == [5.5] * 3  # seeds: 4.5 and 6.5
        assert (upper - lower) / 2 == pytest.approx(np.full(3, T1 * 1.0))
        assert (drawn["seeds"].tolist(), drawn["draws"].tolist()) == ([2] * 3, [2] * 3)

    def test_unknown_standard_error_draws_no_band(self):
        figure, drawn = draw(made(models=["vp"], se=None) + made(models=["ve"], se=0.1))
        assert drawn.loc[drawn["model"] == "vp", "lower"].isna().all()
        assert len(bands(figure.axes[0])) == 1
        assert curve(figure.axes[0], drawn[drawn["model"] == "vp"])

    def test_lone_point_has_a_bar(self):
        figure, _ = draw(
            made(models=["vp"], epochs=[10]), [{"models": ["vp"], "samplers": ["DDIM"]}]
        )
        segment = figure.axes[0].collections[-1].get_segments()[0]
        assert segment[:, 1] == pytest.approx(
            value_of("vp", "DDIM", 10) + np.array([-1, 1]) * T9 * 0.1
        )

    def test_of_many_curves_the_last_values_have_intervals_at_the_right(self):
        panel = {"models": ["vp", "ve"], "samplers": ["DDIM", "MARK"]}
        figure, drawn = draw(made(samplers=["DDIM", "MARK"]), [panel])
        ax, (side,) = figure.axes[0], figure.axes[0].child_axes
        assert not ax.patches and not ax.collections  # neither bands nor bars
        last = drawn[drawn["epoch"] == 40]
        segments = np.array([s for c in side.collections for s in c.get_segments()])[..., 1]
        assert np.sort(segments, axis=0) == pytest.approx(
            np.sort(last[["lower", "upper"]].to_numpy(float), axis=0)
        )
        points = sorted(line.get_ydata()[0] for line in side.get_lines())
        assert points == pytest.approx(sorted(last["value"]))
        assert side.get_xlabel() == "epoch 40"
        assert side.get_ylim() == ax.get_ylim()
        text = captions.caption(drawn, {})
        assert "Bars at the right, of the last epoch, are 95 % intervals of the mean" in text
        assert "Panel a, last epoch: highest VE · Markovian (8.4), lowest VP · DDIM (8)" in text

    def test_a_guidance_behind_is_grey_and_in_the_table(self):
        records = made()
        for one in made():
            one["cell"]["guidance"] = "G1"
            one["metrics"][0]["value"] += 1
            records.append(one)
        panel = {"models": ["vp", "ve"], "samplers": ["DDIM"], "guidances": ["G1"]}
        figure, drawn = draw(records, [panel], behind="none")
        grey = drawn[drawn["behind"]]
        assert set(grey["guidance"]) == {"none"} and len(grey) == 6
        line = curve(figure.axes[0], grey[grey["model"] == "vp"])
        own = curve(figure.axes[0], drawn[~drawn["behind"] & (drawn["model"] == "vp")])
        assert len(set(to_rgb(line.get_color()))) == 1 < len(set(to_rgb(own.get_color())))
        assert line.get_marker() == own.get_marker()
        assert legend_texts(figure) == [["VP", "VE"], ["no guidance"]]
        assert "Grey: the same models without guidance" in captions.caption(drawn, {})

    def test_panels_with_own_axes(self):
        panels = [{"models": [m], "samplers": ["DDIM"]} for m in ("vp", "ncsn")]
        records = made(models=["vp", "ncsn"])
        ends = [ax.get_ylim() for ax in draw(records, panels, share_y=False)[0].axes]
        assert ends[0] != ends[1]
        assert len({ax.get_ylim() for ax in draw(records, panels)[0].axes}) == 1

    def test_rows_of_other_curves_are_ignored(self):
        _, drawn = draw(made(models=["vp", "ve", "ncsn"], samplers=["DDIM", "MARK"]))
        assert set(drawn["model"]) == {"vp", "ve"}
        assert set(drawn["sampler"]) == {"DDIM"}

    def test_several_metrics_in_one_figure(self):
        records = made()
        for one in records:
            one["metrics"].append({"metric": "fid", "value": 30.0, "se": 1.0, "n": 1000})
        panels = [{"models": ["vp"], "samplers": ["DDIM"], "metric": m} for m in ("is10", "fid")]
        figure, _ = draw(records, panels)
        assert [ax.get_ylabel() for ax in figure.axes] == ["Inception Score", "FID (a.u.)"]
        assert figure.axes[0].get_ylim() != figure.axes[1].get_ylim()
        figure, _ = draw(records, panels, y_scale="log")  # of the figure's metric
        assert [ax.get_yscale() for ax in figure.axes] == ["log", "linear"]

    def test_logarithmic_axis(self):
        figure, _ = draw(made(), y_scale="log")
        assert figure.axes[0].get_yscale() == "log"
        with pytest.raises(
            ValueError, match=r"y_scale is log, but is10 of VP · DDIM is -1 at epoch 7"
        ):
            draw([*made(), record(epoch=7, value=-1.0)], y_scale="log")


class TestRefusals:
    def test_empty_figure(self):
        with pytest.raises(ValueError, match="figure is empty: no value of fid"):
            draw(made(), metric="fid")
        with pytest.raises(ValueError, match="figure is empty"):
            draw([diverged(model=m) for m in ("vp", "ve")])
        with pytest.raises(ValueError, match="figure is empty"):
            draw(made(), [{"models": [], "samplers": ["DDIM"]}])

    def test_cells_that_are_not_comparable(self):
        with pytest.raises(ValueError, match=r"is10: cells differ in n: 500 in ve.*1000 in vp"):
            draw(made(models=["vp"]) + made(models=["ve"], n=500))

    def test_cells_of_other_figures_need_not_be_comparable(self):
        draw(made() + made(models=["ncsn"], n=500))

    @pytest.mark.parametrize("change", [{"extractor": "cnn@2"}, {"reference": "digits/test"}])
    def test_reference_measured_otherwise(self, change):
        with pytest.raises(ValueError, match=r"reference real train: .* of is10 is"):
            draw(made(), references={"train": control(9.0, **change)})

    def test_model_without_appearance(self):
        with pytest.raises(ValueError, match="'edm' is not one of vp, ve, ncsn"):
            draw(made(), [{"models": ["edm"], "samplers": ["DDIM"]}])


class TestReferences:
    def test_drawn_with_band_and_label_and_in_the_csv(self):
        figure, drawn = draw(made(), references={"train": control(8.4), "gaussian": control(6.8)})
        ax = figure.axes[0]
        (train,) = lines(ax, "real train")
        assert set(train.get_ydata()) == {8.4}
        rows = drawn[drawn["control"].notna()].set_index("control")
        assert rows.loc["train", ["value", "lower", "upper"]].tolist() == pytest.approx(
            [8.4, 8.4 - T9 * 0.05, 8.4 + T9 * 0.05]
        )
        (span,) = [p for p in ax.patches if p.get_label() == "real train"]
        assert span.get_height() == pytest.approx(2 * T9 * 0.05)
        assert [t.get_text() for t in ax.texts] == ["Gaussian noise", "real train"]
        assert dash(train) != dash(lines(ax, "Gaussian noise")[0])
        assert len(set(to_rgb(train.get_color()))) == 1  # grey

    def test_far_reference_is_named_but_does_not_squeeze_the_curves(self):
        figure, drawn = draw(made(), references={"train": control(8.4), "uniform": control(-50.0)})
        low, high = figure.axes[0].get_ylim()
        values = drawn.loc[drawn["control"].isna(), "value"]
        assert (values.max() - values.min()) / (high - low) > 0.25
        assert low < 8.4 < high
        assert drawn.set_index("control").loc["uniform", "status"] == "off axis"
        assert "uniform noise\noff axis: -50" in [t.get_text() for t in figure.axes[0].texts]
        assert not lines(figure.axes[0], "uniform noise")

    def test_noises_that_coincide_share_a_label(self):
        both = {"gaussian": control(6.8), "uniform": control(6.82)}
        figure, drawn = draw(made(), references=both)
        assert [t.get_text() for t in figure.axes[0].texts] == ["noise"]
        assert drawn["control"].notna().sum() == 2
        far = {"gaussian": control(-60.0), "uniform": control(-80.0)}
        figure, _ = draw(made(), references=far)
        assert [t.get_text() for t in figure.axes[0].texts] == ["noise\noff axis: -60, -80"]

    def test_references_leave_most_of_the_axis_to_the_curves(self):
        figure, drawn = draw(made(), references={"train": control(12.0), "gaussian": control(1.0)})
        low, high = figure.axes[0].get_ylim()
        values = drawn.loc[drawn["control"].isna(), ["lower", "upper"]].to_numpy(float)
        assert np.ptp(values) / (high - low) > 0.6

    def test_other_number_of_images_is_said(self):
        figure, drawn = draw(made(), references={"test": control(8.0, n=360)})
        assert [t.get_text() for t in figure.axes[0].texts] == ["real test\nn = 360"]
        assert "real test 8 (n = 360)" in captions.caption(drawn, {})

    def test_labels_do_not_overlap(self):
        near = {name: control(9.0 - 0.3 * i) for i, name in enumerate(style.REFERENCES)}
        figure, _ = draw(made(), references=near)
        figure.draw_without_rendering()
        # Of the text alone: an annotation's own extent includes its leader.
        boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
        assert len(boxes) == 4
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))

    def test_panels_with_the_same_references_are_labelled_once(self):
        panels = [{"models": ["vp"], "samplers": [s]} for s in ("DDIM", "MARK")]
        records = made(samplers=["DDIM", "MARK"])
        figure, drawn = draw(records, panels, references={"train": control(9.0)})
        assert [len(ax.texts) for ax in figure.axes] == [0, 1]
        assert drawn.loc[drawn["control"].notna(), "panel"].tolist() == ["a", "b"]

    def test_reference_of_too_few_images_is_said_and_not_drawn(self, tmp_path):
        too_few = [{"metric": "is10", "kind": "inception_score", "n": 6, "needs": 10, "why": ""}]
        references = {"train": control(9.0), "test": control(3.0, metric="kid", n=6)}
        figure, drawn = draw(made(), references=references, left_out={"test": too_few})
        note = "not measured: Inception Score of real test (n = 6, needs 10 images)"
        assert [t.get_text().replace("\n", " ") for t in figure.texts] == [note]
        text = captions.caption(drawn, {})
        assert text.endswith(f"references in grey: real train 9. {note}.")
        assert "real test" not in {t.get_text() for t in figure.axes[0].texts}
        assert not lines(figure.axes[0], "real test")
        row = drawn.set_index("control").loc["test"]
        assert (row["n"], row["status"]) == (6, "not measured, needs 10 images")
        assert np.isnan(row["value"])
        assert notes(drawn) == note
        drawn.to_csv(tmp_path / "drawn.csv", index=False)
        assert note in facts(pd.read_csv(tmp_path / "drawn.csv"))[-1]

    def test_limits_are_those_without_the_reference_of_too_few_images(self):
        too_few = [{"metric": "is10", "kind": "inception_score", "n": 6, "needs": 10, "why": ""}]
        references = {"train": control(9.0), "test": []}
        with_it, _ = draw(made(), references=references, left_out={"test": too_few})
        without, _ = draw(made(), references={"train": control(9.0)})
        assert with_it.axes[0].get_ylim() == without.axes[0].get_ylim()

    def test_a_missing_reference_is_an_error(self):
        with pytest.raises(ValueError, match="figure: no is10 of reference 'train' of 'digits'"):
            draw(made(), references={"train": control(9.0, metric="fid")})
        data = FigureData(
            score_records.tidy(made()),
            MODELS,
            SAMPLERS,
            {},
            METRICS,
            {"images": {"train": control(9.0)}},
        )
        panels = [{"models": ["vp"], "samplers": ["DDIM"]}]
        with pytest.raises(
            ValueError, match="figure: no references of dataset 'digits'; there are images"
        ):
            curves(data, panels, metric="is10")


class TestDiverged:
    def test_rest_is_drawn_and_the_note_names_the_cells(self):
        records = made(models=["vp"]) + made(models=["ve"], epochs=[10])
        records += [diverged(model="ve", epoch=e) for e in (20, 40)]
        figure, drawn = draw(records)
        assert [t.get_text() for t in figure.texts] == ["diverged: VE · DDIM from epoch 20"]
        line = curve(figure.axes[0], drawn[drawn["model"] == "ve"])
        assert np.isfinite(line.get_ydata()).tolist() == [1, 0, 0]
        gone = drawn[(drawn["model"] == "ve") & (drawn["epoch"] > 10)]
        assert (gone["status"] == "diverged").all()
        assert gone["value"].isna().all()

    def test_curve_that_diverged_at_once_is_not_in_the_legend(self):
        figure, drawn = draw(made(models=["vp"]) + [diverged(model="ve", epoch=e) for e in EPOCHS])
        assert legend_texts(figure) == [["VP"]]
        assert notes(drawn) == "diverged: VE · DDIM from epoch 10"

    def test_gap_in_the_middle(self):
        records = [*made(models=["vp"], epochs=[10, 40]), diverged(epoch=20), *made(models=["ve"])]
        figure, drawn = draw(records)
        assert notes(drawn) == "diverged: VP · DDIM at epoch 20"
        line = curve(figure.axes[0], drawn[drawn["model"] == "vp"])
        assert np.isnan(line.get_ydata()).tolist() == [0, 1, 0]

    def test_some_seeds(self):
        records = [
            *made(),
            *made(models=["vp"], epochs=[10, 20], seed=1),
            diverged(seed=1, epoch=40),
        ]
        _, drawn = draw(records)
        assert notes(drawn) == "diverged: VP · DDIM from epoch 40 (1 of 2 runs)"
        last = drawn[(drawn["model"] == "vp") & (drawn["epoch"] == 40)].iloc[0]
        assert (last["status"], last["seeds"]) == ("partial", 1)

    def test_missing_curve_is_said(self):
        figure, drawn = draw(made(models=["vp"]))
        assert [t.get_text() for t in figure.texts] == ["no data: VE · DDIM"]
        assert drawn.set_index("model").loc["ve", "status"] == "missing"


BLOCK = {"title": "Schedules", "caption": "Six of them."}


class TestCaption:
    def test_says_how_it_was_measured(self):
        records = made() + made(seed=1)
        _, drawn = draw(records, references={"train": control(9.25)})
        assert captions.caption(drawn, BLOCK) == (
            "Schedules. Six of them. Inception Score against training epochs. Each point is the "
            "mean over 2 training seeds with 1 sampling seed each, n = 1,000 images per sampling seed, in 10 splits "
            "of 100, extractor cnn@1. Bands are 95 % intervals of the mean by Student's t "
            "(evaluation, training seed); references in grey: real train 9.25."
        )

    def test_is_the_same_from_the_csv(self, tmp_path):
        records = [*made(models=["vp"], se=None), *made(models=["ve"], epochs=[10, 20])]
        figure, drawn = draw([*records, diverged(model="ve", epoch=40)])
        saving.save(figure, drawn, tmp_path / "f")
        assert facts(pd.read_csv(tmp_path / "f.csv")) == drawn.attrs["facts"]
        text = captions.caption(drawn, BLOCK)
        assert "points without a band have no known error" in text
        assert "diverged: VE · DDIM from epoch 40." in text

    def test_single_draw_without_errors(self):
        _, drawn = draw(made(se=None, splits=None, images_per_split=None))
        text = captions.caption(drawn, {})
        assert (
            "Each point is of one training and one sampling seed, n = 1,000 images per sampling seed, ext"
            in text
        )
        assert "No bands: the standard errors are not known." in text

    def test_splits_lower_the_score_of_real_images(self, tmp_path):
        whole = {"value": 9.8, "bias": -0.2, "replicates": [9.7, 9.8]}
        noise = control(1.0, jackknife=whole | {"value": 1.0, "bias": 0.0})
        references = {"train": control(8.8, jackknife=whole), "gaussian": noise}
        figure, drawn = draw(made(), references=references)
        text = "splits of 100 images cap real images: real train at 8.8 of 10 (without splits and less bias)"
        assert captions.caption(drawn, {}).endswith(f"; {text}.")
        saving.save(figure, drawn, tmp_path / "f")
        assert facts(pd.read_csv(tmp_path / "f.csv")) == drawn.attrs["facts"]
