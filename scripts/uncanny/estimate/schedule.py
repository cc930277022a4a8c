"""How long jobs take that run side by side. No torch here."""

import heapq
from collections.abc import Callable, Mapping, Sequence


def wall_seconds(
    names: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    seconds: Callable[[str], float],
    at_once: int,
    alone: Callable[[str], bool] = lambda name: False,
) -> float:
    """Time until all jobs are done, `at_once` of them at a time, each as soon as it can start.

    needs: jobs that a job waits for; those that are not among the names are done. alone: whether a
    job has all places to itself; such jobs come last.
    """
    known = set(names)
    open_needs = {name: [n for n in needs[name] if n in known] for name in names}
    missing = {name: len(found) for name, found in open_needs.items()}
    followers: dict[str, list[str]] = {name: [] for name in names}
    for name, found in open_needs.items():
        for before in found:
            followers[before].append(name)
    order = {name: (alone(name), number, name) for number, name in enumerate(names)}
    ready = [order[name] for name in names if not missing[name]]
    heapq.heapify(ready)
    running, free, clock = [], at_once, 0.0
    while ready or running:
        while ready and free >= (at_once if ready[0][0] else 1):
            is_alone, _, name = heapq.heappop(ready)
            places = at_once if is_alone else 1
            free -= places
            heapq.heappush(running, (clock + seconds(name), places, name))
        clock, places, name = heapq.heappop(running)
        free += places
        for after in followers[name]:
            missing[after] -= 1
            if not missing[after]:
                heapq.heappush(ready, order[after])
    return clock
