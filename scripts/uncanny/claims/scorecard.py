"""Write verdicts: tables for readers, a CSV for computations, and JSON with all details."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from uncanny.claims.assess import Assessment
from uncanny.claims.finding import (
    CANNOT_DECIDE,
    CONSTRUCTED,
    REDUCED,
    UNTESTABLE,
    VERDICTS,
    Finding,
)
from uncanny.runtime import files, table_files

# Columns of the scorecard; pages show the first five.
CLAIM, STATEMENT, VERDICT = "claim", "the paper says", "verdict"
DATA, SCALE = "what the data say at this scale", "can this scale decide?"
SHOWN = (CLAIM, STATEMENT, VERDICT, DATA, SCALE)
FIXED, ELSEWHERE = "these weights only", "training spread from"  # starts of Finding.scope

CAPTION = (
    "Rules and margins stand in the config, and each change of them is an entry of "
    "docs/deviations.md. Intervals in brackets cover the true value with 95 % probability "
    "(two-sided, for one claim at a time). p is adjusted by Holm over the {count} claims declared, "
    "whether they can be tested or not: chance alone gives a study any verdict of supported or "
    "refuted in at most 5 % of cases. Of a claim with several parts, numbers are shown of the part "
    "that decides. {scores}{scopes}Effects of so much or more: those that are detected with 80 % "
    "power, before Holm's correction. The CSV file names the cells."
)
SCORES = (
    "Inception Score and FID are compared less their bias, which small numbers of images make "
    "large; figures show them with it, but for races of samplers. Intervals of FID and KID are up "
    "to 1.4 times too wide near the real images. "
)
SCOPES = {
    FIXED: "These weights only: the interval is about the trained networks as they are, with the "
    "errors of a finite number of images; the luck of training is not in it, and a network trained "
    "again with another seed may lie outside. ",
    ELSEWHERE: "Training spread from another study: the interval includes the luck of training, "
    "with its size as measured there on the same models, metric and epochs. ",
}
REDUCED_SCALE = (
    "Not reproduced at this scale: the data contradict the claim, and trainings are shorter or "
    "solvers take fewer steps than in the paper. "
)
CONTROLS = "What the verdicts mean"
ABOUT_CONTROLS = (
    "Controls are questions that a claim leaves open; they do not change its verdict. Their p are "
    "adjusted by Holm as a second family, over the {count} controls; intervals are as above."
)


def write(assessments: Sequence[Assessment], stem: Path | str) -> None:
    """Write stem.csv (one row per claim, all numbers and cells), stem.md and stem.tex (claims, then
    controls, for readers) and stem.json (also parts and controls).
    """
    stem = Path(stem)
    shown = [(readable(assessments), title(assessments), caption(assessments), stem.name)]
    if count := sum(len(a.controls) for a in assessments):
        about = ABOUT_CONTROLS.format(count=count)
        shown += [(controls(assessments), CONTROLS, about, f"{stem.name}_controls")]
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


def counted(verdicts: Iterable[str]) -> str:
    """Number of each verdict that occurs: "9 supported, 3 refuted"."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def title(assessments: Sequence[Assessment]) -> str:
    """The number of claims and of each verdict."""
    noun = "claim" if len(assessments) == 1 else "claims"
    verdicts = counted(a.finding.verdict for a in assessments)
    return f"{len(assessments)} {noun}: {verdicts}"


def caption(assessments: Sequence[Assessment]) -> str:
    """How to read the scorecard; explains the words that it contains."""
    scopes = [a.finding.scope for a in assessments]
    about = [text for start, text in SCOPES.items() if any(s.startswith(start) for s in scopes)]
    if any(a.finding.verdict == REDUCED for a in assessments):
        about.append(REDUCED_SCALE)
    scores = SCORES if any(a.finding.cells for a in assessments) else ""
    return CAPTION.format(count=len(assessments), scores=scores, scopes="".join(about))


# ---- Rows --------------------------------------------------------------------------------------


