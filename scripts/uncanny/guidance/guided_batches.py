"""Classifier guidance of a batch: the gradient that a sampler asks for at each step, and statistics
of its size.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from uncanny.diffusion.chain import alpha_bars, posterior, step_variances, x0_from_eps
from uncanny.guidance.noisy_classifier import DECILES, decile_of, decile_range
from uncanny.runtime.hardware import sent
from uncanny.runtime.random_streams import IMAGES_PER_DRAW, ImageStreams, seed_of

LOG_P_IMAGES = 64  # first images of each sampling seed, on which log p(y | x0) is evaluated


class GuidedBatch(ABC):
    """Guided sampling of one batch: wraps the model and provides the gradient to the sampler.

    times: [S + 1], falling. labels: [N], the target classes. seeds: of the images; random
    directions come from separate streams derived from these. statistics: where the effect of each
    step is added, or None.
    """

    def __init__(self, guidance, model, times, labels, seeds, statistics=None):
        self.guidance, self.model, self.labels = guidance, model, labels
        self.statistics = statistics
        self._times = times[:-1].tolist()
        # Separate streams: guidance leaves the noise of the sampler as it is without guidance.
        self._noise = ImageStreams(seed_of(seed, "guidance") for seed in seeds).noise
        # By seed, not by position in the batch, so that batch size and shards do not matter.
        rows = [row for row, seed in enumerate(seeds) if seed % IMAGES_PER_DRAW < LOG_P_IMAGES]
        self._log_p_rows = sent(torch.tensor(rows, dtype=torch.int64), labels.device)
        self._finite: list[tuple[float, Tensor]] = []  # time; whether the gradient there was finite

    @property
    def arguments(self) -> dict:
        """Further arguments of the sampler."""
        return {"gradient": self.gradient}

    def __call__(self, x: Tensor, t: float, **more) -> Tensor:
        """The model's own prediction; samplers add the gradient themselves."""
        prediction = self.model(x, t, **more)
        # Kept for the statistics, which compare the gradient with this prediction.
        self._last = x, prediction[0] if isinstance(prediction, tuple) else prediction
        return prediction

    def gradient(self, x: Tensor, t: float) -> Tensor:
        """scale * direction(x, t), float64 [N, ...]. On a processor it is checked at once."""
        # g = s grad_x log p(y | x_t, t)
        g = self.guidance.scale * self.guidance.direction(x, t, self.labels, self._noise)
        self._finite.append((t, torch.isfinite(g).all()))
        if g.device.type == "cpu":
            self.check()
        if self.statistics is not None:
            self.statistics.add(t, **self.effects(g, t))
        return g

    def check(self) -> None:
        """Raise ValueError, naming step, t and scale, where a gradient since the last check was
        not finite: sampling diverged, or a direction is zero. On a GPU once per batch: at each step
        the host would wait.
        """
        if not self._finite:
            return
        times, flags = zip(*self._finite, strict=True)
        self._finite, finite = [], torch.stack(flags).tolist()
        if not all(finite):
            t = times[finite.index(False)]
            # Times fall: the step is the number of those not yet below t.
            step = sum(t <= time for time in self._times)
            raise ValueError(
                f"guidance: gradient not finite at step {step} of {len(self._times)} "
                f"(t = {t:g}, scale = {self.guidance.scale:g})"
            )

    @abstractmethod
    def effects(self, g: Tensor, t: float) -> dict[str, Tensor]:
        """Size of the gradient g [N, ...] at t by measure: one value per image, or for some; NaN
        where there is none.
        """


class GuidedDiscrete(GuidedBatch):
    """Guided sampling of a discrete process.

    model: eps(x, t). times: [S + 1], falling, last -1. variance: of the ancestral steps, for
    rho_mark. Otherwise as `GuidedBatch`.
    """

    def __init__(self, guidance, model, times, labels, seeds, *, variance="small", statistics=None):
        super().__init__(guidance, model, times, labels, seeds, statistics)
        self.alphas_cumprod = model.alphas_cumprod
        self._levels = alpha_bars(model.alphas_cumprod, times)
        # Sigma_t of each step of the (shortened) ancestral chain, whatever the sampler
        steps = posterior(self._levels[:-1], self._levels[1:])
        self._variances = step_variances(steps, variance)
        # Row of each time among the levels and variances
        self._steps = {t: i for i, t in enumerate(self._times)}

    def effects(self, g: Tensor, t: int) -> dict[str, Tensor]:
        (x, eps), i, rows = self._last, self._steps[t], self._log_p_rows
        rms = root_mean_square(g)
        # Algorithm 2 (DDIM) shifts eps by -sqrt(1 - alpha_bar_t) g: its size relative to eps.
        ratio = (1 - self._levels[i]).sqrt() * rms / root_mean_square(eps)
        # x0 of the unguided prediction, as a sampler with clipping would see it
        x0 = x0_from_eps(x[rows], eps[rows], self._levels[i]).clamp(-1, 1)
        reference = self.guidance.reference
        return {
            "gradient_rms": rms,
            # Algorithm 1 shifts the mean by Sigma_t g, whose noise is sqrt(Sigma_t).
            "rho_mark": self._variances[i].sqrt() * rms,
            # A new network may predict exactly 0.
            "rho_ddim": torch.where(torch.isfinite(ratio), ratio, torch.nan),
            "log_p": reference.log_p(x0, 0, self.labels[rows]) if len(x0) else rms[:0],
        }


