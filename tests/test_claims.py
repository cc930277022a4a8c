"""Kinds of claims that read scores, and assessments, on records whose truth is known."""

import copy

import numpy as np
import pytest
from claims_data import (
    EPOCHS,
    REFERENCES,
    cells,
    claim,
    curve,
    evidence,
    record,
    selection,
    verdicts,
)
from scipy import stats

from uncanny.claims import dominates
from uncanny.claims.assess import assess
from uncanny.claims.curves import Scores, broadcast
from uncanny.claims.finding import NotTestable
from uncanny.evaluation import late_gain, score_records
from uncanny.registry import components

SEEDS, AB = (0, 1, 2), ["A", "B"]
FLAT_END = np.array([2.0, 4, 7, 7, 7, 7])
CLIMB = np.array([2.0, 3, 4, 5, 6, 7])
WINDOW = {"start": 60, "end": 70, "budget": 100}  # epoch 20 of 30, with 15 before and 25, 30 after


def kind(name):
    return components.load("claims", name)


def several(levels, sampler="S", **more):
    """Records of models with these levels."""
    return [r for model, level in levels.items() for r in curve(model, sampler, level, **more)]


def pair(a, b, **more):
    """A comparison of the models a and b, with these levels."""
    return cells(several({"a": a, "b": b}, **more), a=selection("a", "S"), b=selection("b", "S"))


class TestSelections:
    def test_axes_pair_in_order_and_one_name_goes_with_all(self):
        a = selection(["vp_uncond", "vp_cond"], ["EUL", "HEUN"])
        b = selection(["ve_uncond", "ve_cond"], "EUL")
        pairs = [(x[:2], y[:2]) for x, y in broadcast(a, b)]
        assert pairs == [
            (("vp_uncond", "EUL"), ("ve_uncond", "EUL")), (("vp_uncond", "HEUN"), ("ve_uncond", "EUL")),
            (("vp_cond", "EUL"), ("ve_cond", "EUL")), (("vp_cond", "HEUN"), ("ve_cond", "EUL")),
        ]  # fmt: skip

    def test_a_bad_pairing_names_its_part(self):
        bad = claim("superior", a=selection(["a", "b"], "S"), b=selection(["a", "b", "c"], "S"))
        message = r"claims\.C01\.parts\.only: models: selections a and b have 2 and 3 names"
        with pytest.raises(ValueError, match=message):
            assess({"C01": bad}, evidence(curve("a", "S", 5)))

    def test_bounds_of_a_dataset_without_references(self):
        table = score_records.tidy(curve("m", "S", 5))
        with pytest.raises(ValueError, match="no references of dataset 'digits'; there are other"):
            Scores(table, {"other": REFERENCES["digits"]}).bounds("m", "is10")


