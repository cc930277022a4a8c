"""Ways to weigh noise levels in training: formulas, times to thresholds, the experiment, its figure."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from made_checkpoints import SIGMA, checkpoint
from scipy import stats

from uncanny.diffusion import losses
from uncanny.diffusion.theory import verdicts, weighting
from uncanny.experiments.training_weights import ratio_of_steps
from uncanny.figures import figure_data, saving, style
from uncanny.figures.training_weights import facts
from uncanny.figures.training_weights import training_weights as draw
from uncanny.registry import components
from uncanny.runtime import files

run = components.load("experiments", "training_weights")
SPEED = {"none": 1.0, "levels": 0.8, "weight": 0.5, "both": 0.25}
WAYS = {
    "none": ("lognormal", "unit_output"),
    **components.load("experiments", "training_weights").__globals__["ARMS"],
}
EPOCHS = (0, 1, 2, 4, 8, 16, 32, 64)


def made(arms=WAYS, epochs=EPOCHS, seeds=(0, 1, 2)):
    """Errors that fall as 1 / updates, more slowly for some ways to train."""
    records = []
    for arm, seed, epoch in itertools.product(arms, seeds, epochs):
        error = 1 / (1 + SPEED[arm] * epoch)

        def value(schedule, solver, draw, error=error, seed=seed):
            return error * (1 + 0.01 * draw + 0.02 * seed)

        way = dict(zip(("levels", "weight"), WAYS[arm], strict=True))
        names = {"model": f"ring_{arm}", "seed": seed, "width": 0.002 + error}
        records.append(checkpoint(epoch, value, way=way, draws=2, **names))
    return records


class TestWeighting:
    def test_densities_are_those_that_training_draws_from(self):
        at = np.geomspace(1e-5, 1e4, 40_001)
        for name, density in weighting.LEVELS.items():
            assert np.trapezoid(density(at), np.log(at)) == pytest.approx(1, abs=1e-3), name
        draws = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        drawn = losses.lognormal(draws).log()
        share = weighting.LEVELS["lognormal"](at)
        mean = np.trapezoid(share * np.log(at), np.log(at))
        assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)

    @pytest.mark.parametrize("name", sorted(weighting.WEIGHTS))
    def test_weights_are_those_of_training(self, name):
        result = weighting.WEIGHTS[name](SIGMA)
        np.testing.assert_allclose(
            result, getattr(losses, name)(torch.from_numpy(SIGMA)), rtol=1e-12
        )

    def test_a_flat_weighting_of_noise_alone_is_balanced(self):
        inside = SIGMA[SIGMA > 0.02]
        share = weighting.share_of_loss("log_uniform", "inverse_variance", inside, inside**2)
        assert weighting.imbalance(share) == pytest.approx(0, abs=1e-12)
        assert weighting.imbalance(share * np.linspace(0, 2, len(inside))) > 0.5

    def test_updates_to_a_threshold(self):
        steps, values = np.array([0, 10, 100, 1000]), np.array([1.0, 0.5, 0.05, 0.005])
        assert weighting.steps_to(steps, values, 0.05) == (100.0, True)
        assert weighting.steps_to(steps, values, 0.5 / np.sqrt(10))[0] == pytest.approx(10**1.5)
        assert weighting.steps_to(steps, values, 0.001) == (1000.0, False)
        assert weighting.steps_to(steps, values, 0.6) == (10.0, True)

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([(1.5, 1.1, 2), (1.3, 1.05, 2), (1.1, 0.9, 2)], "supports"),
            ([(1.5, 0.9, 2), (1.3, 1.05, 2), (1.1, 0.9, 2)], "inconclusive"),
            ([(1.15, 1.1, 2), (1.1, 1.05, 2), (1.1, 1.05, 2)], "inconclusive"),
            ([(0.7, 0.5, 0.9), (0.6, 0.5, 0.9), (1.1, 0.9, 2)], "contradicts"),
            ([(None, None, None), (1.3, 1.05, 2), (1.5, 1.1, 2)], "supports"),
        ],
    )
    def test_two_of_three_thresholds_decide(self, values, expected):
        ratios = [weighting.Ratio(*v, False, None if v[0] is None else 0.01) for v in values]
        assert weighting.verdict(ratios) == expected

    def test_a_ratio_without_error_decides_nothing(self):
        assert weighting.verdict(3 * [weighting.Ratio(2.0, 2.0, 2.0, False)]) == "inconclusive"


STEPS = np.array([0, 10, 100, 1000])
FALLS = np.array([1.0, 0.1, 0.01, 0.001])


class TestRatio:
    def curves(self, factor, seeds=(3, 5), luck=0.05, rng=None):
        rng = rng or np.random.default_rng(0)
        noise = rng.lognormal(0, luck, (seeds[0], 1, 1)) * rng.lognormal(0, 0.05, (*seeds, 1))
        return factor * FALLS * noise

    def test_ratio_and_its_interval(self):
        rng = np.random.default_rng(0)
        base, slow = self.curves(1, rng=rng), self.curves(2, rng=rng)
        result = ratio_of_steps(STEPS, slow, base, 0.05)
        assert 1 < result.low < 2.0 < result.high < 4
        assert result.p < 0.05 and not result.is_bound
        never = ratio_of_steps(STEPS, slow, base, 0.0015)
        assert never.is_bound and never.value > 1
        other = ratio_of_steps(STEPS, base, slow, 0.0015)  # now the second never arrives
        assert other.is_bound and other.value == pytest.approx(1 / never.value)
        assert weighting.is_faster(other) == weighting.is_slower(never)
        assert ratio_of_steps(STEPS, base, slow, 1e-9).value is None

    def test_the_error_is_students_over_trainings(self):
        # log time is linear in log value here: the log ratio is a difference of means
        logs = np.log([[1.0, 1.1, 0.9], [1.3, 1.2, 1.6]])
        one, other = (np.exp(row)[:, None, None] * FALLS for row in logs[::-1])
        result = ratio_of_steps(STEPS, one, other, 0.05)
        known = stats.ttest_rel(*logs[::-1])
        assert result.p == pytest.approx(known.pvalue, rel=0.05)

    def test_sampling_seeds_of_a_single_training(self):
        rng = np.random.default_rng(0)
        base, slow = (self.curves(f, (1, 5), 0.0, rng) for f in (1, 2))
        result = ratio_of_steps(STEPS, slow, base, 0.05)
        assert 1.5 < result.low < 2.0 < result.high < 3
        alone = ratio_of_steps(STEPS, slow[:, :1], base[:, :1], 0.05)
        assert (alone.p, alone.low) == (None, alone.value)

    @pytest.mark.parametrize(("seeds", "luck"), [((3, 5), 0.0), ((3, 5), 0.2), ((1, 5), 0.0)])
    def test_equal_ways_seldom_differ(self, seeds, luck):
        rng, ps = np.random.default_rng(0), []
        for _ in range(300):
            pair = [self.curves(1, seeds, luck, rng) for _ in range(2)]
            ps.append(ratio_of_steps(STEPS, *pair, 0.05).p)
        assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


@pytest.fixture(scope="module")
def results():
    return run(made())


class TestExperiment:
    def test_slower_ways_are_told_by_how_much(self, results):
        _, lines_of = results
        by_cell = {(e["family"], e["metric"]): e for e in lines_of}
        assert set(by_cell) == set(itertools.product(("both", "levels", "weight"), ("w2", "E_S")))
        both = by_cell["both", "w2"]
        assert both["verdict"] == "supports"
        assert both["thresholds"][0]["is_bound"]  # it never arrives
        assert both["thresholds"][0]["ratio"] == pytest.approx(64 / 31.5, rel=0.05)
        assert [t["factor"] for t in both["thresholds"]] == [2.0, 1.5, 1.2]
        levels = by_cell["levels", "w2"]["thresholds"][0]
        assert (levels["ratio"], levels["is_bound"]) == (pytest.approx(1.25, rel=0.05), False)
        assert verdicts.summary(lines_of)["verdict"] == "supports"

    def test_rows_hold_every_quantity(self, results):
        table, _ = results
        assert set(table["quantity"]) == {"w2", "E_S", "imbalance", "e2", "gain"}
        start = table[(table["quantity"] == "gain") & (table["epoch"] == 0)]
        assert (start["value"] == 0).all()
        assert table["value"].notna().all()

    def test_mistakes_are_named(self):
        with pytest.raises(ValueError, match="none trained with 'weight'"):
            run(made(arms=("none", "levels", "both")))
        short = made()[:-1]
        with pytest.raises(
            ValueError, match="ring_weight: seeds and epochs differ from those of ring_none"
        ):
            run(short)
        odd = made()
        odd[0].losses["levels"] = "uniform_time"
        with pytest.raises(ValueError, match=r"ring_none: levels and weight \('uniform_time'"):
            run(odd)


def test_the_figure_holds_the_values_of_the_table(results, tmp_path):
    table, lines_of = results
    table.to_csv(tmp_path / "weights.csv", index=False)
    files.write_json_lines(tmp_path / "weights.jsonl", lines_of)
    paths = [tmp_path / f"weights.{suffix}" for suffix in ("csv", "jsonl")]
    models = {f"ring_{arm}": {"label": arm} for arm in WAYS}
    data = figure_data.FigureData(
        **figure_data.read({"experiments": paths}),
        models=models,
        metrics={"w2": {"label": "Sliced W2"}},
    )
    figure, drawn = draw(data, [], nfe=10)
    saving.save(figure, drawn, tmp_path / "f")
    again = pd.read_csv(tmp_path / "f.csv")
    assert facts(again) == drawn.attrs["facts"]
    color = style.model_styles(models)["ring_both"].color
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_color() == color]
    curve = again[(again["panel"] == "a") & (again["arm"] == "both")]
    assert line.get_ydata().tolist() == pytest.approx(curve["value"].tolist())
    ratios = again[again["role"] == "ratio"]
    assert len(ratios) == 3 * 2 * 3
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert labels[:2] == ["both flat, to 2 × best", "both flat, to 1.5 × best"]
    assert len(set(labels)) == 3 * 3  # every interval has its label
    with pytest.raises(ValueError, match="no rows with quantity 'w2', solver 'sde', nfe 11"):
        draw(data, [], nfe=11)