def root_mean_square(x: Tensor) -> Tensor:
    """Of each image's values, [N, ...] -> [N]."""
    return x.flatten(1).square().mean(dim=1).sqrt()


class GuidanceStatistics:
    """Effect of guidance: means over images and steps, by decile of t.

    gradient_rms: of the scaled gradient, per pixel. rho_mark: sqrt(Sigma_t) * gradient_rms, the
    shift of an ancestral step relative to its noise; rho_ddim: sqrt(1 - alpha_bar_t) * gradient_rms
    / rms(eps), the shift of eps relative to the model's; both for every sampler. log_p:
    log p(y | x0, t = 0) by the reference classifier, x0 the model's prediction before the shift,
    clipped to [-1, 1]; of the first 64 images of a sampling seed, log_p_n values in all. Families
    may record other measures by other names.
    """

    NAMES = ("gradient_rms", "rho_mark", "rho_ddim", "log_p")

    def __init__(self, num_levels: int | None, names: tuple[str, ...] = NAMES):
        self.num_levels, self.names = num_levels, names
        self._times: dict[int, set[float]] = {}
        # [sum, count, largest], float64, where the values are: adding makes no host wait
        self._values: dict[tuple[int, str], Tensor] = {}

    def add(self, t: float, **values: Tensor) -> None:
        """Add values of one step by name, one per image [N] or of some images; NaN is left out."""
        decile = decile_of(t, self.num_levels)
        # A set: batches that visit the same time count as one step.
        self._times.setdefault(decile, set()).add(t)
        for name, value in values.items():
            if len(value):
                self._add((decile, name), value.double())

    def _add(self, key: tuple[int, str], value: Tensor) -> None:
        known = ~torch.isnan(value)
        largest = torch.where(known, value, -torch.inf).max()
        new = torch.stack([value.nansum(), known.sum().double(), largest])
        if (old := self._values.get(key)) is not None:
            old = old.to(new.device)  # from a state
            new = torch.cat([old[:2] + new[:2], torch.maximum(old[2:], new[2:])])
        self._values[key] = new

    def state(self) -> dict:
        """What was added so far: lists and tensors."""
        times = [[decile, sorted(times)] for decile, times in self._times.items()]
        return {"times": times, "values": [[*key, v.cpu()] for key, v in self._values.items()]}

    def restore(self, state: dict) -> None:
        """Bring empty statistics to a state."""
        self._times = {decile: set(times) for decile, times in state["times"]}
        self._values = {(decile, name): total for decile, name, total in state["values"]}

    def report(self) -> list[dict]:
        """One entry per decile in which there were steps, from t = 0 upwards."""
        sums = {key: v for key, v in zip(self._values, self._totals(), strict=True) if v[1]}
        return [self._entry(decile, sums) for decile in range(DECILES) if decile in self._times]

    def _totals(self) -> list[list[float]]:
        return torch.stack(list(self._values.values())).tolist() if self._values else []

    def _entry(self, decile: int, sums: dict) -> dict:
        totals = {name: sums.get((decile, name)) for name in self.names}
        means = {name: total[0] / total[1] if total else None for name, total in totals.items()}
        # Only the relative shifts have a maximum: a mean would hide one step that dominates.
        largest = {f"{n}_max": t[2] if t else None for n, t in totals.items() if "rho" in n}
        return {
            "decile": decile,
            "t": list(decile_range(decile, self.num_levels)),
            "steps": len(self._times[decile]),
            **means,
            **largest,
            "log_p_n": int(totals["log_p"][1]) if totals.get("log_p") else 0,
        }
