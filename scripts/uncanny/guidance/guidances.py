"""Guidance: what bends a walk towards a class or an image, and what it did to it.

A guidance is a function `kind(classifiers, *, options)`, where `classifiers` maps names to loaded
classifiers. What it returns says in BENDS which argument of a sampler it gives. Bound to a batch it
stands between model and sampler. A `Guidance` gives gradient(x, t) = scale * direction(x, t),
float64; what that does is the sampler's affair (Dhariwal and Nichol 2021, algorithms 1 and 2).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from uncanny.diffusion.forward import alpha_bars, posterior, step_variances, x0_from_eps
from uncanny.guidance import noisy_classifier
from uncanny.guidance.noisy_classifier import DECILES, Classifier, decile_of, decile_range
from uncanny.registry import components
from uncanny.runtime.random_streams import IMAGES_PER_DRAW, ImageStreams, seed_of

JUDGED = 64  # images of a draw whose predictions are judged: its first ones

# (x [N, ...], t, labels [N], noise(step, like)) -> [N, ...]
Direction = Callable[[Tensor, int, Tensor, Callable], Tensor]


class NotFinite(ValueError):
    """A gradient is not finite: the walk has left all bounds, or there is no direction."""


@dataclass(frozen=True)
class Guidance:
    """A direction, how far to go in it, and the classifier that judges the predicted images.

    ids: of all classifiers that it hangs on, by name.
    """

    direction: Direction
    scale: float
    judge: Classifier
    ids: Mapping[str, str]

    BENDS = "gradient"

    def __post_init__(self):
        if not math.isfinite(self.scale):
            raise ValueError(f"guidance: scale is {self.scale}; expected a finite number")

    def bound_to(self, family, options: dict, account: bool, originals) -> tuple:
        """What binds a batch to this guidance, a function of (model, levels, labels, seeds), and
        the account that is kept of it, or None.

        family: of the model. options: of the sampler. account: whether to keep one. ValueError for
        a family that cannot be guided.
        """
        if family.guided_as == "discrete":
            kept = self.account(family.num_levels) if account else None
            variance = options.get("variance", "small")
            return partial(self.bind, variance=variance, account=kept), kept
        if family.guided_as == "phase_space":
            from uncanny.guidance import phase_space_guidance

            kept = phase_space_guidance.account() if account else None
            return partial(phase_space_guidance.GuidedPhase, self, account=kept), kept
        raise ValueError(f"{type(family).__name__}: walks of this family cannot be guided")

    def bind(self, model, times: Tensor, labels: Tensor, seeds: list[int], **options) -> "Guided":
        """The guided walk of one batch. See `Guided`."""
        return Guided(self, model, times, labels, seeds, **options)

    def account(self, num_levels: int | None) -> "Account":
        """An empty account of what it does; num_levels: T of the model."""
        return Account(num_levels)


# --- Kinds of guidance ---------------------------------------------------------------------------


def classifier(
    classifiers: Mapping[str, Classifier], *, classifier: str, scale: float = 1.0
) -> Guidance:
    """scale * gradient of log p(y | x_t, t) of a classifier, trained or not.

    Classifier guidance (Dhariwal and Nichol 2021); with an untrained classifier, misguided
    diffusion.
    """
    chosen = _named(classifiers, classifier)
    return Guidance(
        lambda x, t, y, noise: chosen.gradient(x, t, y), scale, chosen, _ids(classifiers)
    )


def norm_matched(
    classifiers: Mapping[str, Classifier], *, classifier: str, norm_of: str, scale: float = 1.0
) -> Guidance:
    """Gradient of one classifier, rescaled at each step and image to the norm of another's there.

    classifier: gives the direction. norm_of: gives the norm, and judges. A control: misguided
    diffusion at the strength of guidance.
    """
    direction, norm = _named(classifiers, classifier), _named(classifiers, norm_of)

    def matched(x, t, y, noise):
        return _with_norm_of(direction.gradient(x, t, y), norm.gradient(x, t, y))

    return Guidance(matched, scale, norm, _ids(classifiers))


def random_direction(
    classifiers: Mapping[str, Classifier], *, norm_of: str, scale: float = 1.0
) -> Guidance:
    """A fresh random direction at each step, with the norm of a classifier's gradient there.

    norm_of: gives the norm, and judges. A control: what guidance does by its strength alone.
    """
    norm = _named(classifiers, norm_of)

    def random(x, t, y, noise):
        return _with_norm_of(noise(t, x), norm.gradient(x, t, y))

    return Guidance(random, scale, norm, _ids(classifiers))


def inpainting(
    classifiers: Mapping[str, Classifier],
    *,
    mask: Literal["digit", "centre", "right"] = "digit",
    paste: bool = True,
    legacy_time: bool = False,
):
    """No class, but an image of the test split: what the mask leaves of it is kept at each step.

    mask: what is removed, see `inpainting.masks`. paste: put the known pixels themselves into the
    result, not their mean at the last time. legacy_time: noise them to the time at which a step
    starts, as the code of PSLD does, not to the time at which it ends.
    """
    from uncanny.guidance.inpainting import Inpainting

    return Inpainting(mask, paste, legacy_time)


def _named(classifiers: Mapping[str, Classifier], name: str) -> Classifier:
    if name not in classifiers:
        known = ", ".join(classifiers) or "none"
        raise ValueError(f"guidance: classifier {name!r} was not given; known: {known}")
    return classifiers[name]


def _ids(classifiers: Mapping[str, Classifier]) -> dict[str, str]:
    return {name: classifiers[name].id for name in sorted(classifiers)}


def _with_norm_of(direction: Tensor, like: Tensor) -> Tensor:
    """Each image's direction with the norm of `like`; not finite where the direction is zero."""
    return direction * (_norm(like) / _norm(direction))


