"""The experiment on exact schedules and its figure: rows, verdicts, artists, mistakes."""

import copy

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from plotted import legend_texts
from standin import Named, standin
from test_configuration import TINY, plan
from test_scripts import main

from uncanny.diffusion.theory import verdicts
from uncanny.figures import figure_data, saving
from uncanny.figures._experiment_axes import COLORS
from uncanny.figures.exact_schedules import exact_schedules as draw
from uncanny.figures.exact_schedules import facts
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.study import plan as planning
from uncanny.study.plan import inputs

run = components.load("experiments", "exact_schedules")
WIDTHS = [0.003, 0.03, 0.3]


@pytest.fixture(scope="module")
def made():
    """Table and verdicts of a small run: the default cell, and widths for a map."""
    one = run(targets=["manifold", "broad"], num_steps=[18, 40])
    more = {"families": ["bias", "bandwidth"], "solvers": ["sde"], "num_steps": [40]}
    return one, run(targets=[], widths=WIDTHS, **more)


@pytest.fixture(scope="module")
def data(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact")
    for name, (table, result) in zip(("gaussians", "widths"), made, strict=True):
        table.to_csv(folder / f"{name}.csv", index=False)
        files.write_json_lines(folder / f"{name}.jsonl", result)
    paths = [folder / f"{n}.{s}" for n in ("gaussians", "widths") for s in ("csv", "jsonl")]
    return figure_data.FigureData(**figure_data.read({"experiments": paths}))


OPTIONS = {"families": ["bias", "bandwidth"], "metrics": ["kl", "path_kl"], "num_steps": [18, 40]}


@pytest.fixture(scope="module")
def drawn(data):
    return draw(data, [], **OPTIONS)


class TestExperiment:
    def test_one_row_per_cell(self, made):
        table, _ = made[0]
        keys = ["target", "family", "strength", "solver", "num_steps", "schedule"]
        assert not table.duplicated(keys).any()
        assert len(table) == 2 * 2 * 50 * (3 + 3 * 3 * 3)  # an even error has no output law
        sde = table[table["solver"] == "sde"]
        assert sde[["E_I", "E_D", "E_S", "path_kl"]].notna().all().all()
        parts = sde["E_I"] + sde["E_D"] + sde["E_S"]
        np.testing.assert_allclose(sde["path_kl"], parts, rtol=1e-14)
        assert table[table["solver"] != "sde"]["path_kl"].isna().all()
        counts = table.groupby("solver")[["num_steps", "nfe"]].first()
        assert (counts["nfe"] / counts["num_steps"]).to_dict() == {"euler": 1, "heun": 2, "sde": 1}

    def test_the_default_cell_supports_and_broad_data_do_not(self, made):
        _, result = made[0]
        by_cell = {
            (e["target"], e["solver"], e["family"], e["metric"], e["nfe"]): e for e in result
        }
        entry = by_cell["manifold", "sde", "bias", "kl", 40]
        assert entry["verdict"] == "supports"
        assert entry["crossing"]["knob"] == pytest.approx(0.4758, rel=1e-3)
        assert entry["crossing"]["direction"] == "E->P"
        assert entry["R_at_crossing"] == pytest.approx(0.839, abs=0.001)
        assert entry["predicted_crossing"] == pytest.approx(0.7296, rel=1e-3)
        assert verdicts.summary(result)["verdict"] == "supports"
        broad = by_cell["broad", "sde", "bias", "kl", 40]
        assert (broad["verdict"], broad["better_when_well_trained"]) == (
            "no_crossover",
            "polynomial",
        )

    def test_euler_is_shown_but_not_judged(self, made):
        table, result = made[0]
        assert "euler" in set(table["solver"])
        assert {entry["solver"] for entry in result} == {"sde", "heun"}

    def test_the_script_writes_table_verdicts_and_summary(self, tmp_path):
        names = {"table": "a.csv", "verdicts": "a.jsonl", "summary": "a.json"}
        output = Named(**{key: str(tmp_path / name) for key, name in names.items()})
        options = {"kind": "exact_schedules", "targets": ["manifold"], "families": ["bias"]}
        params = {"experiment": options | {"num_steps": [40], "solvers": ["sde"]}}
        main("run_exact", standin(tmp_path / "log", params=params, output=output))
        assert len(pd.read_csv(output.table)) == 150
        lines_of = files.read_json_lines(output.verdicts)
        assert [entry["metric"] for entry in lines_of] == ["path_kl", "kl", "w2"]
        summary = files.read_json(output.summary)
        assert (summary["verdict"], len(summary["scope"])) == ("supports", 2)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"targets": ["many"]}, "targets: 'many' is unknown; expected one of singular, near"),
            ({"families": ["drift"]}, "families: 'drift' is unknown; expected one of uniform"),
            ({"solvers": ["ode"]}, "solvers: 'ode' is unknown; expected one of sde"),
            ({"num_steps": [0]}, "num_steps: 0 is too few"),
            ({"sigma_min": 9.0, "sigma_max": 1.0}, "sigma_min=9, sigma_max=1: expected 0 <"),
            ({"rho": -7.0}, "rho=-7: expected a positive exponent"),
            ({"widths": [-0.1], "targets": []}, "expected as many standard deviations >= 0"),
        ],
    )
    def test_mistakes_are_named(self, options, message):
        with pytest.raises(ValueError, match=message):
            run(**({"targets": ["broad"], "num_steps": [4], "families": ["bias"]} | options))