class TestComparisons:
    RECORDS = several({"vp": 6, "ve": 5}, "A") + several({"vp": 6.02, "ve": 5.9}, "B")

    def finding(self, name, **options):
        both = cells(self.RECORDS, a=selection("vp", AB), b=selection("ve", AB))
        return kind(name)(both, **options)

    def test_pooled_and_each(self):
        pooled = self.finding("superior")
        assert pooled.verdict == "supported" and pooled.scope == "these weights only"
        assert pooled.estimate == pytest.approx(100 * (12.02 / 10.9 - 1))
        each = self.finding("superior", per="sampler")
        assert each.verdict == "supported" and set(each.details["parts"]) == {"A", "B"}
        assert each.estimate == pytest.approx(pooled.estimate)
        names = set(self.finding("superior", per="pair").details["parts"])
        assert names == {"vp A against ve A", "vp B against ve B"}

    @pytest.mark.parametrize(
        ("name", "options", "verdict"),
        [("equal", {}, "refuted"), ("equal", {"per": "sampler", "delta": 0.05}, "refuted"),
         ("differs", {}, "supported"), ("no_worse", {}, "supported")],
    )  # fmt: skip
    def test_other_rules(self, name, options, verdict):
        assert self.finding(name, **options).verdict == verdict

    def test_per_epoch_holds_at_every_epoch(self):
        crossing = np.array([6.5, 6, 6, 6, 6, 5])
        each = kind("superior")(pair(6, 5), per="epoch")
        assert each.verdict == "supported" and len(each.details["parts"]) == 6
        refuted = kind("superior")(pair(crossing, 5.5), per="epoch")
        assert refuted.verdict == "refuted" and "epoch 30" in refuted.text
        assert kind("superior")(pair(crossing, 5.5)).verdict == "supported"

    def test_per_epoch_takes_the_same_epochs(self):
        records = curve("a", "S", 6) + curve("b", "S", 5, epochs=(5, 30))
        both = cells(records, a=selection("a", "S"), b=selection("b", "S", epochs=(5, 30)))
        with pytest.raises(NotTestable, match="different epochs"):
            kind("superior")(both, per="epoch")
        assert kind("superior")(both).details["epochs"] == list(EPOCHS)

    def test_best_is_chosen_on_another_draw(self):
        """A curve that was lucky on draw 0 is chosen, and tested by what it does elsewhere."""
        lucky = curve("m", "lucky", 7, draws=(0,)) + curve("m", "lucky", 5, draws=(1, 2))
        records = curve("m", "A", 6, draws=(0, 1, 2)) + curve("m", "good", 5.5, draws=(0, 1, 2))
        both = cells(lucky + records, draws=(0, 1, 2), a=selection("m", "A"),
                     b=selection("m", ["good", "lucky"]))  # fmt: skip
        finding = kind("superior")(both, best="b")
        assert finding.cells == ("m A", "m lucky") and finding.estimate == pytest.approx(20)

    def test_three_trainings(self):
        finding = kind("superior")(
            cells(several({"a": 6, "b": 5, "c": 5.1}, seeds=SEEDS, luck=0.03), seeds=SEEDS,
                  a=selection("a", "S"), b=selection("b", "S"))
        )  # fmt: skip
        assert finding.scope == "3 trainings" and finding.verdict == "supported"

    def test_alike_in_each_family(self):
        def levels(m, n):
            records = [r for s, x in zip("ABC", m, strict=True) for r in curve("m", s, x)]
            records += [r for s, x in zip("ABC", n, strict=True) for r in curve("n", s, x)]
            return kind("alike")(cells(records, a=selection(["m", "n"], list("ABC"))))

        assert levels((5, 5, 5), (8, 8.01, 8)).verdict == "supported"
        odd = levels((5, 5, 5), (5, 5, 6))
        assert odd.verdict == "refuted" and "m 0.0 %, n 18.8 %" in odd.text
        wide = cells(several({"m": 5}, "A", se=0.2) + several({"m": 5}, "B", se=0.2),
                     a=selection("m", AB))  # fmt: skip
        assert kind("alike")(wide).verdict == "cannot decide"

    @pytest.mark.parametrize(
        ("levels", "verdict"),
        [
            ({"cosine": 6, "sigmoid": 5.9, "lin": 5, "lin100": 5.2}, "supported"),
            # Better together, but one carries the other:
            ({"cosine": 8, "sigmoid": 5.0, "lin": 5, "lin100": 5.2}, "refuted"),
            ({"cosine": 6, "sigmoid": 5.145, "lin": 5, "lin100": 5.2}, "inconclusive"),
        ],
    )
    def test_best_on_average(self, levels, verdict):
        records = several(levels, "A", se=0.02) + several(levels, "B", se=0.02)
        finding = kind("best_on_average")(
            cells(records, best=selection(["cosine", "sigmoid"], AB),
                  others=selection(["lin", "lin100"], AB))
        )  # fmt: skip
        assert finding.verdict == verdict and set(finding.details["parts"]) == {"cosine", "sigmoid"}

    @pytest.mark.parametrize(
        ("counts", "verdict"),
        [
            ((50.5, 51, 51.5), "supported"),
            ((35, 36, 50), "inconclusive"),
            ((30, 31, 32), "refuted"),
        ],
    )
    def test_costlier_where_samplers_choose_their_steps(self, counts, verdict):
        others = (35.5, 35.25, 35.75)
        finding = self.costlier(counts, others)
        assert finding.verdict == verdict and finding.scope == "these weights only"
        assert finding.estimate == pytest.approx(np.mean(counts) / 35.5)
        test = stats.ttest_rel(*np.log([counts, others]))
        ends = np.exp(test.confidence_interval())
        assert (finding.low, finding.high) == pytest.approx((ends[0], ends[1]))
        if verdict != "inconclusive":
            assert finding.p == pytest.approx(test.pvalue)

    @staticmethod
    def costlier(counts, others, **options):
        """Evaluations in each draw of A and of B."""
        records = []
        for sampler, numbers in (("A", counts), ("B", others)):
            for draw, nfe in enumerate(numbers):
                records += curve("m", sampler, 5, nfe=nfe, draws=(draw,))
        chosen = {"a": selection("m", "A"), "b": selection("m", "B")}
        return kind("costlier")(cells(records, draws=range(len(counts)), **chosen), **options)

    def test_costlier_is_counted_where_steps_are_fixed(self):
        result = self.costlier((36,), (35,))
        assert (result.verdict, result.p, result.scope) == ("supported", None, "")
        assert self.costlier((35,), (35,)).verdict == "refuted"
        assert self.costlier((35, 35), (35, 35)).verdict == "refuted"
        assert self.costlier((1000,) * 3, (157.5, 158, 159), factor=3.0).verdict == "supported"

    def test_one_run_of_chosen_steps_decides_nothing(self):
        assert self.costlier((36.5,), (35.5,)).verdict == "inconclusive"
        with pytest.raises(NotTestable, match="missing: number of evaluations of m A"):
            self.costlier((None,), (35.5,))