def _norm(x: Tensor) -> Tensor:
    """Euclidean norm of each image, [N, 1, ...]."""
    return x.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))


# --- A guided walk -------------------------------------------------------------------------------


def prepare(block: dict, files: Mapping[str, str], identity: dict, device) -> Guidance:
    """The guidance of a complete config block.

    files: classifier files by name. identity: of the guided model; the classifiers must have been
    trained on its dataset and noise schedule. Raises ValueError that names file and difference.
    """
    options = {key: value for key, value in block.items() if key != "kind"}
    opened = {name: _opened(path, identity, device) for name, path in files.items()}
    return components.load("guidances", block["kind"])(opened, **options)


def _opened(path, identity: dict, device) -> Classifier:
    found = noisy_classifier.load(path, device)
    for key in ("dataset", "process", "schedule"):
        if found.identity[key] != identity[key]:
            raise ValueError(
                f"{path}: classifier made for {key} {found.identity[key]!r}, "
                f"but the guided model has {identity[key]!r}"
            )
    return found


class Bent:
    """One batch on a guided walk: the model as the sampler sees it, and the sampler's gradient.

    times: [S + 1], falling. labels: [N], the classes to be drawn. seeds: of the images; random
    directions come from streams of their own, made from these. account: where what happens is
    added up, or None.
    """

    def __init__(self, guidance, model, times, labels, seeds, account=None):
        self.guidance, self.model, self.labels, self.account = guidance, model, labels, account
        self._times = times[:-1].tolist()
        self._noise = ImageStreams(seed_of(seed, "guidance") for seed in seeds).noise
        self._judged = torch.tensor([seed % IMAGES_PER_DRAW < JUDGED for seed in seeds])

    @property
    def arguments(self) -> dict:
        """What the sampler is given."""
        return {"gradient": self.gradient}

    def __call__(self, x: Tensor, t: float) -> Tensor:
        found = self.model(x, t)
        self._seen = x, found
        return found

    def gradient(self, x: Tensor, t: float) -> Tensor:
        """scale * direction(x, t), float64 [N, ...]. Raises NotFinite naming step, t and scale."""
        g = self.guidance.scale * self.guidance.direction(x, t, self.labels, self._noise)
        if not torch.isfinite(g).all():
            step = sum(t <= start for start in self._times)
            raise NotFinite(
                f"guidance: gradient not finite at step {step} of {len(self._times)} "
                f"(t = {t:g}, scale = {self.guidance.scale:g})"
            )
        if self.account is not None:
            self.account.add(t, **self.effects(g, t))
        return g

    def effects(self, g: Tensor, t: float) -> dict[str, Tensor]:
        """What the gradient g [N, ...] at t amounts to, by name: one value per image, or none."""
        raise NotImplementedError


