"""Duration of jobs that run in parallel. No torch here."""

import heapq
from collections.abc import Container, Mapping, Sequence
from graphlib import TopologicalSorter


def wall_seconds(
    names: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    seconds: Mapping[str, float],
    at_once: int,
    alone: Container[str] = (),
) -> float:
    """Time until all jobs are done; arguments as of `ends`."""
    return max(ends(names, needs, seconds, at_once, alone).values(), default=0.0)


def ends(
    names: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    seconds: Mapping[str, float],
    at_once: int,
    alone: Container[str] = (),
) -> dict[str, float]:
    """When each job is done, `at_once` of them at a time, each as soon as it can start.

    names: of two jobs that could start, the first starts. needs: jobs that a job waits for; those
    that are not among the names are done. alone: jobs that take the whole machine; they come last.
    """
    known = set(names)
    graph = TopologicalSorter({name: known.intersection(needs[name]) for name in names})
    graph.prepare()
    order = {name: (name in alone, number, name) for number, name in enumerate(names)}
    ready, running, free, clock, done = [], [], at_once, 0.0, {}
    while graph.is_active():
        for name in graph.get_ready():
            heapq.heappush(ready, order[name])
        while ready and free >= (at_once if ready[0][0] else 1):
            is_alone, _, name = heapq.heappop(ready)
            slots = at_once if is_alone else 1
            free -= slots
            heapq.heappush(running, (clock + seconds[name], slots, name))
        clock, slots, name = heapq.heappop(running)
        free += slots
        graph.done(name)
        done[name] = clock
    return done
