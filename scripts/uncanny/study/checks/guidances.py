"""Check guidances: that their classifiers exist, and what they can guide."""

from uncanny.diffusion import noise_range
from uncanny.registry import components
from uncanny.study.checks.names import refer
from uncanny.study.resolved_blocks import CLASSIFIER_OPTIONS
from uncanny.study.study import Study

UNITS = ("sigma", "t")  # of the intervals of classifier-free guidance


def check(study: Study, guidance: str) -> None:
    """Raise ValueError for a classifier that does not exist."""
    for key, value in study.guidance(guidance).items():
        if key in CLASSIFIER_OPTIONS:
            refer(study, "classifiers", value, f"guidances.{guidance}.{key}")


def check_guided(study: Study, guidance: str, model: str, sampler: str, key_path: str) -> None:
    """Raise ValueError for a guidance that a sampler or a model cannot have."""
    argument = study.guidance_argument(guidance)
    if argument is None:
        _check_classifier_free(study, guidance, model, key_path)
    elif not components.takes("samplers", study.sampler_kind(sampler, model), argument):
        raise ValueError(
            f"{key_path}: {guidance!r} cannot guide sampler {sampler!r} of model "
            f"{model!r}; expected a sampler that takes a {argument}"
        )


def _check_classifier_free(study: Study, guidance: str, model: str, key_path: str) -> None:
    """The model must have been trained with and without its class, at levels of a known unit."""
    identity, what = study.identity(model), f"{key_path}: {guidance!r} with model {model!r}"
    kind = identity["process"]["kind"]
    level = components.constant("processes", kind, "LEVEL", None)
    if level is None:
        raise ValueError(f"{what}, whose process is {kind}; expected continuous or discrete")
    if not identity["conditional"]:
        raise ValueError(f"{what}, which is not class-conditional; expected conditional: true")
    if identity["training"] is None:
        raise ValueError(f"{what}, which was trained elsewhere; expected one that is trained here")
    if not identity["training"].get("label_dropout"):
        training = study.names(model)["training"]
        raise ValueError(
            f"{what}, which is never trained without its class; expected a "
            f"training.{training}.label_dropout above 0"
        )
    _check_interval(study, guidance, model, level)


def _check_interval(study: Study, guidance: str, model: str, level: str) -> None:
    """An interval must be in the unit of the model's noise, within the levels of its training."""
    options, process = study.guidance(guidance), study.identity(model)["process"]
    units = {unit for unit in UNITS for e in ("min", "max") if options[f"{unit}_{e}"] is not None}
    if units and level not in units:
        (other,) = units
        raise ValueError(
            f"guidances.{guidance}: an interval of {other}, but the noise of model {model!r} is "
            f"{level}; expected {level}_min or {level}_max, too"
        )
    low, high = (0, process["num_levels"] - 1) if level == "t" else noise_range.ends(process)
    for key in (f"{level}_min", f"{level}_max"):
        value = options[key]
        if value is not None and (value < low or (high is not None and value > high)):
            end, relation = (low, "at least") if value < low else (high, "at most")
            raise ValueError(
                f"guidances.{guidance}.{key}: {value:g}; expected {relation} {end:.6g}: model "
                f"{model!r} is not trained beyond it"
            )