class TestGate:
    def test_curves_near_noise_are_not_compared(self):
        both = pair(2.5, 2)
        assert "13 % of the way from noise to real images" in kind("superior")(both).limit
        assert kind("superior")(both, gate=False).verdict == "supported"

    def test_levels_of_curves_that_still_rise(self):
        def last(a, b, epochs=(20, 25, 30)):
            chosen = {
                "a": selection("a", "S", epochs=epochs),
                "b": selection("b", "S", epochs=epochs),
            }
            return cells(several({"a": a, "b": b}), **chosen)

        rising = kind("equal")(last(CLIMB, CLIMB))
        assert "2 of 2 curves still rise at the end" in rising.text and not rising.is_testable
        assert kind("equal")(last(CLIMB, CLIMB), allow_rising=True).verdict == "supported"
        assert kind("equal")(last(FLAT_END, FLAT_END)).verdict == "supported"
        assert kind("equal")(last(CLIMB, FLAT_END)).verdict == "refuted"  # half of them do not
        # No claim on final levels: earlier epochs, or one alone, or not the last
        for epochs in (EPOCHS, (30,), (20, 25)):
            assert kind("equal")(last(CLIMB, CLIMB, epochs)).verdict == "supported"


def ends(level, expect, *, metric="is10", se=0.01, **options):
    one = cells(curve("m", "S", level, metric=metric, se=se), a=selection("m", "S"))
    return kind("late_gain")(one, expect=expect, metric=metric, **options)


