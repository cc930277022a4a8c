"""Check selections of models, samplers and guidances: names that exist, combinations that can be
sampled.

Every inconsistency is one ValueError that names the key, the value and what was expected.
"""

from itertools import product

from uncanny.registry import components
from uncanny.samplers import nfe
from uncanny.study import plan
from uncanny.study.checks import correctors as checks_correctors
from uncanny.study.checks import guidances as checks_guidances
from uncanny.study.checks import noise_levels as checks_noise_levels
from uncanny.study.checks import origins as checks_origins
from uncanny.study.checks.names import refer
from uncanny.study.resolved_blocks import NO_GUIDANCE, model_interface
from uncanny.study.study import Study


def check_selection(study: Study, selection: dict, key_path: str) -> None:
    """Check that names exist, and that combinations can be sampled."""
    for section in ("models", "samplers", "guidances"):
        for name in selection.get(section, []):
            if (section, name) != ("guidances", NO_GUIDANCE):
                refer(study, section, name, f"{key_path}.{section}")
    checks_origins.check_selection(study, selection, key_path)
    for model, sampler in product(selection["models"], selection["samplers"]):
        _check_pair(study, model, sampler, key_path)
        for guidance in selection.get("guidances", [NO_GUIDANCE]):
            if guidance != NO_GUIDANCE:
                checks_guidances.check_guided(
                    study, guidance, model, sampler, f"{key_path}.guidances"
                )


def _check_pair(study: Study, model: str, sampler: str, key_path: str) -> None:
    if not plan.fits(study, model, sampler):
        takes = components.signature("samplers", study.sampler_kind(sampler, model)).first
        gives = model_interface(study.block("processes", study.names(model)["process"])["kind"])
        raise ValueError(
            f"{key_path}: sampler {sampler!r} takes {takes}, but model {model!r} gives {gives}"
        )
    if study.origin(model) != "samples":
        block = study.sampler(sampler, model)
        if nfe.nfe(block, study.identity(model)["process"]) == 0:
            raise ValueError(
                f"samplers.{sampler}: a predictor and a corrector of none; expected one of them"
            )
        check_steps(block["kind"], block["init_sampling"], f"samplers.{sampler}")
        checks_noise_levels.check_sampler(study, sampler, model)
        checks_noise_levels.check_variance(study, sampler, model)
        checks_correctors.check(study, sampler, model)


def check_steps(kind: str, options: dict, key_path: str) -> None:
    """Samplers with a tolerance choose their own steps between the first and the last time."""
    key = next((key for key in ("times", "grid") if key in options), None)
    if key is None:
        return
    value = options["grid"]["kind"] if key == "grid" else options["times"]
    ends = value == "ends"
    if ends != components.takes("samplers", kind, "tol"):
        raise ValueError(
            f"{key_path}.{key}: {value!r} for {kind!r}; expected ends for "
            "samplers with a tolerance, and for no other"
        )
    if ends != (options["num_steps"] is None):
        raise ValueError(
            f"{key_path}.num_steps: {options['num_steps']!r} with {key} {value!r}; "
            f"expected a number, or null with {key} ends"
        )
