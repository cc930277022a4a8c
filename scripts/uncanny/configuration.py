"""A config as it was written becomes one that can be planned: text from the command line read as
numbers, checked against the schema, defaults filled in. Every mistake is one message that names the
key.
"""

import copy
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jsonschema
import yaml
from jsonschema.exceptions import best_match

from uncanny import plain
from uncanny.components import near

SCHEMA = Path("workflow/schemas/config.schema.yaml")
WHOLE_NUMBERS = ("seeds", "draws", "num_images", "milestones", "segment_epochs", "estimate")


def validated(config: dict, base: Path, written: Iterable[Path | str] = ()) -> dict:
    """The config, coerced, validated and completed.

    base: folder of the Snakefile. written: files that it was read from.
    Raises ValueError that names the key, the value and what was expected.
    """
    for path in written:
        plain.check_file(path)
    plain.check(config)
    config = coerced(config)
    error = best_match(_validator(base / SCHEMA).iter_errors(config))
    if error is not None:
        raise ValueError(message(error))
    return config


@cache
def _validator(path: Path):
    """A validator that fills in defaults.

    40.0 is no whole number for it, and a pattern holds for a text with all of its ends: neither is
    so in JSON Schema as the library has it.
    """
    schema = yaml.load(path.read_text(encoding="utf-8"), Loader=plain.LOADER)
    base = jsonschema.Draft202012Validator
    types = base.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    checks = {"properties": _completing(base.VALIDATORS["properties"]), "pattern": _pattern}
    return jsonschema.validators.extend(base, checks, type_checker=types)(schema)


def _completing(check):
    def complete_and_check(validator, properties, instance, schema):
        if isinstance(instance, dict):
            for name, block in properties.items():
                if isinstance(block, dict) and "default" in block:
                    instance.setdefault(name, copy.deepcopy(block["default"]))
        yield from check(validator, properties, instance, schema)

    return complete_and_check


def _pattern(validator, pattern, instance, schema):
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


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
    return (
        int(value) if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,18}\s*", value) else value
    )


def message(error) -> str:
    """One line from a jsonschema ValidationError: key, value, expectation."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)[1:]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = [key for key in error.instance if key not in known]
        return "; ".join(f"{_join(where, key)}: unknown key{near(key, known)}" for key in unknown)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return "; ".join(f"{_join(where, key)}: missing" for key in missing)
    if error.validator == "not" and error.validator_value == {}:
        return f"{where}: does not go with the other keys of its block"
    if error.validator == "oneOf":
        known = [" with ".join(block["required"]) for block in error.validator_value]
        found = [key for key in error.instance if key in " ".join(known).split()]
        expected = f"expected one of {', '.join(known)}"
        return f"{where}: has {' and '.join(found) or 'none of its keys'}; {expected}"
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
