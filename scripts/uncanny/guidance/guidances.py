"""Classifier guidance and its controls: gradients added to sampling, and statistics of their size.

A guidance is a function `kind(classifiers, *, options)`, where `classifiers` maps names to loaded
classifiers. Its result names in GUIDED_ARGUMENT the argument of a sampler that it provides, None
where it changes the model alone. For each batch it wraps the model that the sampler calls. A
`Guidance` provides gradient(x, t) = scale * direction(x, t), float64; how a sampler uses the
gradient is described there (Dhariwal and Nichol 2021, algorithms 1 and 2).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from uncanny.diffusion.forward import alpha_bars, posterior, step_variances, x0_from_eps
from uncanny.guidance import noisy_classifier
from uncanny.guidance.noisy_classifier import DECILES, Classifier, decile_of, decile_range
from uncanny.registry import components
from uncanny.registry.option_types import Above, Nonnegative
from uncanny.runtime.hardware import sent
from uncanny.runtime.random_streams import IMAGES_PER_DRAW, ImageStreams, seed_of

# Kinds that act through another argument of samplers than `gradient`; None: through the model alone
ARGUMENTS = {"inpainting": "constrain", "classifier_free": None}

LOG_P_IMAGES = 64  # first images of each sampling seed, on which log p(y | x0) is evaluated

# (x [N, ...], t, labels [N], noise(step, like)) -> [N, ...]
Direction = Callable[[Tensor, int, Tensor, Callable], Tensor]


class NotFinite(ValueError):
    """A guidance gradient is infinite or NaN: sampling diverged, or the direction is zero."""


@dataclass(frozen=True)
class Guidance:
    """Direction and strength of guidance, and the reference classifier for its statistics.

    scale: strength s, finite. reference: classifier whose log p(y | x0) is reported. ids: of all
    classifiers involved, by name.
    """

    direction: Direction
    scale: float
    reference: Classifier
    ids: Mapping[str, str]

    GUIDED_ARGUMENT = "gradient"

    def __post_init__(self):
        if not math.isfinite(self.scale):
            raise ValueError(f"guidance: scale is {self.scale}; expected a finite number")

    def bound_to(self, family, options: dict, with_statistics: bool, originals) -> tuple:
        """Return (function of (model, levels, labels, seeds) that guides a batch, its statistics).

        family: of the model. options: of the sampler. The statistics are None unless
        with_statistics. Raises ValueError for a family that cannot be guided.
        """
        if family.guided_as == "discrete":
            statistics = self.statistics(family.num_levels) if with_statistics else None
            # The sampler's own Sigma_t; samplers without one count as ancestral with the small one,
            # a learned one as its upper bound.
            variance = options.get("variance", "small").replace("learned", "large")
            return partial(self.bind, variance=variance, statistics=statistics), statistics
        if family.guided_as == "phase_space":
            # Imported here because that module imports this one.
            from uncanny.guidance import phase_space_guidance

            statistics = phase_space_guidance.statistics() if with_statistics else None
            guided = phase_space_guidance.GuidedPhase
            return partial(guided, self, statistics=statistics), statistics
        raise ValueError(f"{type(family).__name__}: sampling of this family cannot be guided")

    def bind(
        self, model, times: Tensor, labels: Tensor, seeds: list[int], **options
    ) -> "GuidedDiscrete":
        """Guide one batch of a discrete process. See `GuidedDiscrete`."""
        return GuidedDiscrete(self, model, times, labels, seeds, **options)

    def statistics(self, num_levels: int | None) -> "GuidanceStatistics":
        """Empty statistics; num_levels: T of the model."""
        return GuidanceStatistics(num_levels)


# --- Kinds of guidance ---------------------------------------------------------------------------


def classifier(
    classifiers: Mapping[str, Classifier], *, classifier: str, scale: float = 1.0
) -> Guidance:
    """Follow scale * gradient of log p(y | x_t, t) of a classifier, trained or not.

    Classifier guidance (Dhariwal and Nichol 2021, section 4); with an untrained classifier,
    misguided diffusion.
    """
    # g = s grad log p(y | x_t, t); x and t as the model sees them
    chosen = _named(classifiers, classifier)
    return Guidance(
        lambda x, t, y, noise: chosen.gradient(x, t, y), scale, chosen, _ids(classifiers)
    )


def norm_matched(
    classifiers: Mapping[str, Classifier], *, classifier: str, norm_of: str, scale: float = 1.0
) -> Guidance:
    """Follow one classifier's gradient with the norm of another's, matched per step and image.

    classifier: gives the direction. norm_of: gives the norm, and is the reference classifier. A
    control: misguided diffusion at the strength of guidance.
    """
    direction, norm = _named(classifiers, classifier), _named(classifiers, norm_of)

    def matched(x, t, y, noise):
        # g = ||g_norm|| g_direction / ||g_direction||
        return _with_norm_of(direction.gradient(x, t, y), norm.gradient(x, t, y))

    return Guidance(matched, scale, norm, _ids(classifiers))


def random_direction(
    classifiers: Mapping[str, Classifier], *, norm_of: str, scale: float = 1.0
) -> Guidance:
    """Follow a new random direction at each step, with the norm of a classifier's gradient there.

    norm_of: gives the norm, and is the reference classifier. A control: the effect of the strength
    of guidance alone.
    """
    norm = _named(classifiers, norm_of)

    def random(x, t, y, noise):
        # A normal vector divided by its norm is uniform on the sphere.
        return _with_norm_of(noise(t, x), norm.gradient(x, t, y))

    return Guidance(random, scale, norm, _ids(classifiers))


def classifier_free(
    classifiers: Mapping[str, Classifier],
    *,
    scale: Nonnegative = 1.0,
    sigma_min: Nonnegative | None = None,
    sigma_max: Annotated[Nonnegative | None, Above("sigma_min")] = None,
    t_min: Nonnegative | None = None,
    t_max: Annotated[Nonnegative | None, Above("t_min")] = None,
):
    """Move the model's prediction without the class towards the one with it and beyond: eps =
    eps_u + scale (eps_c - eps_u), for models trained with label_dropout.

    scale: 0 is the unconditional model, 1 the conditional one; what Ho and Salimans (2022) call w
    is scale - 1. sigma_min, sigma_max: guidance acts at sigma_min < sigma <= sigma_max alone, else
    the scale is 1 (Kynkäänniemi et al. 2024, equation 5); of models in continuous noise levels.
    t_min, t_max: the same of discrete models, whose times are 0..T-1. None: no such end.
    """
    from uncanny.guidance.classifier_free import ClassifierFree

    return ClassifierFree(scale, {"sigma": (sigma_min, sigma_max), "t": (t_min, t_max)})


def inpainting(
    classifiers: Mapping[str, Classifier],
    *,
    mask: Literal["digit", "centre", "right"] = "digit",
    paste: bool = True,
    legacy_time: bool = False,
):
    """Inpaint images of the test split: their known pixels are put back at each step.

    mask: the part that is removed, see `inpainting.masks`. paste: put the known pixels themselves
    into the result, not their mean at the last time. legacy_time: noise them to the time at which a
    step starts, as the code of PSLD does, not to the time at which it ends.
    """
    from uncanny.guidance.inpainting import Inpainting

    return Inpainting(mask, paste, legacy_time)


def _named(classifiers: Mapping[str, Classifier], name: str) -> Classifier:
    if name not in classifiers:
        known = ", ".join(classifiers) or "none"
        raise ValueError(f"guidance: classifier {name!r} is not known; expected one of: {known}")
    return classifiers[name]


def _ids(classifiers: Mapping[str, Classifier]) -> dict[str, str]:
    return {name: classifiers[name].id for name in sorted(classifiers)}


def _with_norm_of(direction: Tensor, like: Tensor) -> Tensor:
    """Each image's direction with the norm of `like`; not finite where the direction is zero."""
    return direction * (_norm(like) / _norm(direction))


