"""Decision rules where the truth is known: verdicts at clear effects, false verdicts by simulation."""

import numpy as np
import pytest

from uncanny.claims import rules
from uncanny.claims.effects import Effect
from uncanny.claims.finding import Finding, combined, deciding, holm, verdict_of
from uncanny.evaluation.contrasts import Contrast

TRIALS = 2000


def effect(value, se=0.01, *, scale="difference", sign=1, freedom=57.0, differing=20):
    return Effect(Contrast(value, se, freedom, differing, scale), sign, 5.0, "3 trainings", {})


class TestVerdicts:
    @pytest.mark.parametrize(
        ("value", "se", "verdict"),
        [
            (0.05, 0.01, "supported"),
            (0.009, 0.003, "inconclusive"),  # surely above 0, but less than 1 %
            (0.004, 0.002, "refuted"),  # surely smaller than 1 %
            (0.0, 0.003, "refuted"),
            (0.03, 0.02, "inconclusive"),
            (-0.05, 0.01, "refuted"),
        ],
    )
    def test_superior(self, value, se, verdict):
        assert rules.superior(effect(value, se)).verdict == verdict

    @pytest.mark.parametrize(
        ("value", "se", "verdict"),
        [(0.05, 0.01, "supported"), (-0.05, 0.01, "supported"), (0.0, 0.003, "refuted"), (0.0, 0.01, "inconclusive")],
    )  # fmt: skip
    def test_differ(self, value, se, verdict):
        assert rules.differ(effect(value, se)).verdict == verdict

    @pytest.mark.parametrize(
        ("value", "se", "verdict"),
        [
            (0.0, 0.005, "supported"),
            (0.018, 0.005, "inconclusive"),  # could decide, and the value lies at the margin
            (0.0, 0.01, "cannot decide"),
            (0.05, 0.01, "refuted"),
            (-0.05, 0.01, "refuted"),
        ],
    )
    def test_equal(self, value, se, verdict):
        assert rules.equal(effect(value, se)).verdict == verdict

    @pytest.mark.parametrize(
        ("value", "se", "verdict"),
        [
            (0.05, 0.01, "supported"),
            (0.0, 0.005, "supported"),
            (-0.05, 0.01, "refuted"),
            (-0.02, 0.005, "inconclusive"),
            (-0.02, 0.01, "cannot decide"),
        ],
    )
    def test_no_worse(self, value, se, verdict):
        assert rules.no_worse(effect(value, se)).verdict == verdict

    def test_a_scale_that_cannot_decide_says_at_which_margin_it_could(self):
        assert rules.equal(effect(0.0, 0.01)).margin == pytest.approx(0.03)
        assert rules.equal(effect(0.0, 0.01), 0.031).verdict == "supported"

    @pytest.mark.parametrize("rule", [rules.superior, rules.differ, rules.equal, rules.no_worse])
    def test_the_same_images_are_no_test(self, rule):
        decision = rule(effect(0.0, 0.0, differing=0))
        assert (decision.verdict, decision.p) == ("by construction", None)

    def test_margins_on_the_log_scale_are_ratios(self):
        assert effect(0.0, scale="log").margin(0.02) == pytest.approx(np.log(1.02))
        assert effect(np.log(1.5), scale="log").percents()[0] == pytest.approx(50)

    def test_of_a_metric_that_falls_the_change_is_its_own(self):
        better = effect(np.log(2), scale="log", sign=-1)  # half the FID
        assert better.percents()[0] == pytest.approx(-50)
        low, high = better.percents()[1:]
        assert low < -50 < high

    def test_detectable_has_80_percent_power(self):
        rng, contrast = np.random.default_rng(0), effect(0.0, 0.01).contrast
        values = rules.detectable(contrast) + 0.01 * rng.standard_normal(20_000)
        se = 0.01 * np.sqrt(rng.chisquare(57, 20_000) / 57)
        assert np.mean(values / se > 2.0025) == pytest.approx(0.8, abs=0.01)  # t_0.975 of 57


