"""Experiments on trained schedules and their figure: rows, verdicts, crossings, mistakes."""

import copy

import numpy as np
import pandas as pd
import pytest
from made_checkpoints import DIM, STD, checkpoint, losses, series, turning
from standin import Named, standin
from test_configuration import TINY, plan
from test_scripts import main

from uncanny.diffusion.theory.targets import Gaussian
from uncanny.experiments import checkpoint_records
from uncanny.figures import figure_data, saving
from uncanny.figures._experiment_axes import COLORS
from uncanny.figures.trained_schedules import facts
from uncanny.figures.trained_schedules import trained_schedules as draw
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.study.plan import experiments as plan_experiments

run = components.load("experiments", "trained_schedules")
SCHEDULES = {"solvers": ("sde", "heun"), "schedules": ("polynomial", "exponential", "derived")}


@pytest.fixture(scope="module")
def results():
    return run(series(**SCHEDULES))


class TestCheckpoint:
    def test_terms_are_those_of_the_known_target(self):
        from uncanny.diffusion.theory.decomposition import decompose
        from uncanny.diffusion.theory.grids import exponential

        made, exact = checkpoint(3, turning(3), width=STD), Gaussian([STD], [DIM])
        nodes = exponential(12)
        terms = made.terms(nodes)
        truth = decompose(exact, nodes, np.zeros((1, 13)))
        assert terms.discretisation == pytest.approx(truth.discretisation, rel=0.02)
        assert float(terms.score) == pytest.approx(0, abs=1e-9)
        assert terms.initialisation == pytest.approx(DIM * STD**2 / (2 * 80**2))

    def test_records_are_read_in_pairs(self, tmp_path):
        made = checkpoint(2, turning(2))
        record = {
            k: getattr(made, k)
            for k in ("model", "dataset", "metric", "seed", "epoch", "step", "scores")
        }
        files.write_json(tmp_path / "compared.json", record)
        files.write_json(tmp_path / "losses.json", dict(made.losses))
        (again,) = checkpoint_records.read([tmp_path / "compared.json"], [tmp_path / "losses.json"])
        assert again == made
        files.write_json(tmp_path / "other.json", losses(0.1, model="ring", seed=0, epoch=3))
        with pytest.raises(
            ValueError,
            match=r"other\.json: model, seed, epoch are \['ring', 0, 3\]; expected \['ring', 0, 2\]",
        ):
            checkpoint_records.read([tmp_path / "compared.json"], [tmp_path / "other.json"])
        with pytest.raises(ValueError, match=r"losses\.json: not samples of a checkpoint"):
            checkpoint_records.read([tmp_path / "losses.json"], [tmp_path / "losses.json"])


