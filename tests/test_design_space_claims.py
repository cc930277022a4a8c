"""Claims that rest on experiments: verdicts in one vocabulary, terms that add up, what is missing."""

import copy
import importlib.util
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from made_checkpoints import series
from scipy import stats
from standin import Named, standin
from test_configuration import TINY
from test_configuration import plan as planned

from uncanny.claims.finding import NotTestable
from uncanny.claims.records import Experiments
from uncanny.diffusion.theory.verdicts import line, sampled
from uncanny.registry import components
from uncanny.runtime import files
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs
from uncanny.tables import Contents
from uncanny.tables.schedule_verdicts import schedule_verdicts, sections

trained = components.load("experiments", "trained_schedules")
cells = components.load("claims", "cell_verdicts")
add_up = components.load("claims", "terms_add_up")
EXACT = {
    "experiment": "G", "target": "manifold", "solver": "sde", "nfe": 40, "metric": "kl", "family": "bias",
    "better_when_well_trained": "exponential", "better_when_less_trained": "polynomial",
    "crossing": {"knob": 0.476, "interval": [0.46, 0.48], "direction": "E->P"},
    "effect": {"well": -0.6, "less": 0.2}, "R_at_crossing": 0.8, "predicted_crossing": 0.7, "verdict": "supports",
}  # fmt: skip
THRESHOLD = {
    **{"factor": 2.0, "threshold": 0.1, "ratio": 2.5, "low": 2.0, "high": 3.0, "p": 0.002},
    "is_bound": False,
}
TIMES = EXACT | {
    "experiment": "T", "target": "ring", "nfe": 10, "metric": "w2", "family": "both", "crossing": {"knob": None}, "trainings": 3,
    "thresholds": [THRESHOLD, THRESHOLD | {"factor": 1.5, "p": 0.01}, THRESHOLD | {"factor": 1.2, "ratio": None}],
}  # fmt: skip


def evidence(lines, rows=None):
    return Experiments({"made": rows}, {"made": lines}, {"a": {"experiments": ["made"]}})


class TestVerdicts:
    @pytest.mark.parametrize(
        ("word", "verdict"),
        [
            ("supports", "supported"), ("contradicts", "refuted"), ("no_crossover", "refuted"),
            ("partial", "inconclusive"), ("inconclusive", "inconclusive"),
        ],
    )  # fmt: skip
    def test_one_vocabulary(self, word, verdict):
        result = cells(evidence([EXACT | {"verdict": word}]), metric="kl", target="manifold")
        assert (result.verdict, result.p) == (verdict, None)  # nothing is sampled
        assert result.estimate == pytest.approx(-60)
        assert result.cells == ("manifold bias sde 40 evaluations",)

    def test_times_are_at_two_of_three_thresholds(self):
        result = cells(evidence([TIMES]), metric="w2", family="both")
        assert (result.verdict, result.p) == ("supported", pytest.approx(2 * 0.01))
        assert (result.estimate, result.low, result.high) == (2.5, 2.0, 3.0)
        assert "2.50 (2.00 to 3.00) to 2 times the best" in result.text
        assert result.text.endswith("none to 1.2 times the best")
        assert result.scope == "3 trainings"
        one = TIMES | {"thresholds": [THRESHOLD | {"p": None}, *TIMES["thresholds"][1:]]}
        assert cells(evidence([one]), metric="w2").verdict != "supported"

    def test_the_faster_side_may_be_either(self):
        """A base that never arrives where the other does is slower: an upper bound."""
        bound = THRESHOLD | {"ratio": 0.4, "low": 0.3, "high": 0.5, "is_bound": True}
        line = TIMES | {"thresholds": [bound, bound | {"factor": 1.5}, THRESHOLD | {"ratio": None}]}
        result = cells(evidence([line]), metric="w2")
        assert result.verdict == "refuted" and "at most 0.40 (0.30 to 0.50)" in result.text

    def test_an_unknown_error_of_one_training_decides_nothing(self):
        trained = EXACT | {
            "model": "ring",
            "train_seed": 0,
            "metric": "path_kl",
            "error": {"well": None},
        }
        result = cells(evidence([trained]), metric="path_kl")
        assert (result.verdict, result.p) == ("inconclusive", 1.0)

    def test_what_is_not_there_cannot_be_tested(self):
        with pytest.raises(
            NotTestable, match="a verdict on metric kl, solver sde, target ring, any"
        ):
            cells(evidence([EXACT]), metric="kl", target="ring")
        with pytest.raises(NotTestable, match="missing: experiment other"):
            cells(Experiments({}, {}, {"a": {"experiments": ["other"]}}), metric="kl")


