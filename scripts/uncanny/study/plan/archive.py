"""What the numbers of an archive follow from. No torch here."""

from uncanny.study.study import Study


def identity(study: Study) -> dict:
    """What the numbers of a study follow from: its config without what is shown, and how."""
    left_out = {"figures", "tables", "claims", "estimate", "timing"}
    kept = {key: value for key, value in study.config.items() if key not in left_out}
    return _bare(kept)


def _bare(value: object) -> object:
    """The same without labels and colours."""
    if isinstance(value, dict):
        return {key: _bare(value[key]) for key in sorted(value) if key not in ("label", "color")}
    return [_bare(part) for part in value] if isinstance(value, list) else value