class TestExperiment:
    def test_one_row_per_sampler_and_draw(self, results):
        table, _ = results
        assert len(table) == 2 * 6 * 2 * 3 * 3
        keys = ["model", "seed", "epoch", "solver", "num_steps", "schedule", "draw"]
        assert not table.duplicated(keys).any()
        np.testing.assert_allclose(table["path_kl"], table[["E_I", "E_D", "E_S"]].sum(axis=1))

    def test_a_change_of_sides_is_found_where_it_is(self, results):
        _, lines_of = results
        samples = [e for e in lines_of if e["metric"] == "w2"]
        assert len(samples) == 4  # two training seeds, two solvers
        for entry in samples:
            assert entry["verdict"] == "supports"
            assert entry["crossing"] == {"epoch": 4.0, "interval": [2.0, 4.0], "direction": "P->E"}
            assert entry["R_at_crossing"] > 0
            assert (entry["experiment"], entry["seeds"], entry["family"]) == ("N", 3, None)
        assert {e["solver"] for e in lines_of if e["metric"] == "path_kl"} == {"sde"}

    def test_the_prediction_rests_on_the_models_own_loss(self):
        """Detail is learned from coarse to fine: first the polynomial schedule, then the other."""
        _, lines_of = run(series(epochs=(1, 2, 3, 4, 5, 6, 8, 10), seeds=(0,)))
        assert {e["predicted_crossing"] for e in lines_of} == {8.0}
        (bound,) = (e for e in lines_of if e["metric"] == "path_kl")
        assert bound["verdict"] == "supports"
        assert bound["crossing"]["interval"] == [6.0, 8.0]

    def test_the_same_schedule_throughout_is_no_crossover(self):
        _, lines_of = run(series(at=0, seeds=(0,)))
        (entry,) = (e for e in lines_of if e["metric"] == "w2")
        assert (entry["verdict"], entry["crossing"]["epoch"]) == ("no_crossover", None)

    def test_samples_that_are_not_finite_are_not_judged(self):
        made = series(seeds=(0,))
        made[1].scores[0]["value"] = None
        table, lines_of = run(made)
        assert table["value"].isna().sum() == 1
        assert lines_of[0]["crossing"]["interval"] == [2.0, 4.0]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"epochs": (0, 4)},
                r"sde with 10 steps: checkpoints \[0, 4\]; a crossing needs at least 3",
            ),
            ({"draws": 1}, r"sampling seeds \[0\]; a verdict needs at least 2"),
            ({"schedules": ("polynomial",)}, "no samples with the exponential schedule"),
        ],
    )
    def test_mistakes_are_named(self, options, message):
        with pytest.raises(ValueError, match=message):
            run(series(seeds=(0,), **options))

    def test_the_script_writes_table_verdicts_and_summary(self, tmp_path):
        made = series(seeds=(0,))
        paths = {"compared": [], "losses": []}
        for number, c in enumerate(made):
            record = {
                k: getattr(c, k)
                for k in ("model", "dataset", "metric", "seed", "epoch", "step", "scores")
            }
            for name, value in (("compared", record), ("losses", dict(c.losses))):
                paths[name].append(str(tmp_path / f"{name}-{number}.json"))
                files.write_json(paths[name][-1], value)
        names = {"table": "a.csv", "verdicts": "a.jsonl", "summary": "a.json"}
        output = Named(**{key: str(tmp_path / name) for key, name in names.items()})
        params = {"options": {"kind": "trained_schedules"}}
        main(
            "run_trained",
            standin(tmp_path / "log", params=params, input=Named(**paths), output=output),
        )
        assert len(pd.read_csv(output.table)) == 6 * 2 * 3
        assert files.read_json(output.summary)["verdict"] == "supports"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    more = series(seeds=(0,), model="digits", **SCHEDULES)
    for name, made in (("ring", series(**SCHEDULES)), ("handwriting", more)):
        table, lines_of = run(made)
        table.to_csv(folder / f"{name}.csv", index=False)
        files.write_json_lines(folder / f"{name}.jsonl", lines_of)
    paths = [folder / f"{n}.{s}" for n in ("ring", "handwriting") for s in ("csv", "jsonl")]
    looks = {"ring": {"label": "ring, EDM"}, "digits": {}}
    metrics = {"w2": {"label": "Sliced W2"}}
    return figure_data.FigureData(
        **figure_data.read({"experiments": paths}), models=looks, metrics=metrics
    )


class TestFigure:
    def test_lines_hold_the_values_of_the_table(self, data, tmp_path):
        figure, drawn = draw(data, [], model="ring", other="digits", nfe=10)
        saving.save(figure, drawn, tmp_path / "f")
        table = pd.read_csv(tmp_path / "f.csv")
        assert facts(table) == drawn.attrs["facts"]
        of_schedule = COLORS["exponential"]
        (line,) = [line for line in figure.axes[0].get_lines() if line.get_color() == of_schedule]
        curve = table[(table["role"] == "curve") & (table["schedule"] == "exponential")]
        assert line.get_ydata().tolist() == pytest.approx(curve["value"].tolist())
        assert line.get_xdata().tolist() == curve["step"].tolist()

    def test_the_derived_schedule_is_compared_with_the_better_one(self, data):
        _, drawn = draw(data, [], model="ring", other="digits", nfe=10)
        gains = drawn[drawn["role"] == "gain"]
        assert len(gains) == 4  # two models, two solvers
        assert (gains["schedule"] == "exponential").all()
        assert gains["value"].to_numpy() == pytest.approx(0.8 / 0.9, abs=0.002)
        assert (gains["upper"] < 1).all()

    def test_a_panel_of_differences_has_one_solver(self, data):
        figure, drawn = draw(data, [], model="ring", other="digits", nfe=10)
        gaps = drawn[drawn["role"] == "difference"].groupby("panel")
        assert gaps["solver"].first().tolist() == ["sde", "heun"] * 2
        assert (gaps["solver"].nunique() == 1).all()
        assert figure.axes[2].get_title(loc="left").endswith("samples, reverse SDE")
        labels = [ax.get_ylabel() for ax in figure.axes[1:6]]
        assert labels[0].startswith("Path KL: exponential")
        assert all(label == "Sliced W2: exponential\nabove polynomial (%)" for label in labels[1:])

    def test_crossings_stand_at_their_updates(self, data):
        _, drawn = draw(data, [], model="ring", other="digits", nfe=10)
        turns = drawn[(drawn["role"] == "crossing") & (drawn["metric"] == "w2")]
        assert turns["value"].tolist() == [80.0] * 4

    def test_what_the_experiments_lack_is_named(self, data):
        with pytest.raises(ValueError, match="no rows with model 'mnist'"):
            draw(data, [], model="mnist", other="digits")
        with pytest.raises(ValueError, match="no rows with model 'ring', solver 'sde', nfe 11"):
            draw(data, [], model="ring", other="digits", nfe=11)