class Guided(Bent):
    """A guided walk of a discrete process.

    model: eps(x, t). times: [S + 1], falling, last -1. variance: of the ancestral steps that
    rho_mark is measured by. Else as `Bent`.
    """

    def __init__(self, guidance, model, times, labels, seeds, *, variance="small", account=None):
        super().__init__(guidance, model, times, labels, seeds, account)
        self.alphas_cumprod = model.alphas_cumprod
        self._levels = alpha_bars(model.alphas_cumprod, times)
        steps = posterior(self._levels[:-1], self._levels[1:])
        self._variances = step_variances(steps, variance)
        self._steps = {t: i for i, t in enumerate(self._times)}

    def effects(self, g: Tensor, t: int) -> dict[str, Tensor]:
        (x, eps), i, chosen = self._seen, self._steps[t], self._judged.to(g.device)
        rms = root_mean_square(g)
        ratio = (1 - self._levels[i]).sqrt() * rms / root_mean_square(eps)
        x0 = x0_from_eps(x[chosen], eps[chosen], self._levels[i]).clamp(-1, 1)
        return {
            "gradient_rms": rms,
            "rho_mark": self._variances[i].sqrt() * rms,
            "rho_ddim": ratio[torch.isfinite(ratio)],  # a new network may predict exactly 0
            "log_p": self.guidance.judge.log_p(x0, 0, self.labels[chosen]) if len(x0) else rms[:0],
        }


def root_mean_square(x: Tensor) -> Tensor:
    """Of each image's values, [N, ...] -> [N]."""
    return x.flatten(1).square().mean(dim=1).sqrt()


class Account:
    """What a guidance did, as means over images and steps by decile of t.

    gradient_rms: of the scaled gradient, per pixel. rho_mark: sqrt(Sigma_t) * gradient_rms, the
    shift of an ancestral step relative to its noise; rho_ddim: sqrt(1 - alpha_bar_t) * gradient_rms
    / rms(eps), the shift of eps relative to the model's; both whatever the sampler. log_p:
    log p(y | x0, t = 0) by the judge, x0 the model's prediction before the shift, clipped to
    [-1, 1]; of the first 64 images of a draw, log_p_n values in all. Families may measure other
    things by other names.
    """

    NAMES = ("gradient_rms", "rho_mark", "rho_ddim", "log_p")

    def __init__(self, num_levels: int | None, names: tuple[str, ...] = NAMES):
        self.num_levels, self.names = num_levels, names
        self._times: dict[int, set[float]] = {}
        self._values: dict[tuple[int, str], list[float]] = {}  # [sum, count, largest]

    def add(self, t: float, **values: Tensor) -> None:
        """Values of one step by name, one per image [N] or of some images."""
        decile = decile_of(t, self.num_levels)
        self._times.setdefault(decile, set()).add(t)
        for name, value in values.items():
            if len(value):
                kept = self._values.setdefault((decile, name), [0.0, 0, -math.inf])
                kept[0] += float(value.sum())
                kept[1] += len(value)
                kept[2] = max(kept[2], float(value.max()))

    def report(self) -> list[dict]:
        """One entry per decile in which there were steps, from t = 0 upwards."""
        return [self._entry(decile) for decile in range(DECILES) if decile in self._times]

    def _entry(self, decile: int) -> dict:
        kept = {name: self._values.get((decile, name)) for name in self.names}
        return {
            "decile": decile,
            "t": list(decile_range(decile, self.num_levels)),
            "steps": len(self._times[decile]),
            **{name: value[0] / value[1] if value else None for name, value in kept.items()},
            **{f"{n}_max": kept[n][2] if kept[n] else None for n in self.names if "rho" in n},
            "log_p_n": kept["log_p"][1] if kept.get("log_p") else 0,
        }