class TestEnds:
    def test_weights_are_those_of_least_squares(self):
        weights = late_gain.weights(EPOCHS)
        slope = np.polyfit([20, 25, 30], [5.0, 6.5, 6.8], 1)[0]
        assert weights @ [0, 0, 0, 5.0, 6.5, 6.8] == pytest.approx(slope * 10)

    @pytest.mark.parametrize(
        ("level", "expect", "verdict"),
        [
            (CLIMB, "rising", "supported"), (CLIMB, "falling", "refuted"), (CLIMB, "settled", "refuted"),
            (FLAT_END, "rising", "refuted"), (FLAT_END, "settled", "supported"),
            (CLIMB[::-1], "falling", "supported"), (CLIMB[::-1], "rising", "refuted"),
        ],
    )  # fmt: skip
    def test_states(self, level, expect, verdict):
        assert ends(level, expect).verdict == verdict

    def test_the_gain_is_that_of_a_third_of_the_training(self):
        grows = 7 * 1.1 ** (np.array(EPOCHS) / 10)  # by 10 % in ten of thirty epochs
        assert ends(grows, "rising").estimate == pytest.approx(10)

    def test_wide_intervals_decide_nothing(self):
        assert ends(FLAT_END, "rising", se=0.2).verdict == "inconclusive"
        wide = ends(FLAT_END, "settled", se=0.2)
        assert wide.verdict == "cannot decide" and "could decide at a margin of" in wide.limit
        assert ends(FLAT_END, "settled", se=0.2, margin=0.3).verdict == "supported"

    def test_falling_metrics_are_relative_to_the_descent_from_noise(self):
        kid = np.array([8, 6, 4, 2.0, 1.5, 1.0])
        finding = ends(kid, "rising", metric="kid")
        # 1.0 in ten of thirty epochs, of 9 - 1.0 from the noise that is nearer to real images
        assert finding.verdict == "supported" and finding.estimate == pytest.approx(100 / 8)
        assert ends(kid, "rising", metric="fid").verdict == "supported"
        one = cells(curve("m", "S", kid, metric="kid"), references={}, a=selection("m", "S"))
        text = kind("late_gain")(one, expect="rising", metric="kid").text
        assert text == "not testable: missing: kid of noise and of real images for m"

    def test_each_model(self):
        two = cells(several({"m": CLIMB, "n": FLAT_END}), a=selection(["m", "n"], "S"))
        each = kind("late_gain")(two, expect="rising", per="model")
        assert each.verdict == "refuted" and "contradicted in 1 (n)" in each.text
        assert kind("late_gain")(two, expect="rising").verdict == "supported"

    def test_too_few_milestones(self):
        epochs = (5, 10, 30)
        one = cells(curve("m", "S", 5, epochs=epochs), a=selection("m", "S", epochs=epochs))
        text = kind("late_gain")(one, expect="rising").text
        assert "m S: 1 of the epochs 5, 10, 30 in the last 40 %" in text

    @pytest.mark.parametrize(("seeds", "luck"), [((0,), 0.0), (SEEDS, 0.02)])
    def test_flat_curves_seldom_rise(self, seeds, luck):
        """luck: of every milestone of every training, in the mean of three models and alone."""
        epochs, names = EPOCHS[3:], [f"m{trial}" for trial in range(300)]
        more = {"seeds": seeds, "luck": luck, "epochs": epochs, "trial": 0}
        records = several(dict.fromkeys(names, 7), se=0.1, **more)
        everything = cells(records, seeds=seeds, a=None)
        rising = []
        for first in range(0, 300, 3):
            everything.selections["a"] = selection(names[first : first + 3], "S", epochs=epochs)
            finding = kind("late_gain")(everything, expect="rising", per="model")
            rising += [part["verdict"] == "supported" for part in finding.details["parts"].values()]
        assert np.mean(rising) <= 0.03 + 3 * np.sqrt(0.03 / 300)


def converges(level, se=0.01, **options):
    one = cells(curve("m", "S", level, se=se), a=selection("m", "S"))
    return kind("converged")(one, **(WINDOW | options))


