"""A run in virtual time: the real dispatch, over workers and a server that are no more than the times they take.

An engine and a loop in one: it performs the commands of dispatch by putting what follows from them, and when, into a heap,
and tells dispatch of what is there first. No process, no clock, no waiting. Pure.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fanout.dispatch import Dispatch
from fanout.events import Begun, Ended, Event, Heard, Looked, Reading, Retry, Send, Spot, StartWorker, TerminateWorker
from fanout.forecast.model import HELD, computing
from fanout.forecast.timeline import Timeline
from fanout.forecast.visits import Told, Visitor, Visits
from fanout.policy import ORDINARY
from workers.causes import Cause
from workers.messages import Chunk, Error, Failed, Found, Ready

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanout.events import Command
    from fanout.forecast.model import Machine, Outage, Server, Setting
    from fanout.forecast.tape import Tape
    from fanout.partition import Partition
    from fanout.policy import Policy

#: Shares of the mailboxes between which the pace of a run is taken: all workers are at work, and none has run out of it.
STEADY = (0.15, 0.45)

_ERRORS = {cause: Error("Forecast", "", cause, retryable=cause.retryable) for cause in Cause}


class _Due(NamedTuple):
    """What will happen, unless the worker's process ends before."""

    time: float
    #: Events of the same time come in the order in which they were caused.
    place: int
    worker: int
    life: int
    event: Event
    #: Chunks that the worker is done with.
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What a run meets."""

    server: Server
    #: The server's mailboxes.
    tape: Tape
    machine: Machine
    outage: Outage | None = None


class Steady:
    """The pace of a run while all of its workers are at work."""

    def __init__(self, count: int) -> None:
        self._shares = [share * count for share in STEADY]
        #: When so many were settled, for each of the shares.
        self._marks: list[tuple[float, int]] = []

    def note(self, now: float, settled: int) -> None:
        """So many are settled now."""
        if len(self._marks) < len(self._shares) and settled >= self._shares[len(self._marks)]:
            self._marks.append((now, settled))

    @property
    def each(self) -> float:
        """Seconds by which a mailbox more makes the run longer; 0 for a run that ended before it had a pace."""
        if len(self._marks) < len(self._shares):
            return 0.0
        (begin, few), (end, many) = self._marks
        return (end - begin) / max(1, many - few)


class VirtualRun:
    """One run, from its call to its last mailbox."""

    def __init__(self, count: int, setting: Setting, how: Partition, world: World, policy: Policy = ORDINARY) -> None:
        server, machine = world.server, world.machine
        lanes = setting.lanes if server.separate else 1
        self.dispatch = Dispatch(count, how, setting.workers, policy, lanes=setting.lanes)
        self.workers, self.sessions = Timeline(), Timeline()
        self.steady = Steady(count)
        self._machine = machine
        self._visits = Visits(server, world.tape, world.outage)
        self._visitors = [Visitor(number, [0.0] * lanes) for number in range(setting.workers)]
        self._computing = computing(server, world.tape.mean, machine.cores, setting.workers * lanes)
        self._always_looks = policy.rate is not None
        self._due: list[_Due] = []
        self._happened = 0
        self._at_work = 0
        #: Workers that have no chunk yet: those who have one will soon share the cores with them.
        self._coming: set[int] = set()
        self._template_free = machine.begin
        #: Workers that have a process, and how many had one to begin with.
        self._living = self._begun = 0
        #: Mailboxes that wait for another attempt; at what workers hang, and since when; whether somebody will look.
        self._waiting: set[int] = set()
        self._hanging: dict[int, Told] = {}
        self._looking = False

    def seconds(self) -> float:
        """Seconds until every mailbox is settled, or the run stops, and its workers are let go."""
        now = self._machine.begin
        self._perform(self.dispatch.handle(Begun(), now), now)
        self._begun = self._living
        while not self.dispatch.finished:
            due = heapq.heappop(self._due)
            if self._is_stale(due):
                continue
            now = max(now, due.time)
            event = self._as_it_is_now(due, now)
            self._perform(self.dispatch.handle(event, now), now)
            self._finish_chunks(due.worker, due.chunks, now)
            now += self._cost(event)
            self.steady.note(now, self.dispatch.settled)
            self._see_to_it_that_somebody_looks(now)
        return now + self._machine.end * self._living

    # --- what is performed --------------------------------------------------------------------------------------------

    def _perform(self, commands: Iterable[Command], now: float) -> None:
        for command in commands:
            match command:
                case Send(worker, chunk):
                    self._send(self._visitors[worker], chunk, now)
                case StartWorker(worker):
                    self._start(self._visitors[worker], now)
                case Retry(ordinal):
                    self._waiting.add(ordinal)
                case TerminateWorker(worker) if worker in self._hanging:
                    ended = Ended(worker, "SIGTERM", (self._hanging[worker].first,))
                    self._happen(now, self._visitors[worker], ended)
                case _:
                    pass  # what is kept is kept nowhere, and only who hangs is asked to end

    def _start(self, worker: Visitor, now: float) -> None:
        """Workers are forked one after the other."""
        self._living += 1
        self._coming.add(worker.number)
        worker.free = [0.0] * len(worker.free)
        self._template_free = max(self._template_free, now) + self._machine.start
        self._happen(self._template_free + self._machine.pipe, worker, Heard(worker.number, Ready()))

    def _send(self, worker: Visitor, chunk: Chunk, now: float) -> None:
        if chunk.count == 1:
            self._waiting.discard(chunk.first)
        before, begun = self._visits.sessions, now + self._machine.pipe
        if not worker.chunks:
            self._at_work += 1
            self.workers.add(begun, 1)
        worker.chunks += 1
        self._coming.discard(worker.number)
        if worker.number not in self._hanging:
            lanes = (self._at_work + len(self._coming)) * len(worker.free)
            cpu = self._computing[min(lanes, len(self._computing) - 1)]
            self._tell(worker, chunk, sorted(self._visits.chunk(worker, chunk, begun, cpu)))
        self.sessions.add(begun, self._visits.sessions - before)

    def _tell(self, worker: Visitor, chunk: Chunk, told: list[Told]) -> None:
        """Have the parent hear of a chunk, part by part."""
        late = self._machine.pipe + (HELD if len(worker.free) > 1 else 0.0)
        for place, part in enumerate(told, 1):
            if not part.last:
                self._happen(part.time + late, worker, _heard(worker, chunk, part), chunks=int(place == len(told)))
            elif part.cause is Cause.STALL:
                self._hanging[worker.number] = part
            else:
                self._happen(part.time + late, worker, Ended(worker.number, "SIGSEGV", (part.first,)))

    def _happen(self, time: float, worker: Visitor, event: Event, chunks: int = 0) -> None:
        self._happened += 1
        heapq.heappush(self._due, _Due(time, self._happened, worker.number, worker.life, event, chunks))

    # --- what has happened --------------------------------------------------------------------------------------------

    def _is_stale(self, due: _Due) -> bool:
        return not isinstance(due.event, Looked) and self._visitors[due.worker].life != due.life

    def _as_it_is_now(self, due: _Due, now: float) -> Event:
        """An event with what is to be known of it only when it happens; note that a worker has ended, or somebody looks."""
        if isinstance(due.event, Looked):
            self._looking = False
            hanging = [(number, told) for number, told in self._hanging.items() if told.time <= now]
            return Looked([_still(self._visitors[number], told.first) for number, told in hanging])
        if isinstance(due.event, Ended):
            self._bury(self._visitors[due.worker], now)
        return due.event

    def _bury(self, worker: Visitor, now: float) -> None:
        """A worker has ended: what it would have told is stale."""
        self._finish_chunks(worker.number, worker.chunks, now)
        self.sessions.add(now, -worker.sessions)
        self._visits.leave(worker)
        worker.life += 1
        self._living -= 1
        self._coming.discard(worker.number)
        self._hanging.pop(worker.number, None)

    def _finish_chunks(self, number: int, chunks: int, now: float) -> None:
        """Note that a worker is done with some of its chunks, and perhaps with all."""
        if not chunks:
            return
        worker = self._visitors[number]
        worker.chunks -= chunks
        if not worker.chunks:
            self._at_work -= 1
            self.workers.add(now, -1)

    def _cost(self, event: Event) -> float:
        """Seconds that the parent needs for an event: it does one after the other."""
        found = event.message.count if isinstance(event, Heard) and isinstance(event.message, Found) else 0
        return self._machine.hear + found * self._machine.note

    # --- looks --------------------------------------------------------------------------------------------------------

    def _see_to_it_that_somebody_looks(self, now: float) -> None:
        """The parent looks at its workers once a second; here only where there may be something to be seen."""
        if not self._looking and (self._waiting or self._hanging or self._living < self._begun or self._always_looks):
            self._looking = True
            self._happened += 1
            heapq.heappush(self._due, _Due(self.dispatch.wake_at(now), self._happened, 0, 0, Looked([])))


def _still(worker: Visitor, at: int) -> Reading:
    """What is seen of a worker that hangs: its other lanes are done long before that matters."""
    idle = [Spot(None, 0)] * (len(worker.free) - 1)
    return Reading(worker.number, (Spot(at, 0), *idle), 0)


def _heard(worker: Visitor, chunk: Chunk, told: Told) -> Event:
    if told.cause is None:
        return Heard(worker.number, Found(chunk.number, told.first, told.number, b"1\n" * told.number, b"1"))
    return Heard(worker.number, Failed(chunk.number, told.first, told.waited, _ERRORS[told.cause]))
