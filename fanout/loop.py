"""The loop: joins dispatch, engine and merge, and carries the only clock.

engine --events--> dispatch --commands--> engine (start, send, kill)
                                     \\--> merge  (keep, settle, note)

What concerns roster workers is taken out of the events first, by an ear that may be given.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, assert_never

import msgspec

from fanout.errors import UsageError
from fanout.events import (
    Begun,
    DumpStacks,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    KillWorker,
    Looked,
    Note,
    Reading,
    Resized,
    Retry,
    Risk,
    Safe,
    Send,
    Settle,
    StartWorker,
    StopWorker,
    TerminateWorker,
)
from fanout.lives import Lives
from fanout.orders import Answer, answer, event_of
from fanout.voices import NoJournal

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from fanout.control import Call
    from fanout.crew import State
    from fanout.events import Command
    from fanout.helm import Helm
    from fanout.merge import Merge
    from fanout.progress import Progress
    from fanout.roster import Roster
    from fanout.staff import Asked, Standing
    from fanout.voices import Journal
    from workers.messages import Begin, Error, Message

#: Seconds between two commits: what a crash of the whole machine may cost, in work done again.
COMMIT_SECONDS = 1.0

#: What asks a run to end: a terminal that is closed, too.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


#: Takes what happened, and gives on what concerns the run.
Ear = Callable[[list[Event]], list[Event]]


class Engine(Protocol):
    """Who performs the commands that need processes."""

    @property
    def wake(self) -> socket.socket:
        """Whoever writes to it makes `wait` return."""
        ...

    def start(self, number: int, begin: Begin) -> None: ...
    def send(self, number: int, message: Message) -> None: ...
    def post(self, number: int, message: Message) -> None: ...
    def kill(self, number: int) -> None: ...
    def retire(self, number: int) -> None: ...
    def stop(self, number: int) -> None: ...
    def dump(self, number: int) -> None: ...
    def terminate(self, number: int) -> None: ...
    def make_room(self, count: int) -> None: ...
    def attending(self, source: int) -> AbstractContextManager[None]: ...
    def look(self) -> list[Reading]: ...
    def wait(self, timeout: float | None) -> list[Event]: ...
    def finish(self) -> list[Event]: ...
    def close(self) -> None: ...


class Decisions(Protocol):
    """Who decides: dispatch, or the legs of a run over several servers."""

    @property
    def count(self) -> int: ...
    @property
    def settled(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def stopped_by(self) -> Error | Asked | None: ...
    @property
    def finished(self) -> bool: ...
    @property
    def standing(self) -> Standing: ...
    @property
    def states(self) -> list[State]: ...
    def wake_at(self, now: float) -> float: ...
    def handle(self, event: Event, now: float) -> list[Command]: ...


def _all(events: list[Event]) -> list[Event]:
    return events


class Loop:
    """One run, from the first worker to the last mailbox."""

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        dispatch: Decisions,
        engine: Engine,
        begins: Sequence[Begin],
        roster: Roster,
        merge: Merge,
        ear: Ear = _all,
    ) -> None:
        """`begins`: what the workers of each server are told first. `ear`: hears first what the engine tells."""
        self._dispatch = dispatch
        self._engine = engine
        self._begins = begins
        self._roster = roster
        self._merge = merge
        self._ear = ear
        self._journal: Journal = NoJournal()
        self._has_sent = False
        self._calendar: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._lives = Lives(merge.before.sitting, merge.before.lives)
        self._clock = clock()

    def run(self, progress: Progress, helm: Helm, journal: Journal) -> None:
        """Go on until every mailbox is settled or something stops the run; commit what was settled in any case."""
        self._journal = journal
        dispatch, engine = self._dispatch, self._engine
        events: list[Event] = [Begun()]
        committed, look_at = self._clock(), math.inf
        with _signals(engine.wake) as caught, helm.attended(engine):
            while True:
                now = self._clock()
                self._handle(events, now)
                progress.show(now, dispatch.settled, self._merge.failed, dispatch.count)
                if dispatch.finished:
                    break
                if now - committed >= COMMIT_SECONDS:
                    self._commit(now)
                    committed = now
                look_at = min(look_at, dispatch.wake_at(now))
                events = self._ear(engine.wait(max(0.0, min(look_at, committed + COMMIT_SECONDS) - now)))
                if caught:
                    events += self._interrupts(caught, progress)
                looked = self._clock() >= look_at
                if looked:
                    events.append(Looked(engine.look()))
                    look_at = math.inf
                if looked or not events:  # a run that is busy looks for orders once a second, and pays nothing for it
                    self._steer(helm, self._clock())  # it may have been stopped meanwhile, by Ctrl-Z
                    progress.goes(dispatch.standing.going)
        self._end_lives(now)
        if dispatch.stopped_by is None:
            self._note_ends(engine.finish())

    def _interrupts(self, caught: list[int], progress: Progress) -> list[Event]:
        """The signals that came. One that comes while the run ends already ends it at once, and there is nothing to be told."""
        if not self._dispatch.standing.closing:
            progress.draining()
        return [Interrupted(caught.pop(0)) for _ in range(len(caught))]

    def _end_lives(self, now: float) -> None:
        self._lives.notice(Looked(self._engine.look()), now)  # a short run has not looked before
        self._lives.end(now)
        self._commit(now)

    def _steer(self, helm: Helm, now: float) -> None:
        """Do what is asked of the run from outside."""
        for call in helm.calls():
            helm.answer(call, self._obey(call, now))
        if closed := helm.closed(self._calendar()):
            self._handle([closed], now)

    def _obey(self, call: Call, now: float) -> Answer:
        """Carry out an order, as far as it can be."""
        before, event = self._dispatch.standing, event_of(call.order, call.who)
        if isinstance(event, Resized):
            try:
                self._engine.make_room(event.workers * len(self._begins))
            except UsageError as error:
                return Answer(str(error), heeded=False)
        self._handle([event], now)
        after = self._dispatch.standing
        if after.paused != before.paused:
            self._merge.pause(now if after.paused else None)
        return answer(call.order, before, after)

    def _handle(self, events: list[Event], now: float) -> None:
        for event in events:
            if not isinstance(event, Heard):
                self._lives.notice(event, now)
                if isinstance(event, Ended):
                    self._journal.note(event)
            for command in self._dispatch.handle(event, now):
                self._perform(command, now)
            if self._dispatch.finished:
                return

    def _note_ends(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Ended):
                self._journal.note(event)

    def _perform(self, command: Command, now: float) -> None:
        match command:
            case Send():
                self._send(command)
            case Keep():
                self._merge.accept(command, self._lives.stamp(command.worker, now))
            case Settle() | Retry():
                self._failed(command, now)
            case Risk() | Safe() | Note():
                self._merge.remember(command)
            case StartWorker(worker, server):
                self._lives.begin(worker, now)
                self._journal.note(command)
                self._engine.start(worker, self._begins[server])
            case StopWorker() | DumpStacks() | TerminateWorker() | KillWorker():
                self._end(command)
            case _:
                assert_never(command)

    def _send(self, command: Send) -> None:
        if not self._has_sent:
            self._has_sent = True
            self._journal.note(command)
        chunk = command.chunk
        if not self._roster.numbered:
            chunk = msgspec.structs.replace(chunk, addresses=self._roster.names(chunk.ordinals))
        self._engine.post(command.worker, chunk)

    def _failed(self, command: Settle | Retry, now: float) -> None:
        if isinstance(command, Settle):
            self._merge.accept(command, self._lives.stamp(command.worker, now))
        else:
            self._merge.remember(command)
        self._journal.note(command)

    def _commit(self, now: float) -> None:
        lives = self._lives
        self._merge.muster(lives.changed(), lives.standings(self._dispatch.states, now))
        self._merge.commit()

    def _end(self, command: StopWorker | DumpStacks | TerminateWorker | KillWorker) -> None:
        """The ways in which a worker comes to its end, the gentlest first."""
        match command:
            case StopWorker(worker):
                self._engine.stop(worker)
                self._engine.retire(worker)  # one that waits for a chunk looks at no slot: its pipe's end tells it
            case DumpStacks(worker):
                self._engine.dump(worker)
            case TerminateWorker(worker):
                self._engine.terminate(worker)
            case KillWorker(worker):
                self._engine.kill(worker)
            case _:
                assert_never(command)


def clock() -> Callable[[], float]:
    """Seconds since the epoch as they are now, and from now on monotonic: a clock that is set changes nothing here."""
    offset = time.time() - time.monotonic()  # noqa: TID251 - the one look at the clock on the wall
    return lambda: time.monotonic() + offset


@contextmanager
def _signals(wake: socket.socket) -> Iterator[list[int]]:
    """Note SIGINT, SIGTERM and SIGHUP in a list instead of being interrupted anywhere, and wake the engine.

    Only the main thread may do so; a run in another thread is not interrupted.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = [signal.signal(number, lambda number, _: caught.append(number)) for number in heeded]
    descriptor = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        yield caught
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in zip(heeded, before, strict=True):
            signal.signal(number, handler)