def table(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per claim: what is claimed, verdict, numbers and their part, controls, cells."""
    return pd.DataFrame([_row(a) for a in assessments])


def _row(a: Assessment) -> dict:
    finding = a.finding
    return {
        CLAIM: a.claim,
        **{name: a.block.get(name) for name in ("statement", "source", "numbers")},
        VERDICT: finding.verdict,
        "decides": _decider(a),
        **{name: getattr(finding, name) for name in ("estimate", "low", "high", "unit", "margin")},
        "includes": finding.scope,
        "p": a.alone.p,
        "p_holm": finding.p,
        "detectable": finding.detectable,
        "limit": finding.limit,
        "reading": _with_note(a, finding.text),
        "controls": "; ".join(_control(*item) for item in a.controls.items()),
        "cells": "; ".join(finding.cells),
    }


def readable(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per claim, for readers: SHOWN, then p and notes."""
    return pd.DataFrame(
        [
            {
                CLAIM: a.claim,
                STATEMENT: f"{a.block['statement']} ({a.block['source']})",
                VERDICT: a.finding.verdict,
                DATA: data(a),
                SCALE: scale(a.finding),
                "p (Holm)": a.finding.p,
                "note": a.block.get("note", ""),
            }
            for a in assessments
        ]
    )


def controls(assessments: Sequence[Assessment]) -> pd.DataFrame:
    """One row per control, for readers."""
    return pd.DataFrame(
        [
            {
                CLAIM: a.claim,
                "control": _words(name),
                VERDICT: control.finding.verdict,
                DATA: _measured(control.finding),
                "p (Holm)": control.finding.p,
                "reading": control.reading,
            }
            for a in assessments
            for name, control in a.controls.items()
        ]
    )


def data(a: Assessment) -> str:
    """What the data say: the numbers of the part that decides, what their interval includes, and
    the verdicts of the other parts; also numbers of these where it has none. Empty where nothing
    could be measured.
    """
    if len(a.parts) < 2 or not any(part.is_testable for part in a.parts.values()):
        return _measured(a.finding)
    change = a.finding.text.removesuffix(a.alone.text).rstrip("; ")  # by Holm's correction
    decider = _decider(a)
    measured = _measured(a.parts[decider])
    own = f"{_words(decider)}: {measured}" if measured else ""
    others = [
        f"{_words(name)}: "
        + ", ".join(filter(None, [part.verdict, "" if measured else _measured(part)]))
        for name, part in a.parts.items()
        if name != decider
    ]
    return "; ".join(text for text in (change, own, *others) if text)


def scale(finding: Finding) -> str:
    """Whether a study of this scale can decide, and why not."""
    if finding.verdict == CONSTRUCTED:
        return "no test: it follows from the design, here as in the paper"
    if finding.limit or finding.verdict in (UNTESTABLE, CANNOT_DECIDE):
        return f"no: {finding.limit}" if finding.limit else "no"
    if finding.verdict == REDUCED:
        return "for this scale alone: trainings are shorter, or steps fewer, than in the paper"
    if finding.detectable is None:
        return "yes"
    return f"yes, effects of {_number(finding.detectable, finding.unit)} or more"


def _decider(a: Assessment) -> str:
    """Name of the part whose numbers are a claim's; empty for a single part."""
    return a.finding.details["decides"] if len(a.parts) > 1 else ""


def _measured(finding: Finding) -> str:
    if finding.verdict == UNTESTABLE:
        return ""
    has_scope = finding.scope and finding.low is not None
    return finding.text + (f"; interval: {finding.scope}" if has_scope else "")


def _with_note(a: Assessment, text: str) -> str:
    note = a.block.get("note")
    return f"{text}. {note}" if note else text


def _control(name: str, control) -> str:
    result = f"{control.finding.verdict} ({control.finding.text})"
    is_same = control.reading == control.finding.text
    return f"{_words(name)}: " + (control.reading if is_same else f"{result}: {control.reading}")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float, unit: str) -> str:
    """Three significant digits, thousands without an exponent."""
    return f"{float(f'{value:.3g}'):g} {unit}".strip()


# ---- JSON --------------------------------------------------------------------------------------


def as_json(assessments: Sequence[Assessment]) -> dict:
    """All assessments as JSON: claim → texts of its block, finding, parts and controls."""
    return {"claims": {a.claim: _jsonable(_entry(a)) for a in assessments}}


def _entry(a: Assessment) -> dict:
    texts = {n: a.block.get(n) for n in ("statement", "source", "numbers", "note") if n in a.block}
    return texts | {
        "finding": asdict(a.finding),
        "decides": _decider(a),
        "data": data(a),
        "scale": scale(a.finding),
        "p_alone": a.alone.p,
        "parts": {name: asdict(finding) for name, finding in a.parts.items()},
        "controls": {
            name: asdict(control.finding) | {"reading": control.reading}
            for name, control in a.controls.items()
        },
    }


def _jsonable(value: object) -> object:
    """Replace tuples by lists, and NaN and infinite numbers by null."""
    if isinstance(value, dict):
        return {str(key): _jsonable(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
