"""Evidence across studies: training seeds of claims, stored spreads, kept records, coverage."""

import copy
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from test_configuration import ROOT, TINY, plan

from uncanny.claims import error_rates, scorecard, simulated, stored_spreads
from uncanny.claims.assess import Evidence, assess
from uncanny.evaluation.trainings import Spread
from uncanny.runtime import files
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs

SUPERIOR = {"superior": next(case.claim for case in error_rates.CASES if case.name == "superior")}
SPREAD = Spread(0.002, 6.0, 0.0005, 57.0, "digits, 3 trainings")


def with_claim(**keys):
    """The tiny config with further keys of its first claim."""
    config = copy.deepcopy(TINY)
    config["claims"]["C01"] |= keys
    return config


class TestSeedsOfClaims:
    def test_claims_read_more_trainings_and_figures_do_not(self):
        config = with_claim(seeds=[0, 1, 2])
        study = plan(config)
        scores = plan_claims.files(study)["scores"]
        assert {f"seed-{seed}" for seed in range(3)} == {path.split("/")[2] for path in scores}
        for figure in study.config["figures"]:
            paths = [path for paths in inputs.of_figure(study, figure).values() for path in paths]
            assert paths and not any("/seed-1/" in path for path in paths)
        assert any("/seed-2/" in path for path in inputs.of_all(study))

    def test_controls_and_selections_with_their_own_keep_theirs(self):
        config = with_claim(seeds=[0, 1])
        (part,) = config["claims"]["C01"]["parts"].values()
        part["cells"]["b"]["seeds"] = [3]
        texts = dict.fromkeys(("supported", "refuted", "inconclusive"), "so")
        config["claims"]["C01"]["controls"] = {"same": copy.deepcopy(TINY["claims"]["C01"]["parts"]["quality"]) | {"interpretation": texts}}  # fmt: skip
        block = plan_claims.resolved(plan(config), "C01")["block"]
        cells = block["parts"]["quality"]["cells"]
        assert (cells["a"]["seeds"], cells["b"]["seeds"]) == ([0, 1], [3])
        assert "seeds" not in block["controls"]["same"]["cells"]["a"]

    def test_an_imported_model_has_one(self):
        config = with_claim(seeds=[0, 1])
        config["models"]["theirs"] = {"identity": {"dataset": "digits"}, "samples": "images.npz"}
        part = config["claims"]["C01"]["parts"]["quality"]
        part["cells"]["a"] = {"models": ["theirs"], "samplers": ["HEUN"]}
        message = (
            r"claims\.C01\.parts\.quality\.cells\.a\.seeds: \[0, 1\], its own or the claim's; "
            r"'theirs' was trained elsewhere, with one training seed; expected one"
        )
        with pytest.raises(ValueError, match=message):
            plan(config)
        part["cells"]["a"]["seeds"] = [0]
        plan(config)

    @pytest.mark.parametrize("name", ["paper", "psld_paper", "design_space_paper"])
    def test_published_studies_say_so(self, name):
        config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
        assert config["scale"] == "published" and plan(TINY).config["scale"] == "reduced"


def studied(seeds, spreads=None, claims=SUPERIOR, seed=0):
    scores = simulated.scores(np.random.default_rng(seed), seeds, 0.05, 0.1)
    return assess(claims, Evidence(scores, seeds, (0,), spreads=spreads or {}))


class TestStoredSpreads:
    @pytest.fixture
    def stored(self, tmp_path):
        """What a study with three trainings leaves for others."""
        scorecard_json = json.loads(json.dumps(scorecard.as_json(studied((0, 1, 2)))))
        stored_spreads.write(stored_spreads.of_study("digits", scorecard_json), tmp_path / "s.json")
        return tmp_path / "s.json"

    def test_one_training_uses_them_and_says_so(self, stored):
        spreads = stored_spreads.read(stored)
        (found,) = studied((3,), spreads)
        assert found.finding.scope == "training spread from digits, 3 trainings"
        (alone,) = studied((3,))
        assert alone.finding.scope == "these weights only"
        assert found.finding.high - found.finding.low > 2 * (alone.finding.high - alone.finding.low)

    def test_they_are_those_of_the_three_trainings(self, stored):
        (three,) = studied((0, 1, 2))
        (measured,), (read,) = three.finding.spreads.values(), stored_spreads.read(stored).values()
        assert replace(read, source="") == measured and measured.freedom == 2 * 3

    @pytest.mark.parametrize("change", ["model", "epoch", "metric"])
    def test_another_quantity_does_not(self, stored, change):
        claims = copy.deepcopy(SUPERIOR)
        (part,) = claims["superior"]["block"]["parts"].values()
        if change == "model":
            part["cells"]["a"]["models"] = list(simulated.RISING)
            part["cells"]["a"]["epochs"] = {m: list(simulated.EPOCHS) for m in simulated.RISING}
        elif change == "epoch":
            for selection in part["cells"].values():
                selection["epochs"] = {m: [48, 60] for m in selection["models"]}
        else:
            part["options"]["metric"] = "fid"
        (found,) = studied((3,), stored_spreads.read(stored), claims)
        assert found.finding.scope in ("these weights only", "")  # the study has no fid

    def test_three_trainings_measure_their_own(self, stored):
        (found,) = studied((3, 4, 5), stored_spreads.read(stored))
        assert found.finding.scope == "3 trainings"

    def test_a_study_replaces_its_own_alone(self):
        known = {"a": SPREAD, "b": replace(SPREAD, source="digits_2, 3 trainings")}
        new = {"c": SPREAD}
        assert stored_spreads.merged(known, "digits", new) == {"b": known["b"], "c": SPREAD}

    def test_none_are_stored_of_a_study_that_took_them_from_another(self, stored):
        found = scorecard.as_json(studied((3,), stored_spreads.read(stored)))
        assert stored_spreads.of_study("other", json.loads(json.dumps(found))) == {}

    def test_a_file_that_is_not_there(self, tmp_path):
        assert stored_spreads.read(tmp_path / "s.json") == {}
        assert stored_spreads.version(tmp_path / "s.json") == ""

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (
                asdict(SPREAD) | {"variance": -1.0},
                r"spreads\.a\.variance: -1\.0; expected 0 or more",
            ),
            (asdict(SPREAD) | {"freedom": "6"}, r"spreads\.a\.freedom: '6'; expected 1 or more"),
            (asdict(SPREAD) | {"margin": 1}, r"spreads\.a: expected evaluation, "),
            (7, r"spreads\.a: expected evaluation, evaluation_freedom, freedom, source, variance"),
        ],
    )
    def test_what_is_no_spread_is_refused(self, tmp_path, entry, message):
        files.write_json(tmp_path / "s.json", {"spreads": {"a": entry}})
        with pytest.raises(ValueError, match=rf"s\.json: {message}"):
            stored_spreads.read(tmp_path / "s.json")

    def test_a_damaged_file_is_refused(self, tmp_path):
        path = tmp_path / "s.json"
        stored_spreads.write({"a": SPREAD}, path)
        path.write_text(path.read_text().replace("0.002", "0.003"))
        with pytest.raises(ValueError, match=r"s\.json: damaged, its contents are not those"):
            stored_spreads.read(path)
        path.write_text("{")
        with pytest.raises(ValueError, match=r"s\.json: not valid JSON"):
            stored_spreads.read(path)
        files.write_json(path, {"spread": {}})
        with pytest.raises(ValueError, match=r"s\.json: no spreads between trainings"):
            stored_spreads.read(path)
