"""A config as it was written becomes one that can be planned: text from the command line read as
numbers, checked against the schema, defaults filled in. Every mistake is one message that names the
key.
"""

import re
from collections.abc import Callable
from pathlib import Path

from uncanny.components import near

SCHEMA = Path("workflow/schemas/config.schema.yaml")
WHOLE_NUMBERS = ("seeds", "draws", "num_images", "milestones", "segment_epochs", "estimate")


def validated(config: dict, base: Path, validate: Callable) -> dict:
    """The config, coerced, validated and completed.

    base: folder of the Snakefile. validate: snakemake.utils.validate.
    Raises ValueError that names the key, the value and what was expected.
    """
    config = coerced(config)
    try:
        validate(config, str(base / SCHEMA))
    except Exception as error:
        cause = error.__context__ or error
        if not hasattr(cause, "absolute_path"):
            raise
        raise ValueError(message(cause)) from None
    return config


def coerced(config: dict) -> dict:
    """`--config seeds=[0,1]` arrives as text: read whole numbers where the study has them at its
    top level.
    """
    return config | {key: _number(config[key]) for key in WHOLE_NUMBERS if key in config}


def _number(value: object) -> object:
    if isinstance(value, list):
        return [_number(v) for v in value]
    if isinstance(value, dict):
        return {key: _number(v) for key, v in value.items()}
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*-?\d+\s*", value) else value


def message(error) -> str:
    """One line from a jsonschema ValidationError: key, value, expectation."""
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = [key for key in error.instance if key not in known]
        return "; ".join(f"{_join(where, key)}: unknown key{near(key, known)}" for key in unknown)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return "; ".join(f"{_join(where, key)}: missing" for key in missing)
    if error.parent is not None and error.parent.validator == "propertyNames":
        return (
            f"{where or 'config'}: the name {error.instance!r} must match {error.validator_value}"
        )
    return f"{where or 'config'}: {_expectation(error)}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _expectation(error) -> str:
    text = error.message if len(error.message) < 200 else error.message[:200] + " …"
    if (
        error.validator == "type"
        and isinstance(error.instance, str)
        and re.fullmatch(r"[-+]?\d+e[-+]?\d+", error.instance)
    ):
        text += " (YAML reads 1e-4 as text: write 0.0001 or 1.0e-4)"
    description = error.schema.get("description")
    return f"{text} ({description})" if description else text
