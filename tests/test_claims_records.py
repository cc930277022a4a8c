"""Claims on times, numbers of images and reports of classifiers, where the truth is known."""

import numpy as np
import pytest
from claims_data import selection
from scipy import stats

from uncanny.claims.assess import Evidence
from uncanny.claims.finding import NotTestable
from uncanny.claims.records import Reports, Sizes, Timings
from uncanny.claims.settles import remaining
from uncanny.evaluation import metrics, sample_size
from uncanny.evaluation.features import Features
from uncanny.registry import components

settles = components.load("claims", "settles")
power_law = components.load("claims", "power_law")
time_ratio = components.load("claims", "time_ratio")
time_spread = components.load("claims", "time_spread")
classifier_report = components.load("claims", "classifier_report")


def sampling(sampler, seconds, *, model="m", guidance="none", nfe=32, num_steps=32):
    record = {"what": "sampling", "model": model, "sampler": sampler, "guidance": guidance}
    return record | {"seconds_per_image": list(seconds), "nfe": nfe, "num_steps": num_steps}


def rounds(mean, spread=0.01, count=6, seed=0):
    return mean * np.exp(spread * np.random.default_rng(seed).standard_normal(count))


def sampled(sampler, guidance="none", model="m"):
    return {"models": [model], "samplers": [sampler], "guidances": [guidance]}


def guided(with_guidance, without):
    """Times of sampling with guidance against those without."""
    records = [sampling("A", with_guidance, guidance="G1"), sampling("A", without)]
    return Timings(records, {"a": sampled("A", "G1"), "b": sampled("A")})


class TestTimeRatio:
    def test_guidance_that_costs_raises_the_time(self):
        result = time_ratio(guided(rounds(1.5), rounds(1.0, seed=1)), side="above")
        assert result.verdict == "supported"
        assert result.low < 1.5 < result.high and result.unit == "times"
        assert "seconds per image of m A G1 is 1.5" in result.text and "that of m A" in result.text

    def test_guidance_that_saves_is_refuted_and_noise_is_neither(self):
        assert (
            time_ratio(guided(rounds(0.9), rounds(1.0, seed=1)), side="above").verdict == "refuted"
        )
        noisy = guided(rounds(1.0, 0.3), rounds(1.0, 0.3, seed=1))
        assert time_ratio(noisy, side="above").verdict == "inconclusive"

    def test_a_bound_has_one_side(self):
        faster = guided(rounds(0.5), rounds(1.0, seed=1))
        assert time_ratio(faster, side="below", bound=1.1).verdict == "supported"
        slower = guided(rounds(1.3), rounds(1.0, seed=1))
        assert time_ratio(slower, side="below", bound=1.1).verdict == "refuted"

    def test_the_interval_is_that_of_students_paired_rounds(self):
        one, other = rounds(1.5, 0.05), rounds(1.0, 0.05, seed=1)
        result = time_ratio(guided(one, other), side="above")
        known = stats.ttest_rel(np.log(one), np.log(other))
        assert np.log([result.low, result.high]) == pytest.approx([*known.confidence_interval()])
        assert result.p == pytest.approx(known.pvalue)

    def test_what_slows_a_whole_round_is_not_in_the_ratio(self):
        drift = np.exp(0.2 * np.random.default_rng(2).standard_normal(6))
        result = time_ratio(guided(rounds(2.0) * drift, rounds(1.0, seed=1) * drift), side="above")
        assert 1.9 < result.low < result.high < 2.1

    def test_few_or_unequal_rounds_and_missing_records_are_not_tested(self):
        with pytest.raises(NotTestable, match="4 timed rounds of m A G1, expected 5"):
            time_ratio(guided(rounds(1, count=4), rounds(1)), side="above")
        with pytest.raises(NotTestable, match="times of 5 and of 6 rounds, which do not pair"):
            time_ratio(guided(rounds(1, count=5), rounds(1)), side="above")
        with pytest.raises(NotTestable, match="missing: timing of m A G1"):
            time_ratio(Timings([], {"a": sampled("A", "G1"), "b": sampled("A")}), side="above")

    @pytest.mark.parametrize("bound", [1.0, 1.1])
    def test_equal_times_are_seldom_found_to_differ(self, bound):
        rng, verdicts = np.random.default_rng(2), []
        for _ in range(400):
            logs = 0.03 * rng.standard_normal((2, 5)) + 0.1 * rng.standard_normal(5)
            logs[0] += np.log(bound)
            result = time_ratio(guided(*np.exp(logs)), side="above", bound=bound)
            verdicts.append(result.verdict)
        assert verdicts.count("supported") <= 20 and verdicts.count("refuted") <= 20  # 10 each


