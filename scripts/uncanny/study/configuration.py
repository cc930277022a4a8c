"""A config as it was written becomes one that can be planned: text from the command line read as
YAML, checked against the schema, defaults filled in. Every mistake is one message that names the
key.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import jsonschema
import yaml
from jsonschema.exceptions import best_match

from uncanny.registry.components import RENAMED, near
from uncanny.study import yaml_rules

SCHEMA = Path("workflow/schemas/config.schema.yaml")


def validated(
    config: dict,
    base: Path,
    written: Iterable[Path | str] = (),
    overrides: Mapping[str, object] | None = None,
) -> dict:
    """The config, with overrides read as YAML, validated and completed.

    base: folder of the Snakefile. written: files that it was read from. overrides: what `--config`
    gave, which the config already has as text.
    Raises ValueError that names the key, the value and what was expected.
    """
    for path in written:
        yaml_rules.check_file(path)
    yaml_rules.check(config)
    if overrides:
        config = with_overrides(config, overrides)
        yaml_rules.check(config)  # .inf, say, is a number now
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
    schema = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml_rules.LOADER)
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


def with_overrides(config: Mapping, overrides: Mapping) -> dict:
    """The config whose values from the command line are numbers, booleans or null where YAML reads
    them as such: Snakemake hands on what stands inside of blocks and lists as text.

    overrides: what `--config` gave; its blocks are merged with those of the config.
    """
    found = dict(config)
    for key, value in overrides.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = with_overrides(found[key], value)
        else:
            found[key] = _as_yaml(value)
    return found


def _as_yaml(value: object) -> object:
    """A value whose texts are read as plain scalars of YAML; what is no number, boolean or null
    stays text.
    """
    if isinstance(value, Mapping):
        return {key: _as_yaml(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_yaml(part) for part in value]
    if not isinstance(value, str) or not value:
        return value
    try:
        found = yaml.load(value, Loader=yaml_rules.LOADER)
    except (yaml.YAMLError, ValueError):  # no YAML; 2020-13-01
        return value
    return found if isinstance(found, int | float | None) else value


def message(error) -> str:
    """One line from a jsonschema ValidationError: key, value, expectation."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)[1:]
    if error.validator == "additionalProperties":
        return _unknown_keys(error, where)
    if error.validator == "required":
        if not RENAMED.keys().isdisjoint(error.instance):
            return _unknown_keys(error, where)
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


def _unknown_keys(error, where: str) -> str:
    known = error.schema.get("properties", {})
    unknown = [key for key in error.instance if key not in known]
    return "; ".join(f"{_join(where, key)}: unknown key{near(key, known)}" for key in unknown)


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
