"""Kinds of guidance: classifier guidance and its controls, classifier-free guidance, inpainting.

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

from torch import Tensor

from uncanny.guidance import noisy_classifier, phase_space_guidance
from uncanny.guidance.guided_batches import GuidanceStatistics, GuidedDiscrete
from uncanny.guidance.noisy_classifier import Classifier
from uncanny.registry import components
from uncanny.registry.option_types import Above, Nonnegative

# Kinds that act through another argument of samplers than `gradient`; None: through the model alone
ARGUMENTS = {"inpainting": "constrain", "classifier_free": None}

# (x [N, ...], t, labels [N], noise(step, like)) -> [N, ...]
Direction = Callable[[Tensor, int, Tensor, Callable], Tensor]


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
            statistics = GuidanceStatistics(family.num_levels) if with_statistics else None
            # The sampler's own Sigma_t; samplers without one count as ancestral with the small one,
            # a learned one as its upper bound.
            variance = options.get("variance", "small").replace("learned", "large")
            guided = partial(GuidedDiscrete, self, variance=variance, statistics=statistics)
        elif family.guided_as == "phase_space":
            statistics = phase_space_guidance.statistics() if with_statistics else None
            guided = partial(phase_space_guidance.GuidedPhase, self, statistics=statistics)
        else:
            raise ValueError(f"{type(family).__name__}: sampling of this family cannot be guided")
        return guided, statistics


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


def prepare(block: dict, files: Mapping[str, str], identity: dict, device) -> Guidance:
    """Build the guidance of a complete config block.

    files: classifier files by name. identity: of the guided model; the classifiers must have been
    trained on its dataset and noise schedule. Raises ValueError that names file and difference.
    """
    loaded = {name: _load(path, identity, device) for name, path in files.items()}
    return components.call("guidances", block, loaded)


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
