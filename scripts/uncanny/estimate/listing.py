"""Which files a folder of results has: each subfolder is listed once, as file systems of clusters
answer slowly.
"""

import json
import os
from functools import cache
from pathlib import Path, PurePath


class Listing:
    """The files below a folder; paths are relative to it."""

    def __init__(self, root: Path):
        self.root = Path(root)

    @cache
    def has(self, path: str) -> bool:
        """Whether a file is there."""
        place = PurePath(path)
        return place.name in self._names(place.parent)

    def json(self, path: str) -> dict | None:
        """A record; None where there is none, or a damaged one: an estimate can do without."""
        if not self.has(path):
            return None
        try:
            found = json.loads((self.root / path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    @cache
    def _names(self, folder: PurePath) -> frozenset[str]:
        below = folder != folder.parent  # not the root itself
        if below and folder.name not in self._names(folder.parent):
            return frozenset()
        try:
            return frozenset(os.listdir(self.root / folder))
        except OSError:
            return frozenset()
