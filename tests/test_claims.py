"""Kinds of claims and whole scorecards on tables whose truth is known."""

import json

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

from uncanny.claims.assess import assess
from uncanny.claims.curves import Scores, broadcast
from uncanny.claims.finding import NotTestable
from uncanny.evaluation import convergence, score_records
from uncanny.registry import components

RISE = 8 - 5 * np.exp(-np.array(EPOCHS) / 4)  # settles at epoch 20 within 1 %
CLIMB = 1 + 0.2 * np.array(EPOCHS)  # never settles


def kind(name):
    return components.load("claims", name)


class TestSelections:
    def test_axes_pair_in_order_and_one_name_goes_with_all(self):
        a = selection(["vp_uncond", "vp_cond"], ["EUL", "HEUN"])
        b = selection(["ve_uncond", "ve_cond"], "EUL")
        pairs = [(x[:2], y[:2]) for x, y in broadcast(a, b)]
        assert pairs == [
            (("vp_uncond", "EUL"), ("ve_uncond", "EUL")), (("vp_uncond", "HEUN"), ("ve_uncond", "EUL")),
            (("vp_cond", "EUL"), ("ve_cond", "EUL")), (("vp_cond", "HEUN"), ("ve_cond", "EUL")),
        ]  # fmt: skip

    def test_axes_that_do_not_pair(self):
        with pytest.raises(ValueError, match="models: selections a and b have 2 and 3 names"):
            list(broadcast(selection(["a", "b"], "S"), selection(["a", "b", "c"], "S")))

    def test_a_bad_pairing_names_its_part(self):
        bad = claim("superior", a=selection(["a", "b"], "S"), b=selection(["a", "b", "c"], "S"))
        with pytest.raises(ValueError, match=r"claims\.C01\.parts\.only: models"):
            assess({"C01": bad}, evidence(curve("a", "S", 5)))


class TestComparisons:
    RECORDS = (
        curve("vp", "A", 6) + curve("vp", "B", 6.02) + curve("ve", "A", 5) + curve("ve", "B", 5.9)
    )

    def found(self, name, **options):
        both = cells(self.RECORDS, a=selection("vp", ["A", "B"]), b=selection("ve", ["A", "B"]))
        return kind(name)(both, **options)

    def test_pooled_and_each(self):
        assert self.found("superior").verdict == "strictly supported"
        each = self.found("superior", per="sampler")
        assert each.verdict == "strictly supported" and set(each.details["parts"]) == {"A", "B"}
        assert each.estimate == pytest.approx(self.found("superior").estimate)
        assert set(self.found("superior", per="pair").details["parts"]) == {
            "vp A against ve A",
            "vp B against ve B",
        }

    def test_equal_and_differs(self):
        assert self.found("equal").verdict == "refuted"
        assert self.found("equal", per="sampler", delta=0.05).verdict == "refuted"
        assert self.found("differs").verdict == "supported"

    def test_best_is_chosen_on_another_draw(self):
        """A curve that was lucky on draw 0 is chosen, and judged by what it does elsewhere."""
        lucky = curve("m", "lucky", 7, draws=(0,)) + curve("m", "lucky", 5, draws=(1, 2))
        records = curve("m", "A", 6, draws=(0, 1, 2)) + curve("m", "good", 5.5, draws=(0, 1, 2))
        both = cells(lucky + records, draws=(0, 1, 2), a=selection("m", "A"),
                     b=selection("m", ["good", "lucky"]))  # fmt: skip
        found = kind("superior")(both, best="b")
        assert found.cells == ("m A", "m lucky") and found.estimate == pytest.approx(20, abs=1)

    def test_alike(self):
        same = cells([x for s in "ABC" for x in curve("m", s, 5)], a=selection("m", list("ABC")))
        assert kind("alike")(same).verdict == "supported"
        odd = cells(
            [y for s, x in zip("ABC", (5, 5, 6), strict=True) for y in curve("m", s, x)],
            a=selection("m", list("ABC")),
        )
        found = kind("alike")(odd)
        assert found.verdict == "refuted" and found.estimate == pytest.approx(100 * 3 / 16, abs=0.5)
        assert set(found.details["parts"]) == {
            "m A against m B",
            "m A against m C",
            "m B against m C",
        }

    def test_other_epochs_compare_means(self):
        records = curve("a", "S", 6, epochs=(5,)) + curve("b", "S", 5, epochs=(20,))
        both = cells(
            records, a=selection("a", "S", epochs=(5,)), b=selection("b", "S", epochs=(20,))
        )
        found = kind("superior")(both)
        assert found.verdict == "supported" and found.details["epochs"] == []

    def test_costlier(self):
        records = (
            curve("m", "A", 5, nfe=100) + curve("m", "B", 5, nfe=35) + curve("m", "C", 5, nfe=100)
        )
        one = cells(records, a=selection("m", "A"), b=selection("m", "B"))
        two = cells(records, a=selection("m", "A"), b=selection("m", ["B", "C"]))
        assert kind("costlier")(one).verdict == "supported"
        assert kind("costlier")(two).verdict == "refuted"
        assert kind("costlier")(one, factor=3.0).verdict == "refuted"

    @pytest.mark.parametrize(
        ("counts", "verdict"),
        [((50, 51), "supported"), ((35, 50), "inconclusive"), ((30, 34), "refuted")],
    )
    def test_costlier_in_every_draw(self, counts, verdict):
        """Adaptive samplers take other numbers of evaluations in every draw."""
        records = curve("m", "B", 5, nfe=35.5) + curve("m", "B", 5, nfe=35.25, draws=(1,))
        for draw, nfe in enumerate(counts):
            records += curve("m", "A", 5, nfe=nfe, draws=(draw,))
        both = cells(records, draws=(0, 1), a=selection("m", "A"), b=selection("m", "B"))
        found = kind("costlier")(both)
        assert found.verdict == verdict
        assert found.estimate == pytest.approx(np.mean(counts) / 35.375)

    @pytest.mark.parametrize(
        ("level", "verdict"), [(5.5, "supported"), (4.98, "supported"), (4.5, "refuted")]
    )
    def test_no_worse(self, level, verdict):
        records = curve("m", "A", level) + curve("m", "B", 5)
        both = cells(records, a=selection("m", "A"), b=selection("m", "B"))
        assert kind("no_worse")(both).verdict == verdict

    def test_ranked(self):
        levels = {"cosine": 6, "sigmoid": 5.9, "lin": 5, "lin100": 5.2}
        records = [x for m, y in levels.items() for s in "AB" for x in curve(m, s, y)]
        best = cells(
            records,
            best=selection(["cosine", "sigmoid"], ["A", "B"]),
            others=selection(["lin", "lin100"], ["A", "B"]),
        )
        worst = cells(
            records,
            best=selection(["cosine", "lin"], ["A", "B"]),
            others=selection(["sigmoid", "lin100"], ["A", "B"]),
        )
        assert kind("ranked")(best).verdict == "supported"
        assert kind("ranked")(worst).verdict == "refuted"


