"""Score records as a table, their comparability and their means and standard errors."""

import copy
import json
import math

import pytest
from scipy import special

from uncanny.evaluation import score_records, summaries


def made_jackknife(value):
    """Bias 0.19, standard error sqrt(19/20 * 20) * 0.05 = 0.218."""
    level = value or 0.0
    replicates = [level + 0.01 + 0.05 * (-1) ** g for g in range(20)]
    return {"value": level, "bias": 0.19, "replicates": replicates}


def record(model="vp", seed=0, sampler="DDIM", draw=0, epoch=10, value=5.0, se=0.1, **changes):
    """A score record with one metric; `changes` go to the metric."""
    cell = {"study": "s", "dataset": "digits", "model": model, "seed": seed, "sampler": sampler}
    metric = {"metric": "is10", "kind": "inception_score", "value": value, "se": se, "n": 1000}
    metric |= {"splits": 10, "images_per_split": 100, "extractor": "cnn@1", "reference": None}
    metric |= {"jackknife": made_jackknife(value)}
    return {
        "cell": cell | {"guidance": "none", "draw": draw, "epoch": epoch},
        "status": "ok",
        "parameters": {
            "identity": {"conditional": True},
            "sampler": {"init_sampling": {"num_steps": 50}},
        },
        **{"nfe": 50, "images_seen": 1437 * epoch, "metrics": [metric | changes]},
        "groups": {"count": 20, "seed": 2020, "images": [f"{model}{g}" for g in range(20)]},
        "timing": {"seconds": 2.5, "device": "cpu"},
    }


def diverged(**cell):
    return record(**cell) | {"status": "diverged", "metrics": []}


def summary_of(*records):
    return summaries.summarise(score_records.tidy(records))


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


class TestReading:
    def test_order_is_kept(self, tmp_path):
        paths = [write(tmp_path / f"{e}.json", record(epoch=e)) for e in (30, 10, 20)]
        assert [r["cell"]["epoch"] for r in score_records.read_records(paths)] == [30, 10, 20]

    def test_diverged_record_needs_no_metrics(self, tmp_path):
        path = write(tmp_path / "a.json", diverged())
        assert score_records.read_records([path])[0]["status"] == "diverged"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "JSON"),
            (json.dumps(record())[:-20], "JSON"),
            ("[1, 2]", "a list; expected an object"),
            (json.dumps({"cell": {"model": "vp"}}), "lacks dataset, draw"),
            (json.dumps(record() | {"status": "lost"}), "'lost'"),
            (json.dumps(record() | {"metrics": []}), "at least one metric"),
            (json.dumps(record(value=None)), "is10 has the value None"),
            (json.dumps(record(value=math.nan)), "is10 has the value nan"),
            (json.dumps(record(value=True)), "is10 has the value True"),
            (json.dumps(record(se=-0.1)), "is10 has the se -0.1"),
            (json.dumps(record(se="0.1")), "is10 has the se '0.1'"),
        ],
    )
    def test_damaged_record_is_one_message_with_the_file(self, tmp_path, content, message):
        good, bad = write(tmp_path / "good.json", record()), write(tmp_path / "bad.json", content)
        with pytest.raises(ValueError, match=message) as caught:
            score_records.read_records([good, bad])
        assert "bad.json" in str(caught.value)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda r: r.pop("groups"), "scores without groups of images, as earlier"),
            (lambda r: r["metrics"][0].pop("jackknife"), "scores without groups of images"),
            (lambda r: r["groups"].update(seed=7), "seed 7, expected 2020"),
            (
                lambda r: r["groups"].update(count=10),
                "jackknife of is10: expected .* 10 replicates",
            ),
            (lambda r: r["metrics"][0]["jackknife"]["replicates"].pop(), "20 replicates"),
            (lambda r: r["metrics"][0]["jackknife"].pop("bias"), "expected value, bias and 20"),
        ],
    )
    def test_records_without_groups_are_refused_with_what_to_do(self, tmp_path, change, message):
        one = record()
        change(one)
        path = write(tmp_path / "old.json", one)
        with pytest.raises(ValueError, match=rf"old\.json: .*{message}.*; delete it and run again"):
            score_records.read_records([path])

    def test_a_metric_may_have_no_jackknife(self, tmp_path):
        path = write(tmp_path / "a.json", record(jackknife=None))
        (row,) = score_records.tidy(score_records.read_records([path])).itertuples()
        assert math.isnan(row.corrected)
        assert row.score is None

    def test_missing_file(self, tmp_path):
        with pytest.raises(ValueError, match=r"nowhere\.json"):
            score_records.read_records([tmp_path / "nowhere.json"])


