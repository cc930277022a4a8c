"""Models of processes made by a recipe: the network predicts the noise in the augmented state.

PSLD (Pandey and Mandt 2023, arXiv 2303.01748), CLD (Dockhorn et al. 2022, arXiv 2112.07068), VP and
any other process that D, Q and Sigma_inf describe.
"""

from functools import partial
from typing import Literal

import torch

from uncanny.diffusion import losses
from uncanny.diffusion.augmented_state import gathered, image_of
from uncanny.diffusion.forward import one_per_image, per_image
from uncanny.diffusion.linear_process import Process, exact, regularised, sampling_times
from uncanny.diffusion.processes import Family
from uncanny.registry import components
from uncanny.registry.option_types import (
    Nonnegative,
    OpenFraction,
    Positive,
    PositiveInt,
    ProperFraction,
)

MODEL_INTERFACE = "phase_model"
NEEDS_SCHEDULE = False


def phase_space(
    schedule,
    *,
    recipe: dict,
    beta_0: Positive = 8.0,
    beta_1: Positive | None = None,
    kappa: Nonnegative = 0.04,
    objective: Literal["hsm", "dsm"] = "hsm",
    factor: Literal["lower", "upper"] = "lower",
    mixed_score: bool = False,
    condition: Literal["t", "log_t"] = "t",
    epsilon_t: OpenFraction = 0.00001,
) -> "PhaseSpace":
    """Build the process of a recipe; it has no schedule.

    recipe: kind and options of `recipes`. beta_0, beta_1: speed at t = 0 and t = 1; beta_1 None is
    constant speed. kappa: initial variance of the momentum over its stationary one. objective:
    `hsm` integrates the initial momentum out, `dsm` samples it. factor: triangular factor of the
    kernel that noise is multiplied with. mixed_score: the network adds to the momentum's score
    under data of unit variance, as CLD does. condition: time condition of the network. epsilon_t:
    smallest time seen in training.
    """
    process = Process(components.call("recipes", recipe), beta_0, beta_1, kappa, objective, factor)
    return PhaseSpace(process, mixed_score, condition, epsilon_t)


def init_sampling(
    model,
    latents,
    *,
    num_steps: PositiveInt | None = None,
    times: Literal["uniform", "quadratic", "ends"] = "uniform",
    epsilon_s: ProperFraction = 0.001,
    denoise: bool = True,
    pixels: Literal["round", "truncate"] = "round",
):
    """Begin sampling with the stationary law: (z, t falling from 1 [num_steps + 1], {}).

    times: `uniform`; `quadratic`, with short steps near the data; `ends`, without num_steps, for
    samplers that choose their own steps. epsilon_s: last time before 0. denoise: whether a last
    step, one of num_steps, goes from there to 0. pixels: how images become bytes: rounded, or
    truncated as in the code of PSLD.
    """
    t = sampling_times(num_steps, times, epsilon_s=epsilon_s, denoise=denoise)
    return model.process.prior(latents), t, {}