class TestPlateaus:
    def test_window_is_rescaled(self):
        start = convergence.plateau(EPOCHS, RISE, floor=None, ceiling=None).epoch
        one = cells(curve("m", "S", RISE, se=0.001), a=selection("m", "S"))
        hit = kind("plateau")(one, start=start / 30 * 100, end=start / 30 * 100, budget=100)
        assert hit.verdict == "supported" and hit.full_verdict == "supported (scaled, single run)"
        assert hit.estimate == start
        assert (
            kind("plateau")(one, start=start, end=start, budget=30).full_verdict
            == "supported (single run)"
        )
        assert kind("plateau")(one, start=99, end=100, budget=100).verdict == "refuted"

    def test_not_converged(self):
        two = curve("m", "S", RISE, se=0.001) + curve("n", "S", CLIMB)
        assert kind("not_converged")(cells(two, a=selection("n", "S"))).verdict == "supported"
        assert kind("not_converged")(cells(two, a=selection("m", "S"))).verdict == "refuted"
        assert kind("not_converged")(cells(two, a=selection(["n", "m"], "S"))).verdict == "refuted"

    def test_earlier(self):
        early = 8 - 5 * np.exp(-np.array(EPOCHS) / 1)
        records = (
            curve("m", "A", early, se=0.001)
            + curve("m", "B", RISE, se=0.001)
            + curve("m", "C", CLIMB)
        )

        def order(a, b):
            return kind("earlier")(cells(records, a=selection("m", a), b=selection("m", b)))

        assert order("A", "B").verdict == "supported" and order("A", "B").estimate > 0
        assert order("B", "A").verdict == "refuted"
        assert order("A", "A").verdict == "refuted"  # a tie is no order
        assert order("A", "C").verdict == "supported"
        assert (
            "no plateau on either side" in order("C", "C").text
            and order("C", "C").verdict == "not testable"
        )

    def test_too_few_points(self):
        short = cells(curve("m", "S", 5, epochs=(5, 10)), a=selection("m", "S", epochs=(5, 10)))
        assert "needs at least 6" in kind("not_converged")(short).text


