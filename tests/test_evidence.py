"""Evidence across studies: training seeds of claims, stored spreads, kept records, coverage."""

import copy
import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from test_configuration import ROOT, TINY, plan

from uncanny.claims import coverage, error_rates, margins, scorecard, simulated, stored_spreads
from uncanny.claims.assess import Evidence, assess
from uncanny.evaluation import extractor_ranks
from uncanny.evaluation.trainings import Spread
from uncanny.runtime import files
from uncanny.study.plan import archive as plan_archive
from uncanny.study.plan import claims as plan_claims
from uncanny.study.plan import inputs, listing
from uncanny.workflow import archive, evidence_pages, kept_evidence

SUPERIOR = {"superior": next(case.claim for case in error_rates.CASES if case.name == "superior")}
SPREAD = Spread(0.002, 6.0, 0.0005, 57.0, "digits, 3 trainings")
CASES = {case.name: case.claim for case in error_rates.CASES}


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

    def test_the_page_of_a_study_says_how_many(self):
        assert (
            listing.scale(plan(with_claim(seeds=[0, 1, 2])))["training seeds"]
            == "1 (3 for 1 claim)"
        )
        assert listing.scale(plan(TINY))["training seeds"] == "1"

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
        (result,) = studied((3,), spreads)
        assert result.finding.scope == "training spread from digits, 3 trainings"
        (alone,) = studied((3,))
        assert alone.finding.scope == "these weights only"
        assert result.finding.high - result.finding.low > 2 * (
            alone.finding.high - alone.finding.low
        )

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
        (result,) = studied((3,), stored_spreads.read(stored), claims)
        assert result.finding.scope in ("these weights only", "")  # the study has no fid

    def test_three_trainings_measure_their_own(self, stored):
        (result,) = studied((3, 4, 5), stored_spreads.read(stored))
        assert result.finding.scope == "3 trainings"

    def test_a_study_replaces_its_own_alone(self):
        known = {"a": SPREAD, "b": replace(SPREAD, source="digits_2, 3 trainings")}
        new = {"c": SPREAD}
        assert stored_spreads.merged(known, "digits", new) == {"b": known["b"], "c": SPREAD}

    def test_none_are_stored_of_a_study_that_took_them_from_another(self, stored):
        result = scorecard.as_json(studied((3,), stored_spreads.read(stored)))
        assert stored_spreads.of_study("other", json.loads(json.dumps(result))) == {}

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


class TestKeptEvidence:
    @pytest.fixture
    def results(self, tmp_path):
        """Results of the tiny study that its claims read, and further score records."""
        folder, study = tmp_path / "results/tiny", plan(TINY)
        for paths in plan_claims.files(study).values():
            for path in paths:
                files.write_json(folder / path, {"value": 1.0})
        self.scores = plan_claims.files(study)["scores"]
        self.redrawn = self.scores[0].replace("draw-0", "draw-3")
        self.retrained = self.scores[0].replace("seed-0", "seed-5")
        other = self.scores[0].replace("/HEUN/", "/DDIM/").replace("/EUL/", "/DDIM/")
        for path in (self.redrawn, self.retrained, other):
            files.write_json(folder / path, {"value": 2.0})
        return folder

    def test_what_claims_read_and_redraws_of_it(self, results):
        kept = kept_evidence.contents(plan(TINY), results)
        assert len(kept) == len(set(kept)) and set(self.scores) < set(kept)
        assert set(kept) - set(self.scores) >= {self.redrawn, self.retrained}
        assert not any("/DDIM/" in path for path in kept)
        by_kind = kept_evidence.by_kind(plan(TINY), results)
        assert str(results / self.redrawn) in by_kind["scores"]
        assert by_kind.keys() == plan_claims.files(plan(TINY)).keys()

    def test_what_is_missing_is_named(self, results):
        (results / self.scores[0]).unlink()
        with pytest.raises(
            ValueError, match=r"epoch-\d+\.json: no such file; run `snakemake claims`"
        ):
            kept_evidence.contents(plan(TINY), results)

    def test_closed_forms_are_not_kept(self, tmp_path):
        study = plan(yaml.safe_load((ROOT / "config/design_space.yaml").read_text()))
        trained = [
            p for paths in plan_claims.files(study).values() for p in paths if "trained/" in p
        ]
        for path in trained:
            files.write_text(tmp_path / path, "")
        assert kept_evidence.contents(study, tmp_path) == trained

    def test_they_come_back_from_a_compressed_archive(self, results, tmp_path):
        study = plan(TINY)
        packed = kept_evidence.archive_of(study, tmp_path / "repository")
        kept = kept_evidence.contents(study, results)
        identity = plan_archive.identity(study)
        archive.pack(kept, results, "tiny", identity, packed)
        assert packed.name == "tiny.tar.xz" and packed.read_bytes()[:6] == b"\xfd7zXZ\0"
        other = tmp_path / "other/results/tiny"
        assert sorted(archive.adopt(packed, other, "tiny", identity)) == sorted(kept)
        assert (other / kept[0]).read_bytes() == (results / kept[0]).read_bytes()
        packed.write_bytes(packed.read_bytes()[:-200])
        with pytest.raises(
            ValueError, match=r"tiny\.tar\.xz: .*(damaged|not readable|no manifest)"
        ):
            archive.adopt(packed, tmp_path / "third/results/tiny", "tiny", identity)
        assert not (tmp_path / "third").exists()

    def test_no_more_than_four_megabytes(self, tmp_path):
        folder = tmp_path / kept_evidence.FOLDER
        folder.mkdir(parents=True)
        (folder / "a.tar.xz").write_bytes(bytes(3_000_000))
        assert kept_evidence.check_size(tmp_path) == 3_000_000
        (folder / "b.tar.xz").write_bytes(bytes(1_000_001))
        with pytest.raises(ValueError, match=r"4,000,001 bytes \(.*\); expected 4,000,000 at most"):
            kept_evidence.check_size(tmp_path)

    def test_archives_of_the_repository_are_small(self):
        assert kept_evidence.check_size(ROOT) <= kept_evidence.MOST


