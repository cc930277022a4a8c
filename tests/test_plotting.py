"""Figures of metric curves: what is drawn is what the table says, and looks the same everywhere."""

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from test_scores import diverged, record

from uncanny import scores, style
from uncanny.plotting import captions, saving
from uncanny.plotting._points import notes
from uncanny.plotting.curves import curves, facts
from uncanny.plotting.figure_data import FigureData

MODELS = {"vp": {"label": "VP"}, "ve": {"label": "VE"}, "ncsn": {}}
SAMPLERS = {"DDIM": {"label": "DDIM"}, "MARK": {"label": "Markovian"}}
METRICS = {"is10": {"label": "Inception Score"}, "fid": {"label": "FID", "unit": "a.u."}}
EPOCHS = (10, 20, 40)
STUDY = {  # the models of the published study, in its order
    f"{family}_{variant}": {}
    for family, variants in {
        "ddpm": ("lin025", "lin050", "lin075", "lin100", "cosine", "sigmoid"),
        **{"vp": ("uncond", "cond"), "ve": ("uncond", "cond"), "ncsn": ("v2",)},
    }.items()
    for variant in variants
}


def value_of(model, sampler, epoch):
    return 5.0 + len(model) + 0.3 * (sampler == "MARK") + epoch / 40


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


def draw(records, panels=None, *, references=None, metric="is10", models=MODELS, **options):
    data = FigureData(
        scores.tidy(records), models, SAMPLERS, {}, METRICS, {"digits": references or {}}
    )
    panels = panels or [{"models": ["vp", "ve"], "samplers": ["DDIM"]}]
    return curves(data, panels, metric=metric, **options)


def lines(ax, label):
    return [line for line in ax.get_lines() if line.get_label() == label]


def band(ax, label):
    """Lower and upper edge of a band at the epochs."""
    (found,) = [c for c in ax.collections if c.get_label() == label]
    corners = pd.DataFrame(found.get_paths()[0].vertices, columns=["x", "y"])
    return corners.groupby("x")["y"].agg(["min", "max"]).to_numpy().T


def dash(line):
    """On and off lengths of a line in line widths, empty for a solid one."""
    return tuple(np.round(np.array(line._dash_pattern[1] or []) / line.get_linewidth(), 3))


def legend_texts(figure):
    return [[t.get_text() for t in g.get_texts() if t.get_text().strip()] for g in figure.legends]


