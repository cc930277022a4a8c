"""Experiments of phase-space processes, and the figures that are drawn from them."""

import numpy as np
import pandas as pd
import pytest
from exact_phase import process, stored
from plotted import curve, legend_texts
from test_configuration import SHIPPED, plan
from test_scores import record
from yaml import safe_load

from uncanny.evaluation import score_records
from uncanny.figures import figure_data, phase_space, saving, sensitivity
from uncanny.figures.figure_data import FigureData
from uncanny.registry import components
from uncanny.runtime import files

CLD, PSLD = {"kind": "psld", "gamma": 0.0}, {"kind": "psld", "gamma": 0.25}
amplification = components.load("experiments", "error_amplification")
trajectories = components.load("experiments", "phase_trajectories")


@pytest.fixture(scope="module")
def toy():
    return trajectories(recipes={"CLD": CLD, "PSLD": PSLD}, num_steps=60, paths=4000, shown=3)[0]


def read(table, folder, name="trajectories"):
    table.to_csv(folder / f"{name}.csv", index=False)
    files.write_json_lines(folder / f"{name}.jsonl", [])
    return [folder / f"{name}.csv", folder / f"{name}.jsonl"]


def test_factors_are_those_of_the_oracle():
    table, verdicts = amplification(recipes={"g": {"kind": "psld", "gamma": 0.01}}, points=3)
    assert verdicts == []
    assert table["t"].unique() == pytest.approx([1e-5, 10**-2.5, 1])
    wanted = process("psld_gamma0.01_nu4.01").amplification(stored("gamma/t")[:1]).abs()
    at = float(stored("gamma/t")[0])
    table, _ = amplification(recipes={"g": {"kind": "psld", "gamma": 0.01}}, first=at, points=2)
    near = table[np.isclose(table["t"], at)].pivot(index="component", columns="of_eps")["value"]
    assert near.to_numpy() == pytest.approx(wanted[0].numpy())


def test_trajectories_end_in_the_data(toy):
    bins = toy[toy["role"] == "marginal"]
    mass = bins["density"] * (bins["high"] - bins["low"])
    exact = bins["exact"] * (bins["high"] - bins["low"])
    keys = [bins["process"], bins["component"]]
    assert mass.groupby(keys).sum().to_numpy() == pytest.approx(np.ones(4), abs=0.02)
    assert exact.groupby(keys).sum().to_numpy() == pytest.approx(np.ones(4), abs=0.001)
    distance = (mass - exact).abs().groupby(keys).sum() / 2
    assert distance.max() < 0.12


def test_trajectories_are_kept_at_every_time(toy):
    paths = toy[toy["role"] == "path"]
    assert (paths.groupby(["process", "path"]).size() == 61).all()
    assert paths.groupby("process")["path"].nunique().to_dict() == {"CLD": 3, "PSLD": 3}
    ends = paths.groupby("t")[["x", "m"]]
    assert paths["t"].max() == 1 and paths["t"].min() == pytest.approx(0.001)
    assert ends.size().eq(6).all()


def test_trajectories_need_position_and_momentum():
    with pytest.raises(ValueError, match="1 components; expected position and momentum"):
        trajectories(recipes={"one": {"kind": "vp"}}, paths=2)


def test_the_figure_of_trajectories_holds_the_table(toy, tmp_path):
    data = FigureData(**figure_data.read({"experiments": read(toy, tmp_path)}))
    figure, drawn = phase_space.phase_space(data, [])
    saving.save(figure, drawn, tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.csv")
    assert phase_space.facts(table) == drawn.attrs["facts"]
    assert len(figure.axes) == 6
    bars = [bar.get_height() for bar in figure.axes[2].patches]
    assert bars == pytest.approx(table.loc[table["panel"] == "c", "density"].tolist())
    (path, *_) = figure.axes[0].get_lines()
    first = toy[(toy["process"] == "CLD") & (toy["path"] == 0)].sort_values("t", ascending=False)
    assert path.get_xdata() == pytest.approx(first["x"].to_numpy())
    with pytest.raises(ValueError, match="its experiments have no trajectories"):
        phase_space.phase_space(FigureData(exact=pd.DataFrame({"process": []})), [])


# --- Sensitivity ---------------------------------------------------------------------------------

MODELS = {"a": {"label": "A"}, "b": {"label": "B"}}
PANEL = {"models": ["a", "b"], "samplers": ["E"], "series": [{"label": "uniform"}]}
PLACE = {"parameter": "identity.process.recipe.gamma", "x_label": "Γ"}


def scored(model, gamma, value):
    one = record(model=model, sampler="E", value=value)
    recipe = {} if gamma is None else {"gamma": gamma}
    one["parameters"]["identity"] = {"process": {"recipe": recipe}}
    return one


def sensitive(records):
    exact, _ = amplification(recipes={"a": CLD, "b": PSLD}, points=11)
    metrics = {"is10": {"label": "IS"}}
    data = FigureData(score_records.tidy(records), MODELS, metrics=metrics, exact=exact)
    return sensitivity.sensitivity(data, [PANEL], metric="is10", **PLACE)


def test_a_metric_against_a_parameter_of_the_process(tmp_path):
    figure, drawn = sensitive([scored("a", 0.0, 3.0), scored("b", 0.25, 2.0)])
    saving.save(figure, drawn, tmp_path / "f")
    assert sensitivity.facts(pd.read_csv(tmp_path / "f.csv")) == drawn.attrs["facts"]
    line = curve(figure.axes[0], drawn[drawn["series"] == "uniform"], "x")
    assert line.get_xdata().tolist() == [0, 0.25] and line.get_ydata().tolist() == [3, 2]
    position, momentum = figure.axes[1:]
    assert [line.get_label() for line in position.get_lines()] == ["b"]  # CLD has no noise there
    assert [line.get_label() for line in momentum.get_lines()] == ["a", "b"]
    assert ["A", "B"] in legend_texts(figure)


def test_records_without_the_parameter():
    with pytest.raises(ValueError, match="have no parameter"):
        sensitive([scored("a", None, 3.0), scored("b", 0.25, 2.0)])


def test_recipes_of_experiments_are_complete_and_checked():
    path = next(path for path in SHIPPED if path.stem == "psld")
    config = safe_load(path.read_text())
    result = plan(config).component("experiments", "trajectories")["recipes"]
    assert result["CLD (Γ = 0)"] == {"kind": "cld", "inverse_mass": 4.0}
    config["experiments"]["trajectories"]["recipes"]["underdamped"]["gama"] = 1.0
    with pytest.raises(ValueError, match=r"recipes\.underdamped\.gama: unknown option of 'psld'"):
        plan(config)
