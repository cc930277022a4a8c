"""Tables: they follow the config and the records, cover every kind, and print what the paper prints."""

import copy
import math
import re
from fractions import Fraction
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from exact import unused
from resolved import sampler as resolved
from test_configuration import SHIPPED, TINY, plan
from test_scripts import call

from uncanny.diffusion import chain, forward, noise_range, schedules
from uncanny.diffusion.linear_process import sampling_times
from uncanny.registry import components
from uncanny.runtime import files, table_files
from uncanny.samplers import nfe as evaluations
from uncanny.study.plan import tables as plan_of_tables
from uncanny.study.resolved_blocks import model_interface
from uncanny.tables import (
    Contents,
    classifier_parameters,
    format_value,
    formulas,
    hyper_parameters,
    noise_levels,
    paper,
    sampler_parameters,
    stochastic_parameters,
    times,
)

KINDS = components.kinds("tables")
PHASE = {"phase_euler", "sscs", "probability_flow"}  # counted in test_phase_samplers
ADAPTIVE = {"rk45"}  # counts differ between images


def literals(family, option):
    return get_args(components.init_options(family)[option][0])


# --- The study of the tests, as the plan hands it over -------------------------------------------

TINY = copy.deepcopy(TINY)
TINY["processes"]["vp"]["label"] = "VP"
TINY["samplers"] |= {
    "OWN": {
        "kind": "euler",
        "by_process": {
            "vp": {"num_steps": 6, "grid": "vp", "time": "vp", "scaling": "vp"},
            "ve": {"num_steps": 8, "grid": "ve", "time": "ve"},
        },
    },
    "STOi": {"kind": "heun", "num_steps": 64, "grid": "polynomial", "S_churn": 10.0, "S_tmin": 0.05,
             "S_tmax": 50.0, "S_noise": 1.003},
}  # fmt: skip


def fits(study, sampler, model):
    """Whether a sampler asks for what a model gives."""
    asked = components.signature("samplers", study.sampler_kind(sampler, model)).first
    return asked == model_interface(study.block("processes", study.names(model)["process"])["kind"])


def contents(config=TINY, **changes):
    study = plan(config)
    models = list(config["models"])
    samplers = {
        s: {m: study.sampler(s, m) for m in models if fits(study, s, m)} for s in config["samplers"]
    }
    labels = {
        section: {n: b["label"] for n, b in config[section].items() if "label" in b}
        for section in ("models", "samplers", "processes")
    }
    fields = {
        "models": {m: study.identity(m) for m in models},
        "processes": {m: study.names(m)["process"] for m in models},
        "samplers": samplers,
        "labels": labels,
    }
    return Contents(**fields | changes)


def column(frame, name, key="parameter"):
    return dict(zip(frame[key], frame[name], strict=True))


def changed(section, name, **options):
    config = copy.deepcopy(TINY)
    config[section][name] |= options
    return contents(config)


