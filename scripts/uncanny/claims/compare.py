"""Compare two selections, pooled or group by group."""

from collections.abc import Callable, Iterable, Sequence

from uncanny.claims import rules
from uncanny.claims.curves import AXES, Cells, Curve, Pair
from uncanny.claims.effects import Effect, difference, share_of_way
from uncanny.claims.finding import CONSTRUCTED, Finding, NotTestable, combined, untestable
from uncanny.claims.gains import check_final_levels
from uncanny.evaluation.contrasts import Contrast

Rule = Callable[[Effect], rules.Decision]

NAMED = 3  # names on one side of a comparison before they are counted
GATE = 0.3  # of the way from noise to real images, below which differences say nothing of models

# What pairs of one group share: these names of their keys (model, sampler, guidance).
PER = {"none": (), "model": (0,), "sampler": (1,), "guidance": (2,), "pair": (0, 1, 2)}


def compared(
    cells: Cells,
    rule: Rule,
    *,
    metric: str,
    per: str,
    require: str | int,
    best: str = "none",
    gate: bool = True,
    allow_rising: bool = False,
    margin: float = rules.SMALLEST_EFFECT,
) -> Finding:
    """Apply a rule to the differences A - B of the paired curves of selections a and b.

    per: one verdict on all pairs pooled ("none"), or one per model, sampler, guidance, pair or
    epoch, of which `require` must be supported. best: a or b; of pairs that share their other
    curve, only the one with the best curve of that selection counts. It is chosen by the first
    sampling seed and compared on the rest; with a single sampling seed both use it. gate: whether
    curves near noise (check_gate), and final levels of curves that still rise
    (gains.check_final_levels), are not testable. allow_rising: such levels are testable, for claims
    about the same checkpoints. margin: of the rule, shown with the numbers.
    """

    def evaluate(keys, _, epoch=None):
        pairs = cells.paired(metric, keys)
        pairs = pairs if best == "none" else _best(pairs, "ab".index(best))
        curves = [curve for pair in pairs for curve in pair]
        if gate:
            check_gate(cells, curves, metric)
        if gate and not allow_rising:
            check_final_levels(cells, curves, metric)
        companions = pairs
        if epoch is not None:
            pairs, companions = cells.paired(metric, keys, epoch), cells.paired(metric, None, epoch)
        elif best == "none":
            companions = cells.paired(metric)
        return finding_of(cells, rule, pairs, companions, metric, margin)

    if per != "epoch":
        return over_groups(grouped(cells, cells.pairs(), per), require, evaluate)
    everything = cells.pairs()
    findings = {
        f"epoch {epoch}": attempt(evaluate, everything, "", epoch) for epoch in cells.epochs()
    }
    return combined(findings, require, attempt(evaluate, everything, "pooled"))


def check_gate(cells: Cells, curves: Sequence[Curve], metric: str) -> None:
    """Raise NotTestable where curves are, in the mean, less than 30 % of the way from noise to real
    images at their last epoch.
    """
    bounds = cells.scores.bounds(curves[0].model, metric)
    if not curves[0].is_score or bounds is None:
        return
    share = share_of_way(curves, bounds)
    if share < GATE:
        raise NotTestable(
            f"the curves are {100 * share:.0f} % of the way from noise to real images at their "
            f"last epoch; a comparison takes {100 * GATE:.0f} %"
        )


def check_levels(cells: Cells, curves: Sequence[Curve], metric: str) -> None:
    """Raise NotTestable where final levels of curves say nothing: near noise, or still rising."""
    check_gate(cells, curves, metric)
    check_final_levels(cells, curves, metric)


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


def grouped(cells: Cells, keys: Iterable, per: str) -> dict[str, list]:
    """Group keys, or pairs of keys, by the names on the axes of `per`; "none" gives one group.
    Groups are named by labels, if there are some and they differ.
    """
    groups: dict[str, list] = {}
    for key in keys:
        groups.setdefault(_group_name(key, PER[per], lambda _, name: name, " "), []).append(key)
    if not cells.labels:
        return groups
    labelled = {
        _group_name(members[0], PER[per], cells.label, " · "): members
        for members in groups.values()
    }
    return labelled if len(labelled) == len(groups) else groups


def _group_name(key: tuple, axes: tuple[int, ...], label: Callable, joint: str) -> str:
    keys = key if isinstance(key[0], tuple) else (key,)
    sides = [joint.join(label(AXES[i], k[i]) for i in axes if k[i] != "none") for k in keys]
    return " against ".join(dict.fromkeys(sides))


