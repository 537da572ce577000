"""What becomes of a chunk at a worker, and when: the workers and the server of a forecast. Pure.

A worker that is well takes one mailbox after the other. What goes wrong goes wrong as it does to the client: who is refused
tells so at once; one that hangs says nothing any more; while the server is out nobody is answered, until the client has waited
for long enough and takes the connection for lost.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fanout.forecast.model import Trouble
from workers.causes import Cause
from workers.urls import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.forecast.model import Outage, Server
    from fanout.forecast.tape import Tape
    from workers.messages import Chunk


class Visitor(msgspec.Struct):
    """A worker."""

    number: int
    #: When each of its lanes is done with all that it has; infinity where one hangs.
    free: list[float]
    #: Which of its processes it is.
    life: int = 0
    #: Sessions that it holds.
    sessions: int = 0
    #: Chunks that it has and has not told of.
    chunks: int = 0


class Told(NamedTuple):
    """What a worker tells, and when it has it."""

    time: float
    first: int
    number: int
    #: Why it failed; None for what is done.
    cause: Cause | None = None
    #: Whether the worker says no more: it dies, or, for a STALL, hangs from then on.
    last: bool = False
    #: Seconds for which it waited in vain.
    waited: float = 0.0


class Visits:
    """By the workers of one run, to the mailboxes of one server."""

    def __init__(self, server: Server, tape: Tape, outage: Outage | None) -> None:
        self._server = server
        self._tape = tape
        self._outage = outage
        #: Sessions that are open.
        self.sessions = 0
        #: How often a mailbox was refused.
        self._refused: Counter[int] = Counter()

    def chunk(self, worker: Visitor, chunk: Chunk, begun: float, cpu: float) -> Iterator[Told]:
        """What is told of a chunk. `cpu`: seconds in which a mailbox has its CPU seconds."""
        if len(worker.free) > 1:
            yield from self._by_lanes(worker, chunk, begun, cpu)
            return
        time = max(begun, worker.free[0])
        for piece, trouble in _pieces(chunk.ordinals, self._tape.troubles(chunk.ordinals)):
            for told in self._piece(worker, piece, trouble, time, cpu):
                yield told
                time = told.time
                if told.last:
                    worker.free[0] = math.inf
                    return
        worker.free[0] = time

    def leave(self, worker: Visitor) -> None:
        """The worker's sessions are no more."""
        self.sessions -= worker.sessions
        worker.sessions = 0

    def _by_lanes(self, worker: Visitor, chunk: Chunk, begun: float, cpu: float) -> Iterator[Told]:
        """Each mailbox by the lane that is free first."""
        wrong = dict(self._tape.troubles(chunk.ordinals))
        for ordinal in chunk.ordinals:
            time = max(begun, worker.free[0])
            if math.isinf(time):
                return
            one = range(ordinal, ordinal + 1)
            for told in self._piece(worker, one, wrong.get(ordinal), time, cpu):
                heapq.heapreplace(worker.free, math.inf if told.last else told.time)
                yield told

    def _piece(
        self, worker: Visitor, ordinals: range, trouble: Trouble | None, time: float, cpu: float
    ) -> Iterator[Told]:
        """Some mailboxes with which nothing is wrong, or one with a trouble."""
        first = ordinals.start
        while first < ordinals.stop:
            told = self._shut_out(worker, first, time)
            if told is None:
                time = self._enter(worker, time)
                told = trouble and self._suffer(worker, first, trouble, time)
                told = told or self._well(worker, range(first, ordinals.stop), time, cpu)
            yield told
            if told.last:
                return
            first, time = told.first + told.number, told.time

    def _shut_out(self, worker: Visitor, first: int, time: float) -> Told | None:
        """What is told where the worker has no session, and gets none."""
        if worker.sessions:
            return None
        if self._silent_until(time) - time >= TIMEOUT:
            return Told(time + TIMEOUT, first, 1, Cause.UNREACHABLE, waited=TIMEOUT)
        most = self._server.sessions
        if most is not None and self.sessions + self._each(worker) > most:
            return Told(self._silent_until(time) + self._server.refusal, first, 1, Cause.BUSY)
        return None

    def _enter(self, worker: Visitor, time: float) -> float:
        """Connect, unless that is done; returns when it is."""
        if worker.sessions:
            return time
        worker.sessions = self._each(worker)
        self.sessions += worker.sessions
        return self._silent_until(time) + self._server.connect

    def _each(self, worker: Visitor) -> int:
        return len(worker.free) if self._server.separate else 1

    def _suffer(self, worker: Visitor, ordinal: int, trouble: Trouble, time: float) -> Told | None:
        """What is told of a mailbox with a trouble; None where it is over."""
        soon = time + self._server.refusal
        if trouble is Trouble.REFUSED:
            return Told(soon, ordinal, 1, Cause.MISSING)
        if trouble is Trouble.HANG:
            return Told(time, ordinal, 1, Cause.STALL, last=True)
        if trouble is Trouble.CRASH:
            return Told(soon, ordinal, 1, Cause.CRASH, last=True)
        self._refused[ordinal] += 1
        if self._refused[ordinal] > (self._server.backoff if trouble is Trouble.BUSY else 1):
            del self._refused[ordinal]  # it is well, and not asked for again
            return None
        if trouble is Trouble.BUSY:
            return Told(soon, ordinal, 1, Cause.BUSY)
        self.leave(worker)
        return Told(soon, ordinal, 1, Cause.UNREACHABLE)

    def _well(self, worker: Visitor, ordinals: range, time: float, cpu: float) -> Told:
        """As many of them as are done before the server is out; or the one that it is out for."""
        first, count = ordinals.start, len(ordinals)
        end = time + self._tape.waits(first, count) + count * cpu
        out = self._outage
        if out is None or end <= out.begin or time >= out.end:
            return Told(end, first, count)
        done, at = self._done_before(out.begin, ordinals, time, cpu)
        if done:
            return Told(at, first, done)
        asked = max(time, out.begin)
        if out.end - asked >= TIMEOUT:
            self.leave(worker)
            return Told(asked + TIMEOUT, first, 1, Cause.UNREACHABLE, waited=TIMEOUT)
        return Told(out.end + self._tape.waits(first, 1) + cpu - (asked - time), first, 1)

    def _done_before(self, limit: float, ordinals: range, time: float, cpu: float) -> tuple[int, float]:
        """How many are done by then, and when the last of them is."""
        for done, ordinal in enumerate(ordinals):
            end = time + self._tape.waits(ordinal, 1) + cpu
            if end > limit:
                return done, time
            time = end
        return len(ordinals), time

    def _silent_until(self, time: float) -> float:
        """When the server answers what it is asked at this time."""
        out = self._outage
        return out.end if out and out.begin <= time < out.end else time


def _pieces(ordinals: range, troubles: Iterator[tuple[int, Trouble]]) -> Iterator[tuple[range, Trouble | None]]:
    """Neighbours with which nothing is wrong, and each of the others by itself."""
    first = ordinals.start
    for ordinal, trouble in troubles:
        if first < ordinal:
            yield range(first, ordinal), None
        yield range(ordinal, ordinal + 1), trouble
        first = ordinal + 1
    if first < ordinals.stop:
        yield range(first, ordinals.stop), None