class TestTidy:
    def test_one_row_per_metric_with_the_facts_of_its_cell(self):
        two = record(value=5.0)
        two["metrics"].append({"metric": "fid", "value": 12.0, "se": None, "n": 1000})
        table = score_records.tidy([two])
        assert list(table.columns) == score_records.COLUMNS
        assert table["metric"].tolist() == ["is10", "fid"]
        row = table.iloc[0]
        assert (row["train_seed"], row["sample_seed"], row["epoch"]) == (0, 0, 10)
        assert (row["nfe"], row["images_seen"], row["n_steps"], row["cond"]) == (
            50,
            14370,
            50,
            True,
        )
        assert (row["extractor_id"], row["seconds"], row["device"]) == ("cnn@1", 2.5, "cpu")
        assert table["se"].isna().tolist() == [False, True]

    def test_values_less_their_bias_are_beside_the_metric_s_own(self):
        one = record(value=5.0, se=0.1)
        one["parameters"]["image_seeds"] = [6_949_000_000, 6_949_000_399]
        row = score_records.tidy([one]).iloc[0]
        assert (row["value"], row["se"]) == (5.0, 0.1)
        assert row["corrected"] == row["score"].value == pytest.approx(5.0 - 0.19)
        assert row["corrected_se"] == pytest.approx(math.sqrt(19) * 0.05)
        # θ_(-g) less bias G/(G-1)
        expected = [5.01 + 0.05 * (-1) ** g - 0.19 * 20 / 19 for g in range(20)]
        assert row["score"].without_groups == pytest.approx(expected)
        assert row["score"].latents == 6_949_000_000
        assert row["score"].images[:2] == ("vp0", "vp1")

    def test_imported_sets_share_their_latents_with_nothing(self):
        one, two = record(), record(model="theirs")
        for made in (one, two):
            made["parameters"]["image_seeds"] = None
        scores = score_records.tidy([one, two])["score"]
        assert len({score.latents for score in scores}) == 2

    def test_unknown_columns_are_empty(self):
        row = score_records.tidy([record()]).iloc[0]
        assert all(row[["arch", "precond", "schedule", "scale", "clf_id"]].isna())

    def test_blocks_of_options_are_written_out(self):
        one = record()
        one["parameters"]["identity"]["schedule"] = {"kind": "linear", "scale": 0.25}
        row = score_records.tidy([one]).iloc[0]
        assert row["schedule"] == "linear(scale=0.25)"
        assert row["params"] == one["parameters"]

    def test_diverged_record_is_one_empty_row(self):
        table = score_records.tidy([diverged(epoch=20)])
        assert len(table) == 1
        assert table[["status", "epoch"]].iloc[0].tolist() == ["diverged", 20]
        assert table[["metric", "value", "se", "n"]].isna().all(axis=None)

    def test_records_are_not_changed(self):
        one = record()
        before = copy.deepcopy(one)
        summaries.summarise(score_records.tidy([one]))
        assert one == before

    def test_same_cell_twice_is_refused(self):
        with pytest.raises(ValueError, match=r"is10 of cell vp/seed-0/DDIM/none/draw-0/epoch-10"):
            score_records.tidy([record(), record(value=6.0)])

    def test_no_records_give_an_empty_table(self):
        assert len(score_records.tidy([])) == 0


class TestComparable:
    def test_accepts_equal_measurements_and_other_metrics(self):
        rows = [record(epoch=1), record(epoch=2), record(epoch=3, metric="fid", n=7), diverged()]
        score_records.check_comparable(score_records.tidy(rows))

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("n", 500, "differ in n: 500 in ve/seed-0.*; 1000 in vp/seed-0"),
            ("splits", 5, "differ in splits: 5 in ve.*; 10 in vp"),
            ("splits", None, "differ in splits: 10 in vp.*; none in ve"),
            ("extractor", "cnn@2", "differ in extractor_id: cnn@1 in vp.*; cnn@2 in ve"),
            ("reference", "digits/test", "differ in reference: digits/test in ve.*; none in vp"),
        ],
    )
    def test_refuses_and_names_field_values_cells(self, key, value, message):
        table = score_records.tidy([record(), record(model="ve", **{key: value})])
        with pytest.raises(ValueError, match=f"metric is10: cells {message}"):
            score_records.check_comparable(table)

    def test_groups_of_images_that_differ_are_refused(self):
        fewer = {"value": 5.0, "bias": 0.0, "replicates": [4.9, 5.0, 5.1, 5.0, 5.1]}
        table = score_records.tidy([record(), record(model="ve", jackknife=fewer)])
        with pytest.raises(ValueError, match=r"metric is10: cells differ in groups: 5 in ve.*; 20 in vp"):  # fmt: skip
            score_records.check_comparable(table)
        without = score_records.tidy([record(), record(model="ve", jackknife=None)])
        score_records.check_comparable(without)

    def test_many_cells_are_counted(self):
        rows = [record(epoch=e) for e in range(1, 10)] + [record(epoch=20, n=9)]
        with pytest.raises(ValueError, match="epoch-3 and 6 more"):
            score_records.check_comparable(score_records.tidy(rows))


