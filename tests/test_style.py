"""The look of figures: the same everywhere, and told apart by everybody."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from plotted import MODELS, dash, draw, legend_texts, lines, made
from test_scores import diverged

from uncanny.figures import saving, style

STUDY = {  # the models of the published study, in its order
    f"{family}_{variant}": {}
    for family, variants in {
        "ddpm": ("lin025", "lin050", "lin075", "lin100", "cosine", "sigmoid"),
        **{"vp": ("uncond", "cond"), "ve": ("uncond", "cond"), "ncsn": ("v2",)},
    }.items()
    for variant in variants
}


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