class TestWindows:
    def test_in_the_window(self):
        finding = converges([2, 4, 5, 7, 7, 7])
        assert finding.verdict == "supported" and finding.unit == "%"
        assert "from epoch 15, before the window" in finding.text

    def test_too_early_and_too_late(self):
        early, late = converges([4, 7, 7, 7, 7, 7]), converges([2, 3, 4, 5, 6, 7])
        assert (early.verdict, late.verdict) == ("refuted", "refuted")
        assert early.estimate == pytest.approx(0) and late.estimate == pytest.approx(30)

    def test_other_models_take_part_in_the_spread_between_trainings(self):
        models = {"m": [2, 4, 5, 7, 7, 7], "n": CLIMB, "o": FLAT_END}
        records = several(models, seeds=SEEDS, luck=0.001)

        def freedom(names):
            three = cells(records, seeds=SEEDS, a=selection(names, "S"))
            finding = kind("converged")(three, only="m", **WINDOW)
            assert finding.verdict == "supported" and finding.cells == ("m S",)
            return {spread.freedom for spread in finding.spreads.values()}

        assert freedom("m") == {2} and freedom(list(models)) == {4}
        with pytest.raises(ValueError, match="only: 'x'; expected one of the models m"):
            converges(7, only="x")

    def test_noise_decides_nothing(self):
        assert converges([2, 4, 5, 7, 7, 7], se=0.3).verdict == "cannot decide"

    @pytest.mark.parametrize(
        ("start", "end", "missing"), [(10, 50, "before"), (90, 95, "in"), (70, 100, "after")]
    )
    def test_milestones_around_it(self, start, end, missing):
        text = converges(7, start=start, end=end).text
        assert text.startswith(f"not testable: m S: no milestone {missing}")
        assert text.endswith(f"epochs {start} to {end} of 100")

    def test_false_verdicts_at_the_edge(self):
        """Exactly 2 % to gain from before the window on, none after it: barely wrong."""
        edge = [2, 4, 7, 7.14, 7.14, 7.14]
        names = [f"m{trial}" for trial in range(300)]
        everything = cells(several(dict.fromkeys(names, edge), se=0.05, trial=0), a=None)
        supported = 0
        for name in names:
            everything.selections["a"] = selection(name, "S")
            supported += kind("converged")(everything, **WINDOW).verdict == "supported"
        assert supported / 300 <= 0.05 + 3 * np.sqrt(0.05 / 300)

    @pytest.mark.parametrize(
        ("a", "b", "verdict"),
        [
            (FLAT_END, CLIMB, "supported"), (CLIMB, FLAT_END, "refuted"),
            (FLAT_END, FLAT_END * 1.1, "refuted"),  # the same gains, at another level
        ],
    )  # fmt: skip
    def test_earlier(self, a, b, verdict):
        records = curve("m", "A", a) + curve("m", "B", b)
        both = cells(records, a=selection("m", "A"), b=selection("m", "B"))
        assert kind("earlier")(both, **WINDOW).verdict == verdict

    @pytest.mark.parametrize(
        ("level", "verdict"),
        [
            ([2, 2, 2, 3, 2, 2], "supported"),
            (CLIMB, "refuted"),
            ([2, 2, 2, 2.01, 1, 1], "inconclusive"),
        ],
    )
    def test_bump(self, level, verdict):
        one = cells(curve("m", "S", level), a=selection("m", "S"))
        assert kind("bump")(one, **WINDOW).verdict == verdict
        assert "no milestone in" in kind("bump")(one, start=91, end=95, budget=100).text