class TestTrends:
    def test_slope_over_epochs(self):
        two = curve("m", "S", CLIMB) + curve("flat", "S", 5)
        assert (
            kind("slope")(cells(two, a=selection("m", "S")), expect="rises").verdict == "supported"
        )
        assert kind("slope")(cells(two, a=selection("m", "S")), expect="falls").verdict == "refuted"
        flat = kind("slope")(cells(two, a=selection("flat", "S")), expect="rises")
        assert abs(flat.estimate) < 0.02

    def test_slope_over_scales(self):
        records = [
            x
            for s in (1, 10, 100)
            for x in curve("m", "S", 5 + np.log10(s), guidance=f"G{s}", scale=float(s))
        ]
        found = kind("slope")(
            cells(records, a=selection("m", "S", ["G1", "G10", "G100"])), expect="rises", x="scale"
        )
        assert found.verdict == "supported" and found.estimate == pytest.approx(100 / 6, rel=0.02)

    def test_no_scale(self):
        found = kind("slope")(
            cells(curve("m", "S", 5), a=selection("m", "S")), expect="rises", x="scale"
        )
        assert found.text.startswith("not testable: scale is [nan]")

    def test_harmful_scale(self):
        levels = {1: 5.0, 10: 5.0, 100: 4.8, 1000: 2.0}
        records = curve("m", "S", 5, se=0.001)
        records += [
            x
            for s, y in levels.items()
            for x in curve("m", "S", y, se=0.001, guidance=f"G{s}", scale=float(s))
        ]

        def found(scales):
            return kind("harmful_scale")(
                cells(
                    records, a=selection("m", "S", [f"G{s}" for s in scales]), b=selection("m", "S")
                )
            )

        assert found(levels).verdict == "supported"
        assert found(levels).estimate == pytest.approx(10 * 10**0.5, rel=0.02)
        assert found([1, 10]).verdict == "refuted" and found([1, 10]).estimate is None
        assert found([100, 1000]).estimate == pytest.approx(100)

    def test_gap_closes(self):
        def pairs(gaps):
            records = []
            for nfe, gap in gaps.items():
                records += curve("m", f"A{nfe}", 5 + gap, nfe=nfe) + curve(
                    "m", f"B{nfe}", 5, nfe=nfe
                )
            a, b = ([f"{side}{nfe}" for nfe in gaps] for side in "AB")
            return kind("gap_closes")(cells(records, a=selection("m", a), b=selection("m", b)))

        assert pairs({128: 0, 8: 1, 32: 0.3}).verdict == "supported"
        assert pairs({8: 1, 128: 1}).verdict == "refuted"
        assert pairs({8: 0, 128: 0}).verdict == "inconclusive"
        with pytest.raises(NotTestable, match="same number"):
            pairs({8: 0})

    def test_steady(self):
        two = curve("flat", "S", 5) + curve("m", "S", CLIMB)
        assert (
            kind("steady")(cells(two, a=selection("flat", "S")), errors=5.0).verdict == "supported"
        )
        assert kind("steady")(cells(two, a=selection("m", "S"))).verdict == "refuted"


class TestNoiseAndFamilies:
    def test_near_noise(self):
        two = curve("noise", "S", [1.2, 1.2, 1.6, 1.3, 1.2, 1.2]) + curve("m", "S", RISE)
        found = kind("near_noise")(cells(two, a=selection("noise", "S")))
        assert found.verdict == "supported" and "epoch 15" in found.text
        assert kind("near_noise")(cells(two, a=selection("m", "S"))).verdict == "refuted"
        assert kind("near_noise")(cells(two, a=selection(["noise", "m"], "S"))).verdict == "refuted"

    def test_bounds_of_a_dataset_without_references(self):
        table = score_records.tidy(curve("m", "S", RISE))
        found = Scores(table, {"other": REFERENCES["digits"]})
        with pytest.raises(ValueError, match="no references of dataset 'digits'; there are other"):
            found.bounds("m", "is10")

    def test_family_share(self):
        apart = [
            x
            for f, level in (("a", 2), ("b", 8))
            for i in range(4)
            for x in curve(f"{f}{i}", "S", level + 0.1 * i)
        ]
        mixed = [x for f in "ab" for i in range(4) for x in curve(f"{f}{i}", "S", 5 + i)]
        families = {f: selection([f"{f}{i}" for i in range(4)], "S") for f in "ab"}
        assert kind("family_share")(cells(apart, **families)).verdict == "supported"
        assert kind("family_share")(cells(mixed, **families)).verdict == "refuted"
        with pytest.raises(NotTestable, match="second configuration"):
            kind("family_share")(cells(apart, a=selection("a0", "S"), b=selection("b0", "S")))


