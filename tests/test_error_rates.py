"""Simulated error rates: a short form of `make error-rates`, and what its numbers mean."""

import importlib.util
import inspect
import sys

import numpy as np
import pandas as pd
import pytest

from uncanny.claims import error_rates, simulated
from uncanny.claims.error_cases import CASES, EDGE, FAILS, HOLDS, STUDY
from uncanny.claims.error_rates import GROUPS, TOGETHER
from uncanny.registry import components
from uncanny.workflow import evidence_pages

TRIALS = 20
CELLS = [(0.05, 0.0), (0.05, 0.05), (0.02, 0.2)]
WITHOUT_LUCK = [(0.0, 0.0), (0.0, 0.05), (0.0, 0.2)]


@pytest.fixture(scope="module")
def table():
    rows = []
    for group in dict.fromkeys(GROUPS.values()):
        for luck, effect in CELLS if group == STUDY else CELLS + WITHOUT_LUCK:
            rows += error_rates.rows(group, luck, effect, TRIALS, seed=1)
    return error_rates.in_order(pd.DataFrame(rows))


def test_every_kind_is_simulated_or_has_no_chance_in_it():
    kinds = set(components.kinds("claims"))
    assert kinds - {case.kind for case in CASES} == {"power_law"}
    assert "CONSTRUCTED," in inspect.getsource(components.load("claims", "power_law"))


def test_no_kind_is_wrong_more_often_than_its_level(table):
    wrong = table.apply(error_rates.wrong, axis=1)
    assert (wrong <= error_rates.limit(TRIALS)).all()
    assert (table["trials"] == TRIALS).all() and wrong.sum() > 0


def test_large_effects_are_seen(table):
    rows = table[(table["effect"] == 0.2) & (table["kind"] != TOGETHER)]
    right = rows.apply(lambda r: r["supported" if r["truth"] == HOLDS else "refuted"], axis=1)
    assert (right >= 0.8 * TRIALS).groupby(rows["kind"]).any().all()


def test_an_interval_without_training_would_fail():
    """The simulation can fail: without the stored spread, luck of 5 % is taken for an effect."""
    superior = {"superior": next(c.claim for c in CASES if c.name == "superior")}
    false = 0
    for rng in np.random.default_rng(2).spawn(TRIALS):
        scores = simulated.scores(rng, (3,), 0.05, 0.0)
        evidence = error_rates.Evidence(scores, (3,), (0,))
        (result,) = error_rates.assess(superior, evidence)
        assert result.finding.scope == "these weights only"
        false += result.finding.verdict == "supported"
    assert false > error_rates.limit(TRIALS)


def test_standard_errors_of_made_scores_are_those_of_their_errors():
    rng, errors, stated = np.random.default_rng(3), [], []
    for _ in range(300):
        rows = simulated.of_seed(rng, 0, 0.0, 0.0)
        true = simulated.levels(0.0).ravel()
        errors.append(np.log([score.value for score in rows]) - np.log(true))
        deviations = np.log(rows[0].without_groups)
        stated.append(19 / 20 * np.sum((deviations - deviations.mean()) ** 2))
    spread = np.std(errors, axis=0)
    assert spread == pytest.approx(simulated.ERROR, rel=0.2)
    assert np.sqrt(np.mean(stated)) == pytest.approx(simulated.ERROR, rel=0.1)
    correlation = np.corrcoef(np.transpose(errors))
    assert correlation[0, -1] == pytest.approx(simulated.SHARED, abs=0.15)  # another model


def test_the_limit_is_exceeded_once_in_a_thousand():
    assert error_rates.limit(400) == 35
    draws = np.random.default_rng(0).binomial(400, 0.05, 200_000)
    assert np.mean(draws > 35) < 0.001 < np.mean(draws > 34)


def test_rows_of_a_case_do_not_depend_on_other_cases(monkeypatch):
    name = "cell_verdicts, schedules"
    before = error_rates.rows(name, 0.0, 0.05, 2, seed=1)
    monkeypatch.setattr(error_rates, "CASES", [c for c in CASES if c.name == name])
    assert error_rates.rows(name, 0.0, 0.05, 2, seed=1) == before


def test_the_command_keeps_rows_of_other_kinds(tmp_path, monkeypatch, table, capsys):
    path = components.LIBRARY.parent / "error_rates.py"
    spec = importlib.util.spec_from_file_location("error_rates_script", path)
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # processes import it by this name
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "CSV", tmp_path / "rates.csv")
    monkeypatch.setattr(script, "PAGE", tmp_path / "rates.md")
    table.to_csv(script.CSV, index=False)
    before = script.CSV.read_text().splitlines()
    script.main([str(TRIALS), "terms_add_up"])
    kept = [line for line in before if not line.startswith("terms_add_up")]
    after = script.CSV.read_text().splitlines()
    assert [line for line in after if not line.startswith("terms_add_up")] == kept
    assert sum(line.startswith("terms_add_up,no training") for line in after) == 4
    assert "## terms_add_up" in script.PAGE.read_text()
    for words in (["0"], ["dominated"], [str(TRIALS + 1), "settles"]):
        with pytest.raises(SystemExit, match="error_rates: "):
            script.main(words)


def test_wrong_and_right():
    row = {"supported": 3, "refuted": 5}
    assert [error_rates.wrong(row | {"truth": t}) for t in (HOLDS, FAILS, EDGE)] == [5, 3, 5]


def test_the_page_names_rows_that_are_wrong_too_often(table):
    assert f"None of the {len(table)} rows does" in evidence_pages.error_rates(table)
    bad = table.copy()
    bad.loc[0, ["supported", "truth"]] = TRIALS, FAILS
    page = evidence_pages.error_rates(bad)
    assert f"1 of the {len(table)} rows do: superior, luck 2 %, effect 20 %" in page
    assert "| 100.0 / 0.0" in page and "all together" in page
