"""Decision rules where the truth is known: verdicts at clear effects, false verdicts by simulation."""

import numpy as np
import pytest
from claims_data import cells, curve, selection
from scipy import stats

from uncanny.claims import bootstrap, rules
from uncanny.claims.bootstrap import difference, replicates
from uncanny.claims.equal import equal
from uncanny.claims.finding import Finding, combined, holm, verdict_of
from uncanny.claims.superior import superior

Z = stats.norm.ppf(np.linspace(0.0005, 0.9995, 2000))  # draws without chance


class TestSup:
    @pytest.mark.parametrize(
        ("middle", "sd", "verdict"),
        [
            (0.05, 0.01, "supported"),
            (0.009, 0.003, "inconclusive"),  # surely above 0, but less than 1 %
            (0.004, 0.002, "refuted"),  # surely smaller than 1 %
            (0.0, 0.003, "refuted"),
            (0.03, 0.02, "inconclusive"),
            (-0.05, 0.01, "refuted"),
        ],
    )
    def test_verdicts(self, middle, sd, verdict):
        assert rules.sup(middle + sd * Z, middle).verdict == verdict

    def test_strict_needs_every_epoch(self):
        assert (
            rules.sup(0.05 + 0.01 * Z, 0.05, np.array([0.1, 0.2])).verdict == "strictly supported"
        )
        assert rules.sup(0.05 + 0.01 * Z, 0.05, np.array([0.1, -0.2])).verdict == "supported"
        assert rules.sup(0.05 + 0.01 * Z, 0.05, np.array([0.1])).verdict == "supported"

    def test_p_is_two_sided(self):
        assert rules.sup(2.5 + Z, 2.5).p == pytest.approx(2 * stats.norm.sf(2.5), rel=0.1)


@pytest.mark.parametrize(
    ("middle", "sd", "verdict"),
    [
        (0.0, 0.01, "supported"),
        (0.0, 0.013, "inconclusive"),  # not significant is not equal
        (0.05, 0.01, "refuted"),
        (-0.05, 0.01, "refuted"),
        (0.025, 0.01, "inconclusive"),
    ],
)
def test_eq(middle, sd, verdict):
    assert rules.eq(middle + sd * Z).verdict == verdict


@pytest.mark.parametrize(
    ("middle", "sd", "verdict"),
    [
        (0.3, 0.01, "supported"),
        (0.0, 0.01, "supported"),
        (0.0, 0.02, "inconclusive"),
        (-0.05, 0.01, "refuted"),
    ],
)
def test_non(middle, sd, verdict):
    assert rules.non(middle + sd * Z).verdict == verdict


@pytest.mark.parametrize(
    ("middle", "verdict"), [(0.5, "supported"), (0.7, "refuted"), (0.41, "inconclusive")]
)
def test_within(middle, verdict):
    assert rules.within(middle + 0.02 * Z, 0.4, 0.6).verdict == verdict


@pytest.mark.parametrize(
    ("probability", "plateau", "order"),
    [
        (0.96, "supported", "supported"),
        (0.85, "supported", "inconclusive"),
        (0.5, "inconclusive", "inconclusive"),
        (0.05, "refuted", "refuted"),
    ],
)
def test_probabilities(probability, plateau, order):
    assert rules.mass(probability).verdict == plateau
    assert rules.order(np.arange(1000) < 1000 * probability).verdict == order


def test_differ():
    assert rules.differ(-0.05 + 0.01 * Z).verdict == "supported"
    assert rules.differ(0.004 + 0.001 * Z).verdict == "refuted"
    assert rules.differ(0.01 + 0.01 * Z).verdict == "inconclusive"


def test_detectable_has_its_power():
    """An effect of this size is found in 80 % of repetitions."""
    size = rules.detectable(0.01 * Z)
    assert stats.norm.sf(1.96 - size / 0.01) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("runs", "epochs"), [(1, 6), (5, 6)])
def test_lower_band_holds_at_all_epochs_at_once(runs, epochs):
    rng, above = np.random.default_rng(5), 0
    for _ in range(300):
        values = rng.standard_normal((runs, epochs)) + (runs > 1) * rng.standard_normal((runs, 1))
        samples = replicates(values, np.ones((runs, epochs)), rng)
        above += np.all(rules.lower_band(values.mean(axis=0), samples) < 0)
    assert above / 300 >= 0.95


class TestFalseVerdicts:
    """Rates over simulated studies; the bounds leave three standard errors of the simulation."""

    TRIALS = 400

    @pytest.fixture(autouse=True)
    def fewer_draws(self, monkeypatch):
        monkeypatch.setattr(bootstrap, "REPLICATES", 2000)

    def rate(self, rule, gap, *, runs, training, verdict, se=0.05, epochs=6):
        """How often a rule gives a verdict when A is better than B by a share `gap` of 5."""
        rng, found = np.random.default_rng(7), 0
        for _ in range(self.TRIALS):
            luck = training * rng.standard_normal((runs, 1))
            values = 5 * gap + luck + se * np.sqrt(2) * rng.standard_normal((runs, epochs))
            samples = (
                replicates(values, np.full(values.shape, se * np.sqrt(2)), rng).mean(axis=1) / 5
            )
            found += rule(samples, values.mean() / 5).verdict == verdict
        return found / self.TRIALS

    @pytest.mark.parametrize(("runs", "training"), [(1, 0), (2, 0.05), (3, 0), (3, 0.1), (5, 0.5)])
    def test_sup_without_an_effect(self, runs, training):
        null = self.rate(rules.sup, 0, runs=runs, training=training, verdict="supported")
        assert null <= 0.025 + 3 * np.sqrt(0.025 / self.TRIALS)

    @pytest.mark.parametrize(("runs", "training"), [(1, 0), (3, 0.02), (5, 0.1)])
    @pytest.mark.parametrize("gap", [0.02, -0.02])
    def test_eq_at_its_margin(self, runs, training, gap):
        at_margin = self.rate(
            lambda samples, _: rules.eq(samples),
            gap,
            runs=runs,
            training=training,
            verdict="supported",
        )
        assert at_margin <= 0.05 + 3 * np.sqrt(0.05 / self.TRIALS)

    def test_effects_are_found(self):
        found = self.rate(rules.sup, 0.05, runs=3, training=0.02, verdict="supported")
        same = self.rate(
            lambda samples, _: rules.eq(samples), 0, runs=3, training=0.005, verdict="supported"
        )
        assert found > 0.8 and same > 0.8

    def test_holm_over_claims(self):
        """Of 10 claims without an effect, seldom any is taken for supported."""
        rng, wrong = np.random.default_rng(11), 0
        for _ in range(300):
            estimates = rng.standard_normal(10)
            decisions = [rules.sup(e + rng.standard_normal(2000), e) for e in estimates]
            adjusted = holm({str(i): d.p for i, d in enumerate(decisions)})
            wrong += any(value <= 0.05 for value in adjusted.values())
        assert wrong / 300 <= 0.05 + 3 * np.sqrt(0.05 / 300)


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({}) == {}


