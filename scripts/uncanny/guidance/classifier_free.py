"""Classifier-free guidance: one network with and without the class (Ho and Salimans 2022).

Inside an interval of noise levels alone, on request (Kynkäänniemi et al. 2024).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

Interval = tuple[float | None, float | None]  # low < level <= high; None: no such end


@dataclass(frozen=True)
class ClassifierFree:
    """Strength of guidance and where it acts. See `guidances.classifier_free`.

    intervals: by what tells a family's models the noise, "sigma" or "t".
    """

    scale: float
    intervals: Mapping[str, Interval]

    GUIDED_ARGUMENT = None
    ids = {}  # noqa: RUF012 (of classifiers: none is used)

    def __post_init__(self):
        if not math.isfinite(self.scale):
            raise ValueError(f"guidance: scale is {self.scale}; expected a finite number")
        for level, (low, high) in self.intervals.items():
            if None not in (low, high) and low >= high:
                raise ValueError(f"guidance: {level}_max is {high}; expected more than {low}")

    def bound_to(self, family, options: dict, with_statistics: bool, originals) -> tuple:
        """Return (function that guides a batch, no statistics). See `guidances.Guidance`."""
        if family.level is None:
            kind = type(family).__name__
            raise ValueError(f"{kind}: this family has no classifier-free guidance")
        return partial(self.bind, level=family.level), None

    def bind(self, model, levels, labels, seeds, *, level: str) -> "GuidedModel":
        """Guide one batch; level: what tells the family's models the noise."""
        if model.labels is None:
            raise ValueError("guidance: the model is shown no class; expected a conditional one")
        return GuidedModel(model, self.scale, level, self.intervals[level])


class GuidedModel:
    """A model of a batch with guidance: eps(x, t) or D(x; sigma), which is linear in eps.

    model: takes `unconditional`. level: "t" or "sigma", the unit of the interval.
    """

    def __init__(self, model, scale: float, level: str, interval: Interval):
        self.model, self.scale, (self.low, self.high) = model, scale, interval
        # A discrete model that is seen through its noise levels takes sigma, not t.
        self._time = getattr(model, "time", None) if level == "t" else None

    arguments = {}  # noqa: RUF012 (of the sampler: none)

    def __getattr__(self, name: str):
        return getattr(self.model, name)

    def acts(self, level: float | Tensor) -> Tensor:
        """Whether guidance acts at a level [] or [N]: low < level <= high, and never at scale 1; []
        without an interval.
        """
        if self.low is None and self.high is None:
            return torch.tensor(self.scale != 1)
        level = torch.as_tensor(level, dtype=torch.float64)
        level = self._time(level) if self._time else level
        inside = torch.full_like(level, self.scale != 1, dtype=torch.bool)
        inside = inside if self.low is None else inside & (level > self.low)
        return inside if self.high is None else inside & (level <= self.high)

    def __call__(self, x: Tensor, level: float | Tensor, rows=None, **more):
        """The guided prediction of x [N, ...]: two evaluations where guidance acts, else one.

        level, rows and more: of the model.
        """
        output, inside = self.model(x, level, rows=rows, **more), self.acts(level)
        count = int(inside.sum())  # waits for a device that holds levels of single images
        if not count:
            return output
        # Of several outputs the first is guided, and the others are those with the class
        conditional, *others = output if isinstance(output, tuple) else (output,)
        if count == inside.numel():
            guided = self._towards(conditional, x, level, rows)
        else:  # images of a batch at levels of their own
            (where,) = inside.to(x.device).nonzero(as_tuple=True)
            own, guided = where if rows is None else rows[where], conditional.clone()
            guided[where] = self._towards(conditional[where], x[where], level[where], own)
        return (guided, *others) if others else guided

    def _towards(self, conditional: Tensor, x: Tensor, level, rows) -> Tensor:
        # eps_u + w (eps_c - eps_u)
        free = self.model(x, level, rows=rows, unconditional=True)
        return free + self.scale * (conditional - free)