def of_model(effects, seed=0, noise=0.0, rng=None):
    """Verdict on one training: relative differences [C], the longest trained checkpoint first, with
    errors of five sampling seeds.
    """
    rng = rng or np.random.default_rng(seed)
    values = np.array(effects, float)[:, None] + noise * rng.standard_normal((len(effects), 5))
    cell = {name: EXACT[name] for name in ("solver", "metric")}
    cell |= {"experiment": "N", "target": "ring", "model": "ring", "family": None, "nfe": 10}
    return line(cell | {"train_seed": seed, "seeds": 5}, sampled(values), None)


class TestTrainings:
    def test_both_ends_are_tested_between_trainings(self):
        wells = [-0.30, -0.25, -0.27]
        result = cells(
            evidence([of_model([w, 0.1], k, 1e-3) for k, w in enumerate(wells)]), metric="kl"
        )
        known = stats.ttest_1samp(np.log1p(wells), 0)
        assert (result.verdict, result.scope) == ("supported", "3 trainings")
        assert result.p == pytest.approx(known.pvalue, rel=0.1)
        low, high = 100 * np.expm1([*known.confidence_interval()])
        assert (result.low, result.high) == (
            pytest.approx(low, rel=0.02),
            pytest.approx(high, rel=0.02),
        )
        assert "well trained, kl of the exponential schedule is 27" in result.text
        assert result.cells == ("ring sde 10 evaluations",)

    @pytest.mark.parametrize(
        ("ends", "verdict"),
        [
            ([-0.2, 0.2], "supported"), ([0.2, -0.2], "refuted"), ([-0.2, -0.2], "refuted"),
            ([-0.2, 0.001], "refuted"),  # surely less than 1 %
            ([-0.2, 0.009], "inconclusive"),
        ],
    )  # fmt: skip
    def test_one_wrong_end_refutes(self, ends, verdict):
        lines = [of_model(ends, k, 0.004) for k in range(5)]
        assert cells(evidence(lines), metric="kl").verdict == verdict

    def test_a_single_training_is_about_its_weights(self):
        result = cells(evidence([of_model([-0.2, 0.2], 0, 0.01)]), metric="kl")
        assert (result.verdict, result.scope) == ("supported", "these weights only")

    def test_lines_of_the_experiment(self):
        _, lines = trained(series(seeds=(0, 1)))
        result = cells(evidence(lines), metric="w2", model="ring", nfe=[10])
        assert result.cells == ("ring sde 10 evaluations",)
        assert "by training: 4, 4" in result.text

    @pytest.mark.parametrize("well", [0.0, -0.3], ids=["no difference", "one end is right"])
    @pytest.mark.parametrize("luck", [0.0, 0.02, 0.05])
    def test_noise_is_seldom_a_finding(self, well, luck):
        rng, counts, trials = np.random.default_rng(0), Counter(), 400
        for _ in range(trials):
            ends = np.array([well, 0.0]) + luck * rng.standard_normal((3, 2))
            lines = [of_model(row, k, 0.05, rng) for k, row in enumerate(ends)]
            result = cells(evidence(lines), metric="kl")
            counts[result.verdict] += result.p is not None and result.p <= 0.05
        limit = trials * (0.05 + 2 * np.sqrt(0.05 * 0.95 / trials))
        assert counts["supported"] <= limit and counts["refuted"] <= limit


class TestTerms:
    @staticmethod
    def rows(bias=0.0):
        rng = np.random.default_rng(0)
        truth, error = np.linspace(1, 3, 8), 0.01 * np.ones(8)
        monte_carlo = truth * (1 + bias) + error * rng.standard_normal(8)
        deviation = (monte_carlo - truth) / error
        columns = {"path_kl": truth, "monte_carlo": monte_carlo, "standard_error": error}
        return pd.DataFrame(columns | {"deviation": deviation})

    def test_what_adds_up_is_supported(self):
        result = add_up(evidence([], self.rows()))
        assert result.verdict == "supported"
        assert result.p < 0.05
        assert abs(result.estimate) < 1

    def test_what_does_not_is_refuted(self):
        result = add_up(evidence([], self.rows(bias=0.1)))
        assert result.verdict == "refuted" and result.p < 1e-6
        assert "above the sum" in result.text

    def test_more_paths_do_not_refute_a_difference_within_the_margin(self):
        rows = self.rows(bias=0.01)
        rows["deviation"] = (rows["monte_carlo"] - rows["path_kl"]) / rows["standard_error"]
        precise = rows.assign(standard_error=1e-4, monte_carlo=1.01 * rows["path_kl"])
        precise["deviation"] = 0.01 * rows["path_kl"] / 1e-4
        result = add_up(evidence([], precise))
        assert result.verdict == "supported" and "at most 300.0 standard errors off" in result.text
        one = precise.copy()
        one.loc[0, "monte_carlo"] = 1.05 * one.loc[0, "path_kl"]  # the mean is within the margin
        assert add_up(evidence([], one)).verdict == "refuted"

    def test_a_sum_without_errors_is_no_test(self):
        rows = self.rows().assign(standard_error=0.0, deviation=0.0)
        assert add_up(evidence([], rows)).verdict == "by construction"

    def test_a_sum_that_is_right_is_seldom_refuted(self):
        rng, verdicts = np.random.default_rng(0), Counter()
        for _ in range(300):
            rows = self.rows()
            rows["deviation"] = rng.standard_normal(len(rows))
            rows["monte_carlo"] = rows["path_kl"] + rows["standard_error"] * rows["deviation"]
            verdicts[add_up(evidence([], rows)).verdict] += 1
        assert verdicts["supported"] > 290 and verdicts["refuted"] <= 3


