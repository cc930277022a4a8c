"""Jobs side by side."""

import pytest

from uncanny.estimate.schedule import wall_seconds

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
FREE = {name: [] for name in "abcdef"}


def wall(needs, seconds, at_once, **more):
    return wall_seconds(list(needs), needs, seconds, at_once, **more)


def test_independent_jobs_share_the_places():
    assert wall(FREE, dict.fromkeys("abcdef", 2.0), 3) == 4.0
    assert wall(FREE, dict.fromkeys("abcdef", 2.0), 1) == 12.0
    assert wall(FREE, dict.fromkeys("abcdef", 2.0), 100) == 2.0


def test_a_chain_takes_its_length_however_many_places():
    assert wall(CHAIN, {"a": 1.0, "b": 2.0, "c": 4.0}, 10) == 7.0


def test_what_is_not_among_the_jobs_is_done():
    assert wall_seconds(["c"], CHAIN, {"c": 3.0}, 1) == 3.0
    assert wall_seconds([], CHAIN, {"c": 3.0}, 1) == 0.0


def test_jobs_that_want_all_places_run_alone():
    seconds = dict.fromkeys("abcdef", 2.0)
    assert wall(FREE, seconds, 2, alone="ab") == 2 * 2.0 + 2 * 2.0


@pytest.mark.parametrize("places", [1, 2, 3, 7])
def test_never_faster_than_its_bounds(places):
    needs = {str(n): [str(n // 2)] if n > 1 else [] for n in range(1, 40)}
    seconds = {name: 1.0 + int(name) % 5 for name in needs}
    result = wall(needs, seconds, places)
    longest = max(_path(name, needs, seconds) for name in needs)
    total = sum(seconds.values())
    assert max(longest, total / places) <= result <= longest + total / places


def _path(name, needs, seconds):
    return seconds[name] + max((_path(n, needs, seconds) for n in needs[name]), default=0.0)