class TestSamplers:
    def test_parameters_of_a_sampler(self):
        frame = sampler_parameters.sampler_parameters(contents())
        own = column(frame, "OWN (VP)")
        assert own["solver"] == "Euler, 1st order"
        assert own["time steps t_i"] == "1 + i/(N−1)·(ε_s − 1)"
        assert own["noise level σ(t)"] == "√(exp(β_d·t²/2 + β_min·t) − 1)"
        assert own["scaling s(t)"] == "1/√(1 + σ²)"
        assert own["constants"] == "ε_s = 0.001, β_d = 19.9, β_min = 0.1"
        assert own["σ_min … σ_max"] == "0.010486 … 152.167"
        assert (own["steps N"], own["evaluations (NFE)"]) == ("6", "6")
        assert column(frame, "OWN (ve)")["σ_min … σ_max"] == "0.02 … 100"
        assert "eta 0" in column(frame, "DDIM")["further options"].split("; ")

    def test_processes_share_a_column_where_the_options_are_the_same(self):
        shared = column(sampler_parameters.sampler_parameters(contents()), "HEUN")
        assert shared["processes"] == "VP, ve"
        assert shared["σ_min … σ_max"] == "VP: 0.002 … 80; ve: 0.02 … 80"
        assert shared["noise level σ(t)"] == "t"
        assert shared["evaluations (NFE)"] == "7"

    @pytest.mark.parametrize(
        ("options", "row", "cell"),
        [
            ({"num_steps": 9}, "evaluations (NFE)", "17"),
            ({"grid": {"kind": "polynomial", "rho": 5.0}}, "constants", "ρ = 5"),
            ({"grid": "exponential"}, "time steps t_i", formulas.GRIDS["exponential"]),
            ({"time": "ve"}, "noise level σ(t)", "√(t)"),
            ({"scaling": "vp"}, "scaling s(t)", "1/√(1 + σ²)"),
            ({"sigma_min": 0.1}, "σ_min … σ_max", "0.1 … 80"),
            ({"kind": "euler"}, "solver", "Euler, 1st order"),
            ({"alpha": 0.5}, "further options", "alpha 0.5"),
        ],
    )
    def test_a_cell_follows_the_config(self, options, row, cell):
        before, after = (
            column(sampler_parameters.sampler_parameters(c), "HEUN")
            for c in (contents(), changed("samplers", "HEUN", **options))
        )
        assert before[row] != cell
        assert after[row] == cell

    def test_rows_hold_the_same_as_columns(self):
        wide = sampler_parameters.sampler_parameters(contents())
        long = sampler_parameters.sampler_parameters(contents(), layout="rows")
        assert long["sampler"].tolist() == wide.columns[1:].tolist()
        assert (long.iloc[:, 1:].to_numpy() == wide.iloc[:, 1:].to_numpy().T).all()

    def test_equal_labels_are_told_apart(self):
        config = copy.deepcopy(TINY)
        config["samplers"]["EUL"]["label"] = "Heun"
        config["samplers"]["HEUN"]["label"] = "Heun"
        frame = sampler_parameters.sampler_parameters(contents(config))
        assert {"Heun", "Heun [EUL]"} <= set(frame.columns)

    def test_levels_of_langevin_dynamics_may_follow_from_the_data(self):
        process = {"kind": "annealed", "sigma_max": None, "sigma_min": 0.01, "num_levels": None}
        options = resolved("annealed", {"kind": "annealed_langevin"})
        made = {
            "models": {"ncsnv2": {"process": process}},
            "processes": {"ncsnv2": "ncsn"},
            "samplers": {"LANG": {"ncsnv2": options}},
        }
        cells = column(sampler_parameters.sampler_parameters(Contents(**made)), "LANG")
        assert cells["evaluations (NFE)"] == "follows from the data"
        assert cells["constants"] == "L = from the data, ε = from the data"
        process |= {"num_levels": 232, "sigma_max": 50.0}
        cells = column(sampler_parameters.sampler_parameters(Contents(**made)), "LANG")
        assert cells["evaluations (NFE)"] == "1161"
        assert cells["σ_min … σ_max"] == "0.01 … 50"

    @pytest.mark.parametrize(
        ("changes", "times", "evaluations"),
        [
            ({}, "ε_s + (1 − ε_s)·(1 − i/K)², K = 49", "50"),
            ({"kind": "sscs", "order": 2}, "ε_s + (1 − ε_s)·(1 − i/K)², K = 49", "99"),
            (
                {"kind": "probability_flow", "times": "ends", "num_steps": None},
                "chosen image by image, from 1 to ε_s",
                "follows from the data",
            ),
        ],
    )
    def test_sampling_in_phase_space(self, changes, times, evaluations):
        options = {"num_steps": 50, "times": "quadratic", "epsilon_s": 0.001, "denoise": True}
        options = resolved("phase_space", {"kind": "phase_euler"} | options | changes)
        made = {
            "models": {"m": {"process": {"kind": "phase_space"}}},
            "processes": {"m": "psld"},
            "samplers": {"S": {"m": options}},
        }
        cells = column(sampler_parameters.sampler_parameters(Contents(**made)), "S")
        assert cells["time steps t_i"] == times
        assert cells["evaluations (NFE)"] == evaluations
        assert cells["constants"] == "ε_s = 0.001"


