"""Verdicts of a study at other margins of equality."""

import copy
from collections.abc import Mapping, Sequence

from uncanny.claims.assess import Evidence, assess

MARGINS = (0.01, 0.02, 0.05)
OPTIONS = ("delta", "margin")


def verdicts(
    claims: Mapping[str, Mapping], evidence: Evidence, margins: Sequence[float] = MARGINS
) -> dict[float, dict[str, str]]:
    """Margin → verdict of each claim that has margins, all of which are replaced.

    claims: complete, as in assess.assess; those without a margin count in Holm's correction.
    """
    return {
        margin: {
            a.claim: a.finding.verdict
            for a in assess({n: _at(claim, margin) for n, claim in claims.items()}, evidence)
            if has_margin(claims[a.claim])
        }
        for margin in margins
    }


def has_margin(claim: Mapping) -> bool:
    """Whether a part of the claim has a margin."""
    parts = claim["block"].get("parts", {}).values()
    return any(name in part["options"] for part in parts for name in OPTIONS)


def _at(claim: Mapping, margin: float) -> dict:
    changed = copy.deepcopy(dict(claim))
    for part in changed["block"].get("parts", {}).values():
        part["options"] |= {name: margin for name in OPTIONS if name in part["options"]}
    return changed