class TestNoiseAndFamilies:
    @pytest.mark.parametrize(
        ("level", "se", "verdict"),
        [
            ([1.2, 1.2, 4.0, 1.3, 1.2, 1.2], 0.01, "supported"),  # a bump is no learning
            (FLAT_END, 0.01, "refuted"),
            ([2, 2, 2, 1.3, 3.0, 1.2], 0.01, "inconclusive"),  # late, but not at the end
            (2.7, 0.2, "inconclusive"),
        ],
    )
    def test_stays_noise(self, level, se, verdict):
        one = cells(curve("m", "S", level, se=se), a=selection("m", "S"))
        assert kind("stays_noise")(one).verdict == verdict

    def test_of_a_falling_metric(self):
        def finding(level):
            one = cells(curve("m", "S", level, metric="fid"), a=selection("m", "S"))
            return kind("stays_noise")(one, metric="fid")

        assert finding(79.5).verdict == "supported" and finding(79.5).estimate == pytest.approx(
            100 * 0.5 / 79.5
        )
        assert finding(20).verdict == "refuted"

    def families(self, levels):
        records = several({f"{f}{i}": y for f, ys in levels.items() for i, y in enumerate(ys)})
        chosen = {
            f: selection([f"{f}{i}" for i in range(len(ys))], "S") for f, ys in levels.items()
        }
        return kind("dominates")(cells(records, **chosen))

    def test_dominates(self):
        apart = self.families(
            {f: [y, y + 0.1, y + 0.2, y] for f, y in zip("abcde", range(3, 8), strict=True)}
        )
        assert apart.verdict == "supported" and apart.p is None and "a 3.00 to 3.20" in apart.text
        mixed = self.families({f: [3.0, 4.0, 5, 6.0, 7.0, 8.0] for f in "abcdef"})
        assert mixed.verdict == "refuted" and mixed.estimate == 0
        assert (
            self.families({f: [4, 4 + y] for f, y in zip("abcde", range(5), strict=True)}).verdict
            == "inconclusive"
        )

    @pytest.mark.parametrize(("of_models", "of_samplers"), [(5, 0), (3.5, 3.5), (0, 5)])
    def test_intervals_of_the_share_cover_it(self, of_models, of_samplers):
        """Where models of a family differ, and where its samplers do."""
        rng, shape = np.random.default_rng(0), (6, 2, 6)  # families, models, samplers
        truth, covered = 25 / (25 + of_models**2 + of_samplers**2), 0
        for _ in range(300):
            levels = 5 * rng.standard_normal((6, 1, 1)) + of_samplers * rng.standard_normal(shape)
            levels += of_models * rng.standard_normal((6, 2, 1))
            _, low, high = dominates._share(levels.tolist())
            covered += low <= truth <= high
        assert covered >= 0.95 * 300 - 3 * np.sqrt(300 * 0.95 * 0.05)

    def test_few_families_are_described(self):
        two = self.families({"a": [4, 4.1], "b": [7, 7.1]})
        assert two.verdict == "not testable" and two.estimate > 90 and "2 families" in two.limit
        with pytest.raises(NotTestable, match="a second model"):
            self.families({"a": [4], "b": [5]})


def guided(levels, se=0.01):
    """Guided records by scale, beside one without guidance."""
    records = curve("m", "S", 5, se=se)
    for scale, level in levels.items():
        records += curve("m", "S", level, se=se, guidance=f"G{scale}", scale=float(scale))
    return records, [f"G{scale}" for scale in levels]