def test_a_shared_curve_has_one_error():
    """The same B in five pairs: its error does not average out."""
    a = [x for i in range(5) for x in curve(f"a{i}", "S", 5, se=1e-9)]
    shared = cells(a + curve("b", "S", 5, se=0.6), a=selection([f"a{i}" for i in range(5)], "S"),
                   b=selection("b", "S"))  # fmt: skip
    pairs = [
        (shared.curve("a", x, "is10"), shared.curve("b", y, "is10")) for x, y in shared.pairs()
    ]
    found = difference(pairs, np.random.default_rng(0))
    assert found.replicates.mean(axis=1).std() == pytest.approx(0.6 / np.sqrt(6), rel=0.1)


def test_pairing_by_seed_removes_what_runs_share():
    """Two samplers of the same checkpoints: the luck of a training cancels."""
    seeds, luck = (0, 1, 2, 3), [0.0, 1.0, -2.0, 3.0]
    records = [
        x for r in seeds for sampler, level in (("A", 5.5), ("B", 5.0))
        for x in curve("m", sampler, level + luck[r], seeds=(r,), rng=np.random.default_rng(ord(sampler) + r))
    ]  # fmt: skip
    both = cells(records, seeds=seeds, a=selection("m", "A"), b=selection("m", "B"))
    found = superior(both)
    assert found.verdict == "strictly supported" and found.high - found.low < 1
    assert not found.suffixes


def test_less_is_better_for_fid():
    records = curve("m", "A", 5, metric="fid") + curve("m", "B", 6, metric="fid")
    both = cells(records, a=selection("m", "A"), b=selection("m", "B"))
    found = superior(both, metric="fid")
    assert found.holds and found.estimate == pytest.approx(100 / 6, abs=0.5)


def test_draws_are_averaged():
    records = curve("m", "A", 5, draws=(0, 1, 2, 3), se=0.2) + curve(
        "m", "B", 5, draws=(0, 1, 2, 3)
    )
    one = cells(records, a=selection("m", "A"), b=selection("m", "B"))
    four = cells(records, a=selection("m", "A"), b=selection("m", "B"), draws=(0, 1, 2, 3))
    assert equal(four).detectable == pytest.approx(equal(one).detectable / 2, rel=0.1)


class TestTogether:
    YES, NO = Finding("supported", "", p=0.01), Finding("refuted", "", p=0.02)
    STRICT, OPEN = Finding("strictly supported", "", p=0.001), Finding("inconclusive", "")
    LOST = Finding("not testable", "not testable: missing x")

    @pytest.mark.parametrize(
        ("parts", "need", "verdict"),
        [
            ("YY", "all", "supported"), ("YS", "all", "supported"), ("SS", "all", "strictly supported"),
            ("YN", "all", "refuted"), ("YO", "all", "inconclusive"), ("YL", "all", "not testable"),
            ("NL", "all", "refuted"), ("YN", "any", "supported"), ("NN", "any", "refuted"),
            ("NO", "any", "inconclusive"), ("YYO", 2, "supported"), ("YYN", 2, "inconclusive"),
            ("YNN", 2, "refuted"), ("YYL", 2, "supported"), ("YOL", 2, "not testable"),
        ],
    )  # fmt: skip
    def test_need(self, parts, need, verdict):
        names = {"Y": self.YES, "N": self.NO, "S": self.STRICT, "O": self.OPEN, "L": self.LOST}
        found = [names[letter] for letter in parts]
        assert verdict_of(found, need)[0] == verdict
        assert combined({str(i): f for i, f in enumerate(found)}, need).verdict == verdict

    def test_p_of_several(self):
        p = [Finding("supported", "", p=x) for x in (0.01, 0.02, 0.03)]
        assert verdict_of(p, "all")[1] == 0.03
        assert verdict_of(p, "any")[1] == pytest.approx(0.03)
        assert verdict_of(p, 2)[1] == pytest.approx(0.04)
        assert verdict_of([*p, Finding("supported", "")], "all")[1] == pytest.approx(0.03)
        assert verdict_of([Finding("supported", "")], "all")[1] is None
        assert verdict_of([*p, Finding("inconclusive", "", p=1.0)], "all")[1] == 1.0

    @pytest.mark.parametrize("require", ["some", 0, True, 1.5])
    def test_bad_require(self, require):
        with pytest.raises(ValueError, match="require: "):
            verdict_of([self.YES], require)