class TestCoverage:
    NAMES = ("superior", "best_on_average", "equal, same weights")

    @staticmethod
    def rows(seed=0, *, seeds=(0, 1, 2, 3, 4, 5), draws=(0, 1, 2, 3, 4, 5), names=NAMES, **more):
        scores = simulated.scores(np.random.default_rng(seed), seeds, 0.03, 0.1, draws)
        evidence = Evidence(scores, (0, 1, 2), (0,))
        return coverage.of_claims({n: CASES[n] for n in names}, evidence, names)

    def test_every_redraw_and_every_further_training_counts(self):
        rows = self.rows()
        assert [row.kind for row in rows if row.claim == "superior"] == [
            coverage.REDRAWS, coverage.TRAININGS, coverage.HALVES,
        ]  # fmt: skip
        assert {row.count for row in rows} == {5, 3, 1}
        assert all(row.freedom == 4 for row in rows if row.kind == coverage.REDRAWS)
        assert [row.part for row in rows if row.claim == "best_on_average"][:2] == [
            "only: better 1", "only: better 2",
        ]  # fmt: skip
        width = {row.kind: row.width for row in rows if row.claim == "superior"}
        assert width[coverage.TRAININGS] > max(width[coverage.HALVES], width[coverage.REDRAWS])

    def test_intervals_cover_and_errors_are_as_large_as_stated(self):
        rows = [row for seed in range(12) for row in self.rows(seed, names=("superior",))]
        for kind in (coverage.REDRAWS, coverage.TRAININGS):
            own = [row for row in rows if row.kind == kind]
            assert sum(row.covered for row in own) >= 0.85 * sum(row.count for row in own)
        redrawn = [row for row in rows if row.kind == coverage.REDRAWS]
        low, high = coverage.chi2_limits(sum(row.freedom for row in redrawn), 0.999)
        assert low < sum(row.chi2 for row in redrawn) < high

    def test_of_one_training_each_is_compared_with_all_others(self):
        scores = simulated.scores(np.random.default_rng(0), (0, 3, 4, 5), 0.03, 0.1)
        (row,) = coverage.of_claims(SUPERIOR, Evidence(scores, (0,), (0,)), ["superior"])
        assert (row.kind, row.count) == (coverage.TRAININGS, 4)

    def test_redraws_are_compared_at_fixed_weights(self):
        """A stored spread between trainings would widen their intervals."""
        scores = simulated.scores(np.random.default_rng(0), (0,), 0.03, 0.1, (0, 1, 2, 3))
        (three,) = studied((0, 1, 2))
        alone = Evidence(scores, (0,), (0,))
        stored = replace(alone, spreads=three.finding.spreads)
        (result,), (expected,) = (
            coverage.of_claims(SUPERIOR, evidence, ["superior"]) for evidence in (stored, alone)
        )
        assert result == expected and expected.kind == coverage.REDRAWS
        (one,) = assess(SUPERIOR, stored)
        assert one.finding.high - one.finding.low > 1.5 * expected.width

    def test_limits_of_chi2(self):
        assert coverage.chi2_limits(16) == pytest.approx((6.9, 28.8), abs=0.05)

    def test_without_redraws_or_trainings_there_is_nothing(self):
        assert self.rows(seeds=(0, 1, 2), draws=(0,)) == []
        assert {row.kind for row in self.rows(seeds=(0, 1, 2))} == {coverage.REDRAWS}
        assert {row.kind for row in self.rows(draws=(0, 1))} == {
            coverage.TRAININGS,
            coverage.HALVES,
        }

    def test_a_claim_is_restricted_to_models_measured_again(self):
        scores = simulated.scores(np.random.default_rng(0), (0,), 0.0, 0.0, (0, 1, 2))
        for metric in scores.measured.values():
            for cell in [c for c in metric if c[0] == "better_2" and c[4] == 2]:
                del metric[cell]
        claims = {name: CASES[name] for name in ("superior", "best_on_average")}
        rows = coverage.of_claims(claims, Evidence(scores, (0,), (0,)), [*claims])
        # Models of lists of the same length are paired, so that base_2 goes with better_2.
        assert {row.models for row in rows} == {("better_1", "base_1")}

    def test_the_page(self):
        rows = self.rows(names=("superior",))
        page = evidence_pages.coverage({"digits": rows, "psld": []})
        assert "## digits" in page and "## psld" not in page
        assert "better_1, better_2, base_1, base_2" in page and " of 5 " in page
        bad = [replace(row, covered=0) for row in rows]
        text = evidence_pages.coverage_summary(bad)
        assert "redraws: 0 of 5 intervals (0 %; so few or fewer with probability 3.1e-07" in text


