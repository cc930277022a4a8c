"""Settings that diffusers stores as JSON: each key is supported with some values, or refused.

What decides about the network or the noise that it was trained with is either honoured by the
reader, or allowed with the one value that changes nothing. What concerns sampling alone may have
any value: the samplers are the study's. A key that is in none of the tables is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from jsonschema import Draft202012Validator

from uncanny.runtime import files


def only(*values: object, meaning: str = "") -> dict:
    """Schema of a key that is supported with these values."""
    words = " or ".join(json.dumps(value) for value in values)
    return {"enum": list(values), "description": words + meaning}


def count(*others: str) -> dict:
    """Schema of a whole number from 1, or of other types."""
    words = " or ".join(["a whole number from 1", *others])
    return {"type": ["integer", *others], "minimum": 1, "description": words}


def each(items: dict) -> dict:
    """Schema of a list that is not empty."""
    words = f"a list with {items['description']} for each level"
    return {"type": "array", "minItems": 1, "items": items, "description": words}


TEXT = {"type": "string", "description": "the name of a block"}
BOOLEAN = {"type": "boolean", "description": "true or false"}
POSITIVE = {"type": "number", "exclusiveMinimum": 0, "description": "a number above 0"}
BETA = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
BETA["description"] = "a number between 0 and 1"
ANY: dict = {}
SHOWN = 100  # characters of a value in a message


def read(path: Path, known: Mapping[str, dict], required: tuple[str, ...] = ()) -> dict:
    """The settings of a file. known: schema of each key's supported values, with a description.

    Raises ValueError that names file, key, value and expectation.
    """
    found = files.read_settings(path)
    for key in ("_class_name", *required):
        if key not in found:
            raise ValueError(f"{path}: {key} is missing; expected {known[key]['description']}")
    for key, schema in known.items():
        if key in found and not Draft202012Validator(schema).is_valid(found[key]):
            raise ValueError(
                f"{path}: {key} {_shown(found[key])} is not supported; expected "
                f"{schema['description']}"
            )
    for key in found:
        if key not in known and not key.startswith("_"):
            raise ValueError(
                f"{path}: {key} {_shown(found[key])} is not known as a setting of "
                f"{found['_class_name']}; expected those that docs/external.md lists"
            )
    return found


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