class TestFormulas:
    """Formulas are evaluated and compared with the code that they describe."""

    def test_every_kind_has_its_formula(self):
        assert set(formulas.SOLVERS) <= set(components.kinds("samplers"))
        assert set(formulas.GRIDS) <= set(components.kinds("sigma_grids"))
        assert set(formulas.CLOCKS) == set(formulas.INVERSES) == set(literals("continuous", "time"))
        assert set(formulas.SCALINGS) == set(literals("continuous", "scaling"))
        assert set(formulas.TIMES) == set(literals("discrete", "times"))
        assert set(formulas.PHASE_TIMES) == set(literals("phase_space", "times"))

    @staticmethod
    def value(formula, **names):
        """A formula with numbers for its names; `, x = …` at its end defines x."""
        main, *where = formula.split(", ")
        scope = {"√": np.sqrt, "exp": np.exp, "log": np.log, "round": np.round, "trunc": np.trunc}
        for text in (*reversed(where), f"_ = {main}"):
            name, right = text.split(" = ")
            for written, meant in (("−", "-"), ("·", "*"), ("^", "**"), ("²", "**2"), ("√", "sqrt")):  # fmt: skip
                right = right.replace(written, meant)
            names[name] = eval(right, {"sqrt": np.sqrt} | scope, names)
        return names["_"]

    @pytest.mark.parametrize("time", sorted(formulas.CLOCKS))
    @pytest.mark.parametrize(
        "grid", sorted(set(formulas.GRIDS) - {"iddpm", "derived", "ends", "levels"})
    )
    def test_time_steps_and_noise_levels(self, grid, time):
        N, low, high = 9, 0.02, 100.0
        options = {"polynomial": {"rho": 7.0}, "vp": {"epsilon_s": 0.001}, "ve": {"epsilon_s": 1e-5}}  # fmt: skip
        sigmas = components.load("sigma_grids", grid)(N, low, high, **options.get(grid, {}))[:-1]
        path = forward.Path.named(time, "vp", low, high)
        beta_d, beta_min = noise_range.vp_betas(low, high)
        names = {"N": N, "σ_min": low, "σ_max": high, "ρ": 7.0, "β_d": beta_d, "β_min": beta_min}
        names |= {"i": np.arange(N), "ε_s": options.get(grid, {}).get("epsilon_s")}
        assert np.allclose(self.value(formulas.GRIDS[grid], **names), sigmas, rtol=1e-9)
        t = self.value(formulas.time_steps(grid, time), **names)
        assert np.allclose(t, path.sigma_inv(sigmas), rtol=1e-9, atol=1e-12)
        sigma = self.value(formulas.CLOCKS[time], t=t, **names)
        assert np.allclose(sigma, sigmas, rtol=1e-9)
        scale = self.value(formulas.SCALINGS["vp"], **{"σ": sigma})
        assert np.allclose(scale, path.scale(path.sigma_inv(sigmas)), rtol=1e-9)

    @pytest.mark.parametrize(("T", "N"), [(1000, 50), (1000, 250), (100, 7)])
    def test_times_of_the_discrete_process(self, T, N):
        names = {"T": T, "N": N, "i": np.arange(N)}
        for kind, result in (("ddim", schedules.ddim_times), ("ancestral", schedules.ancestral_times), ("quad", schedules.quad_times)):  # fmt: skip
            assert self.value(formulas.TIMES[kind], **names).tolist() == result(T, N)[:-1].tolist()

    def test_the_published_ddim_leaves_one_time_out(self):
        result = self.value(formulas.TIMES["ddim"], T=1000, N=999, i=np.arange(999)).tolist()
        assert result == [t for t in range(999, -1, -1) if t != 998]

    def test_noise_level_and_scaling_of_the_discrete_process(self):
        a = chain.alphas_cumprod(schedules.linear(1000)).numpy()
        sigma, scale = (
            self.value(formulas.DISCRETE[k].split(",")[0], a_t=a) for k in ("sigma", "scale")
        )
        assert np.allclose(scale, 1 / np.sqrt(1 + sigma**2), rtol=1e-9)

    @pytest.mark.parametrize("grid", ["uniform", "quadratic"])
    def test_times_of_a_recipe(self, grid):
        names = {"K": 9, "i": np.arange(10), "ε_s": 0.001}
        result = self.value(formulas.PHASE_TIMES[grid], **names)
        assert np.allclose(result, sampling_times(10, grid)[:-1], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("kind", sorted(set(components.kinds("samplers")) - PHASE - ADAPTIVE))
    def test_evaluations_are_those_of_a_run(self, kind):
        counted = []

        def model(x, level):
            counted.append(level)
            return torch.zeros_like(x)

        model.alphas_cumprod = chain.alphas_cumprod(schedules.cosine(1000))
        known = components.signature("samplers", kind).options
        options = {name: default for name, (_, default) in known.items()} | {"num_steps": 6}
        x = torch.ones(1, 2, dtype=torch.float64)
        grid = components.load("sigma_grids", "vp")(6, 0.01, 100.0)
        scaling = "none" if kind == "reverse_sde" else "vp"  # which is unscaled
        levels, extra = (grid, {"path": forward.Path.named("vp", scaling, 0.01, 100.0)})
        if components.signature("samplers", kind).first == "eps_model":
            levels, extra = schedules.ddim_times(1000, 6), {}
        if kind == "annealed_langevin":
            levels, extra = grid[:-1], {"steps_per_level": 3, "denoise": True}
            options |= extra | {"num_levels": 6}
        components.load("samplers", kind)(model, x, levels, noise=lambda i, like: torch.zeros_like(like), **extra)  # fmt: skip
        assert evaluations.nfe({"kind": kind, "options": options, "init_sampling": {}}, {}) == len(counted)  # fmt: skip


class TestStochastic:
    def test_a_row_says_what_a_step_adds(self):
        frame = stochastic_parameters.stochastic_parameters(contents())
        assert frame["sampler"].tolist() == ["STOi", "STOi"]  # others add no noise
        row = frame.iloc[0]
        assert row["process"] == "VP"
        assert row["gamma per step"] == 10 / 64
        assert row["S_churn for 256 steps"] == 40
        assert row.iloc[-1] == "40, 0.05, 50, 1.003"

    def test_counts_of_churned_steps_are_those_of_the_spec(self):
        config = copy.deepcopy(TINY)
        published = {"kind": "heun", "num_steps": 256, "grid": "polynomial", "S_tmax": 1.0, "S_noise": 1.007}  # fmt: skip
        config["samplers"] = {
            "STOc": published
            | {
                "by_process": {
                    "vp": {"S_churn": 30.0, "S_tmin": 0.01},
                    "ve": {"S_churn": 80.0, "S_tmin": 0.05},
                }
            },
            "STOi": published | {"S_churn": 40.0, "S_tmin": 0.05, "S_tmax": 50.0, "S_noise": 1.003},
        }
        frame = stochastic_parameters.stochastic_parameters(contents_of(config))
        assert frame["steps with noise"].tolist() == [84, 69, 191, 216]
        assert frame["gamma per step"].round(4).tolist() == [0.1172, 0.3125, 0.1562, 0.1562]

    def test_nothing_to_show_is_an_error(self):
        with pytest.raises(ValueError, match="no sampler with S_churn above 0"):
            stochastic_parameters.stochastic_parameters(Contents())


def contents_of(config):
    """Of a config whose figures, tables and claims do not matter."""
    config = {k: v for k, v in config.items() if k not in {"tables", "claims"}}
    config["figures"] = {
        "figure_1": {"kind": "curves", "metric": "is2",
                     "panels": [{"models": ["vp_uncond"], "samplers": ["STOc"]}]}
    }  # fmt: skip
    return contents(config)


class TestHyperParameters:
    def test_models_with_the_same_parameters_share_a_column(self):
        config = copy.deepcopy(TINY)
        config["models"]["ddpm_linear"] = copy.deepcopy(config["models"]["ddpm_cosine"])
        config["models"]["ddpm_linear"]["identity"]["schedule"] = "lin100"
        frame = hyper_parameters.hyper_parameters(contents(config))
        assert list(frame.columns[1:]) == [
            "DDPM (ddpm)", "DDPM (ddpm), paper", "DDPM++ (VP)", "DDPM++ (VP), paper", "NCSN++ (ve)", "NCSN++ (ve), paper",
            "NCSNv2 (ncsn)", "NCSNv2 (ncsn), paper",
        ]  # fmt: skip
        ours, printed = (column(frame, n) for n in ("DDPM (ddpm)", "DDPM (ddpm), paper"))
        assert ours["models"] == "ddpm_cosine, ddpm_linear"
        assert (ours["batch size"], printed["batch size"]) == ("128", "32")
        assert (ours["learning rate"], printed["learning rate"]) == ("0.002", "0.001")
        assert (ours["dropout"], printed["dropout"]) == ("0.1", "0.13")
        assert (ours["diffusion steps"], printed["diffusion steps"]) == ("1000", "1000")
        assert (ours["depth"], printed["depth"]) == ("2", "4")
        assert column(frame, "NCSN++ (ve)")["resampling filter"] == "bilinear"
        assert column(frame, "DDPM++ (VP)")["resampling filter"] == "box"
        assert column(frame, "NCSN++ (ve), paper")["noise embedding"] == "Fourier"

    def test_another_option_is_another_column(self):
        config = copy.deepcopy(TINY)
        config["training"]["slow"] = config["training"]["adam"] | {"lr": 0.0001}
        config["models"]["vp_slow"] = copy.deepcopy(config["models"]["vp_uncond"])
        config["models"]["vp_slow"]["identity"]["training"] = "slow"
        frame = hyper_parameters.hyper_parameters(contents(config))
        assert column(frame, "DDPM++ (VP): VP")["learning rate"] == "0.002"
        assert column(frame, "DDPM++ (VP): VP [vp_slow]")["learning rate"] == "0.0001"

    def test_options_that_are_rarely_set_are_rows_where_they_are(self):
        config = copy.deepcopy(TINY)
        rows = "prediction", "variance of steps", "label dropout"
        usual = hyper_parameters.hyper_parameters(contents(config))
        assert not set(rows) & set(usual["parameter"])
        config["processes"]["ddpm"] |= {"prediction": "v", "variance": "learned_range"}
        config["training"]["adam"]["label_dropout"] = 0.1
        frame = hyper_parameters.hyper_parameters(contents(config))
        values = [
            [column(frame, name)[row] for row in rows] for name in ("DDPM (ddpm)", "NCSN++ (ve)")
        ]
        # Of these two models, the second is class-conditional
        assert values == [["v", "learned_range", ""], ["", "", "0.1"]]

    def test_a_crossed_model_has_no_column_of_the_paper(self):
        config = copy.deepcopy(TINY)
        config["models"]["vp_uncond"]["identity"]["network"] = "ncsnpp"
        frame = hyper_parameters.hyper_parameters(contents(config))
        assert "NCSN++ (VP)" in frame.columns
        assert "NCSN++ (VP), paper" not in frame.columns

    def test_every_network_and_average_is_known(self):
        networks = set(components.kinds("networks")) - {"encoder_unet", "song_encoder"}
        assert networks >= {*hyper_parameters.ARCHITECTURES, "song_unet"}
        embeddings = components.signature("networks", "song_unet").options["embedding"][0]
        assert set(hyper_parameters.SONG_UNETS) == set(get_args(embeddings))
        half = {"kind": "halflife", "halflife_images": 500000, "rampup": 0.05}
        assert hyper_parameters._average(half) == (
            "half-life of 500000 images, at most 0.05 of the images seen"
        )


def test_a_classifier_stands_beside_the_papers():
    network = {"kind": "encoder_unet"} | components.resolve("networks", "encoder_unet", {}, "x")
    training = {"batch_size": 32, "epochs": 20, "lr": 0.0003, "weight_decay": 0.0, "augment": "none", "seed": 0}  # fmt: skip
    made = {"noisy": training | {"network": network}}
    made["untrained"] = made["noisy"] | {"epochs": 0, "seed": 7}
    frame = classifier_parameters.classifier_parameters(
        Contents(classifiers=made, labels={"classifiers": {"noisy": "trained"}})
    )
    ours, none, printed = (column(frame, n) for n in ("trained", "untrained", "paper"))
    same = {"width", "channel multipliers", "residual blocks per level", "attention resolutions", "channels per head",
            "scale-shift norm", "resampling", "pooling", "batch size"}  # fmt: skip
    assert {row for row, value in printed.items() if value == ours[row]} == same
    assert (ours["epochs"], printed["epochs"]) == ("20", "200")
    assert (none["epochs"], none["learning rate"], none["seed"]) == ("0", "–", "7")


# --- Times ---------------------------------------------------------------------------------------


def sampled(model, sampler, ms, nfe, guidance="none", **changes):
    seconds = [m * nfe / 1000 for m in ms]
    return {
        "what": "sampling", "status": "ok", "model": model, "sampler": sampler, "guidance": guidance, "nfe": nfe,
        "num_steps": nfe, "batch_size": 40, "ms_per_nfe": ms, "seconds_per_image": seconds,
        "precision": "fp32", "device": "cpu", "peak_memory_mb": 300.0,
    } | changes  # fmt: skip


def trained(model, ms):
    return {
        "what": "training", "status": "ok", "model": model, "ms_per_update": ms, "updates_per_epoch": 45.0,
        "batch_size": 32, "precision": "fp32", "device": "cpu", "peak_memory_mb": 300.0,
    }  # fmt: skip


RECORDS = [
    trained("ddpm_cosine", [10.0, 11.0, 12.0, 13.0, 14.0]),
    trained("ve_cond", [24.0] * 5),
    sampled("ddpm_cosine", "MARK", [1.0, 2.0, 3.0, 4.0, 5.0], 50),
    sampled("ddpm_cosine", "MARK", [4.5] * 5, 50, guidance="G1"),
    sampled("ve_cond", "HEUN", [2.0] * 5, 31),
    sampled("ve_cond", "HEDM", [2.2] * 5, 35),
    sampled("ve_cond", "LANG", [], None, status="diverged", num_steps=None, batch_size=None),
]


def named(records):
    return [{k: r[k] for k in ("what", "model", "sampler", "guidance") if k in r} for r in records]


class TestTimes:
    def frame(self, **options):
        return times.times(contents(timings=RECORDS, timed=named(RECORDS)), **options)

    def test_medians_quartiles_and_minutes(self):
        frame = self.frame()
        assert frame["ms"].tolist()[:6] == [12, 24, 3, 4.5, 2, 2.2]
        row = frame.iloc[2]
        assert (row["ms, lower quartile"], row["ms, upper quartile"]) == (2, 4)
        assert row["repetitions"] == 5
        assert row["minutes"] == pytest.approx(0.003 * 50 * 10_000 / 60)
        assert frame.iloc[0]["minutes"] == pytest.approx(0.012 * 45 * 90 / 60)

    def test_the_papers_minutes_stand_beside(self):
        frame = self.frame()
        assert frame["paper minutes"].tolist()[:6] == [300, 408, 90, 132, 133, 7]
        assert frame["paper NFE"].tolist()[2:6] == [1000, 1000, 799, 35]
        assert frame["paper NFE from"].tolist()[2:6] == ["stated", "stated", "inferred", "anchored"]

    def test_only_what_is_named_is_shown_in_its_order(self):
        wanted = named([RECORDS[4], RECORDS[3]])
        frame = times.times(contents(timings=RECORDS, timed=wanted))
        assert frame["ms"].tolist() == [2, 4.5]

    def test_ratios_are_to_the_first_of_a_model(self):
        frame = self.frame()
        result = frame[["time ratio", "at equal NFE", "at the paper's NFE", "paper's ratio"]]
        assert result.iloc[0].tolist()[0] == 1
        assert result.iloc[1].tolist()[0] == 2
        assert result.iloc[1].tolist()[3] == pytest.approx(408 / 300)
        assert result.iloc[3].tolist() == pytest.approx([1.5, 1.5, 1.5, 132 / 90])
        expected = [1.1 * 35 / 31, 1.1, 1.1 * 35 / 799, 7 / 133]
        assert result.iloc[5].tolist() == pytest.approx(expected)

    def test_what_was_not_timed_is_empty(self):
        row = self.frame().iloc[6]
        assert row[["ms", "minutes", "time ratio", "NFE"]].isna().all()
        assert row["repetitions"] == 0

    def test_training_and_sampling_are_shown_apart(self):
        training, sampling = times.sections(self.frame()).values()
        assert training["model"].tolist() == ["DDPM, cosine", "VE, class-conditional"]
        assert "NFE" not in training and "work" not in training
        assert training["ms (quartiles)"].tolist() == ["12 (11 to 13)", "24 (24 to 24)"]
        columns = sampling.columns.tolist()
        for own, printed in (("minutes", "paper minutes"), ("NFE", "paper NFE")):
            assert columns.index(printed) == columns.index(own) + 1
        assert sampling["ms (quartiles)"].tolist()[-1] == ""  # diverged

    def test_one_kind_of_work(self):
        assert len(self.frame(work="training")) == 2
        with pytest.raises(ValueError, match="no timing records of training"):
            times.times(contents(timings=RECORDS[2:], timed=named(RECORDS)), work="training")


class TestPaper:
    """The printed times, and what follows from them by arithmetic (spec/study.md section 4)."""

    @staticmethod
    def minutes(**wanted):
        result = [r for r in paper.rows(paper.TIMES) if all(r[k] == v for k, v in wanted.items())]
        assert len(result) == 1, wanted
        return Fraction(result[0]["minutes"])

    def test_every_row_is_whole(self):
        table = paper.rows(paper.TIMES)
        assert len(table) == 25
        assert {r["table"] for r in table} == {"A.5", "A.6"}
        assert all(None not in r and None not in r.values() for r in table)
        assert {r["sure"] for r in table} == {"sure", "likely", "unsure"}
        assert {(r["nfe"] == "", r["basis"]) for r in table} == {
            (True, ""), (False, "stated"), (False, "anchored"), (False, "inferred"),
        }  # fmt: skip

    def test_training_throughput(self):
        def images_per_second(minutes):
            return 90 * 50_000 / (float(minutes) * 60)

        ddpm, vp, ve = (
            self.minutes(what="training", **k)
            for k in (
                {"config": "sigmoid"},
                {"process": "vp", "conditional": "no"},
                {"process": "ve", "conditional": "no"},
            )
        )
        assert round(images_per_second(ddpm)) == 252
        assert images_per_second(vp) == 187.5
        assert round(images_per_second(ve), 1) == 183.8
        assert round(float(ve / vp), 2) == 1.02

    def test_one_schedule_is_an_outlier(self):
        rows = [r for r in paper.rows(paper.TIMES) if (r["what"], r["process"]) == ("training", "ddpm")]  # fmt: skip
        median = np.median([float(r["minutes"]) for r in rows])
        outlier = self.minutes(what="training", config="linear 0.5")
        assert round(float(outlier) / median, 2) == 1.10

    def test_ratios_of_sampling(self):
        def of(sampler, **more):
            return self.minutes(sampler=sampler, **more)

        assert round(float(of("MARK", guidance="G1") / of("MARK", guidance="none")), 2) == 1.47
        assert round(float(of("DDIM", guidance="G1") / of("DDIM", guidance="none")), 2) == 2.60
        assert round(float(of("HEUNvp") / of("EULvp")), 2) == 0.49
        assert round(float(of("HEDM") / of("STOc", process="ve")), 4) == 0.0175

    def test_anchored_evaluations_agree_on_the_speed(self):
        rows = [r for r in paper.rows(paper.TIMES) if r["basis"] == "anchored"]
        rates = {float(r["nfe"]) / float(r["minutes"]) for r in rows if r["sampler"] != "HEDM"}
        assert 6.2 < min(rates) <= max(rates) < 7  # NFE per minute

    @pytest.mark.parametrize("scale", [0.25, 0.5, 0.75, 1.0])
    def test_linear_schedules_are_told_apart(self, scale):
        identity = {"process": {"kind": "discrete"}, "schedule": {"kind": "linear", "scale": scale}}
        row = paper.time_of({"what": "training"}, times.facts(identity | {"conditional": False}))
        assert row["config"] == f"linear {scale:g}"
        assert row["minutes"] == ("329" if scale == 0.5 else row["minutes"])

    def test_what_the_paper_does_not_time_has_no_row(self):
        facts = {"process": "ddpm", "config": "cosine", "conditional": "no"}
        record = {"what": "sampling", "sampler": "DDIM", "guidance": "G2"}
        assert paper.time_of(record, facts) is None
        ve = {"process": "ve", "config": "", "conditional": "no"}
        assert paper.time_of(record | {"sampler": "EUL", "guidance": "none"}, ve) is None

    def test_stochastic_parameters(self):
        assert paper.stochastic("STOc", "ve") == "80, 0.05, 1, 1.007"
        assert paper.stochastic("HEUN", "ve") == ""


# --- Files ---------------------------------------------------------------------------------------


def rendered():
    made = contents(timings=RECORDS, timed=named(RECORDS))
    yield sampler_parameters.sampler_parameters(made)
    yield sampler_parameters.sampler_parameters(made, layout="rows")
    yield stochastic_parameters.stochastic_parameters(made)
    yield hyper_parameters.hyper_parameters(made)
    yield times.times(made)


def test_every_table_is_a_sound_latex_file(tmp_path):
    for frame in rendered():
        table_files.write(frame, tmp_path / "table_X", title="50 % & more", caption="a_b")
        text, (shown, _) = (tmp_path / "table_X.tex").read_text(), table_files.condensed(frame)
        assert text.isascii(), {c for c in text if ord(c) > 127}
        bare = re.sub(r"\\[\\{}&%$#_]", "", text)
        assert bare.count("{") == bare.count("}")
        assert bare.count("$") % 2 == 0
        assert not re.search(r"(?<!\\)[%#~]|(?<![\\$])\^", text)
        assert re.findall(r"\\begin{(\w+)}", text) == re.findall(r"\\end{(\w+)}", text)[::-1]
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) == len(frame) + 1
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(shown.columns) - 1}


