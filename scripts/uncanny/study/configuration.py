"""Load a config: read values from the command line as YAML, check everything against the schema,
fill in defaults and write out series of samplers. Every mistake is one message that names the key.
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
from uncanny.study import external_blocks, sampler_series, yaml_rules

SCHEMA = Path("workflow/schemas/config.schema.yaml")


def validated(
    config: dict,
    base: Path,
    written: Iterable[Path | str] = (),
    overrides: Mapping[str, object] | None = None,
) -> dict:
    """Validate a config, fill in its defaults, with overrides read as YAML, and write out series of
    samplers.

    base: folder of the Snakefile. written: files that the config was read from. overrides: values
    of `--config`, which the config already has as text.
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
    return external_blocks.completed(sampler_series.expanded(config))


@cache
def _validator(path: Path):
    """Make a validator that fills in defaults.

    Unlike the library's own, it does not accept 40.0 as an integer, and a pattern must match the
    whole text.
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
    """Merge values from the command line into a config, as numbers, booleans or null where YAML
    reads them as such: Snakemake passes on values inside of blocks and lists as text.

    overrides: values of `--config`; blocks are merged with those of the config.
    """
    merged = dict(config)
    for key, value in overrides.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = with_overrides(merged[key], value)
        else:
            merged[key] = _as_yaml(value)
    return merged


def _as_yaml(value: object) -> object:
    """Read texts in a value as YAML scalars; all but numbers, booleans and null stay text."""
    if isinstance(value, Mapping):
        return {key: _as_yaml(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_yaml(item) for item in value]
    if not isinstance(value, str) or not value:
        return value
    try:
        scalar = yaml.load(value, Loader=yaml_rules.LOADER)
    except (yaml.YAMLError, ValueError):  # no YAML; 2020-13-01
        return value
    return scalar if isinstance(scalar, int | float | None) else value


def message(error) -> str:
    """Format a jsonschema ValidationError as one line: key, value, expectation."""
    key_path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)[1:]
    if error.validator == "additionalProperties":
        return _unknown_keys(error, key_path)
    if error.validator == "required":
        if not RENAMED.keys().isdisjoint(error.instance):
            return _unknown_keys(error, key_path)
        missing = [key for key in error.validator_value if key not in error.instance]
        return "; ".join(f"{_join(key_path, key)}: missing" for key in missing)
    if error.validator == "not" and error.validator_value == {}:
        return f"{key_path}: does not go with the other keys of its block"
    if error.validator == "oneOf":
        known = [" with ".join(block["required"]) for block in error.validator_value]
        present = [key for key in error.instance if key in " ".join(known).split()]
        expected = f"expected one of {', '.join(known)}"
        return f"{key_path}: has {' and '.join(present) or 'none of its keys'}; {expected}"
    if error.parent is not None and error.parent.validator == "propertyNames":
        expected = f"must match {error.validator_value}"
        return f"{key_path or 'config'}: the name {error.instance!r} {expected}"
    return f"{key_path or 'config'}: {_expectation(error)}"


def _unknown_keys(error, key_path: str) -> str:
    known = error.schema.get("properties", {})
    unknown = [key for key in error.instance if key not in known]
    return "; ".join(f"{_join(key_path, key)}: unknown key{near(key, known)}" for key in unknown)


def _join(key_path: str, key: str) -> str:
    return f"{key_path}.{key}" if key_path else key


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
