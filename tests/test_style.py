"""The look of figures: the same everywhere, and told apart by everybody."""

import itertools
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import seaborn as sns
import yaml
from matplotlib.colors import to_hex, to_rgb
from plotted import MODELS, curve, dash, draw, legend_texts, made
from test_scores import diverged

from uncanny.figures import palette, saving, style
from uncanny.study import configuration, plan
from uncanny.study.checks import shown
from uncanny.study.study import Study

CONFIGS = Path(__file__).parent.parent / "config"


def panels_of(name):
    """A study, and (figure, models) of each panel of its figures with curves."""
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    study = Study(configuration.validated(config, CONFIGS.parent))
    figures = study.config["figures"].items()
    return study, [(f, p["models"]) for f, block in figures for p in block.get("panels", [])]


class TestLook:
    def test_model_keeps_colour_and_marker_in_all_figures(self):
        first, table = draw(made())
        second, other_table = draw(
            made(models=["ve", "ncsn"], samplers=["MARK"]),
            [{"models": ["ncsn", "ve"], "samplers": ["MARK"]}],
        )
        one, other = (
            curve(figure.axes[0], rows[rows["model"] == "ve"])
            for figure, rows in ((first, table), (second, other_table))
        )
        vp = next(line for line in first.axes[0].get_lines() if line is not one)
        colors = [to_hex(line.get_color()) for line in (one, other, vp)]
        assert colors[0] == colors[1] != colors[2]
        assert one.get_marker() == other.get_marker()

    def test_own_colour_does_not_change_the_others(self):
        plain = style.model_styles(MODELS)
        own = style.model_styles(MODELS | {"vp": {"color": "red"}})
        assert own["vp"].color == "#ff0000"
        assert own["ve"] == plain["ve"]
        with pytest.raises(ValueError, match="model vp: color is 'reddish'"):
            style.model_styles({"vp": {"color": "reddish"}})

    def test_hues_are_seaborns_colorblind_palette_without_its_grey(self):
        hues = sns.color_palette("colorblind").as_hex()
        assert [*palette.HUES.values()] == [hue for hue in hues if hue != "#949494"]

    @pytest.mark.parametrize("study", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
    def test_curves_of_a_panel_stay_apart_with_every_vision(self, study):
        study, panels = panels_of(study)
        for figure, models in panels:
            looks = style.model_styles(plan.appearance(study, figure)["models"])
            for one, other in itertools.combinations(models, 2):
                for vision in VISION:
                    seen = [apparent(looks[name].color, vision) for name in (one, other)]
                    assert np.linalg.norm(seen[0] - seen[1]) > 15, (figure, one, other, vision)
                assert looks[one].marker != looks[other].marker

    def test_a_model_keeps_its_look_in_all_studies(self):
        looks_of = {}
        for name in ("config", "psld", "design_space", "cifar10_cpu"):
            study, _ = panels_of(name)
            blocks = study.config["models"].items()
            models = {n: {"label": b["label"]} | plan.model_role(study, n) for n, b in blocks}
            for model, look in style.model_styles(models).items():
                if " with " in look.label:
                    continue  # process and network exchanged: the second model of its role
                identity = study.identity(model)
                key = palette.role(identity), identity["conditional"]
                looks_of.setdefault(key, {})[name, model] = look.color, look.marker
        assert len(looks_of) > 15
        shared = [looks for looks in looks_of.values() if len({study for study, _ in looks}) > 1]
        assert len(shared) > 5
        # NCSNv2 as printed and its second variant are two models of one role and one dataset.
        assert all(
            len(set(looks.values())) == (2 if key[0] == "annealed" else 1)
            for key, looks in looks_of.items()
        )

    def test_roles_come_from_the_identity(self):
        matched = {"levels": "matched", "weight": "matched"}
        edm = {"kind": "continuous", "preconditioning": "edm"} | matched
        discrete, psld = {"kind": "discrete"}, {"kind": "psld", "gamma": 0.02}
        linear, phase = {"kind": "linear", "scale": 0.25}, {"kind": "phase_space"}
        cases = {
            "linear 0.25": {"process": discrete, "schedule": linear},
            "cosine": {"process": discrete, "schedule": {"kind": "cosine"}},
            "edm": {"process": edm},
            "edm log_uniform": {"process": edm | {"levels": "log_uniform"}},
            "psld 0.02": {"process": phase | {"recipe": psld}},
            "vp": {"process": phase | {"recipe": "vp"}},
            "annealed": {"process": {"kind": "annealed"}},
            "": {"samples": "x"},
        }
        assert {palette.role(identity) for identity in cases.values()} == set(cases)
        assert [palette.role(identity) for identity in cases.values()] == list(cases)

    def test_models_of_one_role_differ_in_shade_and_marker(self):
        vp = {"role": "vp", "dataset": "digits"}
        models = {"a": vp, "b": vp, "c": vp | {"conditional": True}, "d": vp | {"dataset": "x"}}
        a, b, c, d = palette.looks(models).values()
        assert a == d == palette.looks({"a": vp})["a"]
        assert len({a.color, b.color, c.color}) == len({a.marker, b.marker, c.marker}) == 3

    def test_unknown_roles_take_colours_that_no_model_has(self):
        models = {"vp": {"role": "vp"}, "x": {"role": "own"}, "y": {}}
        looks = palette.looks(models)
        assert len({look.color for look in looks.values()}) == 3
        assert looks["vp"] == palette.looks({"vp": {"role": "vp"}})["vp"]

    def test_more_models_than_colours_is_one_message_before_any_work(self):
        message = r"models\.m27: the palette has no colour left for it .*expected a colour such as"
        with pytest.raises(ValueError, match=message):
            palette.looks({f"m{i}": {} for i in range(28)})
        with pytest.raises(ValueError, match=r"models\.d: .*3 shades"):
            palette.looks({name: {"role": "vp"} for name in "abcd"})
        assert palette.looks({name: {"role": "vp", "color": "#000000"} for name in "abcd"})
        config = yaml.safe_load((CONFIGS / "cifar10_cpu.yaml").read_text())
        config["models"] |= {f"m{i}": config["models"]["vp_uncond"] for i in range(3)}
        study = Study(configuration.validated(config, CONFIGS.parent))
        with pytest.raises(ValueError, match=r"models\.m2: the palette has no colour left"):
            shown.check(study)

    def test_dash_is_the_sampler_where_a_panel_shows_several(self):
        panel = {"models": ["vp", "ve"], "samplers": ["DDIM", "MARK"]}
        figure, drawn = draw(made(samplers=["DDIM", "MARK"]), [panel])
        dashes = {
            keys: dash(curve(figure.axes[0], rows))
            for keys, rows in drawn.groupby(["model", "sampler"])
        }
        assert dashes["vp", "DDIM"] == dashes["ve", "DDIM"] == ()
        assert dashes["vp", "MARK"] == dashes["ve", "MARK"] == (3.5, 1.5)
        assert legend_texts(figure) == [["VP", "VE"], ["DDIM", "Markovian"]]

    def test_one_sampler_per_panel_is_solid_and_not_in_the_legend(self):
        panels = [{"models": ["vp", "ve"], "samplers": [s], "title": s} for s in ("DDIM", "MARK")]
        figure, _ = draw(made(samplers=["DDIM", "MARK"]), panels)
        assert {dash(line) for ax in figure.axes for line in ax.get_lines()} == {()}
        assert legend_texts(figure) == [["VP", "VE"]]

    def test_colour_is_the_guidance_where_only_the_guidance_varies(self):
        records = made(models=["vp"])
        for one in made(models=["vp"]):
            one["cell"]["guidance"] = "G1"
            records.append(one)
        panel = {"models": ["vp"], "samplers": ["DDIM"], "guidances": ["none", "G1"]}
        figure, drawn = draw(records, [panel])
        assert legend_texts(figure) == [["no guidance", "G1"]]
        colors = {to_hex(line.get_color()) for line in figure.axes[0].get_lines()}
        assert len(colors) == 2
        assert {dash(line) for line in figure.axes[0].get_lines()} == {()}
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

    def test_legend_and_note_lie_below_the_axes_and_are_saved(self, tmp_path):
        figure, drawn = draw([*made(), diverged(model="ncsn")], [
            {"models": ["vp", "ve", "ncsn"], "samplers": ["DDIM"]}
        ])  # fmt: skip
        figure.draw_without_rendering()
        axes, page = figure.axes[0].get_tightbbox(), figure.get_tightbbox()
        legend, note = figure.legends[0].get_window_extent(), figure.texts[0].get_window_extent()
        assert axes.y0 >= note.y1 > note.y0 >= legend.y1 > legend.y0 >= page.y0 * figure.dpi
        saving.save(figure, drawn, tmp_path / "f")
        height = matplotlib.image.imread(tmp_path / "f.png").shape[0] / style.PNG_DPI
        assert height > figure.get_size_inches()[1] + 0.2

    def test_user_settings_change_nothing(self, tmp_path):
        saving.save(*draw(made()), tmp_path / "plain")
        with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20, "axes.grid": False}):
            saving.save(*draw(made()), tmp_path / "own")
        assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "own.png").read_bytes()


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


def apparent(color, vision):
    """CIE L*a*b* of a colour as somebody with this colour vision sees it."""
    return lab(np.clip(VISION[vision] @ linear(color), 0, 1))