class TestDrawn:
    def test_lines_hold_the_values_of_the_csv(self, tmp_path):
        figure, drawn = draw(made())
        saving.save(figure, drawn, tmp_path / "f")
        table = pd.read_csv(tmp_path / "f.csv")
        for model, label in (("vp", "VP · DDIM"), ("ve", "VE · DDIM")):
            (line,) = lines(figure.axes[0], label)
            rows = table[table["model"] == model]
            assert line.get_xdata().tolist() == rows["epoch"].tolist() == list(EPOCHS)
            assert line.get_ydata().tolist() == rows["value"].tolist()
            assert rows["value"].tolist() == [value_of(model, "DDIM", e) for e in EPOCHS]

    def test_band_is_1_96_standard_errors_each_way(self):
        figure, drawn = draw(made(se=0.2))
        lower, upper = band(figure.axes[0], "VP · DDIM")
        assert upper - lower == pytest.approx(np.full(3, 2 * 1.96 * 0.2))
        rows = drawn[drawn["model"] == "vp"]
        assert rows["lower"].tolist() == pytest.approx(lower)
        assert rows["upper"].tolist() == pytest.approx(upper)

    def test_band_over_seeds_and_draws(self):
        records = [
            record(seed=r, draw=k, value=4.0 + 2 * r + k, se=0.1, epoch=e)
            for r, k, e in itertools.product(range(2), range(2), EPOCHS)
        ]
        figure, drawn = draw(records, [{"models": ["vp"], "samplers": ["DDIM"]}])
        lower, upper = band(figure.axes[0], "VP · DDIM")
        assert drawn["value"].tolist() == [5.5] * 3  # seeds: 4.5 and 6.5
        assert (upper - lower) / 2 == pytest.approx(np.full(3, 1.96 * 1.0))
        assert (drawn["seeds"].tolist(), drawn["draws"].tolist()) == ([2] * 3, [2] * 3)

    def test_unknown_standard_error_draws_no_band(self):
        figure, drawn = draw(made(models=["vp"], se=None) + made(models=["ve"], se=0.1))
        assert drawn.loc[drawn["model"] == "vp", "lower"].isna().all()
        empty = [c for c in figure.axes[0].collections if c.get_label() == "VP · DDIM"]
        assert all(np.size(path.vertices) == 0 for c in empty for path in c.get_paths())
        assert len(lines(figure.axes[0], "VP · DDIM")) == 1

    def test_lone_point_has_a_bar(self):
        figure, _ = draw(
            made(models=["vp"], epochs=[10]), [{"models": ["vp"], "samplers": ["DDIM"]}]
        )
        bars = [c for c in figure.axes[0].collections if c.get_label() != "VP · DDIM"]
        (segment,) = bars[0].get_segments()
        assert segment[:, 1] == pytest.approx(
            value_of("vp", "DDIM", 10) + np.array([-1, 1]) * 0.196
        )

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
        figure, drawn = draw(made(), references={"train": control(9.0), "gaussian": control(6.0)})
        ax = figure.axes[0]
        (train,) = lines(ax, "real train")
        assert set(train.get_ydata()) == {9.0}
        rows = drawn[drawn["control"].notna()].set_index("control")
        assert rows.loc["train", ["value", "lower", "upper"]].tolist() == pytest.approx(
            [9.0, 9.0 - 1.96 * 0.05, 9.0 + 1.96 * 0.05]
        )
        (span,) = [p for p in ax.patches if p.get_label() == "real train"]
        assert span.get_height() == pytest.approx(2 * 1.96 * 0.05)
        assert [t.get_text() for t in ax.texts] == ["real train", "Gaussian noise"]
        assert dash(train) != dash(lines(ax, "Gaussian noise")[0])
        assert len(set(to_rgb(train.get_color()))) == 1  # grey

    def test_far_reference_is_named_but_does_not_squeeze_the_curves(self):
        figure, drawn = draw(made(), references={"train": control(9.0), "uniform": control(-50.0)})
        low, high = figure.axes[0].get_ylim()
        values = drawn.loc[drawn["control"].isna(), "value"]
        assert (values.max() - values.min()) / (high - low) > 0.25
        assert low < 9.0 < high
        assert drawn.set_index("control").loc["uniform", "status"] == "off axis"
        assert "uniform noise\noff axis: -50" in [t.get_text() for t in figure.axes[0].texts]
        assert not lines(figure.axes[0], "uniform noise")

    def test_other_number_of_images_is_said(self):
        figure, drawn = draw(made(), references={"test": control(8.0, n=360)})
        assert [t.get_text() for t in figure.axes[0].texts] == ["real test\nn = 360"]
        assert "real test 8 (n = 360)" in captions.caption(drawn, {})

    def test_labels_do_not_overlap(self):
        near = {name: control(9.0 + i / 100) for i, name in enumerate(style.REFERENCES)}
        figure, _ = draw(made(), references=near)
        figure.draw_without_rendering()
        boxes = [t.get_window_extent() for t in figure.axes[0].texts]
        assert len(boxes) == 4
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))

    def test_panels_with_the_same_references_are_labelled_once(self):
        panels = [{"models": ["vp"], "samplers": [s]} for s in ("DDIM", "MARK")]
        records = made(samplers=["DDIM", "MARK"])
        figure, drawn = draw(records, panels, references={"train": control(9.0)})
        assert [len(ax.texts) for ax in figure.axes] == [0, 1]
        assert drawn.loc[drawn["control"].notna(), "panel"].tolist() == ["a", "b"]

    def test_reference_without_the_metric_is_left_out(self):
        _, drawn = draw(made(), references={"train": control(9.0, metric="fid")})
        assert drawn["control"].isna().all()


class TestDiverged:
    def test_rest_is_drawn_and_the_note_names_the_cells(self):
        records = made(models=["vp"]) + made(models=["ve"], epochs=[10])
        records += [diverged(model="ve", epoch=e) for e in (20, 40)]
        figure, drawn = draw(records)
        assert [t.get_text() for t in figure.texts] == ["diverged: VE · DDIM from epoch 20"]
        assert np.isfinite(lines(figure.axes[0], "VE · DDIM")[0].get_ydata()).tolist() == [1, 0, 0]
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
        assert np.isnan(lines(figure.axes[0], "VP · DDIM")[0].get_ydata()).tolist() == [0, 1, 0]

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


