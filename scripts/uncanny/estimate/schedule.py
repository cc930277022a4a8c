"""How long jobs take that run side by side. No torch here."""

import heapq
from collections.abc import Container, Mapping, Sequence


def wall_seconds(
    names: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    seconds: Mapping[str, float],
    at_once: int,
    alone: Container[str] = (),
) -> float:
    """Time until all jobs are done, `at_once` of them at a time, each as soon as it can start.

    needs: jobs that a job waits for; those that are not among the names are done. alone:
    jobs that take the whole machine; they come last.
    """
    known = set(names)
    needs = {name: [n for n in needs[name] if n in known] for name in names}
    missing = {name: len(needs[name]) for name in names}
    followers: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for needed in needs[name]:
            followers[needed].append(name)
    order = {name: (name in alone, number, name) for number, name in enumerate(names)}
    ready = [order[name] for name in names if not missing[name]]
    heapq.heapify(ready)
    running, free, clock = [], at_once, 0.0
    while ready or running:
        while ready and free >= (at_once if ready[0][0] else 1):
            is_alone, _, name = heapq.heappop(ready)
            slots = at_once if is_alone else 1
            free -= slots
            heapq.heappush(running, (clock + seconds[name], slots, name))
        clock, slots, name = heapq.heappop(running)
        free += slots
        for follower in followers[name]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, order[follower])
    return clock
