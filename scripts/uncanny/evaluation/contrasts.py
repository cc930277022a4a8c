"""Contrasts of scores: differences and ratios of means over cells, with their standard errors.

A contrast f is formed from values less their bias, v = θ - bias, and from the same values without
each group of images, v_(-g); its standard error is the jackknife's of these f. Cells that grew from
the same latents leave out the same group at the same time, so that their errors cancel where their
images are alike: pairing comes by itself, whatever the numbers of images. Cells of other latents
(another training or sampling seed, imported images) are independent. Bias comes off first: a ratio
of values with their bias has intervals that cover 26 to 41 % instead of 95 %.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from uncanny.evaluation.jackknife import GROUPS, standard_error

FEWEST_GROUPS = 5  # whose images differ: t with 19 degrees of freedom is wrong for fewer
ROUNDING = 1e-12  # relative to the values; a standard error below is none


@dataclass(frozen=True, eq=False)
class Score:
    """A metric of a set of images, less its bias.

    value: v. without_groups: v_(-g) [G]. latents: equal for sets that grew from the same latents.
    images: checksum of the images of each group, where known.
    """

    value: float
    without_groups: np.ndarray
    latents: Hashable
    images: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Contrast:
    """A contrast and its standard error.

    freedom: degrees of freedom of se². differing: number of groups in which images of the compared
    sets differ. scale: difference or log, where means were compared on it (trainings.py).
    """

    value: float
    se: float
    freedom: float
    differing: int
    scale: str = "difference"

    @property
    def by_construction(self) -> bool:
        """Whether the sets are (nearly) the same images, or without any spread: no test applies."""
        return self.differing < FEWEST_GROUPS or self.se == 0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided interval. ValueError where the value is by construction."""
        self._check()
        half = float(half_width(self.se, self.freedom, level))
        return self.value - half, self.value + half

    def p(self, null: float = 0.0) -> float:
        """Two-sided p value of the hypothesis that the contrast is `null`. Raises as interval."""
        self._check()
        # Student's t distribution
        return float(2 * special.stdtr(self.freedom, -abs(self.value - null) / self.se))

    def _check(self) -> None:
        if self.by_construction:
            groups = f"images differ in {self.differing} groups, standard error {self.se:.3g}"
            raise ValueError(f"by construction: {groups}; a test needs {FEWEST_GROUPS} groups")


def half_width(se, freedom, level: float = 0.95):
    """Half the width of the two-sided interval of a mean, by Student's t; elementwise."""
    return special.stdtrit(freedom, (1 + level) / 2) * se


def contrast(
    function: Callable[[np.ndarray], np.ndarray],
    scores: Sequence[Score],
    weights: Sequence[float] | None = None,
) -> Contrast:
    """The contrast function(v), v [C, ...] the values of C scores along the first axis.

    weights: of the scores in a difference; sets of the same images that have them with opposite
    signs do not differ. None: all do. Raises ValueError where sets of the same latents have
    different numbers of groups.
    """
    values = np.array([score.value for score in scores])
    variances = []
    for rows, without in _by_latents(scores):
        # v of these cells without group g, of all others whole: [C, G]
        replaced = np.repeat(values[:, None], without.shape[1], axis=1)
        replaced[rows] = without
        variances.append((standard_error(function(replaced)) ** 2, without.shape[1] - 1))
    # Independent latents: se² = Σ_l se_l², with the degrees of freedom of Satterthwaite (1946),
    # (Σ se_l²)² / Σ (se_l⁴/f_l)
    total = sum(variance for variance, _ in variances)
    fourth = sum(variance**2 / freedom for variance, freedom in variances)
    freedom = total**2 / fourth if fourth > 0 else float(sum(f for _, f in variances))
    differing = differing_groups(scores, np.ones(len(scores)) if weights is None else weights)
    se = math.sqrt(total) if math.sqrt(total) > ROUNDING * np.abs(values).max() else 0.0
    return Contrast(float(function(values)), se, freedom, differing)


def _by_latents(scores: Sequence[Score]) -> list[tuple[list[int], np.ndarray]]:
    """Positions of the scores of each set of latents, and their v_(-g) [c, G]."""
    positions = defaultdict(list)
    for position, score in enumerate(scores):
        positions[score.latents].append(position)
    sets = []
    for rows in positions.values():
        number_of_groups([scores[row] for row in rows])
        sets.append((rows, np.array([scores[row].without_groups for row in rows])))
    return sets


def number_of_groups(scores: Sequence[Score]) -> int:
    """G, the number of groups of images of scores of the same latents; ValueError where it is not
    one.
    """
    counts = sorted({len(score.without_groups) for score in scores})
    if len(counts) > 1:
        raise ValueError(
            f"scores of the latents {scores[0].latents!r} have {counts[0]} and {counts[-1]} groups "
            "of images; expected the same number"
        )
    return counts[0]


def differing_groups(scores: Sequence[Score], weights: Sequence[float]) -> int:
    """Number of groups in which sets with weights of opposite signs are not the same images."""
    count = 0
    for rows, without in _by_latents(scores):
        for group in range(without.shape[1]):
            net = defaultdict(float)
            for row in rows:
                known = scores[row].images
                net[known[group] if known else row] += weights[row]
            count += any(abs(weight) > ROUNDING for weight in net.values())
    return count


def repeated(values: Sequence[float]) -> Contrast:
    """The mean of m independent measurements, m >= 2, with Student's error."""
    values = np.asarray(values, float)
    se = float(values.std(ddof=1)) / math.sqrt(len(values))
    se = se if se > ROUNDING * np.abs(values).max() else 0.0
    return Contrast(float(values.mean()), se, len(values) - 1.0, GROUPS)