TWO = curve("vp", "S", 6) + curve("ve", "S", 5)
BETTER = claim("superior", a=selection("vp", "S"), b=selection("ve", "S"))


class TestScorecard:
    def test_missing_cells_are_named(self):
        found = evidence([r for r in TWO if r["cell"]["epoch"] != 20])
        (a,) = assess({"C01": BETTER}, found)
        assert a.finding.full_verdict == "not testable"
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

    def test_what_the_study_lacks(self):
        lacking = BETTER | {"missing": {"parts.only": ["model vp", "sampler S"]}}
        (a,) = assess({"C01": lacking}, evidence(TWO))
        assert a.finding.text == "not testable: missing: model vp, sampler S"

    def test_declared(self):
        block = {"statement": "x", "source": "§4", "not_testable": "no such experiment"}
        (a,) = assess({"C27": {"block": block}}, evidence(TWO))
        assert a.finding.full_verdict == "not testable" and "no such experiment" in a.finding.text

    def test_suffixes(self):
        scaled = {"block": BETTER["block"] | {"scaled": True}}
        assert verdicts({"C": scaled}, evidence(TWO)) == {
            "C": "strictly supported (scaled, single run)"
        }
        twice = curve("vp", "S", 6, seeds=(0, 1, 2)) + curve("ve", "S", 5, seeds=(0, 1, 2))
        assert verdicts({"C": BETTER}, evidence(twice, seeds=(0, 1, 2))) == {
            "C": "strictly supported"
        }

    def test_a_claims_numbers_are_its_own(self):
        alone = assess({"C02": BETTER}, evidence(TWO))[0]
        others = {
            "C01": claim("equal", a=selection("vp", "S"), b=selection("ve", "S")),
            "C02": BETTER,
        }
        among = assess(others, evidence(TWO[::-1]))[1]
        assert among.alone == alone.alone
        assert assess({"C03": BETTER}, evidence(TWO))[0].alone.low != alone.alone.low

    def test_holm_takes_weak_verdicts(self):
        """A difference that is significant alone (p = 0.03) is not among twenty questions."""
        epochs = EPOCHS[:1]
        weak = [record(m, "S", {"is10": v}, epoch=5, se=0.1) for m, v in (("a", 5.31), ("b", 5.0))]
        chosen = {"a": selection("a", "S", epochs=epochs), "b": selection("b", "S", epochs=epochs)}
        one = assess({"C": claim("superior", **chosen)}, evidence(weak))[0]
        assert one.finding.verdict == "supported"
        many = assess({f"C{i:02}": claim("superior", **chosen) for i in range(20)}, evidence(weak))
        assert {a.finding.verdict for a in many} == {"inconclusive"}
        assert "not after Holm's correction for 20 claims" in many[0].finding.text

    def test_need_and_controls(self):
        block = json.loads(json.dumps(BETTER["block"]))
        block["parts"]["other"] = {
            "kind": "equal",
            "cells": block["parts"]["only"]["cells"],
            "options": {},
        }
        readings = {"supported": "as claimed", "refuted": "an artefact", "inconclusive": "open"}
        block["controls"] = {"equal_steps": block["parts"]["other"] | {"interpretation": readings}}
        all_of = assess({"C": {"block": block}}, evidence(TWO))[0]
        any_of = assess({"C": {"block": block | {"require": "any"}}}, evidence(TWO))[0]
        assert (all_of.finding.verdict, any_of.finding.verdict) == ("refuted", "strictly supported")
        assert all_of.controls["equal_steps"].reading == "an artefact"
        assert "other: refuted, vp S better than ve S by 20" in all_of.finding.text

    def test_a_control_that_lacks_something_says_so(self):
        block = BETTER["block"] | {
            "controls": {"x": BETTER["block"]["parts"]["only"] | {"interpretation": {}}}
        }
        missing = {"controls.x": ["sampler DDIM_marginal"]}
        (a,) = assess({"C": {"block": block, "missing": missing}}, evidence(TWO))
        assert (
            a.finding.holds
            and a.controls["x"].reading == "not testable: missing: sampler DDIM_marginal"
        )
