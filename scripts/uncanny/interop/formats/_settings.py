"""Validate settings that diffusers stores as JSON; unsupported keys and values are refused.

Settings of the network or of the training noise are either honoured by the reader, or allowed with
the one value that changes nothing. Settings of sampling alone may have any value, as the study
chooses the samplers. A key in none of the tables is refused.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jsonschema import Draft202012Validator

from uncanny.runtime import files


def only(*values: object, meaning: str = "") -> dict:
    """Schema of a key with a few supported values."""
    words = " or ".join(json.dumps(value) for value in values)
    return {"enum": list(values), "description": words + meaning}


def count(*other_types: str) -> dict:
    """Schema of a whole number from 1, or of further types."""
    words = " or ".join(["a whole number from 1", *other_types])
    return {"type": ["integer", *other_types], "minimum": 1, "description": words}


def list_of(items: dict) -> dict:
    """Schema of a non-empty list."""
    words = f"a list with {items['description']} for each level"
    return {"type": "array", "minItems": 1, "items": items, "description": words}


TEXT = {"type": "string", "description": "the name of a block"}
BOOLEAN = {"type": "boolean", "description": "true or false"}
POSITIVE = {"type": "number", "exclusiveMinimum": 0, "description": "a number above 0"}
BETA = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
BETA["description"] = "a number between 0 and 1"
ANY: dict = {}
SHOWN = 100  # characters of a value in a message
LISTED = 3  # names in a message


def read(path: Path, schemas: Mapping[str, dict], required: tuple[str, ...] = ()) -> dict:
    """Read and validate settings. schemas: JSON schema of each key, with a description.

    Raises ValueError that names file, key, value and expectation.
    """
    settings = files.read_settings(path)
    for key in ("_class_name", *required):
        if key not in settings:
            raise ValueError(f"{path}: {key} is missing; expected {schemas[key]['description']}")
    for key, schema in schemas.items():
        if key in settings and not Draft202012Validator(schema).is_valid(settings[key]):
            raise ValueError(
                f"{path}: {key} {_shortened(settings[key])} is not supported; expected "
                f"{schema['description']}"
            )
    for key in settings:
        if key not in schemas and not key.startswith("_"):
            raise ValueError(
                f"{path}: {key} {_shortened(settings[key])} is not a known setting of "
                f"{settings['_class_name']}; expected one that docs/external.md lists"
            )
    return settings


def _shortened(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def listed(names: Iterable[str]) -> str:
    """The first few names, and the number of further ones."""
    names = sorted(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