class TestFalseVerdicts:
    """Rates over simulated effects; the bounds leave three standard errors of the simulation."""

    def rate(self, rule, truth, se, *, verdict, freedom=10):
        rng = np.random.default_rng(7)
        values = truth + se * rng.standard_normal(TRIALS)
        errors = se * np.sqrt(rng.chisquare(freedom, TRIALS) / freedom)
        verdicts = [
            rule(effect(v, s, freedom=freedom)).verdict for v, s in zip(values, errors, strict=True)
        ]
        return verdicts.count(verdict) / TRIALS

    def bound(self, level):
        return level + 3 * np.sqrt(level / TRIALS)

    @pytest.mark.parametrize("se", [0.002, 0.01, 0.05])
    def test_superior_without_an_effect(self, se):
        assert self.rate(rules.superior, 0, se, verdict="supported") <= self.bound(0.025)

    @pytest.mark.parametrize("se", [0.002, 0.01, 0.05])
    def test_superior_at_the_smallest_effect(self, se):
        assert self.rate(rules.superior, 0.01, se, verdict="refuted") <= self.bound(0.05)

    @pytest.mark.parametrize("truth", [0.02, -0.02])
    @pytest.mark.parametrize("se", [0.002, 0.006, 0.02])
    def test_equal_at_its_margin(self, truth, se):
        assert self.rate(rules.equal, truth, se, verdict="supported") <= self.bound(0.05)
        assert self.rate(rules.equal, truth, se, verdict="refuted") <= self.bound(0.05)

    @pytest.mark.parametrize("se", [0.002, 0.006, 0.02])
    def test_no_worse_at_its_margin(self, se):
        assert self.rate(rules.no_worse, -0.02, se, verdict="supported") <= self.bound(0.05)
        assert self.rate(rules.no_worse, -0.02, se, verdict="refuted") <= self.bound(0.05)

    def test_effects_are_found(self):
        assert self.rate(rules.superior, 0.05, 0.012, verdict="supported") > 0.8
        assert self.rate(rules.equal, 0, 0.004, verdict="supported") > 0.8

    def test_holm_over_claims(self):
        """Of ten claims without an effect, seldom is any supported or refuted."""
        rng, wrong = np.random.default_rng(11), 0
        for _ in range(500):
            decisions = [rules.superior(effect(v, 1.0)) for v in rng.standard_normal(10)]
            adjusted = holm({str(i): d.p for i, d in enumerate(decisions)}, 10)
            wrong += any(value <= 0.05 for value in adjusted.values())
        assert wrong / 500 <= 0.05 + 3 * np.sqrt(0.05 / 500)


def test_holm_by_hand():
    p = {"a": 0.01, "b": 0.04, "c": 0.03}
    assert holm(p, 3) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    # Claims that cannot be tested count all the same.
    assert holm(p, 10) == pytest.approx({"a": 0.1, "c": 0.27, "b": 0.32})
    assert holm({}, 3) == {}


YES, NO = Finding("supported", "", p=0.01), Finding("refuted", "", p=0.02)
OPEN, WEAK = Finding("inconclusive", "", p=1.0), Finding("cannot decide", "", p=1.0)
LOST, SURE = Finding("not testable", "not testable: missing x"), Finding("by construction", "")
NAMES = {"Y": YES, "N": NO, "O": OPEN, "W": WEAK, "L": LOST, "C": SURE}


class TestTogether:
    @pytest.mark.parametrize(
        ("parts", "need", "verdict"),
        [
            ("YY", "all", "supported"), ("YN", "all", "refuted"), ("YO", "all", "inconclusive"),
            ("YW", "all", "cannot decide"), ("YL", "all", "not testable"), ("NL", "all", "refuted"),
            ("YN", "any", "supported"), ("NN", "any", "refuted"), ("NO", "any", "inconclusive"),
            ("YYO", 2, "supported"), ("YYN", 2, "inconclusive"), ("YNN", 2, "refuted"),
            ("YYL", 2, "supported"), ("YOL", 2, "not testable"),
            ("YC", "all", "supported"), ("NC", "all", "refuted"), ("CC", "all", "by construction"),
        ],
    )  # fmt: skip
    def test_need(self, parts, need, verdict):
        findings = [NAMES[letter] for letter in parts]
        assert verdict_of(findings, need)[0] == verdict
        assert combined({str(i): f for i, f in enumerate(findings)}, need).verdict == verdict

    def test_p_of_several(self):
        p = [Finding("supported", "", p=x) for x in (0.01, 0.02, 0.03)]
        assert verdict_of(p, "all")[1] == 0.03
        assert verdict_of(p, "any")[1] == pytest.approx(0.03)
        assert verdict_of(p, 2)[1] == pytest.approx(0.04)
        assert verdict_of([Finding("supported", "")], "all")[1] is None
        assert verdict_of([*p, OPEN], "all")[1] == 1.0

    def test_the_numbers_are_those_of_the_part_that_decides(self):
        first = Finding("supported", "", 1.0, p=0.001)
        weakest, against = (
            Finding("supported", "", 2.0, p=0.04),
            Finding("refuted", "", 3.0, p=0.01),
        )
        both = {"a": first, "b": weakest}
        assert combined(both).estimate == 2.0 and deciding(both, "supported") == "b"
        assert combined(both, "any").estimate == 1.0
        refuted = {"a": first, "b": against}
        assert combined(refuted).estimate == 3.0
        assert combined(refuted).details["decides"] == "b"
        assert combined({"a": first, "b": LOST}).limit == LOST.limit

    @pytest.mark.parametrize("require", ["some", 0, True, 1.5])
    def test_bad_require(self, require):
        with pytest.raises(ValueError, match="require: "):
            verdict_of([YES], require)
