"""Models whose answers are known in closed form, and stand-ins for noise; shared by the tests."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from uncanny.diffusion import chain, forward

DATA = Path(__file__).parent / "data"

torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other


def arrays(name: str) -> dict[str, np.ndarray]:
    """Stored arrays of tests/data/NAME.npz, read as they are asked for.

    Results of the public programs EDM, guided-diffusion, DDIM, NCSNv2 and score_sde on small
    Gaussian mixtures, with the noise they drew.
    """
    return np.load(DATA / f"{name}.npz", allow_pickle=False)


def cases(name: str, prefix: str = "") -> list[dict]:
    """Stored cases of tests/data/NAME.json whose id starts with prefix."""
    listed = json.loads((DATA / f"{name}.json").read_text())
    return [case for case in listed if case["id"].startswith(prefix)]


def tensor(values: np.ndarray) -> Tensor:
    """float64 (or int64) tensor."""
    values = torch.as_tensor(values)
    return values.double() if values.is_floating_point() else values.long()


def assert_close(result, expected, tol: float) -> None:
    """|a - b| <= tol (1 + |b|) everywhere, shapes equal."""
    result, expected = tensor(np.asarray(result)), tensor(np.asarray(expected))
    assert result.shape == expected.shape
    excess = ((result - expected).abs() / (1 + expected.abs())).max()
    assert excess <= tol, f"largest deviation {excess:.3g}, allowed {tol:g}"


class Gaussian:
    """Data N(mean, std^2) in every pixel: ideal denoiser, score and noise prediction."""

    def __init__(self, std: float = 0.5, mean: float = 0.0):
        self.std, self.mean = std, mean

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        sigma = forward.per_image(sigma, x)
        return self.mean + (x - self.mean) * self.std**2 / (self.std**2 + sigma**2)

    def score(self, x: Tensor, sigma: Tensor) -> Tensor:
        return (self(x, sigma) - x) / forward.per_image(sigma, x) ** 2


class Mixture:
    """Data from a mixture of isotropic Gaussians over all pixels; labels select class weights."""

    def __init__(self, stored: dict, prefix: str, labels: Tensor | None = None):
        self.means = tensor(stored[f"{prefix}/means"]).flatten(1)  # [K, D]
        self.stds = tensor(stored[f"{prefix}/stds"])  # [K]
        weights = tensor(stored[f"{prefix}/weights"])[None]
        by_class = tensor(stored[f"{prefix}/class_weights"])
        self.weights = weights if labels is None else labels.double() @ by_class  # [1 or N, K]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        flat = x.flatten(1)  # [N, D]
        sigma = torch.as_tensor(sigma, dtype=x.dtype).reshape(-1, 1)  # [1 or N, 1]
        variance = self.stds**2 + sigma**2  # [1 or N, K]
        distance = ((flat[:, None] - self.means) ** 2).sum(dim=2)  # [N, K]
        log_weights = self.weights.log() - flat.shape[1] / 2 * variance.log()
        share = torch.softmax(log_weights - distance / (2 * variance), dim=1) / variance
        mean = (share * self.stds**2).sum(dim=1, keepdim=True) * flat
        return (mean + sigma**2 * (share @ self.means)).reshape(x.shape)

    def score(self, x: Tensor, sigma: Tensor) -> Tensor:
        return (self(x, sigma) - x) / forward.per_image(sigma, x) ** 2


class EpsModel:
    """Noise prediction of the discrete process that a denoiser implies; t is one time or [N]."""

    def __init__(self, denoiser, betas: Tensor):
        self.denoiser, self.alphas_cumprod = denoiser, chain.alphas_cumprod(betas)

    def __call__(self, x: Tensor, t: int | Tensor) -> Tensor:
        a = self.alphas_cumprod[t]
        signal, spread = (forward.per_image(v.sqrt(), x) for v in (a, 1 - a))
        return (x - signal * self.denoiser(x / signal, ((1 - a) / a).sqrt())) / spread


class Counted:
    """Passes calls on to a model and keeps their second argument (sigma or t)."""

    def __init__(self, model):
        self.model, self.seen = model, []
        if hasattr(model, "alphas_cumprod"):
            self.alphas_cumprod = model.alphas_cumprod

    def __call__(self, x: Tensor, level) -> Tensor:
        self.seen.append(float(level))
        return self.model(x, level)


class Replayed:
    """Recorded noise [draws, N, ...]; draw i belongs to step i. Keeps which steps asked."""

    def __init__(self, recorded):
        self.recorded, self.asked = tensor(np.asarray(recorded)), []

    def __call__(self, step: int, like: Tensor) -> Tensor:
        self.asked.append(step)
        return self.recorded[step].to(like.dtype)


def unused(step: int, like: Tensor) -> Tensor:
    """Noise of a sampler that must not ask for any."""
    raise AssertionError(f"step {step} asked for noise")


class Sources:
    """Independent sources of randomness, followed through a sampler that is linear in all of them.

    A state is a row [1, 1 + draws] whose entry k is the coefficient of source k: the start is
    source 0, the noise of step i source i + 1. Where a model acts on each entry alone and in
    proportion, the squares of the final row sum up to the exact variance of the output.
    """

    def __init__(self, draws: int):
        self.draws = draws

    def start(self, std: float = 1.0) -> Tensor:
        return std * torch.eye(1, 1 + self.draws, dtype=torch.float64)

    def noise(self, step: int, like: Tensor) -> Tensor:
        one = torch.zeros_like(like)
        one[:, step + 1] = 1
        return one


def std_of(x: Tensor) -> float:
    """Standard deviation of an output that was followed with `Sources`."""
    return float(x.square().sum().sqrt())


def printed(text: str) -> object:
    """Matcher for a number that was printed with these digits: within half a unit of the last."""
    unit = 10.0 ** Decimal(text).as_tuple().exponent
    return pytest.approx(float(text), rel=1e-12, abs=0.5000001 * unit)