def with_claim():
    config = copy.deepcopy(TINY)
    config["experiments"] = {"identity": {"kind": "path_identity"}}
    part = {"kind": "terms_add_up", "experiments": {"a": {"experiments": ["identity"]}}}
    lost = {
        "kind": "cell_verdicts",
        "options": {"metric": "kl"},
        "experiments": {"a": {"experiments": ["ring"]}},
    }
    claim = {"statement": "it adds up", "source": "§1", "parts": {"sum": part}}
    config["claims"] |= {"D01": claim, "D02": claim | {"parts": {"cells": lost}}}
    return config


class TestPlan:
    def test_a_claim_needs_the_files_of_its_experiments(self):
        study = planned(with_claim())
        assert plan_claims.files(study)["experiments"] == [
            "exact/identity.csv",
            "exact/identity.jsonl",
        ]
        assert plan_claims.resolved(study, "D02")["missing"] == {"parts.cells": ["experiment ring"]}

    def test_a_table_needs_the_verdicts_of_its_experiments(self):
        config = with_claim()
        config["tables"]["table_D"] = {
            "kind": "schedule_verdicts",
            "title": "T",
            "experiments": ["identity"],
        }
        assert inputs.of_table(planned(config), "table_D")["verdicts"] == ["exact/identity.jsonl"]
        config["tables"]["table_D"]["experiments"] = ["identities"]
        with pytest.raises(
            ValueError, match=r"tables\.table_D\.experiments: 'identities' is not defined"
        ):
            planned(config)


def test_the_script_reads_experiments(tmp_path):
    TestTerms.rows().to_csv(tmp_path / "identity.csv", index=False)
    files.write_json_lines(tmp_path / "identity.jsonl", [])
    claims = {name: plan_claims.resolved(planned(with_claim()), name) for name in ("D01", "D02")}
    outputs = {suffix: tmp_path / f"claims.{suffix}" for suffix in ("csv", "md", "tex", "json")}
    outputs["page"] = tmp_path / "claims.html"
    paths = [str(tmp_path / f"identity.{suffix}") for suffix in ("csv", "jsonl")]
    inputs = {key: [] for key in ("scores", "references", "timings", "sizes", "reports")}
    snakemake = standin(
        tmp_path / "log", params={"claims": claims, "seeds": [0], "sampling_seeds": [0], "scale": "published", "labels": {}},
        input=Named(**inputs, experiments=paths), output=Named(**outputs),
    )  # fmt: skip
    path = components.LIBRARY.parent / "assess_claims.py"
    spec = importlib.util.spec_from_file_location("assess_claims", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(snakemake)
    assert pd.read_csv(outputs["csv"])["verdict"].to_list() == ["supported", "not testable"]


def test_the_table_says_verdicts_and_where_the_better_schedule_changes():
    _, lines = trained(series(seeds=(0, 1)))
    frame = schedule_verdicts(
        Contents(
            verdicts=[EXACT, EXACT | {"nfe": 18, "verdict": "no_crossover"}, *lines, TIMES],
            labels={"models": {"ring": "ring, EDM"}},
        )
    )
    parts = sections(frame)
    assert set(frame["NFE"]) == {10, 18, 40} and frame["verdict"].ne("").all()
    exact = parts["Exact scores with an error, reverse SDE"].set_index("metric")
    assert exact.loc["marginal KL", "NFE 40"] == "supports: E→P at η = 0.476"
    assert not exact.isna().to_numpy().any()  # no column of another experiment
    ring = parts["Trained models, reverse SDE"].set_index("metric")
    assert ring.loc["W2", "NFE 10"] == "2× supports: epoch 4 (8), 4 (8)"
    assert ring["data"].tolist() == ["ring, EDM"] * 2
    ways = parts["Ways to train, against the base, reverse SDE"].set_index("metric")
    assert ways.loc["W2", "NFE 10"] == "supports: 2.50, 2.50"
    with pytest.raises(ValueError, match="no verdicts to be shown"):
        schedule_verdicts(Contents(), nfe=[3])
