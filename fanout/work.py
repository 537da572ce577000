"""What has still to be given out: the roster's rest, what came back from the dead, and what waits for its time.

Pure. Nothing is held for a mailbox that was never given out.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanout.partition import Partition


#: Suspects that go out together, and with nothing else.
Group = list["Neighbours"]


class Neighbours(msgspec.Struct, frozen=True, gc=False):
    """Mailboxes from the ordinal `first` to the one before `stop`, and which attempt at them is next."""

    first: int
    stop: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Todo:
    """What a run has to visit: some ranges of ordinals, ascending, and how many ordinals that is."""

    ranges: Iterable[range]
    count: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a run that is gone on with."""

    count: int
    #: Those among some neighbours.
    within: Callable[[range], Todo]


class Work:
    """Gives out the mailboxes of a run, each as often as it is put back and once more."""

    def __init__(self, todo: Todo, partition: Partition) -> None:
        self._ranges = iter(todo.ranges)
        #: What is left of the range under way.
        self._first = self._stop = 0
        #: Mailboxes that were never given out.
        self.fresh = todo.count
        self._partition = partition
        self._again: deque[Neighbours] = deque()
        self._apart: deque[Group] = deque()
        self._later: list[tuple[float, int, int]] = []  # a heap of (due, ordinal, attempt)

    def share(self, workers: int) -> None:
        """Cut what is left for another number of workers."""
        self._partition = self._partition.among(workers)

    def put_back(self, neighbours: Neighbours) -> None:
        """Give these out again, before anything fresh."""
        if neighbours.first < neighbours.stop:
            self._again.append(neighbours)

    def put_off(self, ordinal: int, attempt: int, due: float) -> None:
        """Give this one out again, alone, when it is `due`."""
        heapq.heappush(self._later, (due, ordinal, attempt))

    def put_apart(self, suspects: list[Neighbours]) -> None:
        """Give these out again in two halves, each with nothing else: one of the two will be rid of all suspicion."""
        middle = len(suspects) // 2
        self._apart += [half for half in (suspects[:middle], suspects[middle:]) if half]

    @property
    def has_suspects(self) -> bool:
        """Whether some go out to a worker that has nothing else."""
        return bool(self._apart)

    def offers(self, now: float) -> bool:
        """Whether anything can go out now."""
        due = self.due()
        return bool(self.fresh or self._again or self._apart or (due is not None and due <= now))

    def take_group(self) -> Group | None:
        """Suspects that go out together to a worker that has nothing else; None when there are none."""
        return self._apart.popleft() if self._apart else None

    def take(self, now: float, most: int) -> Neighbours | None:
        """What goes out next, `most` mailboxes at the most; None when there is nothing at this time."""
        if self._later and self._later[0][0] <= now:
            _, ordinal, attempt = heapq.heappop(self._later)
            return Neighbours(ordinal, ordinal + 1, attempt)
        if self._again:
            return self._some(self._again.popleft(), most)
        return self._fresh_ones(most)

    def chunks_left(self, most: int) -> int:
        """Chunks and groups that could go out now, counted up to `most`."""
        chunks = len(self._again) + len(self._apart)
        fresh = self.fresh
        while fresh and chunks < most:
            fresh -= self._partition.size(fresh)
            chunks += 1
        return min(chunks + len(self._later), most)

    def due(self) -> float | None:
        """When the next one that was put off is due."""
        return self._later[0][0] if self._later else None

    def _some(self, neighbours: Neighbours, most: int) -> Neighbours:
        """The first of them; the rest stays where it was."""
        first, stop, attempt = neighbours.first, neighbours.stop, neighbours.attempt
        if stop - first <= most:
            return neighbours
        self._again.appendleft(Neighbours(first + most, stop, attempt))
        return Neighbours(first, first + most, attempt)

    def _fresh_ones(self, most: int) -> Neighbours | None:
        if self._first == self._stop:
            following = next(self._ranges, range(0))
            self._first, self._stop = following.start, following.stop
        first = self._first
        size = min(self._partition.size(self.fresh), self._stop - first, most) if self.fresh else 0
        if not size:
            return None
        self._first += size
        self.fresh -= size
        return Neighbours(first, first + size, 1)