def line_of(ax, schedule):
    (line,) = [line for line in ax.get_lines() if line.get_color() == COLORS[schedule]]
    return line


class TestFigure:
    def test_lines_hold_the_values_of_the_table(self, drawn, tmp_path):
        figure, rows = drawn
        saving.save(figure, rows, tmp_path / "f")
        table = pd.read_csv(tmp_path / "f.csv")
        assert facts(table) == rows.attrs["facts"]
        line = line_of(figure.axes[1], "exponential")
        wanted = table[(table["panel"] == "b") & (table["schedule"] == "exponential")]
        assert set(wanted["num_steps"]) == {40}
        assert line.get_ydata().tolist() == wanted["value"].tolist()
        assert line.get_xdata().tolist() == wanted["strength"].tolist()

    def test_a_panel_has_one_number_of_steps(self, drawn):
        _, rows = drawn
        lines = rows[rows["role"].isin(["curve", "excess"])]
        assert (lines.groupby("panel")["num_steps"].nunique() == 1).all()
        assert lines.groupby("panel")["num_steps"].first().tolist() == [18, 40] * 3

    def test_rings_stand_where_both_schedules_are_as_good(self, drawn):
        figure, rows = drawn
        turns = rows[rows["role"] == "crossing"]
        assert turns["panel"].tolist() == ["a", "b", "c", "d"]
        for turn in turns.itertuples():
            ax = figure.axes["abcd".index(turn.panel)]
            (ring,) = [line for line in ax.get_lines() if line.get_markerfacecolor() == "none"]
            for schedule in ("exponential", "polynomial"):
                line = line_of(ax, schedule)
                near = np.interp(ring.get_xdata()[0], line.get_xdata(), line.get_ydata())
                assert near == pytest.approx(ring.get_ydata()[0], rel=0.02)

    def test_maps_hold_the_ratio_of_both_schedules(self, drawn, data):
        figure, rows = drawn
        cells = rows[rows["panel"] == "g"]
        (mesh,) = [c for c in figure.axes[6].collections if isinstance(c, QuadMesh)]
        assert (
            mesh.get_array().size == len(cells) == 49 * (len(WIDTHS) + 1)
        )  # broad is a width, too
        exact = data.exact[(data.exact["solver"] == "sde") & (data.exact["num_steps"] == 40)]
        one = cells[(cells["width"] == 0.03)].iloc[7]
        result = exact[(exact["width"] == 0.03) & (exact["family"] == "bias")]
        result = result[result["strength"] == one["strength"]].set_index("schedule")["kl"]
        assert one["value"] == pytest.approx(np.log(result["exponential"] / result["polynomial"]))

    def test_nothing_lies_below_the_derived_schedule(self, drawn):
        _, rows = drawn
        assert (rows[rows["role"] == "excess"]["value"] > 0).all()

    def test_legend_and_titles(self, drawn):
        figure, _ = drawn
        wanted = ["exponential schedule", "polynomial schedule", "the better schedule changes"]
        assert set(np.ravel(list(legend_texts(figure)))) == set(wanted)
        titles = [ax.get_title(loc="left") for ax in figure.axes[:9]]
        assert titles[0].endswith("biased score, N = 18")
        assert titles[5].endswith("excess, N = 40")
        assert titles[8].endswith("η = 0.2")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"metrics": ["kl"]}, r"metrics \['kl'\]: expected a metric for each family"),
            ({"num_steps": [18, 20]}, r"no rows with .*family 'bias', num_steps 20 and kl"),
            ({"target": "none"}, r"no rows with .*target 'none', family 'bias', num_steps 18"),
            ({"metrics": ["kl", "klm"]}, r"family 'bandwidth', num_steps 18 and klm"),
            ({"map_steps": 18}, "no map of kl with family 'bias' and 18 steps"),
        ],
    )
    def test_what_the_experiments_lack_is_named(self, data, options, message):
        with pytest.raises(ValueError, match=message):
            draw(data, [], **(OPTIONS | options))

    def test_cells_on_several_ranges_are_refused(self, data):
        more = data.exact.assign(experiment="other", sigma_min=0.02)
        both = figure_data.FigureData(exact=pd.concat([data.exact, more], ignore_index=True))
        with pytest.raises(ValueError, match="experiments gaussians, other: repeated cells"):
            draw(both, [], **OPTIONS)

    def test_a_damaged_table_is_named(self, tmp_path):
        with pytest.raises(ValueError, match=r"x\.csv: no such file"):
            figure_data.read({"experiments": [tmp_path / "x.csv"]})
        (tmp_path / "x.jsonl").write_text('{"verdict": ')
        with pytest.raises(ValueError, match=r"x\.jsonl: not valid JSON lines"):
            files.read_json_lines(tmp_path / "x.jsonl")