class TestArithmetic:
    """What numbers of steps determine is no finding."""

    def times(self, **more):
        half = sampling("A", rounds(0.5, seed=1), nfe=32, **more)
        records = [half, sampling("B", rounds(1.0), nfe=64)]
        return Timings(records, {"a": sampled("A"), "b": sampled("B")})

    def test_half_the_steps_are_half_the_time_by_construction(self):
        result = time_ratio(self.times(), side="below", bound=0.6)
        assert (result.verdict, result.p) == ("by construction", None)
        assert (
            "evaluations per image, 32 against 64; seconds per image of m A is 0.5" in result.text
        )
        assert result.estimate == pytest.approx(0.5, rel=0.01)

    def test_steps_that_a_sampler_chooses_are_measured(self):
        assert time_ratio(self.times(num_steps=None), side="below").p is not None

    def test_the_cost_of_an_evaluation_is_measured(self):
        records = [
            r | {"ms_per_nfe": rounds(1.0, seed=k).tolist()}
            for k, r in enumerate(self.times().records)
        ]
        result = Timings(records, {"a": sampled("A"), "b": sampled("B")})
        assert time_ratio(result, side="below", quantity="ms_per_nfe").verdict != "by construction"

    def test_another_network_or_guidance_is_measured(self):
        result = time_ratio(guided(rounds(1.5), rounds(1.0, seed=1)), side="above")
        assert result.verdict == "supported"
        records = [sampling("A", rounds(1.5), model="n"), sampling("A", rounds(1.0, seed=1))]
        result = Timings(records, {"a": sampled("A", model="n"), "b": sampled("A")})
        assert time_ratio(result, side="above").verdict == "supported"


def trainings(means, spread=0.001, seed=0):
    rng = np.random.default_rng(seed)
    records = [
        {"what": "training", "model": str(k), "ms_per_update": (m * np.exp(spread * rng.standard_normal(5))).tolist()}
        for k, m in enumerate(means)
    ]  # fmt: skip
    return Timings(records, {"a": {"training": [r["model"] for r in records]}})


class TestTimeSpread:
    def test_all_pairs_count(self):
        assert time_spread(trainings([10, 10.2]), bound=1.05).verdict == "supported"
        three = time_spread(trainings([10, 10.2, 12]), bound=1.05)
        assert three.verdict == "refuted"
        assert three.estimate == pytest.approx(1.2, abs=0.01)
        assert "of 2 is 1.2 times that of 0" in three.text and "largest of 3 ratios" in three.text

    def test_one_time_has_no_spread(self):
        with pytest.raises(NotTestable, match="a single time has no spread"):
            time_spread(trainings([10]), bound=1.1)

    def test_equal_times_are_seldom_found_to_differ(self):
        refuted = 0
        for number in range(200):
            result = time_spread(trainings(6 * [1.0], 0.03, number), bound=1.0001)
            refuted += result.verdict == "refuted" and result.p <= 0.05
        assert refuted <= 16  # 10 expected at most

    def test_times_at_the_bound_are_seldom_below_it(self):
        supported = 0
        for number in range(200):
            result = time_spread(trainings([1.0, 1.0, 1.1], 0.03, number), bound=1.1)
            supported += result.verdict == "supported"
        assert supported <= 10  # 2.5 % of each of two pairs, which must both be


