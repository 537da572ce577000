"""A run in virtual time: the real dispatch, over workers and a server that are no more than the times they take.

An engine and a loop in one: it performs the commands of dispatch by putting what follows from them, and when, into a heap,
and tells dispatch of what is there first. No process, no clock, no waiting. Of several servers each has a dispatch, and the real
legs decide; what they share is the machine: its cores, and the parent's thread. Pure.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from fanout.events import (
    Begun,
    Ended,
    Event,
    Heard,
    Joined,
    KillWorker,
    Looked,
    Reading,
    Retry,
    Send,
    Spot,
    StartWorker,
    StopWorker,
    TerminateWorker,
)
from fanout.forecast.cores import sharing
from fanout.forecast.model import HELD
from fanout.forecast.server_run import ServerRun
from fanout.forecast.timeline import Timeline
from fanout.forecast.visits import Told, Visitor
from fanout.legs import Legs
from fanout.policy import ORDINARY
from workers.causes import Cause
from workers.messages import Chunk, Error, Failed, Found, Ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.dispatch import Dispatch
    from fanout.events import Command
    from fanout.forecast.model import Machine, Setting
    from fanout.forecast.server_run import World
    from fanout.loop import Decisions
    from fanout.policy import Policy

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


class VirtualRun:
    """One run, from its call to its last mailbox."""

    def __init__(self, worlds: Sequence[World], setting: Setting, machine: Machine, policy: Policy = ORDINARY) -> None:
        """`worlds`: the servers, each of which has as many workers as the setting says."""
        #: The ordinal of each server's first mailbox.
        self._firsts = [*accumulate([world.count for world in worlds[:-1]], initial=0)]
        starts = zip(worlds, self._firsts, strict=True)
        self.servers = [ServerRun(world, setting, policy, first) for world, first in starts]
        self.dispatch = _decisions([server.dispatch for server in self.servers])
        self.workers, self.sessions = Timeline(), Timeline()
        self._machine = machine
        self._visitors = [
            Visitor(place, [0.0] * server.lanes) for place, server in enumerate(self.servers * setting.workers)
        ]
        lanes = setting.workers * max(server.lanes for server in self.servers)
        self._places = range(len(worlds))
        #: Of each server, those that share the cores.
        self._lanes = [0] * len(worlds)
        self._cores = sharing([(world.server, world.tape.mean) for world in worlds], machine.cores, lanes)
        self._always_looks = policy.rate is not None
        self._due: list[_Due] = []
        #: Events that were caused so far.
        self.happened = 0
        #: When the next worker can be started, and when one can be let go: one is after the other.
        self._template_free = machine.begin
        self._let_go = 0.0
        #: At what workers hang, and since when; whether somebody will look.
        self._hanging: dict[int, Told] = {}
        self._looking = False

    def seconds(self) -> float:
        """Seconds until every mailbox is settled, or the run stops, and its workers are let go."""
        now = self._machine.begin
        self._perform(self.dispatch.handle(Begun(), now), now)
        for server in self.servers:
            server.begun = server.living
        while not self.dispatch.finished:
            due = heapq.heappop(self._due)
            if self._is_stale(due):
                continue
            now = max(now, due.time)
            event = self._as_it_is_now(due, now)
            self._perform(self.dispatch.handle(event, now), now)
            self._finish_chunks(due.worker, due.chunks, now)
            now += self._cost(event)
            self._take_note(self._places if isinstance(event, Looked) else (due.worker % len(self.servers),), now)
        return now + self._machine.end * sum(server.living for server in self.servers)

    def _server(self, worker: int) -> ServerRun:
        """The one that a worker is of (fanout/legs.py)."""
        return self.servers[worker % len(self.servers)]

    # --- what is performed --------------------------------------------------------------------------------------------

    def _perform(self, commands: Iterable[Command], now: float) -> None:
        for command in commands:
            match command:
                case Send(worker, chunk):
                    self._send(self._visitors[worker], chunk, now)
                case StartWorker(worker):
                    self._start(self._visitors[worker], now)
                case Retry(ordinal):
                    self.servers[bisect_right(self._firsts, ordinal) - 1].waiting.add(ordinal)
                case TerminateWorker(worker) if worker in self._hanging:
                    ended = Ended(worker, "SIGTERM", (self._hanging[worker].first,))
                    self._happen(now, self._visitors[worker], ended)
                case StopWorker(worker) | KillWorker(worker) if self._server(worker).dispatch.finished:
                    self._let_go = max(self._let_go, now) + self._machine.end
                    self._happen(self._let_go, self._visitors[worker], Ended(worker, "exit code 0", ()))
                case _:
                    pass  # what is kept is kept nowhere, and only who hangs, or has nothing more to do, is asked to end

    def _start(self, worker: Visitor, now: float) -> None:
        """Workers are forked one after the other."""
        server = self._server(worker.number)
        server.living += 1
        server.coming.add(worker.number)
        self._count_lanes(worker)
        worker.free = [0.0] * len(worker.free)
        self._template_free = max(self._template_free, now) + self._machine.start
        self._happen(self._template_free + self._machine.pipe, worker, Heard(worker.number, Ready()))

    def _send(self, worker: Visitor, chunk: Chunk, now: float) -> None:
        place = worker.number % len(self.servers)
        server = self.servers[place]
        if chunk.count == 1:
            server.waiting.discard(chunk.first)
        before, begun = server.visits.sessions, now + self._machine.pipe
        if not worker.chunks:
            server.begin_work(begun)
            server.coming.discard(worker.number)
            self._count_lanes(worker)
            self.workers.add(begun, 1)
        worker.chunks += 1
        if worker.number not in self._hanging:
            cpu = self._cores.seconds(place, self._lanes)
            self._tell(worker, chunk, sorted(server.visits.chunk(worker, chunk, begun, cpu)))
        self.sessions.add(begun, server.visits.sessions - before)

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
        self.happened += 1
        heapq.heappush(self._due, _Due(time, self.happened, worker.number, worker.life, event, chunks))

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
        server = self._server(worker.number)
        server.visits.leave(worker)
        worker.life += 1
        server.living -= 1
        server.coming.discard(worker.number)
        self._count_lanes(worker)
        self._hanging.pop(worker.number, None)

    def _finish_chunks(self, number: int, chunks: int, now: float) -> None:
        """Note that a worker is done with some of its chunks, and perhaps with all."""
        if not chunks:
            return
        worker = self._visitors[number]
        worker.chunks -= chunks
        if not worker.chunks:
            self._server(number).end_work(now)
            self._count_lanes(worker)
            self.workers.add(now, -1)

    def _count_lanes(self, worker: Visitor) -> None:
        """Another number of them shares the cores, of the server that a worker is of."""
        place = worker.number % len(self.servers)
        self._lanes[place] = self.servers[place].computing

    def _cost(self, event: Event) -> float:
        """Seconds that the parent needs for an event: it does one after the other."""
        found = event.message.count if isinstance(event, Heard) and isinstance(event.message, Found) else 0
        return self._machine.hear + found * self._machine.note

    # --- looks --------------------------------------------------------------------------------------------------------

    def _take_note(self, places: Sequence[int], now: float) -> None:
        """Of how far these servers have come; and see to it that somebody looks.

        The parent looks at its workers once a second; here only where there may be something to be seen.
        """
        wanted = self._always_looks or bool(self._hanging)
        for place in places:
            server = self.servers[place]
            server.note(now)
            wanted = wanted or server.wants_a_look
        if wanted and not self._looking and not self.dispatch.finished:
            self._looking = True
            self.happened += 1
            heapq.heappush(self._due, _Due(self.dispatch.wake_at(now), self.happened, 0, 0, Looked([])))


def _decisions(dispatches: Sequence[Dispatch]) -> Decisions:
    """Who decides: the dispatch of a server, or the legs of several, whose names nobody asks for here."""
    return dispatches[0] if len(dispatches) == 1 else Legs([""] * len(dispatches), dispatches, _nobody_joins)


def _nobody_joins(joined: Joined) -> Dispatch:
    raise RuntimeError(f"{joined}, and every server was there when the run began")


def _still(worker: Visitor, at: int) -> Reading:
    """What is seen of a worker that hangs: its other lanes are done long before that matters."""
    idle = [Spot(None, 0)] * (len(worker.free) - 1)
    return Reading(worker.number, (Spot(at, 0), *idle), 0)


def _heard(worker: Visitor, chunk: Chunk, told: Told) -> Event:
    if told.cause is None:
        return Heard(worker.number, Found(chunk.number, told.first, told.number, b"1\n" * told.number, b"1"))
    return Heard(worker.number, Failed(chunk.number, told.first, told.waited, _ERRORS[told.cause]))