class TestDoses:
    @pytest.mark.parametrize(
        ("factor", "verdict"), [(1.1, "supported"), (0.9, "refuted"), (1.0, "inconclusive")]
    )
    def test_slope(self, factor, verdict):
        records, names = guided({s: 5 * factor ** np.log10(s) for s in (1, 10, 100)})
        finding = kind("slope")(cells(records, a=selection("m", "S", names)), expect="rises")
        assert finding.verdict == verdict and finding.estimate == pytest.approx(
            100 * (factor - 1), abs=1e-6
        )
        falls = kind("slope")(cells(records, a=selection("m", "S", names)), expect="falls").verdict
        assert {verdict, falls} in ({"supported", "refuted"}, {"inconclusive"})

    def test_a_slope_takes_three_numbers(self):
        one = cells(curve("m", "S", 5), a=selection("m", "S"))
        assert "scale is [nan]; a slope takes three" in kind("slope")(one, expect="rises").text

    @pytest.mark.parametrize(
        ("levels", "verdict", "estimate"),
        [
            ({1: 5.0, 10: 5.0, 100: 4.8, 1000: 2.0}, "supported", -4),  # the smallest harmful scale
            ({1: 5.0, 10: 5.3}, "refuted", 0),
            ({1: 5.0, 10: 4.9}, "inconclusive", -2),
        ],
    )
    def test_harmful_scale(self, levels, verdict, estimate):
        records, names = guided(levels)
        both = cells(records, a=selection("m", "S", names), b=selection("m", "S"))
        finding = kind("harmful_scale")(both)
        assert finding.verdict == verdict and finding.estimate == pytest.approx(estimate)

    def test_harm_that_cannot_be_decided(self):
        records, names = guided({1: 5.0, 10: 5.0}, se=0.2)
        both = cells(records, a=selection("m", "S", names), b=selection("m", "S"))
        assert kind("harmful_scale")(both).verdict == "cannot decide"

    def test_gap_closes(self):
        def gaps(by_nfe, **more):
            records = []
            for nfe, gap in by_nfe.items():
                records += curve("m", f"A{nfe}", 5 + gap, nfe=nfe, **more)
                records += curve("m", f"B{nfe}", 5, nfe=nfe, **more)
            a, b = ([f"{side}{nfe}" for nfe in by_nfe] for side in AB)
            return kind("gap_closes")(cells(records, a=selection("m", a), b=selection("m", b)))

        assert gaps({128: 0, 8: 1, 32: 0.3}).verdict == "supported"
        assert gaps({8: 1, 128: 1}).verdict == "refuted"
        assert gaps({8: 0, 128: 0}).verdict == "inconclusive"
        assert gaps({8: 1, 128: 0}, se=0.2).verdict == "cannot decide"
        with pytest.raises(NotTestable, match="same number"):
            gaps({8: 0})


TWO = several({"vp": 6, "ve": 5})
BETTER = claim("superior", a=selection("vp", "S"), b=selection("ve", "S"))
SAME = claim("equal", a=selection("vp", "S"), b=selection("ve", "S"))["block"]["parts"]["only"]


def block_of(**more):
    return {"block": copy.deepcopy(BETTER["block"]) | more}


