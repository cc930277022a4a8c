"""The terms of an error add up to the whole, which was measured independently."""

import numpy as np

from uncanny.claims import rules
from uncanny.claims.finding import Finding
from uncanny.claims.records import Experiments
from uncanny.registry.option_types import Nonnegative

SELECTIONS = ("a",)


def terms_add_up(
    experiments: Experiments, *, margin: Nonnegative = 0.02, largest: Nonnegative = 4.0
) -> Finding:
    """Monte Carlo equals the sum of the terms: the mean relative difference over all rows of
    experiments of kind path_identity is within the margin, and no row deviates by more than
    `largest` standard errors.
    """
    rows = experiments.rows("a")
    gaps = (rows["monte_carlo"] / rows["path_kl"] - 1).to_numpy()
    errors = (rows["standard_error"] / rows["path_kl"]).to_numpy()
    estimate, error = gaps.mean(), np.sqrt((errors**2).sum()) / len(rows)
    replicates = estimate + error * np.random.default_rng(0).standard_normal(20_000)
    worst = float(rows["deviation"].abs().max())
    decision = rules.eq(replicates, margin)
    if worst > largest:
        decision = rules.Decision(rules.REFUTED)
    low, high = rules.interval(100 * replicates)
    return Finding(
        decision.verdict,
        f"Monte Carlo is {100 * estimate:+.2f} % from the sum ({low:+.2f} to {high:+.2f} %, "
        f"{len(rows)} rows), at most {worst:.1f} standard errors off",
        estimate=float(100 * estimate),
        low=low,
        high=high,
        unit="%",
        p=decision.p,
        detectable=rules.detectable(100 * replicates),
        cells=tuple(experiments.selections["a"]["experiments"]),
    )
