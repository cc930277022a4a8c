"""Comparison of both schedules on a Gaussian target with one family of perturbed scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uncanny.diffusion.theory import grids, laws, leading_order
from uncanny.diffusion.theory.crossovers import Crossing, crossings
from uncanny.diffusion.theory.decomposition import Decomposition, decompose
from uncanny.diffusion.theory.optimal_grid import derived
from uncanny.diffusion.theory.perturbations import AFFINE, STRENGTHS, affine_score, noise_error
from uncanny.diffusion.theory.targets import Gaussian

POINTS = 400  # noise levels of a cost density
ROUNDING = 1e-12  # metrics below it are 0
NFE = {"sde": 1, "euler": 1, "heun": 2}  # per step
TERMS = ("E_I", "E_D", "E_S", "path_kl")
METRICS = ("path_kl", "kl", "w2")  # on which schedules are compared


@dataclass(frozen=True)
class Comparison:
    """One target and family on one range of noise levels, whose strengths are [K]."""

    target: Gaussian
    family: str
    sigma_min: float = grids.SIGMA_MIN
    sigma_max: float = grids.SIGMA_MAX
    rho: float = grids.RHO

    @property
    def strengths(self) -> np.ndarray:
        """Evaluated strengths of the family, [K]."""
        return STRENGTHS[self.family]

    def nodes(self, schedule: str, num_steps: int) -> np.ndarray:
        """Nodes [N+1] of a schedule; [K, N+1] of "derived", which suits each of `strengths`."""
        if schedule == "derived":
            return derived(self._densities, self._levels, num_steps)
        # Only the polynomial schedule has an exponent.
        options = {"rho": self.rho} if schedule == "polynomial" else {}
        return grids.GRIDS[schedule](num_steps, self.sigma_min, self.sigma_max, **options)

    def density(self, strength: np.ndarray) -> np.ndarray:
        """Cost density kappa of each model, [K, POINTS]."""
        error = noise_error(self.family, strength, self.target.variances, self._levels**2)
        # kappa = g - (dg / d ln sigma) / 2 of the exact explained noise g
        explained = leading_order.exact_explained_noise(self.target, error, self._levels)
        return leading_order.cost_density(explained, self._levels)

    def terms(self, strength: np.ndarray, sigmas: np.ndarray) -> Decomposition:
        """E_I, E_D and E_S of the SDE sampler, [K]."""
        # e^2 at the nodes, per dimension
        error = noise_error(self.family, strength, self.target.variances, sigmas**2)
        return decompose(self.target, sigmas, error)

    def outputs(
        self, strength: np.ndarray, sigmas: np.ndarray, solver: str
    ) -> tuple[laws.Law, laws.Law]:
        """Output laws of a solver at sigma_min and after denoising; ODEs on the clock sigma = t."""
        # An affine score keeps the law Gaussian: mean and variance follow exactly.
        slope, offset = affine_score(self.family, strength, self.target.variances, sigmas**2)
        law = laws.output_law(sigmas, laws.step_maps(solver, sigmas, slope, offset))
        return law, laws.denoised(law, sigmas[..., -1], slope[..., -1], offset[..., -1])

    def metrics(self, strength: np.ndarray, sigmas: np.ndarray, solver: str) -> dict:
        """Columns [K]: TERMS for the SDE sampler; for a family with a model also kl and w2 from the
        truth at sigma_min, and from clean data after denoising. Undefined ones are left out.
        """
        columns = {}
        if solver == "sde":
            terms = self.terms(strength, sigmas)
            columns = dict(zip(TERMS, (*terms, terms.path_kl), strict=True))
        if self.family in AFFINE:
            variances, counts = self.target.variances, self.target.counts
            outputs = self.outputs(strength, sigmas, solver)
            # Before denoising the truth is p_lam at lam = sigma_min^2.
            truths = (variances + self.sigma_min**2, variances)
            for suffix, truth, law in zip(("", "_denoised"), truths, outputs, strict=True):
                columns[f"kl{suffix}"] = laws.kl(truth, counts, law)
                columns[f"w2{suffix}"] = laws.w2(truth, counts, law)
        return columns

    def log_ratio(self, metric: str, num_steps: int, solver: str) -> Callable:
        """Return the function strengths [K] -> log(metric of the exponential schedule / of the
        polynomial one); 0 where both are 0 to rounding.
        """
        both = [self.nodes(name, num_steps) for name in ("exponential", "polynomial")]
        truth, counts = self.target.variances + self.sigma_min**2, self.target.counts

        def value(strength: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
            if metric == "path_kl":
                return self.terms(strength, sigmas).path_kl
            return getattr(laws, metric)(truth, counts, self.outputs(strength, sigmas, solver)[0])

        def log_ratio(strength: np.ndarray) -> np.ndarray:
            # Both at least ROUNDING: where both are 0 the ratio is 1.
            one, other = (np.maximum(value(strength, sigmas), ROUNDING) for sigmas in both)
            return np.log(one / other)

        return log_ratio

    def predicted_crossings(self) -> list[Crossing]:
        """Crossings to leading order, which do not depend on the number of steps."""

        def gain(strength: np.ndarray) -> np.ndarray:
            density = self.density(strength)
            # The sign of log(exponential / polynomial): below 0 the exponential schedule is better.
            return -leading_order.preference(density, self._levels, self.rho)

        return crossings(gain, self.strengths)

    @cached_property
    def _densities(self) -> np.ndarray:
        return self.density(self.strengths)

    @property
    def _levels(self) -> np.ndarray:
        return np.geomspace(self.sigma_min, self.sigma_max, POINTS)
