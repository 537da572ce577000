"""What dispatch knows of its workers: the life of each, and the chunks that it has. Pure.

A worker visits as many mailboxes at a time as it has lanes: one, or a thread for each. With one lane it tells of its
mailboxes in their order; with several, each is told of when it is done.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from workers.messages import Chunk, Found

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How a worker ends that leaves in order.
LEFT = "exit code 0"

#: How a worker ends that closed its pipe, or whose job did, and lived on: it was killed for it.
HUNG_UP = "closed its pipe"

#: How a worker ends that lived on another machine, of which nothing is heard any more: where it was is not known.
LOST = "the loss of its Dask worker"

#: How one ends that could not be started on another machine.
NO_ROOM = "the want of room on its machine"

#: Seconds of work that may wait in a worker's pipe: more than it takes the parent to hear that a chunk is done and to send
#: the next one. Of chunks that are not as short one waits.
HORIZON = 0.001

#: Chunks that wait in a worker's pipe at the most.
MOST_WAITING = 8

#: What the last chunk counts in the average of what a chunk takes.
LAST_COUNTS = 0.25

_decode = msgspec.json.Decoder().decode


class State(Enum):
    """The life of a worker."""

    #: Its process was asked for and has not said Ready.
    STARTING = "starting"
    #: It takes chunks.
    READY = "ready"
    #: It was told to leave, or said that it will; what it says until then is heard, and it gets no more chunks.
    LEAVING = "leaving"
    #: It was told to die; whatever it still says is not heard.
    DYING = "dying"
    #: It has no process.
    GONE = "gone"


class Flight(msgspec.Struct, eq=False):
    """A chunk that a worker has."""

    chunk: Chunk
    #: The ordinal of the first mailbox that the worker has not told of.
    next: int
    #: The ordinals behind that one that it has told of.
    ahead: set[int] = msgspec.field(default_factory=set)

    @property
    def stop(self) -> int:
        return self.chunk.first + self.chunk.count

    @property
    def untold(self) -> int:
        """Mailboxes that the worker has not told of."""
        return self.stop - self.next - len(self.ahead)

    def fits(self, told: range) -> bool:
        """Whether these are mailboxes, and some, that the worker has still to tell of."""
        if not self.next <= told.start < told.stop <= self.stop:
            return False
        return not self.ahead or self.ahead.isdisjoint(told)

    def __contains__(self, ordinal: int) -> bool:
        """Whether the worker has still to tell of this mailbox."""
        return self.next <= ordinal < self.stop and ordinal not in self.ahead

    def tell(self, told: range) -> None:
        """Note that the worker has told of these, which fit."""
        if told.start != self.next:
            self.ahead.update(told)
            return
        self.next = told.stop
        while self.ahead and self.next in self.ahead:
            self.ahead.discard(self.next)
            self.next += 1

    def rest(self, without: set[int]) -> Iterator[range]:
        """The mailboxes that were not told of, less some, as ranges in their order."""
        first = self.next
        for barrier in [
            *sorted(ordinal for ordinal in self.ahead | without if first <= ordinal < self.stop),
            self.stop,
        ]:
            if first < barrier:
                yield range(first, barrier)
            first = barrier + 1


class Worker(msgspec.Struct):
    state: State = State.GONE
    #: Mailboxes that it visits at a time.
    lanes: int = 1
    #: The chunks it has, in the order in which it was given them.
    flights: deque[Flight] = msgspec.field(default_factory=deque)
    #: Mailboxes that its process has told of.
    told: int = 0
    #: Whether a mailbox under way may not simply be visited again.
    uncertain: bool = False
    #: Whether it was asked to leave for no reason of its own, so that it does not end in vain.
    asked: bool = False
    #: Whether what it has are suspects, which nothing else may be given out with.
    apart: bool = False
    #: Chunks that may wait behind the one that it is at.
    credit: int = 1
    #: Seconds that it takes for a chunk, on average.
    takes: float = HORIZON
    #: When it last told of a whole chunk, or was given one while it had none.
    since: float = 0.0

    @property
    def untold(self) -> int:
        """Mailboxes that it has and has not told of."""
        return sum([flight.untold for flight in self.flights])

    @property
    def busy(self) -> int:
        """Lanes that are at work."""
        return min(self.lanes, self.untold) if self.lanes > 1 else int(bool(self.flights))

    @property
    def is_full(self) -> bool:
        """Whether it has enough: work for every lane, and as many chunks that wait as it has credit for, so that
        no lane ever does.

        None waits where a mailbox may not simply be visited again.
        """
        if not self.flights:
            return False
        if self.lanes == 1:
            return self.uncertain or len(self.flights) > self.credit
        waiting = 0 if self.uncertain else self.flights[-1].untold
        return self.untold - waiting >= self.lanes

    def leave(self) -> None:
        """It is asked to leave, for no reason of its own."""
        self.state = State.LEAVING
        self.asked = True

    def end_chunk(self, flight: Flight, now: float) -> None:
        """Note that it has told of all of a chunk. How many may wait from now on follows from how long it took."""
        self.flights.remove(flight)
        self.takes += LAST_COUNTS * (now - self.since - self.takes)
        self.since = now
        self.credit = MOST_WAITING if self.takes * MOST_WAITING < HORIZON else int(HORIZON / self.takes) or 1

    def flight(self, number: int, told: range) -> Flight | None:
        """The chunk of that number, if these are mailboxes that the worker has to tell of now."""
        if self.lanes == 1:
            flight = self.flights[0] if self.flights else None
            fits = flight and flight.chunk.number == number and flight.next == told.start and flight.fits(told)
            return flight if fits else None
        return next((each for each in self.flights if each.chunk.number == number and each.fits(told)), None)

    def suspects(self, at: tuple[int, ...], how: str) -> set[int]:
        """The mailboxes of which one has to answer for the worker's end, when its slots say that it was `at` these.

        Nonsense, and the end of the pipe, are noticed some quick mailboxes after the one whose job is to blame, and
        nothing behind them is heard: each that the worker had begun, and had not told of before, may have done it. And
        what one of several lanes did may end the worker a moment later, when the lane is at another mailbox: so those
        that it had first are suspects, too. Of one that was lost with its machine nobody can say what it had begun.
        """
        if self.state is State.DYING or how in {HUNG_UP, LOST}:
            return self._begun(at)
        found = {ordinal for ordinal in at if any(ordinal in flight for flight in self.flights)}
        if self.uncertain or self.lanes == 1 or how == LEFT:
            return found
        return found | set(islice(self._rest(), self.lanes))

    def _begun(self, at: tuple[int, ...]) -> set[int]:
        """Those that it may have begun: up to the one it is at, where it takes them in their order; else any."""
        rest = [*self._rest()]
        if self.lanes > 1 or not at or at[0] not in rest:
            return set(rest)
        return set(rest[: rest.index(at[0]) + 1])

    def _rest(self) -> Iterator[int]:
        return (ordinal for flight in self.flights for part in flight.rest(set()) for ordinal in part)


class Crew:
    """The workers of a run, by their numbers."""

    def __init__(self, count: int, lanes: int) -> None:
        self.workers = [Worker(lanes=lanes) for _ in range(count)]
        self._lanes = lanes

    def grow(self, count: int) -> None:
        """Have so many numbers, at the least."""
        self.workers += [Worker(lanes=self._lanes) for _ in range(count - len(self.workers))]

    def renew(self, number: int) -> None:
        """A process is started as this worker."""
        self.workers[number] = Worker(State.STARTING, self._lanes)

    def of(self, *states: State) -> list[int]:
        """The numbers of those that are in one of these states, ascending."""
        return [number for number, worker in enumerate(self.workers) if worker.state in states]

    @property
    def living(self) -> int:
        """How many have a process."""
        return len(self.workers) - len(self.of(State.GONE))

    @property
    def hungry(self) -> list[tuple[int, Worker]]:
        """Those that have not enough."""
        return [(number, worker) for number, worker in enumerate(self.workers) if not worker.is_full]

    @property
    def resting(self) -> Iterator[tuple[int, Worker]]:
        """Those that could work and have nothing."""
        for number, worker in enumerate(self.workers):
            if worker.state is State.READY and not worker.flights:
                yield number, worker

    def busy(self, beside: Worker | None = None) -> int:
        """Lanes that are at work, beside those of one."""
        return sum([each.busy for each in self.workers if each.flights and each is not beside])


class Fold(msgspec.Struct):
    """A fold that could be read."""

    value: object


def fold_of(found: Found) -> Fold | None:
    """The fold of what was found; None where it can't be read, or the lines are not as many as the mailboxes."""
    if not _are_lines(found.lines, found.count):
        return None
    try:
        return Fold(_decode(found.total))
    except msgspec.DecodeError:
        return None


def _are_lines(lines: bytes, count: int) -> bool:
    """Whether these are so many lines, none of them empty."""
    if count == 1:  # it may be large, and `find` looks through a text ten times as fast as `count` does
        return lines.find(b"\n") == len(lines) - 1 > 0
    return lines.count(b"\n") == count and lines.endswith(b"\n") and lines.rfind(b"\n\n") < 0  # faster than `in`
