"""Pages of docs/ on the evidence: error rates, coverage of intervals, verdicts at other margins."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from scipy import special

from uncanny.claims import error_cases, simulated, simulated_records
from uncanny.claims import error_rates as rates
from uncanny.claims.coverage import Coverage, chi2_limits
from uncanny.runtime import table_files

TEMPLATES = Path(__file__).parent / "templates"


def error_rates(table: pd.DataFrame) -> str:
    """The page docs/error_rates.md from the table of error_rates.in_order."""
    trials = int(table["trials"].max())
    limit = rates.limit(trials)
    exceeding = [row for row in table.to_dict("records") if rates.wrong(row) > limit]
    text = _template(
        "error_rates.md",
        shared=100 * simulated.SHARED,
        of_model=100 * simulated.OF_MODEL,
        error=100 * simulated.ERROR,
        trials=trials,
        limit=100 * limit / trials,
        exceeding=_exceeding(exceeding, len(table)),
        margin=100 * error_cases.MARGIN,
        of_draw=100 * simulated_records.OF_DRAW,
        member=100 * simulated_records.MEMBER,
    )
    kinds = table.groupby("kind", sort=False)
    return text + "\n" + "\n".join(_section(kind, rows) for kind, rows in kinds).rstrip() + "\n"


def _template(name: str, **values) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").format(**values)


def _exceeding(rows: list[dict], count: int) -> str:
    if not rows:
        return f"None of the {count} rows does."
    names = [
        f"{row['kind']}, luck {100 * row['luck']:g} %, effect {100 * row['effect']:g} %"
        for row in rows
    ]
    return f"{len(rows)} of the {count} rows do: {'; '.join(names)}."


def _section(kind: str, rows: pd.DataFrame) -> str:
    """Table of one kind: a line per number of trainings and luck, a column per effect."""
    lines = [
        {"trainings": trainings, "luck": f"{100 * luck:g} %"}
        | {f"effect {100 * r.effect:g} %: {r.truth}": _shares(r) for r in of_line.itertuples()}
        for (trainings, luck), of_line in rows.groupby(["trainings", "luck"], sort=False)
    ]
    caption = "Supported / refuted, % of trials."
    return table_files.markdown(pd.DataFrame(lines), title=kind, caption=caption)


def _shares(row) -> str:
    return f"{100 * row.supported / row.trials:.1f} / {100 * row.refuted / row.trials:.1f}"


# ---- Coverage -----------------------------------------------------------------------------------


def coverage(studies: Mapping[str, Sequence[Coverage]]) -> str:
    """The page docs/coverage.md; studies: name → rows."""
    sections = [_coverage_of(study, rows) for study, rows in studies.items() if rows]
    text = "\n".join(sections) or "No quantity of a kept study was measured again."
    return _template("coverage.md") + text.rstrip() + "\n"


def _coverage_of(study: str, rows: Sequence[Coverage]) -> str:
    frame = pd.DataFrame([_coverage_row(row) for row in rows])
    return table_files.markdown(frame, title=study, caption=coverage_summary(rows))


def _coverage_row(row: Coverage) -> dict:
    low, high = chi2_limits(row.freedom) if row.freedom else (0.0, 0.0)
    return {
        "claim": row.claim,
        "part": row.part,
        "measured again": row.kind,
        "models": ", ".join(row.models),
        "covered": f"{row.covered} of {row.count}",
        "median width": f"{row.width:.1f} %",
        "χ²": f"{row.chi2:.1f} ({low:.1f} to {high:.1f})" if row.freedom else "",
    }


def coverage_summary(rows: Sequence[Coverage]) -> str:
    """Sums over the rows of each kind, with what they should be."""
    texts = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        covered, count = sum(row.covered for row in own), sum(row.count for row in own)
        # P(X <= covered) of the binomial distribution, if 95 % were covered
        chance = special.bdtr(covered, count, 0.95)
        texts.append(
            f"{kind}: {covered} of {count} intervals ({100 * covered / count:.0f} %; so few or "
            f"fewer with probability {chance:.2g}, if 95 % were covered and they were independent)"
        )
        # One row of each claim: parts of a claim share their images.
        firsts = list({row.claim: row for row in reversed(own) if row.freedom}.values())
        if firsts:
            freedom = sum(row.freedom for row in firsts)
            low, high = chi2_limits(freedom)
            total = sum(row.chi2 for row in firsts)
            texts.append(
                f"χ² of the first parts of {len(firsts)} claims: {total:.1f}, expected {low:.1f} "
                f"to {high:.1f} ({freedom} degrees of freedom)"
            )
    return ". ".join(texts) + "."


# ---- Margins ------------------------------------------------------------------------------------


def margins(studies: Mapping[str, Mapping[float, Mapping[str, str]]]) -> str:
    """The page docs/margins.md; studies: name → margin → verdict of each claim."""
    known = [margin for by_margin in studies.values() for margin in by_margin]
    listed = ", ".join(f"{100 * margin:g} %" for margin in dict.fromkeys(known))
    sections = [
        table_files.markdown(
            pd.DataFrame(
                [
                    {"claim": claim}
                    | {f"{100 * m:g} %": verdicts[claim] for m, verdicts in by_margin.items()}
                    for claim in next(iter(by_margin.values()))
                ]
            ),
            title=study,
            caption="Claims with a margin.",
        )
        for study, by_margin in studies.items()
        if any(by_margin.values())
    ]
    return _template("margins.md", margins=listed) + "\n".join(sections).rstrip() + "\n"


# ---- Extractors ---------------------------------------------------------------------------------


def extractors(ranks: pd.DataFrame, agreement: pd.DataFrame) -> str:
    """The page docs/extractors.md from extractor_ranks.page_tables."""
    tables = [
        (agreement, "Agreement", "Spearman's correlation of the ranks of all configurations."),
        (ranks, "Mean ranks of models", "Mean over a model's samplers."),
    ]
    sections = [table_files.markdown(f, title=t, caption=c) for f, t, c in tables]
    return _template("extractors.md") + "\n".join(sections).rstrip() + "\n"
