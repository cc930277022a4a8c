"""Some models are better than others on average."""

from uncanny.claims import rules
from uncanny.claims.compare import check_levels, finding_of, over_groups
from uncanny.claims.curves import Cells
from uncanny.claims.finding import Finding, NotTestable

SELECTIONS = ("best", "others")


def best_on_average(cells: Cells, *, metric: str = "is10", gate: bool = True) -> Finding:
    """Each model of `best` is better than the mean of `others`, under the same samplers and
    guidances, in the mean over epochs: rules.superior for each of them, all supported.

    One contrast of their mean would be fooled where one model carries the other. gate: as in
    compare.compared.
    """
    best, others = (cells.curves(name, metric) for name in SELECTIONS)
    everything = [(a, b) for a in best for b in others if a.key[1:] == b.key[1:]]

    def evaluate(pairs, _):
        if gate:
            check_levels(cells, [curve for pair in pairs for curve in pair], metric)
        return finding_of(cells, rules.superior, pairs, everything, metric)

    groups: dict[str, list] = {}
    for pair in everything:
        groups.setdefault(pair[0].model, []).append(pair)
    if not groups:
        raise NotTestable("best and others have no sampler and guidance in common")
    return over_groups(groups, "all", evaluate)
