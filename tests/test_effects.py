"""Effects of made curves: which models share a spread, its fingerprint, and what is compared."""

import numpy as np
import pytest

from uncanny.claims.curves import Curve
from uncanny.claims.effects import FIXED, difference, share_of_way
from uncanny.claims.finding import NotTestable
from uncanny.evaluation.contrasts import Score

EPOCHS = (10, 20, 30)


def curve(
    model, level, *, sampler="S", seeds=(0,), draws=1, epochs=EPOCHS, noise=0.02, luck=0.0, **more
):
    """A curve whose cells of one seed share their latents."""
    rng = np.random.default_rng(list(f"{model} {sampler}".encode()))
    scores = np.empty((len(seeds), draws, len(epochs)), object)
    for r, seed in enumerate(seeds):
        of_seed = level * (1 + luck * rng.standard_normal())
        for k in range(draws):
            common = np.random.default_rng(100 * seed + k).standard_normal(20)
            for j in range(len(epochs)):
                own = rng.standard_normal(20)
                without = of_seed * (1 + noise * (0.8 * common + 0.6 * own) / 19)
                scores[r, k, j] = Score(of_seed, without, (seed, k))
    identity = f"{model} {sampler} {epochs}"
    names = model, sampler, "none", tuple(epochs), tuple(seeds)
    return Curve(
        *names, scores, **({"sign": 1, "family": "continuous", "identity": identity} | more)
    )


@pytest.fixture
def models():
    levels = {"vp": 6.0, "vp_cond": 6.6, "ve": 4.0, "ve_cond": 4.4}

    def of(**more):
        return {name: curve(name, level, **more) for name, level in levels.items()}

    return of


def pairs(curves):
    return [(curves["vp"], curves["ve"]), (curves["vp_cond"], curves["ve_cond"])]


class TestSpread:
    def test_three_trainings(self, models):
        curves = models(seeds=(0, 1, 2), luck=0.05)
        effect = difference(pairs(curves), pairs(curves), {})
        assert effect.source == "3 trainings" and effect.contrast.scale == "log"
        (spread,) = effect.spreads.values()
        assert spread.freedom == 6 and np.sqrt(spread.training) == pytest.approx(0.05, rel=0.6)
        low, high = effect.contrast.interval()
        assert low < np.log(1.5) < high

    def test_of_a_group_all_models_of_the_part_take_part(self, models):
        curves = models(seeds=(0, 1, 2), luck=0.05)
        alone = difference(pairs(curves)[:1], pairs(curves)[:1], {})
        together = difference(pairs(curves)[:1], pairs(curves), {})
        assert alone.contrast.value == pytest.approx(together.contrast.value)
        assert [s.freedom for e in (alone, together) for s in e.spreads.values()] == [2, 6]

    def test_other_samplers_do_not(self, models):
        curves, others = models(seeds=(0, 1)), models(seeds=(0, 1), sampler="T")
        one = pairs(curves)[:1]
        effect = difference(one, one + pairs(others), {})
        assert [s.freedom for s in effect.spreads.values()] == [1]

    def test_families_apart(self):
        ddpm = curve("ddpm", 5, seeds=(0, 1, 2), family="discrete")
        vp = curve("vp", 6, seeds=(0, 1, 2))
        effect = difference([(vp, ddpm)], [(vp, ddpm)], {})
        assert [s.freedom for s in effect.spreads.values()] == [2, 2]

    def test_the_same_weights_share_their_luck(self):
        """Two samplers of one model: what counts is how their difference varies."""
        seeds = (0, 1, 2)
        a, b = (curve("vp", level, seeds=seeds, luck=0.0) for level in (6, 5))
        lucky = [1.0, 1.3, 0.8]
        for one in (a, b):
            for r, factor in enumerate(lucky):
                for k in np.ndindex(one.scores[r].shape):
                    s = one.scores[r][k]
                    one.scores[r][k] = Score(s.value * factor, s.without_groups * factor, s.latents)
        effect = difference([(a, b)], [(a, b)], {})
        assert effect.contrast.value == pytest.approx(np.log(6 / 5))
        assert effect.contrast.se < 0.02

    def test_one_training_takes_the_stored_spread_of_the_same_models(self, models):
        curves = models(seeds=(0, 1, 2), luck=0.05)
        stored = difference(pairs(curves), pairs(curves), {}).spreads
        named = {
            k: type(s)(**{**vars(s), "source": "digits, 3 trainings"}) for k, s in stored.items()
        }
        single = models(luck=0.05)
        effect = difference(pairs(single), pairs(single), named)
        assert effect.source == "training spread from digits, 3 trainings"
        alone = difference(pairs(single), pairs(single), {})
        assert alone.source == FIXED and alone.contrast.se < effect.contrast.se
        other = {name: c.at((10, 20)) for name, c in single.items()}
        assert difference(pairs(other), pairs(other), named).source == FIXED


class TestComparison:
    def test_fid_is_better_where_it_is_less(self):
        a, b = (curve(name, level, sign=-1) for name, level in (("a", 2.0), ("b", 4.0)))
        effect = difference([(a, b)], [(a, b)], {})
        assert effect.contrast.value == pytest.approx(np.log(2))
        assert effect.percents()[0] == pytest.approx(-50)

    def test_kid_is_compared_by_differences(self):
        a, b = (
            curve(name, level, signed=True, sign=-1) for name, level in (("a", 2.0), ("b", 4.0))
        )
        effect = difference([(a, b)], [(a, b)], {})
        assert (effect.contrast.scale, effect.base) == ("difference", 4.0)
        assert effect.contrast.value == pytest.approx(0.5)

    def test_a_curve_in_several_pairs_counts_once(self):
        b = curve("b", 4.0)
        several = [curve(f"a{k}", 6.0) for k in range(5)]
        effect = difference([(a, b) for a in several], [(a, b) for a in several], {})
        assert effect.contrast.value == pytest.approx(np.log(1.5))

    def test_draws_average(self):
        one, four = (
            difference([p], [p], {}).contrast.se
            for p in ((curve("a", 6, draws=n), curve("b", 5, draws=n)) for n in (1, 4))
        )
        assert four == pytest.approx(one / 2, rel=0.35)

    def test_other_training_seeds(self):
        p = curve("a", 6, seeds=(0, 1)), curve("b", 5)
        with pytest.raises(NotTestable, match="different training seeds"):
            difference([p], [p], {})

    def test_a_base_of_zero(self):
        p = curve("a", 1, signed=True), curve("b", 0, signed=True)
        with pytest.raises(NotTestable, match="is 0"):
            difference([p], [p], {})


def test_share_of_way():
    assert share_of_way([curve("a", 3.0), curve("b", 5.0)], (1.0, 9.0)) == pytest.approx(3 / 8)