class TestAssessments:
    def test_missing_cells_are_named(self):
        (a,) = assess({"C01": BETTER}, evidence([r for r in TWO if r["cell"]["epoch"] != 20]))
        assert a.finding.text == "not testable: missing: is10 of vp/seed-0/S/none/draw-0/epoch-20"

    def test_diverged_cells_are_named(self):
        lost = [record("ve", "S", {}, epoch=e, status="diverged") for e in (20, 25)]
        kept = [
            r
            for r in TWO
            if (r["cell"]["model"], r["cell"]["epoch"]) not in {("ve", 20), ("ve", 25)}
        ]
        (a,) = assess({"C01": BETTER}, evidence(kept + lost))
        assert (
            a.finding.text == "not testable: diverged: ve/seed-0/S/none/draw-0/epoch-20 and 1 more"
        )

    def test_records_without_groups(self):
        old = copy.deepcopy(TWO)
        old[0]["metrics"][0]["jackknife"] = None
        (a,) = assess({"C01": BETTER}, evidence(old))
        assert "vp/seed-0/S/none/draw-0/epoch-5 has no values without groups" in a.finding.text

    def test_what_the_study_lacks(self):
        lacking = BETTER | {"missing": {"parts.only": ["model vp", "sampler S"]}}
        (a,) = assess({"C01": lacking}, evidence(TWO))
        assert a.finding.text == "not testable: missing: model vp, sampler S"

    def test_declared(self):
        block = {"statement": "x", "source": "§4", "not_testable": "no such experiment"}
        (a,) = assess({"C27": {"block": block}}, evidence(TWO))
        assert a.finding.verdict == "not testable" and "no such experiment" in a.finding.text

    def test_a_reduced_scale_does_not_reproduce(self):
        worse = claim("superior", a=selection("ve", "S"), b=selection("vp", "S"))
        assert verdicts({"C": worse}, evidence(TWO)) == {"C": "refuted"}
        assert verdicts({"C": worse}, evidence(TWO, is_reduced=True)) == {
            "C": "not reproduced at this scale"
        }

    def test_holm_takes_weak_verdicts(self):
        """A difference that is significant alone is not among twenty questions."""
        weak = several({"a": 5.18, "b": 5.0}, se=0.12, epochs=(30,))
        chosen = {"a": selection("a", "S", epochs=(30,)), "b": selection("b", "S", epochs=(30,))}
        question = claim("superior", **chosen)
        assert verdicts({"C": question}, evidence(weak)) == {"C": "supported"}
        many = assess({f"C{i:02}": question for i in range(20)}, evidence(weak))
        assert {a.finding.verdict for a in many} == {"inconclusive"}
        assert "not after Holm's correction for 20 claims" in many[0].finding.text

    def test_parts_of_which_one_is_enough_are_several_questions(self):
        weak = several({"a": 5.18, "b": 5.0}, se=0.12, epochs=(30,))
        chosen = {"a": selection("a", "S", epochs=(30,)), "b": selection("b", "S", epochs=(30,))}
        either = block_of(require="any")
        part = claim("superior", **chosen)["block"]["parts"]["only"]
        either["block"]["parts"] = dict.fromkeys(["first", "second", "third"], part)
        (a,) = assess({"C": either}, evidence(weak))
        assert a.finding.verdict == "inconclusive" and a.finding.p > 0.05
        assert "supported part by part, but not with its parts together (p = " in a.finding.text

    @pytest.mark.parametrize(
        ("require", "verdict"), [("all", "refuted"), ("any", "supported"), ("same", "inconclusive")]
    )
    def test_parts_together(self, require, verdict):
        both = block_of(require=require)
        both["block"]["parts"]["other"] = SAME
        (a,) = assess({"C": both}, evidence(TWO))
        assert a.finding.verdict == verdict
        assert "other: refuted, is10 of vp S is 20.0 % above that of ve S" in a.finding.text

    def test_same_is_refuted_by_all_parts(self):
        both = block_of(require="same", parts={"one": SAME, "other": SAME})
        assert verdicts({"C": both}, evidence(TWO)) == {"C": "refuted"}

    @pytest.mark.parametrize(("level", "verdict"), [(5, "not testable"), (6, "supported")])
    def test_a_premise_comes_first(self, level, verdict):
        """Equal scores, and yet another KID."""
        records = several({"vp": 6, "ve": level})
        for one, kid in zip(records, [1.0] * 6 + [3.0] * 6, strict=True):
            cell = one["cell"]
            other = record(cell["model"], "S", {"kid": kid}, epoch=cell["epoch"])
            one["metrics"] += other["metrics"]
        other = SAME | {"kind": "differs", "options": {"metric": "kid"}}
        both = block_of(premise="equal", parts={"equal": SAME, "kid": other})
        (a,) = assess({"C22": both}, evidence(records))
        assert a.finding.verdict == verdict
        assert ("the premise does not hold: refuted" in a.finding.text) == (
            verdict == "not testable"
        )

    def test_controls_have_readings(self):
        readings = {"supported": "as claimed", "refuted": "an artefact", "inconclusive": "open"}
        control = {"equal_steps": SAME | {"interpretation": readings}}
        (a,) = assess({"C": block_of(controls=control)}, evidence(TWO, is_reduced=True))
        assert a.finding.verdict == "supported"
        assert a.controls["equal_steps"].reading == "an artefact"
        missing = {"controls.equal_steps": ["sampler DDIM_marginal"]}
        (a,) = assess({"C": block_of(controls=control) | {"missing": missing}}, evidence(TWO))
        assert a.controls["equal_steps"].reading == "missing: sampler DDIM_marginal"
