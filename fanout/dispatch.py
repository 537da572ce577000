"""THE HEART: (event, now) -> commands. Everything a run decides is decided here.

Pure: no process, no pipe, no clock; the same events at the same times give the same commands. `loop` carries events in
and commands out, an engine performs them.

What it guarantees, whatever the events and their order:

1. Every ordinal of the roster is settled exactly once, by a Keep or by a Settle.
2. A worker has at most CREDIT chunks: one under way and one waiting, which hides the pipe; none is larger than the
   partition says, and so than the capacity.
3. A worker that dies costs the mailbox it was at, by the slot, one attempt; the others it had are given to anyone, with
   no attempt counted. A mailbox at which workers died TRIES times is settled as a crash.
4. What a worker says must fit what it was given: its chunks in order, and in each the mailboxes in order. If not, the
   worker is killed, and what it said is not believed.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, assert_never

import msgspec

from fanout.events import (
    Babbled,
    Begun,
    Command,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    KillWorker,
    Note,
    Send,
    Settle,
    StartWorker,
)
from workers.causes import Cause
from workers.messages import (
    Announced,
    Chunk,
    Error,
    Failed,
    Found,
    Listed,
    Printed,
    Ready,
    Unable,
)

if TYPE_CHECKING:
    from fanout.partition import Partition
    from workers.messages import ToParent

_decode = msgspec.json.Decoder().decode

#: Chunks that a worker has at a time: the one it works on, and one that waits so that it never does.
CREDIT = 2

#: Workers that a mailbox may take with it before it is settled as a crash: one could be chance, two are a pattern.
TRIES = 2

#: Workers in a row that may die at no mailbox with nothing done in between, before the run gives up: they can't work here.
DEATHS_IN_VAIN = 5


class _State(Enum):
    """The life of a worker."""

    #: Its process was asked for and has not said Ready.
    STARTING = "starting"
    #: It takes chunks.
    READY = "ready"
    #: It was told to die; whatever it still says is not heard.
    DYING = "dying"
    #: It has no process.
    GONE = "gone"


class _Flight(msgspec.Struct):
    """A chunk that a worker has."""

    chunk: Chunk
    #: The ordinal of the next mailbox that the worker has to tell of.
    next: int

    @property
    def stop(self) -> int:
        return self.chunk.first + self.chunk.count


class _Worker(msgspec.Struct):
    state: _State = _State.GONE
    #: The chunks it has, in the order in which it was given them.
    flights: deque[_Flight] = msgspec.field(default_factory=deque)


class _Again(msgspec.Struct, frozen=True):
    """Neighbours that go out again."""

    first: int
    stop: int
    attempt: int


class Dispatch:
    """A run's decisions, from Begun to the last mailbox."""

    def __init__(self, count: int, partition: Partition, workers: int) -> None:
        #: Mailboxes of the roster, and how many of them are settled.
        self.count = count
        self.settled = 0
        self.failed = 0
        #: Why the run ended early; None while it goes on and when it ended well.
        self.stopped_by: Error | Interrupted | None = None
        self._partition = partition
        self._workers = [_Worker() for _ in range(workers)]
        #: The first ordinal that was never given out.
        self._fresh = 0
        self._again: deque[_Again] = deque()
        self._chunks = 0
        self._died_at: dict[int, int] = {}
        self._in_vain = 0

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to be told: every mailbox is settled, or the run was stopped."""
        return self.settled == self.count or self.stopped_by is not None

    def handle(self, event: Event, now: float) -> list[Command]:  # noqa: ARG002 - what takes time will ask for it
        """The commands that an event asks for, in the order in which they are to be performed.

        Raises RuntimeError for an event that cannot be (a worker speaks that has no process), and changes nothing.
        """
        match event:
            case Heard(worker, message):
                return self._heard(worker, message)
            case Begun():
                wanted = min(len(self._workers), self._chunks_left())
                return [self._start(number) for number in range(wanted)]
            case Ended(worker, how, at):
                return self._ended(worker, how, at)
            case Babbled(worker, _):
                return self._kill(worker)
            case Interrupted():
                self.stopped_by = event
                return []
            case _:
                assert_never(event)

    # --- what a worker says -------------------------------------------------------------------------------------------

    def _heard(self, number: int, message: ToParent) -> list[Command]:
        worker = self._workers[number]
        if worker.state is _State.GONE:
            raise RuntimeError(f"worker {number} speaks and has no process: {message}")
        if worker.state is _State.DYING:
            return []
        return self._told(number, worker, message)

    def _told(self, number: int, worker: _Worker, message: ToParent) -> list[Command]:
        match message:
            case Found():
                return self._found(number, worker, message)
            case Failed():
                return self._failed(number, worker, message)
            case Printed():
                return self._printed(number, message)
            case Ready():
                worker.state = _State.READY
                return self._feed(number, worker)
            case Unable():
                self.stopped_by = message.error
                return []
            case Announced() | Listed():
                return self._kill(number)  # it was not asked for a roster
            case _:
                assert_never(message)

    def _found(self, number: int, worker: _Worker, found: Found) -> list[Command]:
        flight = self._flight(worker, found.chunk, found.first, found.count)
        total = _fold_of(found)
        if flight is None or total is None:
            return self._kill(number)
        self.settled += found.count
        kept = Keep(number, found, flight.chunk.attempt, total.value)
        return [kept, *self._advance(number, worker, found.count)]

    def _failed(self, number: int, worker: _Worker, failed: Failed) -> list[Command]:
        flight = self._flight(worker, failed.chunk, failed.ordinal, 1)
        if flight is None:
            return self._kill(number)
        self.settled += 1
        self.failed += 1
        settled = Settle(failed.ordinal, flight.chunk.attempt, failed.seconds, failed.error)
        return [settled, *self._advance(number, worker, 1)]

    def _printed(self, number: int, printed: Printed) -> list[Command]:
        if printed.ordinal >= self.count:  # the mailbox may be done: threads of a job print when they like
            return self._kill(number)
        return [Note(printed)]

    def _flight(self, worker: _Worker, chunk: int, first: int, count: int) -> _Flight | None:
        """The worker's first chunk, if these are the next mailboxes of it."""
        if not worker.flights:
            return None
        flight = worker.flights[0]
        fits = flight.chunk.number == chunk and flight.next == first and 0 < count <= flight.stop - first
        return flight if fits else None

    def _advance(self, number: int, worker: _Worker, count: int) -> list[Command]:
        """Note that the worker has told of `count` mailboxes; when the chunk is done with them, give it the next one."""
        self._in_vain = 0
        flight = worker.flights[0]
        flight.next += count
        if flight.next < flight.stop:
            return []
        worker.flights.popleft()
        return self._feed(number, worker)

    # --- life and death -----------------------------------------------------------------------------------------------

    def _start(self, number: int) -> Command:
        self._workers[number].state = _State.STARTING
        return StartWorker(number)

    def _kill(self, number: int) -> list[Command]:
        """End a worker that is not to be believed. What it has goes out again when it has ended."""
        worker = self._workers[number]
        if worker.state is _State.DYING:
            return []
        worker.state = _State.DYING
        return [KillWorker(number)]

    def _ended(self, number: int, how: str, at: int | None) -> list[Command]:
        worker = self._workers[number]
        if worker.state is _State.GONE:
            raise RuntimeError(f"worker {number} ended and had no process")
        worker.state = _State.GONE
        flights, worker.flights = worker.flights, deque()
        settled: list[Command] = []
        blamed = False
        for flight in flights:
            if at is not None and flight.next <= at < flight.stop:
                blamed = True
                settled += self._blame(flight, at, how)
            elif flight.next < flight.stop:
                self._again.append(_Again(flight.next, flight.stop, flight.chunk.attempt))
        self._in_vain = 0 if blamed else self._in_vain + 1
        if self._in_vain >= DEATHS_IN_VAIN:
            self.stopped_by = _cannot_work(how)
            return settled
        return [*settled, *self._feed_all(), *self._restart()]

    def _blame(self, flight: _Flight, at: int, how: str) -> list[Command]:
        """Give out what a dead worker left, the mailbox that it was at alone, or settle that one."""
        attempt = flight.chunk.attempt
        if flight.next < at:
            self._again.append(_Again(flight.next, at, attempt))
        if at + 1 < flight.stop:
            self._again.append(_Again(at + 1, flight.stop, attempt))
        deaths = self._died_at.get(at, 0) + 1
        if deaths < TRIES:
            self._died_at[at] = deaths
            self._again.append(_Again(at, at + 1, attempt + 1))
            return []
        self._died_at.pop(at, None)
        self.settled += 1
        self.failed += 1
        return [Settle(at, attempt, 0.0, _crashed(how, deaths))]

    def _restart(self) -> list[Command]:
        """Start workers again while there is more to give out than the living can take."""
        living = sum(worker.state is not _State.GONE for worker in self._workers)
        wanted = min(len(self._workers), living + self._chunks_left())
        gone = [n for n, worker in enumerate(self._workers) if worker.state is _State.GONE]
        return [self._start(number) for number in gone[: wanted - living]]

    # --- work ---------------------------------------------------------------------------------------------------------

    def _feed(self, number: int, worker: _Worker) -> list[Command]:
        """Fill the worker's credit."""
        commands: list[Command] = []
        while len(worker.flights) < CREDIT and (chunk := self._next_chunk()):
            worker.flights.append(_Flight(chunk, chunk.first))
            commands.append(Send(number, chunk))
        return commands

    def _feed_all(self) -> list[Command]:
        """Fill every worker's credit: there is work again for those that had run out of it."""
        ready = [(n, worker) for n, worker in enumerate(self._workers) if worker.state is _State.READY]
        return [command for number, worker in ready for command in self._feed(number, worker)]

    def _next_chunk(self) -> Chunk | None:
        """What goes out next: first what came back from the dead, then the roster in its order."""
        if self._again:
            return self._chunk_of(self._again.popleft())
        remaining = self.count - self._fresh
        if not remaining:
            return None
        first = self._fresh
        self._fresh += self._partition.size(remaining)
        return self._chunk_of(_Again(first, self._fresh, 1))

    def _chunk_of(self, neighbours: _Again) -> Chunk:
        self._chunks += 1
        return Chunk(
            number=self._chunks,
            first=neighbours.first,
            count=neighbours.stop - neighbours.first,
            attempt=neighbours.attempt,
        )

    def _chunks_left(self) -> int:
        """Chunks that can be given out now, counted only as far as it takes to start every worker."""
        remaining, chunks = self.count - self._fresh, len(self._again)
        while remaining and chunks < len(self._workers):
            remaining -= self._partition.size(remaining)
            chunks += 1
        return chunks


class _Fold(msgspec.Struct):
    """A fold that could be read."""

    value: object


def _fold_of(found: Found) -> _Fold | None:
    """The fold of what was found; None where it can't be read, or the lines are not as many as the mailboxes."""
    lines = found.lines
    if lines.count(b"\n") != found.count or not lines.endswith(b"\n") or b"\n\n" in lines:
        return None
    try:
        return _Fold(_decode(found.total))
    except msgspec.DecodeError:
        return None


def _crashed(how: str, deaths: int) -> Error:
    return Error(
        type="WorkerDied",
        message=f"the worker died while it was at this mailbox ({how}), {deaths} times",
        cause=Cause.CRASH,
    )


def _cannot_work(how: str) -> Error:
    return Error(
        type="WorkersDie",
        message=f"{DEATHS_IN_VAIN} workers in a row ended before they did anything, the last by {how}",
        cause=Cause.CRASH,
    )