def _best(pairs: list[Pair], side: int) -> list[Pair]:
    """Pairs with the best curve of one side for each curve of the other; chosen by the first
    sampling seed, compared on the rest.
    """
    choices: dict[Curve, list[Curve]] = {}
    for pair in pairs:
        choices.setdefault(pair[1 - side], []).append(pair[side])
    best_pairs = []
    for fixed, candidates in choices.items():
        first = {curve: curve.split_sampling_seeds[0] for curve in candidates}
        chosen = max(candidates, key=lambda c: c.sign * first[c].values.mean())
        pair = chosen.split_sampling_seeds[1], fixed.split_sampling_seeds[1]
        best_pairs.append(pair if side == 0 else pair[::-1])
    return best_pairs


def finding_of(
    cells: Cells,
    rule: Rule,
    pairs: list[Pair],
    companions: list[Pair],
    metric: str,
    margin: float = rules.SMALLEST_EFFECT,
) -> Finding:
    """Apply a rule to the mean difference of pairs. Numbers are in % of the mean of b.

    companions: pairs whose models take part in the spread between trainings.
    """
    effect = difference(pairs, companions, cells.spreads)
    decision = rule(effect)
    (better, worse), measured = _sides(pairs), cells.label("metrics", metric)
    entries = numbers(decision, effect, margin)
    entries["details"] |= {
        "pairs": [[a.name, b.name] for a, b in pairs],
        "epochs": sorted({epoch for pair in pairs for curve in pair for epoch in curve.epochs}),
    }
    if decision.verdict == CONSTRUCTED:
        text = f"{better} and {worse} are the same images: {measured} is equal by construction"
    else:
        text = f"{measured} of {better} is {direction(entries['estimate'])} that of {worse}"
        count = f", {len(pairs)} pairs" if len(pairs) > 1 else ""
        text += " ({low:+.1f} to {high:+.1f} %{count})".format(**entries, count=count)
    names = dict.fromkeys(curve.name for pair in pairs for curve in pair)
    return Finding(decision.verdict, text, cells=tuple(names), **entries)


def numbers(decision: rules.Decision, effect: Effect, margin: float) -> dict:
    """Entries of a finding on an effect: % of its base, where it is no matter of construction."""
    contrast = effect.contrast
    entries: dict = {"p": decision.p, "scope": effect.source, "spreads": effect.spreads}
    entries["details"] = {
        "value": contrast.value,
        "se": contrast.se,
        "freedom": contrast.freedom,
        "scale": contrast.scale,
        "base": effect.base,
    }
    if contrast.by_construction:
        return entries
    estimate, low, high = effect.percents()
    could = None if decision.margin is None else effect.percent(decision.margin)
    return entries | {
        "estimate": estimate,
        "low": low,
        "high": high,
        "unit": "%",
        "margin": 100 * margin,
        "detectable": abs(effect.percent(rules.detectable(contrast))),
        "limit": limit_of(could, 100 * margin),
    }


def decided(
    decision: rules.Decision, effect: Effect, margin: float, curves: Iterable[Curve], text: str
) -> Finding:
    """The finding of a decision on an effect of curves."""
    names = dict.fromkeys(curve.name for curve in curves)
    return Finding(decision.verdict, text, cells=tuple(names), **numbers(decision, effect, margin))


def share_numbers(decision: rules.Decision, contrast: Contrast, margin: float) -> dict:
    """Entries of a finding on a share, in %."""
    entries = {"estimate": 100 * contrast.value, "p": decision.p, "margin": 100 * margin}
    detectable = 100 * rules.detectable(contrast)
    return entries | {"detectable": detectable} | rules.interval(contrast, 100)


def interval_text(effect: Effect) -> str:
    """Gain with its interval in words: +5.0 % (+3.0 to +7.0 %)."""
    if effect.contrast.by_construction:
        return "the same by construction"
    return "{:+.1f} % ({:+.1f} to {:+.1f} %)".format(*effect.gain.percents())


def direction(percent: float) -> str:
    """A change in words: 5.0 % above, 5.0 % below."""
    return f"{abs(percent):.1f} % {'above' if percent >= 0 else 'below'}"


def limit_of(could: float | None, margin: float) -> str:
    """Why a scale cannot decide at a margin in %, and at which it could; else an empty text."""
    if could is None:
        return ""
    return f"could decide at a margin of {abs(could):.2g} %, not at {margin:g} %"


def _sides(pairs: list[Pair]) -> list[str]:
    """Labels of the two sides of a comparison, on the axes along which they differ."""
    axes = [i for i in range(3) if any(a.key[i] != b.key[i] for a, b in pairs)] or [0, 1]
    if len(pairs) == 1:
        return [curve.label for curve in pairs[0]]
    return [_listed(pair[side].words(axes) for pair in pairs) for side in (0, 1)]


def _listed(names: Iterable[str]) -> str:
    different = list(dict.fromkeys(names))
    rest = len(different) - NAMED
    return " and ".join([*different[:NAMED], *([f"{rest} more"] if rest > 0 else [])])
