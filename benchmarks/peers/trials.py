"""What is tried: the rows, and one trial of a row by one contender. What a trial says of itself is a dict, its notes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.peers import work

if TYPE_CHECKING:
    from collections.abc import Callable

Notes = dict[str, Any]


class Row(Enum):
    """The letter of a row, as the command takes it, and what is tried there."""

    NOOPS = "a"
    TOLD = "a+"
    FIELDS = "b"
    LARGE = "c"
    SKEWED = "d"
    START = "e"
    POISONED = "f"
    KILLED = "g killed"
    INTERRUPTED = "g interrupted"
    STALLED = "g stalled"


class Trial(msgspec.Struct, frozen=True):
    """One contender at one row."""

    row: Row
    contender: str
    count: int
    workers: int = 2
    #: Items a chunk; None for what the contender itself finds best.
    chunk: int | None = 250
    #: Seconds for which a consumer stalls.
    stall: float = 3.0


@dataclass(frozen=True, slots=True)
class Sum:
    """A row whose results are added up: by what each is worth, which proves that it came."""

    function: Callable[[Any], Any]
    #: What a result is worth; None for a result that is a number.
    value: Callable[[Any], int] | None
    #: What each of them is worth.
    each: int


SUMS = {
    Row.NOOPS: Sum(work.one, None, 1),
    Row.TOLD: Sum(work.told, itemgetter(0), 1),
    Row.FIELDS: Sum(work.fields, len, 10),
    Row.LARGE: Sum(work.large, len, work.LARGE),
}


def poison(count: int) -> tuple[Callable[[Any], int], int]:
    """The function that dies at one of so many items, and that item."""
    return (work.poisoned, work.POISON) if count > work.POISON else (work.poisoned_of_few, work.POISON_OF_FEW)


def span(times: list[tuple[float, float]], count: int) -> Notes:
    """From the begin of the first sleep to the end of the last one."""
    seconds = max(end for _, end in times) - min(begin for begin, _ in times)
    return {"span": seconds, "right": len(times) == count}


def arrivals(found: list[tuple[int, float]], begun: float, first: float, count: int) -> Notes:
    """Seconds until a first result was there, but for those of its item, and until the last of the processes began to work."""
    began: dict[int, float] = {}
    for process, time in found:
        began[process] = min(time, began.get(process, time))
    return {
        "first": first - begun - work.ARRIVAL,
        "all": max(began.values()) - begun,
        "seen": len(began),
        "right": len(found) == count,
    }


def ideal(count: int, workers: int) -> float:
    """Seconds of the skewed sleeps by list scheduling: each, in order, by whoever is free first."""
    free = [0.0] * workers
    for seconds in work.SLEEPS[:count]:
        next_free = min(range(workers), key=free.__getitem__)
        free[next_free] += seconds
    return max(free)