FIGURE = {"kind": "exact_schedules", "experiments": ["gaussians"], "options": OPTIONS}


def with_experiment(**changes):
    config = copy.deepcopy(TINY)
    config["experiments"] = {"gaussians": {"kind": "exact_schedules"}}
    config["figures"]["figure_9"] = {k: v for k, v in (FIGURE | changes).items() if v is not None}
    return config


class TestPlan:
    def test_a_figure_of_experiments_needs_their_files_and_no_cell(self):
        study = plan(with_experiment())
        expected = {"experiments": ["exact/gaussians.csv", "exact/gaussians.jsonl"]}
        assert inputs.of_figure(study, "figure_9") == expected
        assert planning.figure_cells(study, "figure_9") == []
        assert planning.appearance(study, "figure_9")["metrics"] == {}
        assert study.component("experiments", "gaussians")["rho"] == 7.0

    def test_code_of_an_experiment_is_its_own(self):
        study = plan(with_experiment())
        code = study.code("run_exact", experiments="gaussians")
        assert code != study.code("run_exact")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"experiments": None},
                r"figures\.figure_9\.experiments: missing; required for figures of kind",
            ),
            ({"experiments": ["gaussian"]}, r"'gaussian' is not defined in experiments; did you"),
            (
                {"panels": [{"models": ["vp_uncond"], "samplers": ["HEUN"]}]},
                r"figures\.figure_9\.panels: figures of kind 'exact_schedules' take experiments",
            ),
            ({"kind": "curves", "options": None, "metric": "is2"}, r"figure_9\.panels: missing"),
            ({"options": OPTIONS | {"map_step": 3}}, r"map_step: unknown option of 'exact_sched"),
        ],
    )
    def test_mistakes_are_named(self, changes, message):
        with pytest.raises(ValueError, match=message):
            plan(with_experiment(**changes))

    def test_options_of_an_experiment_are_checked(self):
        config = with_experiment()
        config["experiments"]["gaussians"]["num_steps"] = [10, "18"]
        with pytest.raises(
            ValueError, match=r"experiments\.gaussians\.num_steps\[1\]: '18' is not int"
        ):
            plan(config)
