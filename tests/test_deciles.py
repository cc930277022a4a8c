"""Strength of guidance along the walk, from what the sample records say."""

import pandas as pd
import pytest
from plotted import curve, legend_texts

from uncanny.figures import saving
from uncanny.figures.deciles import QUANTITIES, deciles, facts
from uncanny.figures.figure_data import FigureData
from uncanny.runtime.result_paths import Cell

PANEL = {"models": ["m"], "samplers": ["MARK"], "guidances": ["G1", "G2"]}


def entries(strength):
    return [
        {
            **{"decile": d, "t": [100 * d, 100 * d + 99], "steps": 5, "gradient_rms": strength},
            **{
                "rho_mark": strength / (d + 1),
                "rho_ddim": strength / (d + 2),
                "log_p": -0.1 * d - strength,
            },
            **{"rho_mark_max": strength, "rho_ddim_max": strength},
        }
        for d in range(10)
    ]


def made(**records):
    result = {
        Cell("m", 0, "MARK", name, 0, 30): {"status": "ok", "num_images": 400} | record
        for name, record in records.items()
    }
    return FigureData(models={"m": {}}, guidances={"G1": {"label": "trained"}}, records=result)


BOTH = {"G1": {"guidance_deciles": entries(1.0)}, "G2": {"guidance_deciles": entries(0.001)}}


def test_three_axes_hold_the_values_of_the_table(tmp_path):
    figure, drawn = deciles(made(**BOTH), [PANEL])
    saving.save(figure, drawn, tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.csv")
    assert facts(table) == drawn.attrs["facts"]
    for ax, quantity in zip(figure.axes, QUANTITIES, strict=True):
        rows = table[(table["quantity"] == quantity) & (table["guidance"] == "G1")]
        line = curve(ax, rows.assign(tenth=rows["decile"] + 1), "tenth")
        assert line.get_ydata().tolist() == rows["value"].tolist()
        assert line.get_xdata().tolist() == list(range(1, 11))
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "log", "linear"]
    assert legend_texts(figure) == [["trained", "G2"]]
    largest = [line for line in figure.axes[0].get_lines() if line.get_marker() == "None"]
    assert sorted(line.get_ydata()[0] for line in largest) == [0.001, 1.0]
    assert len({str(line.get_color()) for line in figure.axes[2].get_lines()}) == 2


def test_guidance_without_statistics_is_said():
    figure, _ = deciles(made(G1=BOTH["G1"], G2={"status": "diverged"}), [PANEL])
    assert figure.texts[0].get_text() == "diverged: m · MARK · G2"
    with pytest.raises(ValueError, match="no record of its cells has guidance_deciles"):
        deciles(made(G1={}), [PANEL])
