"""Write verdicts: tables for readers, a CSV for computations, and JSON with all details."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from uncanny.claims.assess import Assessment, Control
from uncanny.claims.finding import Finding
from uncanny.runtime import files, table_files

TITLE = "What the paper claims and what this study says"
CAPTION = (
    "Verdicts follow rules that were fixed before the results were seen: supported, strictly "
    "supported (at every epoch), refuted, inconclusive, not testable. Intervals are 95 %; p is "
    "adjusted by Holm over the {count} claims that are tests. Detectable: the smallest effect that "
    "data like these show with 80 % power. Single run: one training seed, so the variation between "
    "trainings is not included. Scaled: epochs are converted to the same fraction of a shorter "
    "training. The CSV file names the cells."
)
CONTROLS = "What the verdicts mean"
ABOUT_CONTROLS = (
    "Controls are questions that a claim leaves open; they do not change its verdict. Their "
    "intervals are not corrected for multiple testing."
)


def write(assessments: Sequence[Assessment], stem: Path | str) -> None:
    """Write stem.csv (one row per claim, all numbers and cells), stem.md and stem.tex (claims, then
    controls, for readers) and stem.json (also parts and controls).
    """
    stem = Path(stem)
    count = sum(a.alone.p is not None for a in assessments)
    shown = [(readable(assessments), TITLE, CAPTION.format(count=count), stem.name)]
    if any(a.controls for a in assessments):
        shown += [(controls(assessments), CONTROLS, ABOUT_CONTROLS, f"{stem.name}_controls")]
    texts = {
        "csv": table(assessments).to_csv(index=False, lineterminator="\n"),
        "md": "\n".join(table_files.markdown(f, title=t, caption=c) for f, t, c, _ in shown),
        "tex": "\n".join(
            table_files.latex(f, title=t, caption=c, label=label) for f, t, c, label in shown
        ),
    }
    for suffix, text in texts.items():
        files.write_text(stem.with_name(f"{stem.name}.{suffix}"), text)
    files.write_json(stem.with_name(f"{stem.name}.json"), as_json(assessments))


def table(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per claim: what is claimed, verdict, suffixes, numbers, reading, controls, cells."""
    return pd.DataFrame([_row(a) for a in assessments])


def _row(a: Assessment) -> dict:
    finding = a.finding
    return {
        "claim": a.claim,
        **{name: a.block.get(name) for name in ("statement", "source", "numbers")},
        "verdict": finding.verdict,
        "suffixes": ", ".join(sorted(finding.suffixes)),
        **{name: getattr(finding, name) for name in ("estimate", "low", "high", "unit")},
        "p": a.alone.p,
        "p_holm": finding.p,
        "detectable": finding.detectable,
        "reading": _interpretation(a),
        "controls": _controls(a.controls),
        "cells": "; ".join(finding.cells),
    }


def readable(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per claim, for readers."""
    return pd.DataFrame(
        [
            {
                "claim": a.claim,
                "the paper says": f"{a.block['statement']} ({a.block['source']})",
                "verdict": a.finding.full_verdict,
                "estimate": _estimate(a.finding),
                "p": a.finding.p,
                "detectable": _number(a.finding.detectable, a.finding.unit),
                "reading": _interpretation(a),
            }
            for a in assessments
        ]
    )


def controls(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per control, for readers."""
    return pd.DataFrame(
        [
            {
                "claim": a.claim,
                "control": name.replace("_", " "),
                "result": control.finding.verdict,
                "estimate": _estimate(control.finding),
                "reading": control.reading,
            }
            for a in assessments
            for name, control in a.controls.items()
        ]
    )


def _interpretation(a: Assessment) -> str:
    note = a.block.get("note")
    return f"{a.finding.text}. {note}" if note else a.finding.text


def _controls(controls: dict[str, Control]) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')}: {c.finding.verdict} ({c.finding.text}): {c.reading}"
        if c.reading != c.finding.text
        else f"{name.replace('_', ' ')}: {c.reading}"
        for name, c in controls.items()
    )


def _estimate(finding: Finding) -> str:
    if finding.estimate is None:
        return ""
    has_interval = finding.low is not None and finding.high is not None
    return _number(finding.estimate, finding.unit) + (
        f" ({_rounded(finding.low)} to {_rounded(finding.high)})" if has_interval else ""
    )


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{_rounded(value)} {unit}".strip()


def _rounded(value: float) -> str:
    """Three significant digits, thousands without an exponent."""
    return f"{float(f'{value:.3g}'):g}"


def as_json(assessments: Sequence[Assessment]) -> dict:
    """All assessments as JSON: claim → texts of its block, finding, parts and controls."""
    return {"claims": {a.claim: _jsonable(_entry(a)) for a in assessments}}


def _entry(a: Assessment) -> dict:
    texts = {n: a.block.get(n) for n in ("statement", "source", "numbers", "note") if n in a.block}
    return texts | {
        "finding": _finding(a.finding),
        "p_alone": a.alone.p,
        "parts": {name: _finding(finding) for name, finding in a.parts.items()},
        "controls": {
            name: _finding(control.finding) | {"reading": control.reading}
            for name, control in a.controls.items()
        },
    }


def _finding(finding: Finding) -> dict:
    return asdict(finding) | {"suffixes": sorted(finding.suffixes)}


def _jsonable(value: object) -> object:
    """Replace tuples by lists, and NaN and infinite numbers by null."""
    if isinstance(value, dict):
        return {str(key): _jsonable(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
