"""The terms of an error add up to the whole, which was measured independently."""

import numpy as np
from scipy import special

from uncanny.claims import rules
from uncanny.claims.compare import share_numbers
from uncanny.claims.finding import REFUTED, Finding
from uncanny.claims.records import Experiments
from uncanny.evaluation.contrasts import Contrast
from uncanny.evaluation.jackknife import GROUPS
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)


def terms_add_up(
    experiments: Experiments, *, margin: Nonnegative = 0.02, largest: Nonnegative = 4.0
) -> Finding:
    """Monte Carlo equals the sum of the terms: the mean relative difference over all rows of
    experiments of kind path_identity is within the margin (rules.within), and that of no row is
    beyond the margin by more than `largest` of its standard errors, each from thousands of paths.
    """
    rows = experiments.rows("a")
    gaps = (rows["monte_carlo"] / rows["path_kl"] - 1).to_numpy()
    errors = (rows["standard_error"] / rows["path_kl"]).to_numpy()
    error = float(np.sqrt((errors**2).sum())) / len(rows)
    contrast = Contrast(float(gaps.mean()), error, np.inf, GROUPS)
    worst = float(rows["deviation"].abs().max())
    decision = rules.within(contrast, margin)
    is_off = np.abs(gaps) > margin + largest * errors
    if is_off.any() and decision.verdict != REFUTED:
        # p of the largest of so many standard normal numbers, at most
        decision = rules.Decision(REFUTED, min(1.0, len(rows) * 2 * float(special.ndtr(-largest))))
    entries = share_numbers(decision, contrast, margin)
    estimate = entries["estimate"]
    shown = "{low:+.2f} to {high:+.2f} %, ".format(**entries) if "low" in entries else ""
    return Finding(
        decision.verdict,
        f"Monte Carlo is {abs(estimate):.2f} % {'above' if estimate >= 0 else 'below'} the sum "
        f"({shown}{len(rows)} rows), at most {worst:.1f} standard errors off",
        unit="%",
        cells=tuple(experiments.selections["a"]["experiments"]),
        **entries,
    )