def with_experiment(**changes):
    config = copy.deepcopy(TINY)
    config["milestones"] = [0, 1, 2]
    config["samplers"]["DER"] = {"kind": "heun", "num_steps": 4, "grid": "derived"}
    block = {"kind": "trained_schedules", "models": ["ve_cond"], "samplers": ["HEUN", "DER"]}
    block |= {"metric": "kid", "sampling_seeds": [0, 1], "num_images": 20}
    config["experiments"] = {"ring": block | changes}
    return config


class TestPlan:
    def test_every_checkpoint_is_sampled_once_and_measured(self):
        study = plan(with_experiment())
        assert plan_experiments.compared(study, "ring") == [
            f"compared/ring/ve_cond/seed-0/epoch-{epoch}.json" for epoch in (0, 1, 2)
        ]
        assert plan_experiments.losses(study, "ring")[0] == "losses/ve_cond/seed-0/epoch-0.json"
        assert plan_experiments.files(study, "ring") == ["trained/ring.csv", "trained/ring.jsonl"]
        block = plan_experiments.comparison(study, "ring", "ve_cond")
        assert block["extent"] == {"sampling_seeds": [0, 1], "num_images": 20}
        grid = block["samplers"]["DER"]["init_sampling"]["grid"]
        assert grid == {"kind": "derived", "even_share": 0.5}
        assert plan_experiments.options(study, "ring") == {"kind": "trained_schedules"}

    def test_a_grid_from_losses_needs_them(self):
        study = plan(with_experiment())
        assert study.needs_losses("DER", "ve_cond")
        assert not study.needs_losses("HEUN", "ve_cond")
        assert not study.needs_losses("DDIM", "ddpm_cosine")
        assert plan_experiments.derives(study, "ring", "ve_cond")

    def test_code_follows_samplers_and_metric(self):
        code = plan_experiments.code(plan(with_experiment()), "ring", "ve_cond")
        fewer = plan(with_experiment(samplers=["HEUN"]))
        assert code != plan_experiments.code(fewer, "ring", "ve_cond")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"sampling_seeds": [3]},
                r"experiments\.ring\.sampling_seeds: \[3\]; a verdict on kid takes at least 2",
            ),
            ({"models": ["vp"]}, r"experiments\.ring\.models: 'vp' is not defined in models"),
            ({"samplers": ["HEUM"]}, r"'HEUM' is not defined in samplers; did you mean 'HEUN'"),
            ({"samplers": ["DDIM"]}, r"samplers: 'DDIM' takes eps_model, but model 've_cond'"),
            (
                {"models": ["ncsnv2"]},
                r"models: 'ncsnv2' is a annealed model; expected a continuous",
            ),
            ({"metric": "fid"}, r"experiments\.ring\.metric: 'fid' is not defined in metrics"),
            ({"metric": None}, r"experiments\.ring\.metric: None is not str"),
            ({"seed": [0]}, r"experiments\.ring\.seed: unknown option"),
        ],
    )
    def test_mistakes_are_named(self, changes, message):
        with pytest.raises(ValueError, match=message):
            plan(with_experiment(**changes))

    def test_a_series_too_short_for_a_crossing(self):
        config = with_experiment()
        config["milestones"] = [1, 2]
        with pytest.raises(
            ValueError, match=r"'ve_cond' has milestones \[1, 2\]; a crossing takes at least 3"
        ):
            plan(config)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"grid": {"kind": "polynomial", "rho": -7}},
                r"EUL\.grid\.rho: -7; expected a number in \(0",
            ),
            (
                {"grid": {"kind": "polynomial", "rho": 0}},
                r"EUL\.grid\.rho: 0; expected a number in \(0",
            ),
            (
                {"grid": {"kind": "derived", "even_share": 2}},
                r"even_share: 2; expected a number in \[0, 1\]",
            ),
            ({"num_steps": 1}, r"EUL\.num_steps: 1; expected at least 2"),
            (
                {"sigma_min": 5.0, "sigma_max": 1.0},
                r"EUL\.sigma_max: 1\.0; expected more than sigma_min",
            ),
            ({"sigma_min": -1.0}, r"EUL\.sigma_min: -1\.0; expected a number in \(0"),
        ],
    )
    def test_a_grid_that_does_not_fall_is_refused_before_any_work(self, changes, message):
        config = copy.deepcopy(TINY)
        config["samplers"]["EUL"] |= changes
        with pytest.raises(ValueError, match=message):
            plan(config)
