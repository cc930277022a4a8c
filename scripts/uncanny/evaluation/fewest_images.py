"""Fewest images of a metric: what its kind declares (FEWEST of metrics.py), for the options of a
block. Imports no torch, as configs are checked with it.
"""

from collections.abc import Iterator, Mapping

from uncanny.registry import components

FEATURES = "features"  # stands for the number of features that an extractor gives


def of_sample(block: Mapping, features: int | None) -> tuple[int, str]:
    """Fewest images of a sample, and the reason. block: a metric with its complete options;
    features: of the extractor, None where that is not known yet.
    """
    return _largest("FEWEST", block, features)


def of_reference(block: Mapping, features: int | None) -> tuple[int, str]:
    """Fewest images of the reference, and the reason; 0 for a metric that compares with none."""
    return _largest("FEWEST_REFERENCE", block, features)


def _largest(table: str, block: Mapping, features: int | None) -> tuple[int, str]:
    """The largest number that a table of metrics.py declares for a kind and its options."""
    terms = components.constant("metrics", block["kind"], table).get(block["kind"], {})
    return max(_numbers(terms, {**block, FEATURES: features}), default=(0, ""))


def _numbers(terms: Mapping, options: Mapping) -> Iterator[tuple[int, str]]:
    """(factor * option + more, why) of each term whose option is known."""
    for option, (factor, more) in terms.items():
        if not option:  # a number alone
            yield more, ""
        elif options.get(option) is not None:
            value = options[option]
            is_width = option == FEATURES
            why = f"more than the {value} features" if is_width else f"{option} = {value}"
            yield factor * value + more, why


def carried(
    metrics: Mapping[str, Mapping], n: int, features: int | None
) -> tuple[dict, list[dict]]:
    """Metrics, name -> complete block, for which n images are enough; and of those left out:
    metric, kind, n, needs, why.
    """
    kept, left_out = {}, []
    for name, block in metrics.items():
        fewest, why = of_sample(block, features)
        if n >= fewest:
            kept[name] = block
        else:
            numbers = {"n": n, "needs": fewest, "why": why}
            left_out.append({"metric": name, "kind": block["kind"]} | numbers)
    return kept, left_out
