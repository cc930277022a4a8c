"""How many images a metric needs: what its kind declares (FEWEST of metrics.py), for the options of
a block. No torch here.
"""

from collections.abc import Iterator, Mapping

from uncanny.registry import components

FEATURES = "features"  # stands for the number of features that an extractor gives


def of_sample(block: Mapping, features: int | None) -> tuple[int, str]:
    """Fewest images of a sample, and why so many. block: a metric with its complete options;
    features: of the extractor, None where that is not known yet.
    """
    return needed("FEWEST", block, features)


def of_reference(block: Mapping, features: int | None) -> tuple[int, str]:
    """The same of the reference; 0 for a metric that compares with none."""
    return needed("FEWEST_REFERENCE", block, features)


def needed(table: str, block: Mapping, features: int | None) -> tuple[int, str]:
    """The largest number that a table of metrics.py declares for a kind and its options."""
    terms = components.constant("metrics", block["kind"], table).get(block["kind"], {})
    return max(_numbers(terms, {**block, FEATURES: features}), default=(0, ""))


def _numbers(terms: Mapping, options: Mapping) -> Iterator[tuple[int, str]]:
    """(factor * option + more, why) of each term whose option is known."""
    for option, (factor, more) in terms.items():
        if not option:
            yield more, ""
        elif options.get(option) is not None:
            value = options[option]
            is_width = option == FEATURES
            why = f"more than the {value} features" if is_width else f"{option} = {value}"
            yield factor * value + more, why


def carried(
    metrics: Mapping[str, Mapping], n: int, features: int | None
) -> tuple[dict, list[dict]]:
    """The metrics, name -> complete block, that a sample of n images carries; and of those left
    out: metric, kind, n, needs, why.
    """
    kept, left_out = {}, []
    for name, block in metrics.items():
        needs, why = of_sample(block, features)
        if n >= needs:
            kept[name] = block
        else:
            found = {"metric": name, "kind": block["kind"], "n": n, "needs": needs, "why": why}
            left_out.append(found)
    return kept, left_out