def sizes(values, se, numbers=(200, 400, 800, 1600, 3200), status="ok"):
    entries = [
        {"n": n, "metrics": [{"metric": "is10", "value": float(values(n)), "se": float(se(n))}]}
        for n in numbers
    ]
    cell = {"model": "ve", "sampler": "EUL", "guidance": "none", "seed": 0, "draw": 0, "epoch": 30}
    record = {"cell": cell, "status": status, "sizes": entries}
    return Sizes([record], {"a": selection("ve", "EUL", epochs=(30,))}, (0,), (0,))


def rising(n):
    return 8 - 100 / n


def error(n):
    return 0.2 / np.sqrt(n)


class TestSettles:
    def test_distance_from_the_limit(self):
        result = settles(sizes(rising, error), at=400)  # 3 % are missing
        assert result.verdict == "refuted"
        assert result.estimate == pytest.approx(-100 * 100 / 400 / 8)
        assert "is10 of 400 images is 3.1 % below its limit 8" in result.text
        assert settles(sizes(rising, error), at=400, expect="unsettled").verdict == "supported"
        assert settles(sizes(rising, error), at=400, margin=0.05).verdict == "supported"
        assert result.scope == "these weights only"

    def test_a_scale_that_cannot_decide_says_which_margin_it_could(self):
        result = settles(sizes(lambda n: 8, lambda n: 10 / np.sqrt(n)), at=400)
        assert result.verdict == "cannot decide"
        assert result.limit.startswith("could decide at a margin of")

    def test_small_sizes_are_left_out(self):
        numbers = (50, 100, 200, 400, 800, 1600)
        wrong = sizes(lambda n: rising(n) if n >= 200 else 1.0, error, numbers)
        assert settles(wrong, at=400).estimate == pytest.approx(-3.125)
        with pytest.raises(NotTestable, match="3 sizes of 200 images or more with is10"):
            settles(sizes(rising, error, numbers[:-1]), at=400)

    def test_below_the_smallest_size_only_a_distance_shows_something(self):
        far = settles(sizes(rising, error), at=100)
        assert (far.verdict, far.details["images"]) == ("refuted", 200)
        assert far.text.endswith("; 100 images are further from it")
        flat = sizes(lambda n: 8, error)
        assert settles(flat, at=400).verdict == "supported"
        assert settles(flat, at=100).verdict == "inconclusive"
        assert settles(flat, at=100, expect="unsettled").verdict == "inconclusive"

    def test_they_are_of_the_first_run_whatever_the_number_of_seeds(self):
        part = {"kind": "settles", "sizes": {"a": selection("ve", "EUL", epochs=(30,))}}
        result = Evidence(None, (0, 1, 2), (0, 1), sizes=sizes(rising, error).records).read(part)
        assert settles(result, at=400).verdict == "refuted"

    def test_a_share_takes_errors_and_a_limit(self):
        with pytest.raises(NotTestable, match="is10 has no standard error at some number"):
            settles(sizes(lambda n: 8, lambda n: 0), at=400)
        with pytest.raises(NotTestable, match=r"the limit of is10, 0\.001, may be 0"):
            settles(sizes(lambda n: 0.001 + 100 / n, error), at=400)

    def test_diverged_and_missing(self):
        with pytest.raises(NotTestable, match="diverged: ve EUL"):
            settles(sizes(rising, error, status="diverged"), at=400)
        with pytest.raises(NotTestable, match="missing"):
            settles(Sizes([], {"a": selection("ve", "EUL")}, (0,), (0,)), at=400)


class TestPowerLaw:
    def test_a_spread_that_falls_as_that_of_a_mean_is_no_finding(self):
        result = power_law(sizes(lambda n: 8, lambda n: n**-0.5))
        assert (result.verdict, result.p) == ("by construction", None)
        assert result.estimate == pytest.approx(-0.5)
        assert result.low < -0.5 < result.high
        assert "as n to the power -0.5; measured: -0.50" in result.text

    def test_a_metric_without_errors_has_no_spread(self):
        with pytest.raises(NotTestable, match="is10 has no standard error"):
            power_law(sizes(lambda n: 8, lambda n: 0))