class TestMargins:
    def test_verdicts_follow_the_margin(self):
        scores = simulated.scores(np.random.default_rng(1), (0, 1, 2), 0.0, 0.0)
        claims = {name: CASES[name] for name in ("equal", "superior", "no_worse")}
        result = margins.verdicts(claims, Evidence(scores, (0, 1, 2), (0,)), (0.001, 0.1))
        assert result == {
            0.001: {"equal": "cannot decide", "no_worse": "cannot decide"},
            0.1: {"equal": "supported", "no_worse": "supported"},
        }
        page = evidence_pages.margins({"digits": result})
        assert "| claim" in page and "0.1 %, 10 %" in page and "cannot decide" in page


class TestSecondExtractor:
    @staticmethod
    def table(values, kind="fid", splits=None, seed=0):
        """One row per (model, sampler): (early, final) value."""
        rows = [
            {"dataset": "d", "model": m, "sampler": s, "guidance": "none", "epoch": epoch}
            | {
                "train_seed": seed,
                "sample_seed": 0,
                "metric": kind,
                "kind": kind,
                "splits": splits,
                "corrected": value,
            }
            for (m, s), pair in values.items()
            for epoch, value in zip((1, 9), pair, strict=True)
        ]
        return pd.DataFrame(rows)

    def test_ranks_at_the_last_epoch(self):
        first = {("a", "S"): (0, 3.0), ("b", "S"): (9, 2.0), ("c", "S"): (0, 1.0)}
        second = {("a", "S"): (0, 3.0), ("b", "S"): (9, 1.0), ("c", "S"): (0, 2.0)}
        values = [extractor_ranks.final_values(self.table(v)) for v in (first, second)]
        ranks, agreement = extractor_ranks.compared(*values)
        assert ranks.set_index("model")[[1, 2]].values.tolist() == [[3, 3], [2, 1], [1, 2]]
        assert agreement["Spearman"].item() == pytest.approx(0.5)
        assert agreement["largest change of rank"].item() == 1
        page = evidence_pages.extractors(*extractor_ranks.page_tables(ranks, agreement))
        assert "fid, extractor 1" in page and "0.5" in page

    def test_only_seeds_that_both_have_count(self):
        values = {("a", "S"): (0, 3.0), ("b", "S"): (9, 2.0)}
        more = {("a", "S"): (0, 0.0), ("b", "S"): (9, 9.0)}
        tables = self.table(values), pd.concat([self.table(values), self.table(more, seed=1)])
        ranks, _ = extractor_ranks.compared(*map(extractor_ranks.final_values, tables))
        assert ranks.set_index("model")[[1, 2]].values.tolist() == [[2, 2], [1, 1]]

    def test_scores_in_splits_do_not_count(self):
        table = self.table({("a", "S"): (0, 3.0)}, kind="inception_score", splits=10)
        assert extractor_ranks.final_values(table).empty

    def test_nothing_in_common(self):
        tables = [self.table({(m, "S"): (0, 3.0)}) for m in "ab"]
        with pytest.raises(ValueError, match="no model and sampler in common"):
            extractor_ranks.compared(*map(extractor_ranks.final_values, tables))