class PhaseSpace(Family):
    """z_t = Phi(t) z_0 + L(t) eps, t in [epsilon_t, 1]; the network sees z_t and predicts eps."""

    init_sampling = staticmethod(init_sampling)
    guided_as = "phase_space"
    num_levels = None  # time is continuous, from 0 to 1

    def __init__(self, process: Process, mixed_score=False, condition="t", epsilon_t=0.00001):
        if mixed_score and process.mode != "score_m":
            raise ValueError(
                f"mixed_score: the process has {process.size} components and mode {process.mode}; "
                "expected noise in the momentum only (gamma 0, factor lower)"
            )
        if not 0 < epsilon_t < 1:
            raise ValueError(f"epsilon_t={epsilon_t:g}: expected a time between 0 and 1")
        self.process, self.mixed_score = process, mixed_score
        self.condition, self.epsilon_t = condition, epsilon_t

    def state_shape(self, shape) -> tuple[int, ...]:
        return (self.process.size * shape[0], *shape[1:])

    def network_shape(self, shape) -> tuple:
        """Return (shape of the input, channels of the output): the state in, predicted eps out."""
        return self.state_shape(shape), len(self.process.predicted) * shape[0]

    def draw_times(self, count: int, generator, ends: tuple = (0.0, 1.0)) -> torch.Tensor:
        """Sample times uniform between two ends, but not below epsilon_t: float64 [count]."""
        first, device = max(ends[0], self.epsilon_t), generator.device
        u = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        # t ~ U(max(first, epsilon_t), last)
        return first + (ends[1] - first) * u

    def noised(self, x0, t, generator) -> torch.Tensor:
        """Sample z_t [N, d C, ...] of images x0, in their dtype, for t [N]."""
        return self._noised_with_eps(x0, t, generator)[0]

    def _noised_with_eps(self, x0, t, generator) -> tuple:
        """Return (z_t, its noise eps). The order of random numbers: eps, then m0 for dsm."""
        draw = partial(torch.randn, generator=generator, device=x0.device, dtype=x0.dtype)
        eps = draw(len(x0), *self.state_shape(x0.shape[1:]))
        m0 = None
        if self.process.objective == "dsm":
            m0 = draw(len(x0), (self.process.size - 1) * x0.shape[1], *x0.shape[2:])
        return self.process.perturb(x0, t, eps, m0).to(x0.dtype), eps

    def loss(self, network, x0, labels, generator) -> torch.Tensor:
        """eps-MSE at t ~ U(epsilon_t, 1); x0 [N, ...], labels one-hot [N, K] or None → [N]."""
        # ‖eps(z_t, t) − eps‖² over the predicted components, no weight in t (PSLD's training code)
        t = self.draw_times(len(x0), generator)
        z, eps = self._noised_with_eps(x0, t, generator)
        target = gathered(eps, self.process.predicted, self.process.size)
        return losses.pixel_mean((self.eps(network, z, t, labels) - target) ** 2)

    def eps(self, network, z, t, labels) -> torch.Tensor:
        """eps of the predicted components [N, k C, ...], in the dtype of z; t: [] or [N]."""
        condition = one_per_image(self.time_condition(t), z, z.dtype)
        eps = network(z, condition, labels)
        if not self.mixed_score:
            return eps
        # Mixed score (Dockhorn et al. 2022): s_m = -m / V_mm - eps / l_mm with V_mm the variance of
        # the momentum for data of unit variance, Sigma_0 = diag(1, kappa M); as a noise prediction,
        # eps + (l_mm / V_mm) m.
        process = self.process
        unit = process.momentum.clone()
        unit[0, 0] = 1
        variance = regularised(process.covariance(t, unit))[..., -1, -1]
        share = process.root(t)[..., -1, -1] / variance
        return eps + per_image(share, z) * gathered(z, process.predicted, process.size)

    def time_condition(self, t) -> torch.Tensor:
        """The time condition of networks of this process: t or ln t, float64."""
        return exact(t).log() if self.condition == "log_t" else exact(t)

    def bind(self, network, labels) -> "PhaseModel":
        return PhaseModel(network, labels, self)

    def finish(self, x):
        return image_of(x, self.process.size)


class PhaseModel:
    """Score of a trained network: float64 outside, the network's precision inside."""

    def __init__(self, network, labels, family: PhaseSpace):
        self.network, self.family, self.process = network, family, family.process
        self.dtype = next(network.parameters()).dtype
        self.labels = None if labels is None else labels.to(self.dtype)

    def __call__(self, z: torch.Tensor, t, rows=None) -> torch.Tensor:
        """s(z, t), [N, d C, ...]. t: one time or [N]. rows: indices [N] of the images of the batch
        that z holds, None for all.
        """
        # A solver may go on with some images of the batch only: their labels go with them.
        t = exact(t)
        labels = self.labels if rows is None or self.labels is None else self.labels[rows]
        eps = self.family.eps(self.network, z.to(self.dtype), t, labels)
        # s = -L^-T eps
        return self.process.score(eps.double(), t)