class TestLook:
    def test_model_keeps_colour_and_marker_in_all_figures(self):
        first, _ = draw(made())
        second, _ = draw(
            made(models=["ve", "ncsn"], samplers=["MARK"]),
            [{"models": ["ncsn", "ve"], "samplers": ["MARK"]}],
        )
        one, other = (
            lines(first.axes[0], "VE · DDIM")[0],
            lines(second.axes[0], "VE · Markovian")[0],
        )
        assert (
            one.get_color() == other.get_color() != lines(first.axes[0], "VP · DDIM")[0].get_color()
        )
        assert one.get_marker() == other.get_marker()

    def test_own_colour_does_not_change_the_others(self):
        plain = style.model_styles(MODELS)
        own = style.model_styles(MODELS | {"vp": {"color": "red"}})
        assert own["vp"].color == "#ff0000"
        assert own["ve"] == plain["ve"]
        with pytest.raises(ValueError, match="model vp: color is 'reddish'"):
            style.model_styles({"vp": {"color": "reddish"}})

    def test_group_shares_a_ramp(self):
        looks = style.model_styles({"a": {"group": "x"}, "b": {}, "c": {"group": "x"}})
        dark, light = (sum(to_rgb(looks[name].color)) for name in "ac")
        assert dark < light
        assert looks["a"].color == style.model_styles({"x_1": {}, "x_2": {}})["x_1"].color

    @pytest.mark.parametrize("vision", ["normal", "deuteranopia", "protanopia", "tritanopia"])
    def test_models_of_the_study_stay_apart(self, vision):
        looks = style.model_styles(STUDY).values()
        colors = [lab(np.clip(VISION[vision] @ linear(look.color), 0, 1)) for look in looks]
        apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)]
        assert min(apart) > 10  # CIE76; 2.3 is just noticeable
        assert len({look.marker for look in looks}) == len(STUDY)

    def test_many_groups_have_different_colours(self):
        looks = style.model_styles({f"m{i}": {} for i in range(14)})
        assert len({(look.color) for look in looks.values()}) == 14

    def test_dash_is_the_sampler_where_a_panel_shows_several(self):
        figure, _ = draw(
            made(samplers=["DDIM", "MARK"]),
            [{"models": ["vp", "ve"], "samplers": ["DDIM", "MARK"]}],
        )
        dashes = {
            label: dash(lines(figure.axes[0], label)[0])
            for label in ("VP · DDIM", "VE · DDIM", "VP · Markovian", "VE · Markovian")
        }
        assert dashes["VP · DDIM"] == dashes["VE · DDIM"] == ()
        assert dashes["VP · Markovian"] == dashes["VE · Markovian"] == (3.5, 1.5)
        assert legend_texts(figure)[::-1] == [["VP", "VE"], ["DDIM", "Markovian"]]

    def test_one_sampler_per_panel_is_solid_and_not_in_the_legend(self):
        panels = [{"models": ["vp", "ve"], "samplers": [s], "title": s} for s in ("DDIM", "MARK")]
        figure, _ = draw(made(samplers=["DDIM", "MARK"]), panels)
        assert {dash(line) for ax in figure.axes for line in ax.get_lines()} == {()}
        assert legend_texts(figure) == [["VP", "VE"]]

    def test_guidances_are_told_apart(self):
        records = made(models=["vp"])
        for one in made(models=["vp"]):
            one["cell"]["guidance"] = "G1"
            records.append(one)
        panel = {"models": ["vp"], "samplers": ["DDIM"], "guidances": ["none", "G1"]}
        figure, drawn = draw(records, [panel])
        assert legend_texts(figure)[::-1] == [["VP"], ["no guidance", "G1"]]
        assert set(drawn["curve"]) == {"VP · DDIM", "VP · DDIM · G1"}

    def test_legend_reads_row_by_row_in_the_order_of_the_panels(self):
        names = [f"a rather long name {i}" for i in range(5)]
        figure, _ = draw(
            made(models=names),
            [{"models": names, "samplers": ["DDIM"]}],
            models={name: {} for name in reversed(names)},
        )
        figure.draw_without_rendering()
        texts = [t for t in figure.legends[0].get_texts() if t.get_text().strip()]
        places = {t.get_text(): t.get_window_extent() for t in texts}
        by_rows = sorted(places, key=lambda name: (-round(places[name].y0), places[name].x0))
        assert by_rows == names

    def test_sizes_letters_and_shared_axis(self):
        panels = [{"models": ["vp"], "samplers": [s], "title": s} for s in ("DDIM", "MARK")]
        records = made(samplers=["DDIM", "MARK"])
        one, two = draw(records)[0], draw(records, panels)[0]
        assert one.get_size_inches()[0] == style.COLUMN_WIDTH
        assert two.get_size_inches()[0] == style.FULL_WIDTH
        assert two.axes[0].get_ylim() == two.axes[1].get_ylim()
        assert [re.sub(r"[^\w ]|mathbf", "", ax.get_title(loc="left")) for ax in two.axes] == [
            "a  DDIM",
            "b  MARK",
        ]
        assert one.axes[0].get_title(loc="left") == ""

    def test_legend_and_note_lie_below_the_axes_and_inside_the_page(self):
        figure, _ = draw([*made(), diverged(model="ncsn")], [
            {"models": ["vp", "ve", "ncsn"], "samplers": ["DDIM"]}
        ])  # fmt: skip
        figure.draw_without_rendering()
        axes = figure.axes[0].get_tightbbox()
        legend, note = figure.legends[0].get_window_extent(), figure.texts[0].get_window_extent()
        assert axes.y0 >= legend.y1 > legend.y0 >= note.y1 > note.y0 >= 0

    def test_user_settings_change_nothing(self, tmp_path):
        import matplotlib

        saving.save(*draw(made()), tmp_path / "plain")
        with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20, "axes.grid": False}):
            saving.save(*draw(made()), tmp_path / "own")
        assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "own.png").read_bytes()


