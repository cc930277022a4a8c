"""Inputs that the numbers of an archive depend on. No torch here."""

from uncanny.study.study import Study


def identity(study: Study) -> dict:
    """Config of a study without figures, tables, claims, labels and colours."""
    left_out = {"figures", "key_figures", "tables", "claims", "scale", "estimate", "timing"}
    kept = {key: value for key, value in study.config.items() if key not in left_out}
    return _bare(kept)


def _bare(value: object) -> object:
    """Remove labels and colours from a value."""
    if isinstance(value, dict):
        return {key: _bare(value[key]) for key in sorted(value) if key not in ("label", "color")}
    return [_bare(part) for part in value] if isinstance(value, list) else value