def reports(accuracy=0.5, se=0.01, gradient=1e-4):
    shared = {"accuracy": accuracy, "se": se, "n": 360, "gradient_rms": gradient}
    deciles = [{"decile": k} | shared for k in range(10)]
    return Reports({"noisy": [{"deciles": deciles}]}, {"a": {"classifiers": ["noisy"]}})


class TestClassifierReport:
    @pytest.mark.parametrize(
        ("bound", "verdict"), [(0.4, "supported"), (0.6, "refuted"), (0.49, "inconclusive")]
    )
    def test_accuracy_is_tested(self, bound, verdict):
        result = classifier_report(reports(), side="above", bound=bound)
        assert (result.verdict, result.p is None) == (verdict, False)
        assert result.high - result.low == pytest.approx(2 * 0.01 * stats.t.ppf(0.975, 359))

    def test_gradients_are_tested_between_classifiers(self):
        means = [1e-4, 1.2e-4, 1.1e-4]
        three = Reports(
            {f"u{k}": reports(gradient=mean).records["noisy"] for k, mean in enumerate(means)},
            {"a": {"classifiers": ["u0", "u1", "u2"]}},
        )
        options = {"side": "below", "quantity": "gradient_rms"}
        result = classifier_report(three, bound=2e-4, **options)
        known = stats.ttest_1samp(means, 2e-4)
        assert (result.verdict, result.scope) == ("supported", "3 classifiers")
        assert result.p == pytest.approx(known.pvalue)
        assert (result.low, result.high) == pytest.approx([*known.confidence_interval()])
        assert classifier_report(three, bound=0.5e-4, **options).verdict == "refuted"
        assert classifier_report(three, bound=1.2e-4, **options).verdict == "inconclusive"

    def test_one_gradient_has_no_known_error(self):
        result = classifier_report(reports(), side="below", bound=1e-3, quantity="gradient_rms")
        assert (result.verdict, result.p, result.low) == ("inconclusive", 1.0, None)

    def test_an_accuracy_without_errors_is_no_test(self):
        exact = reports(1.0, se=0.0)
        assert classifier_report(exact, side="above", bound=0.5).verdict == "by construction"

    def test_missing(self):
        with pytest.raises(NotTestable, match="classifier other"):
            classifier_report(Reports({}, {"a": {"classifiers": ["other"]}}), side="above", bound=0)


def nested_scores(rng, splits):
    """Inception Scores of nested samples of made probabilities of ten classes."""
    logits = rng.standard_normal((3200, 10)) + 5 * np.eye(10)[rng.integers(10, size=3200)]
    result = []
    for n in (200, 400, 800, 1600, 3200):
        features = Features(np.zeros((n, 1), np.float32), logits[:n].astype(np.float32))
        result.append(metrics.inception_score(features, splits=splits))
    return np.array([s.value for s in result]), np.array([s.se for s in result])


@pytest.mark.parametrize("splits", [1, 10])
def test_intervals_of_the_distance_cover_it_on_nested_samples(splits):
    n, rng = np.array([200, 400, 800, 1600, 3200]), np.random.default_rng(0)
    fits = [sample_size.size_limit(n, *nested_scores(rng, splits)) for _ in range(60)]
    contrasts = [remaining(fit, 400) for fit in fits]
    # The true distance, from all samples together
    scores = [fit.at(400) for fit in fits]
    limit = np.mean([fit.limit for fit in fits])
    truth = np.mean(scores) / limit - 1
    covered = [low <= truth <= high for low, high in (c.interval() for c in contrasts)]
    assert np.mean(covered) >= 0.87  # 0.95 less three standard errors of 60 trials