def _norm(x: Tensor) -> Tensor:
    """Euclidean norm of each image, [N, 1, ...]."""
    return x.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))


# --- Guided sampling -----------------------------------------------------------------------------


def prepare(block: dict, files: Mapping[str, str], identity: dict, device) -> Guidance:
    """Build the guidance of a complete config block.

    files: classifier files by name. identity: of the guided model; the classifiers must have been
    trained on its dataset and noise schedule. Raises ValueError that names file and difference.
    """
    # Everything but the kind is an option of it.
    options = {key: value for key, value in block.items() if key != "kind"}
    loaded = {name: _load(path, identity, device) for name, path in files.items()}
    return components.load("guidances", block["kind"])(loaded, **options)


def _load(path, identity: dict, device) -> Classifier:
    loaded = noisy_classifier.load(path, device)
    # A classifier sees x_t as it was trained: p(x_t) must be that of the guided model.
    for key in ("dataset", "process", "schedule"):
        if loaded.identity[key] != identity[key]:
            raise ValueError(
                f"{path}: classifier made for {key} {loaded.identity[key]!r}, "
                f"but the guided model has {identity[key]!r}"
            )
    return loaded


class GuidedBatch:
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
        """Raise NotFinite, naming step, t and scale, where a gradient since the last check was not
        finite. On a GPU once per batch: at each step the host would wait.
        """
        if not self._finite:
            return
        times, flags = zip(*self._finite, strict=True)
        self._finite, finite = [], torch.stack(flags).tolist()
        if not all(finite):
            t = times[finite.index(False)]
            # Times fall: the step is the number of those not yet below t.
            step = sum(t <= time for time in self._times)
            raise NotFinite(
                f"guidance: gradient not finite at step {step} of {len(self._times)} "
                f"(t = {t:g}, scale = {self.guidance.scale:g})"
            )

    def effects(self, g: Tensor, t: float) -> dict[str, Tensor]:
        """Size of the gradient g [N, ...] at t by measure: one value per image, or for some; NaN
        where there is none.
        """
        raise NotImplementedError


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
        found = {key: v for key, v in zip(self._values, self._totals(), strict=True) if v[1]}
        return [self._entry(decile, found) for decile in range(DECILES) if decile in self._times]

    def _totals(self) -> list[list[float]]:
        return torch.stack(list(self._values.values())).tolist() if self._values else []

    def _entry(self, decile: int, found: dict) -> dict:
        totals = {name: found.get((decile, name)) for name in self.names}
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
