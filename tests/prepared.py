"""Prepared datasets, compared by what they hold."""

import json


def contents(folder):
    """Name -> bytes of the files of a prepared dataset; of its description everything but the name, which is the
    folder's, and the seal, which follows from it.
    """
    result = {path.name: path.read_bytes() for path in folder.iterdir()}
    if "dataset.json" in result:
        described = json.loads(result["dataset.json"])
        assert described.pop("name") == folder.name
        result["dataset.json"] = {key: described[key] for key in described if key != "seal"}
    return result