def test_the_csv_can_be_computed_with(tmp_path):
    frame = times.times(contents(timings=RECORDS, timed=named(RECORDS)))
    table_files.write(frame, tmp_path / "t", title="T", caption="")
    again = pd.read_csv(tmp_path / "t.csv")
    assert np.allclose(again["minutes"], frame["minutes"], equal_nan=True, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_needs(kind):
    assert components.load("tables", kind).__module__ == f"uncanny.tables.{kind}"
    module = __import__(f"uncanny.tables.{kind}", fromlist=[kind])
    needs = {"times": "timings", "published": "scores", "schedule_verdicts": "verdicts"}
    needs |= {"likelihoods": "likelihoods", "samplers": "scores", "scores_by_nfe": "scores"}
    assert needs.get(kind, "config") == module.NEEDS


def test_values_in_words():
    assert [format_value(v) for v in (None, True, 0.0003, 1e-5, 16, [1, 2], 1.0)] == [
        "none", "yes", "0.0003", "1e-05", "16", "1, 2", "1",
    ]  # fmt: skip


def test_noise_levels_are_those_of_sampling():
    study = plan(TINY)
    options = study.sampler("HEUN", "ve_cond")["init_sampling"]
    sigmas, path = noise_levels.noise_levels(options, study.identity("ve_cond")["process"])
    assert len(sigmas) == options["num_steps"] + 1
    assert (float(sigmas[0]), float(sigmas[-2]), float(sigmas[-1])) == pytest.approx((80, 0.02, 0))
    x = torch.zeros(1, 1, dtype=torch.float64)
    heun = components.load("samplers", "heun")
    sampled = heun(lambda x, sigma: x, x, sigmas, noise=unused, path=path)
    assert sampled.shape == x.shape and math.isfinite(float(sampled))


def test_components_are_these():
    assert KINDS == [
        "classifier_parameters", "hyper_parameters", "likelihoods", "published", "recipes", "sampler_parameters", "samplers", "schedule_verdicts",
        "scores_by_nfe", "stochastic_parameters", "times",
    ]  # fmt: skip


def test_ends_of_a_grid_that_follows_from_losses():
    options = plan(TINY).sampler("HEUN", "ve_cond")["init_sampling"]
    options = options | {"grid": {"kind": "derived", "even_share": 0.5}}
    sigmas, _ = noise_levels.noise_levels(options, plan(TINY).identity("ve_cond")["process"])
    assert (float(sigmas[0]), float(sigmas[-2]), len(sigmas)) == (80, 0.02, 5)


def test_the_script_makes_a_table_from_records_and_from_the_config(tmp_path):
    made = contents(timed=named(RECORDS))
    records = ("timings", "scores", "verdicts", "trained", "likelihoods")
    arguments = {name: value for name, value in made.__dict__.items() if name not in records}
    paths = [tmp_path / f"{number}.json" for number in range(2)]
    for path, result in zip(paths, (RECORDS[:3], RECORDS[3:]), strict=True):
        files.write_json(path, {"records": result})
    for kind, options, inputs in (
        ("times", {"work": "sampling"}, {"timings": [str(path) for path in paths]}),
        ("hyper_parameters", {}, {"timings": []}),
    ):
        block = {"kind": kind, "title": "A title", "caption": "A caption.", "options": options}
        outputs = {suffix: tmp_path / f"{kind}.{suffix}" for suffix in ("csv", "md", "tex")}
        outputs["page"] = tmp_path / f"{kind}.html"
        call("make_table", tmp_path, params={"table": block, "contents": arguments},
             inputs=inputs, outputs=outputs)  # fmt: skip
        assert outputs["md"].read_text().startswith("## A title\n")
        assert r"\label{tab:" + kind + "}" in outputs["tex"].read_text()
    assert len(pd.read_csv(tmp_path / "times.csv")) == 5


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_table_shows_no_raw_name(path):
    study = plan(yaml.safe_load(path.read_text()))
    for table in study.config["tables"]:
        labels = plan_of_tables.contents(study, table)["labels"]
        for section in ("models", "samplers", "guidances", "classifiers"):
            names = set(labels[section]) - {"none"}
            raw = [n for n in names if "label" not in study.config[section][n]]
            assert not raw, f"{table}: {section} without a label: {raw}"
