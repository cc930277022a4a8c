"""Gaussian laws of data, and the named ones of the experiments.

A target has `dim`, `second_moment` (E||x||^2), and at every lam > 0 `fisher_information(lam)`,
`fisher_integral(low, high)` and `initialisation_error(lam)`. Mixtures are in mixtures.py.
"""

import numpy as np


class Gaussian:
    """N(0, diag(s_i^2)): stds [D] are the different s_i, 0 among them, each in counts [D] of the
    dimensions.
    """

    def __init__(self, stds, counts):
        self.stds, self.counts = (np.array(v, float, ndmin=1) for v in (stds, counts))
        is_pair = self.stds.shape == self.counts.shape and self.stds.ndim == 1
        if not is_pair or (self.stds < 0).any() or (self.counts < 1).any():
            raise ValueError(
                f"Gaussian target with stds {stds}, counts {counts}: expected as many standard "
                "deviations >= 0 as counts >= 1"
            )

    @property
    def dim(self) -> int:
        return int(self.counts.sum())

    @property
    def variances(self) -> np.ndarray:
        """s_i^2, [D]."""
        return self.stds**2

    @property
    def second_moment(self) -> float:
        return float(self.counts @ self.variances)

    def fisher_information(self, lam: np.ndarray) -> np.ndarray:
        """J(lam) = E||grad log p_lam||^2 = sum_i 1 / (s_i^2 + lam), in the shape of lam."""
        # J = sum_i 1 / (s_i^2 + lam)
        return (self.counts / (self.variances + np.asarray(lam, float)[..., None])).sum(axis=-1)

    def fisher_integral(self, low: float, high: float) -> float:
        """Integral of J over lam from low to high."""
        # sum_i ln((s_i^2 + high) / (s_i^2 + low))
        return float(self.counts @ np.log((self.variances + high) / (self.variances + low)))

    def initialisation_error(self, lam: float) -> float:
        """KL(p_lam || N(0, lam I)) = sum_i (a_i - ln(1 + a_i)) / 2 with a_i = s_i^2 / lam."""
        # Exact for small a: log1p cancels less than a logarithm of 1 + a.
        a = self.variances / lam
        return float(0.5 * self.counts @ (a - np.log1p(a)))


def single(std: float) -> Gaussian:
    """One dimension of standard deviation std."""
    return Gaussian([std], [1])


# A point, one width, and caricatures of images: few broad directions, many nearly degenerate ones.
TARGETS = {
    "singular": single(0.0),
    "near": single(0.002),
    "mid": single(0.01),
    "broad": single(0.5),
    "manifold": Gaussian([0.5, 0.002], [2, 14]),
    "mixed": Gaussian([0.5, 0.002], [4, 12]),
    "spectrum": Gaussian(np.geomspace(0.001, 0.5, 16), np.ones(16)),
}
