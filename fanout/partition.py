"""The partition: how many mailboxes the next chunk gets. Pure: it knows the roster's length and nothing else.

Chunks are cut from the front of what is left of the roster, one when a worker can take it. So a partition is a function
from what remains to the size of one chunk, and never more than the server's capacity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.messages import Error

#: The largest guided chunk where a session has a ceiling: below MAPI's of logons it leaves room for stores that a session
#: keeps for itself.
LARGEST_GUIDED = 250

#: The largest guided chunk where there is no ceiling: beyond it a chunk's own cost, some 20 us, is no more to be seen.
LARGEST_UNBOUND = 1000


class ChunkTooLargeError(ValueError):
    """A chunk that no session can hold open."""


class Partition(Protocol):
    """How a roster is cut."""

    def size(self, remaining: int) -> int:
        """Mailboxes in the next chunk, 1 to `remaining`. `remaining` is at least 1."""
        ...

    def among(self, workers: int) -> Partition:
        """The same for another number of workers."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Chunks of one size; the last one may be smaller."""

    chunk_size: int

    def size(self, remaining: int) -> int:
        return min(self.chunk_size, remaining)

    def among(self, workers: int) -> Fixed:  # noqa: ARG002 - the size is what was asked for
        return self


@dataclass(frozen=True, slots=True)
class Guided:
    """Large chunks first, small ones last: guided self-scheduling (Polychronopoulos and Kuck, 1987).

    A chunk is what remains divided by eight times the workers. A worker has one and a second that waits, so that three quarters
    of a fair share stay for whoever is done first; by twice the workers, as is common where nothing waits, all but a third would
    be given out at the very beginning. (Skewed sleeps, 16 workers, in virtual time, times list scheduling: 1.12 by 2, 1.02 by 3 to
    16; measured, 8 is ahead of 4, see benchmarks/README.md.)
    """

    workers: int
    largest: int

    def size(self, remaining: int) -> int:
        return max(1, min(self.largest, remaining // (8 * self.workers)))

    def among(self, workers: int) -> Guided:
        return Guided(workers, self.largest)


@dataclass(frozen=True, slots=True)
class Cut:
    """How the mailboxes of one server of several are cut."""

    server: str
    count: int
    #: None where it is not known what a session of the server holds: it can't be asked, for this reason, or is still awaited.
    how: Partition | None
    why: Error | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether the server is still being asked."""
        return self.how is None and self.why is None


@dataclass(frozen=True, slots=True)
class ByServer:
    """Several servers, one behind the other: no chunk is of two."""

    cuts: tuple[Cut, ...]

    def size(self, remaining: int) -> int:
        for cut in reversed(self.cuts):
            if 0 < remaining <= cut.count:
                return cut.how.size(remaining) if cut.how else remaining
            remaining -= cut.count
        raise ValueError(f"{remaining} mailboxes more than there are")

    def among(self, workers: int) -> ByServer:
        return ByServer(tuple(replace(cut, how=cut.how and cut.how.among(workers)) for cut in self.cuts))


def partition(chunk_size: int | None, workers: int, capacity: int | None, arithmetic: str = "") -> Partition:
    """The partition for a chunk size, or the guided one for None.

    Raises ChunkTooLargeError, with the arithmetic, for a chunk that is larger than the capacity; ValueError for one
    below 1 and for fewer than 1 worker.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers: a run needs at least 1")
    if capacity == 0:
        raise ValueError(f"no mailbox can be held open: {arithmetic}")
    if chunk_size is None:
        return Guided(workers, LARGEST_UNBOUND if capacity is None else min(LARGEST_GUIDED, capacity))
    if chunk_size < 1:
        raise ValueError(f"a chunk of {chunk_size} mailboxes: a chunk has at least 1")
    if capacity is not None and chunk_size > capacity:
        raise ChunkTooLargeError(
            f"a chunk of {chunk_size} mailboxes is more than the {capacity} that one session can hold open: {arithmetic}"
        )
    return Fixed(chunk_size)


def chunks(how: Partition, count: int) -> Iterator[range]:
    """The ordinals of each chunk of a roster of `count`, in the order in which they are given out."""
    first = 0
    while first < count:
        size = how.size(count - first)
        yield range(first, first + size)
        first += size
