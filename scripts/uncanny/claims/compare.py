"""Compare two selections, pooled or group by group."""

from collections.abc import Callable, Iterable

from uncanny.claims import rules
from uncanny.claims.bootstrap import Difference, Pair, difference
from uncanny.claims.curves import Cells, Curve
from uncanny.claims.finding import Finding, NotTestable, combined, untestable

Rule = Callable[[Difference], rules.Decision]

NAMED = 3  # names on one side of a comparison before they are counted

# What pairs of one group share: these names of their keys (model, sampler, guidance).
PER = {"none": (), "model": (0,), "sampler": (1,), "guidance": (2,), "pair": (0, 1, 2)}


def compared(
    cells: Cells, rule: Rule, *, metric: str, per: str, require: str | int, best: str = "none"
) -> Finding:
    """Apply a rule to the differences A - B of the paired curves of selections a and b.

    per: one verdict on all pairs pooled ("none"), or one per model, sampler, guidance or pair, of
    which `require` must be supported. best: a or b; of pairs that share their other curve, only the
    one with the best curve of that selection counts. It is chosen by the first sampling seed and
    compared on the rest; with a single sampling seed both use it.
    """

    def evaluate(keys, question):
        pairs = [(cells.curve("a", a, metric), cells.curve("b", b, metric)) for a, b in keys]
        pairs = pairs if best == "none" else _best(pairs, "ab".index(best))
        return finding_of(cells, rule, pairs, metric, question)

    return over_groups(grouped(cells.pairs(), per), require, evaluate)


def over_groups(groups: dict[str, list], require: str | int, evaluate: Callable) -> Finding:
    """Combine the findings evaluate(keys, name) of each group of keys, with one of all keys."""
    findings = {name: attempt(evaluate, keys, name) for name, keys in groups.items()}
    if len(findings) == 1:
        return next(iter(findings.values()))
    everything = [key for keys in groups.values() for key in keys]
    return combined(findings, require, attempt(evaluate, everything, "pooled"))


def attempt(evaluate: Callable[..., Finding], *arguments) -> Finding:
    """The finding evaluate(*arguments); "not testable" if the results cannot answer."""
    try:
        return evaluate(*arguments)
    except NotTestable as problem:
        return untestable(str(problem))


def grouped(keys: Iterable, per: str) -> dict[str, list]:
    """Group keys, or pairs of keys, by the names on the axes of `per`; "none" gives one group."""
    groups: dict[str, list] = {}
    for key in keys:
        groups.setdefault(_group_name(key, PER[per]), []).append(key)
    return groups


def _group_name(key: tuple, axes: tuple[int, ...]) -> str:
    keys = key if isinstance(key[0], tuple) else (key,)
    names = [" ".join(k[i] for i in axes if k[i] != "none") for k in keys]
    return " against ".join(dict.fromkeys(names))


def _best(pairs: list[Pair], side: int) -> list[Pair]:
    """Pairs with the best curve of one side for each curve of the other; chosen by the first
    sampling seed, compared on the rest.
    """
    choices: dict[Curve, list[Curve]] = {}
    for pair in pairs:
        choices.setdefault(pair[1 - side], []).append(pair[side])
    best_pairs = []
    for fixed, candidates in choices.items():
        chosen = max(candidates, key=lambda c: c.sign * c.split_sampling_seeds[0].values.mean())
        pair = chosen.split_sampling_seeds[1], fixed.split_sampling_seeds[1]
        best_pairs.append(pair if side == 0 else pair[::-1])
    return best_pairs


def finding_of(cells: Cells, rule: Rule, pairs: list[Pair], metric: str, question: str) -> Finding:
    """Apply a rule to the mean difference of pairs. Numbers are in % of the mean of b."""
    contrast = difference(pairs, cells.rng(f"{metric}/{question}"))
    decision = rule(contrast)
    relative = 100 * contrast.relative_replicates
    estimate, (low, high) = 100 * contrast.relative, rules.interval(relative)
    better, worse = _sides(pairs)
    word, count = "better" if estimate >= 0 else "worse", len(pairs)
    return Finding(
        decision.verdict,
        f"{better} {word} than {worse} by {abs(estimate):.1f} % in {metric} "
        f"({low:+.1f} to {high:+.1f} %{f', {count} pairs' if count > 1 else ''})",
        estimate=estimate,
        low=low,
        high=high,
        unit="%",
        p=decision.p,
        detectable=rules.detectable(relative),
        suffixes=cells.suffixes,
        cells=tuple(dict.fromkeys(curve.name for pair in pairs for curve in pair)),
        details={
            "difference": float(contrast.estimate.mean()),
            "base": contrast.base,
            "pairs": [[a.name, b.name] for a, b in pairs],
            "epochs": list(contrast.epochs),
            "per_epoch": contrast.estimate.tolist(),
            "lower_band": rules.lower_band(contrast.estimate, contrast.replicates).tolist(),
        },
    )


def _sides(pairs: list[Pair]) -> list[str]:
    """Names of the two sides of a comparison, on the axes along which they differ."""
    axes = [i for i in range(3) if any(a.key[i] != b.key[i] for a, b in pairs)] or [0, 1]
    if len(pairs) == 1:
        return [curve.name for curve in pairs[0]]
    return [_listed(" ".join(pair[side].key[i] for i in axes) for pair in pairs) for side in (0, 1)]


def _listed(names: Iterable[str]) -> str:
    different = ["no guidance" if n == "none" else n for n in dict.fromkeys(names)]
    rest = len(different) - NAMED
    return ", ".join(different[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