class TestFiles:
    def test_same_bytes_twice_also_in_another_process(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "here")
        code = (
            "import test_plotting as t; from uncanny.plotting import saving;"
            f"saving.save(*t.draw(t.made()), {str(tmp_path / 'there')!r})"
        )
        paths = ":".join(sys.path)
        env = {"PYTHONPATH": paths, "PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", code], check=True, env=env)
        for suffix in ("pdf", "png", "csv"):
            here, there = (tmp_path / f"{name}.{suffix}" for name in ("here", "there"))
            assert here.read_bytes() == there.read_bytes(), suffix

    def test_three_files_and_nothing_else(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "new" / "figure_A.1")
        found = sorted(path.name for path in (tmp_path / "new").iterdir())
        assert found == ["figure_A.1.csv", "figure_A.1.pdf", "figure_A.1.png"]

    def test_failure_leaves_the_old_files(self, tmp_path, monkeypatch):
        figure, drawn = draw(made())
        (tmp_path / "f.csv").write_text("old")
        monkeypatch.setattr(type(figure), "savefig", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            saving.save(figure, drawn, tmp_path / "f")
        assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f.csv", "old")]

    def test_fonts_are_embedded_as_truetype_and_no_date_is_written(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "f")
        content = (tmp_path / "f.pdf").read_bytes()
        assert b"/FontFile2" in content
        assert b"CreationDate" not in content


BLOCK = {"title": "Schedules", "caption": "Six of them."}


class TestCaption:
    def test_says_how_it_was_measured(self):
        records = made() + made(seed=1)
        _, drawn = draw(records, references={"train": control(9.25)})
        assert captions.caption(drawn, BLOCK) == (
            "Schedules. Six of them. Inception Score against training epochs. Each point is the "
            "mean over 2 training seeds with 1 draw each, n = 1,000 images per draw, in 10 splits "
            "of 100, extractor cnn@1. Bands are ±1.96 standard errors of the mean (evaluation, "
            "training seed); references in grey: real train 9.25."
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
            "Each point is one draw from one training seed, n = 1,000 images per draw, ext" in text
        )
        assert "No bands: the standard errors are not known." in text


LIBRARY = Path(style.__file__).parent
MODULES = [*LIBRARY.glob("plotting/*.py"), *(LIBRARY / f"{m}.py" for m in ("scores", "style"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_figures_need_no_torch(path):
    tree = ast.parse(path.read_text())
    names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] in ("torch", "torchvision")]
    assert "matplotlib.pyplot" not in names


# Severe colour-vision deficiencies in linear RGB (Machado, Oliveira, Fernandes 2009).
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopia": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
    "tritanopia": np.array(
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]
    ),
}


def linear(color):
    """Linear RGB of an sRGB colour."""
    rgb = np.array(to_rgb(to_hex(color)))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