class TestSummary:
    def test_one_draw_has_its_evaluation_error(self):
        (point,) = summary_of(record(value=5.0, se=0.1)).itertuples()
        assert (point.value, point.se, point.levels) == (5.0, 0.1, "evaluation")
        assert (point.seeds, point.draws, point.runs, point.status) == (1, 1, 1, "ok")
        assert (point.n, point.splits, point.images_seen) == (1000, 10, 14370)

    def test_values_less_their_bias_are_averaged_likewise(self):
        (point,) = summary_of(
            *[record(seed=r, value=v) for r, v in ((0, 4.0), (1, 6.0))]
        ).itertuples()
        assert point.corrected == pytest.approx(5.0 - 0.19)
        assert point.corrected_se == pytest.approx(1.0)  # sd = sqrt(2), over sqrt(2)
        (one,) = summary_of(record()).itertuples()
        assert one.corrected_se == pytest.approx(math.sqrt(19) * 0.05)
        half = one.corrected_upper - one.corrected
        assert half == pytest.approx(2.0930241 * math.sqrt(19) * 0.05)  # 20 groups

    def test_draws_of_one_seed_are_averaged(self):
        (point,) = summary_of(
            record(draw=0, value=4.0, se=0.3), record(draw=1, value=6.0, se=0.4)
        ).itertuples()
        assert point.value == 5.0
        assert point.se == pytest.approx(0.25)  # sqrt(0.09 + 0.16) / 2
        # ν = 9 (0.09 + 0.16)²/(0.09² + 0.16²) = 16.69
        assert point.upper - point.value == pytest.approx(0.25 * special.stdtrit(16.6914, 0.975))
        assert (point.draws, point.levels) == (2, "evaluation, sampling seed")

    def test_draws_without_evaluation_error_use_their_spread(self):
        (point,) = summary_of(
            record(draw=0, value=4.0, se=None), record(draw=1, value=6.0, se=0.4)
        ).itertuples()
        assert point.se == pytest.approx(1.0)  # sd = sqrt(2), over sqrt(2)

    def test_seeds_that_differ_more_than_the_evaluation(self):
        (point,) = summary_of(
            *[record(seed=r, value=v, se=0.1) for r, v in enumerate((4.0, 5.0, 6.0))]
        ).itertuples()
        assert point.value == 5.0
        assert point.se == pytest.approx(1 / math.sqrt(3))  # sd = 1
        assert point.upper - point.value == pytest.approx(4.30265 / math.sqrt(3))  # ν = 2
        assert (point.seeds, point.levels) == (3, "evaluation, training seed")

    def test_seeds_that_agree_by_chance_keep_the_evaluation_error(self):
        (point,) = summary_of(*[record(seed=r, value=5.0, se=0.3) for r in range(3)]).itertuples()
        assert point.se == pytest.approx(math.sqrt(3 * 0.09) / 3)
        assert point.value - point.lower == pytest.approx(point.se * 2.05183)  # ν = 27

    def test_draws_within_seeds_weigh_by_seed(self):
        (point,) = summary_of(
            record(seed=0, draw=0, value=4.0, se=0.3),
            record(seed=0, draw=1, value=6.0, se=0.4),
            record(seed=1, draw=0, value=8.0, se=0.1),
        ).itertuples()
        assert point.value == 6.5  # mean of 5 and 8, not of 4, 6, 8
        assert point.se == pytest.approx(1.5)  # sd = 3/sqrt(2), over sqrt(2)
        assert (point.seeds, point.draws, point.runs) == (2, 1, 3)

    def test_unknown_error_stays_unknown(self):
        (point,) = summary_of(record(se=None)).itertuples()
        assert math.isnan(point.se)
        assert point.levels == ""

    def test_seeds_without_evaluation_error_use_their_spread(self):
        (point,) = summary_of(
            record(seed=0, value=4.0, se=None), record(seed=1, value=6.0, se=None)
        ).itertuples()
        assert point.se == pytest.approx(1.0)

    def test_diverged_runs_are_left_out_and_counted(self):
        (point,) = summary_of(
            record(seed=0, value=4.0), record(seed=1, value=6.0), diverged(seed=2)
        ).itertuples()
        assert (point.value, point.status) == (5.0, "partial")
        assert (point.seeds, point.runs, point.diverged) == (2, 3, 1)

    def test_diverged_point_has_no_value_in_any_metric(self):
        two = record(epoch=10)
        two["metrics"].append({"metric": "fid", "value": 12.0, "se": 1.0, "n": 1000})
        summary = summary_of(two, diverged(epoch=20))
        gone = summary[summary["epoch"] == 20]
        assert sorted(gone["metric"]) == ["fid", "is10"]
        assert (gone["status"] == "diverged").all()
        assert gone[["value", "se", "n"]].isna().all(axis=None)

    def test_curves_and_epochs_stay_apart_and_epochs_ascend(self):
        rows = [record(model=m, epoch=e) for m in ("vp", "ve") for e in (100, 20, 3)]
        summary = summary_of(*rows)
        assert summary["epoch"].tolist() == [3, 20, 100] * 2
        assert summary["model"].tolist() == ["ve"] * 3 + ["vp"] * 3

    def test_result_does_not_depend_on_the_order_of_records(self):
        rows = [record(seed=r, epoch=e, value=r + e) for r in range(2) for e in (10, 20)]
        assert summary_of(*rows).equals(summary_of(*rows[::-1]))
