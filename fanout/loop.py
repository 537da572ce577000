"""The loop: joins dispatch, engine and merge, and carries the only clock.

engine --events--> dispatch --commands--> engine (start, send, kill)
                                     \\--> merge  (keep, settle, note)
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from fanout.events import Begun, Event, Interrupted, KillWorker, Send, StartWorker

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from fanout.dispatch import Dispatch
    from fanout.events import Command
    from fanout.merge import Merge
    from fanout.progress import Progress
    from fanout.roster import Roster
    from workers.messages import Begin, Message

#: Seconds between two commits: what a crash of the whole machine may cost, in work done again.
COMMIT_SECONDS = 1.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Engine(Protocol):
    """Who performs the commands that need processes."""

    @property
    def wake(self) -> socket.socket:
        """Whoever writes to it makes `wait` return."""
        ...

    def start(self, number: int, begin: Begin) -> None: ...
    def send(self, number: int, message: Message) -> None: ...
    def kill(self, number: int) -> None: ...
    def retire(self, number: int) -> None: ...
    def wait(self, timeout: float | None) -> list[Event]: ...
    def finish(self) -> None: ...


class Loop:
    """One run, from the first worker to the last mailbox."""

    def __init__(self, dispatch: Dispatch, engine: Engine, begin: Begin, roster: Roster, merge: Merge) -> None:
        self._dispatch = dispatch
        self._engine = engine
        self._begin = begin
        self._roster = roster
        self._merge = merge
        self._clock: Callable[[], float] = time.monotonic

    def run(self, progress: Progress) -> None:
        """Go on until every mailbox is settled or something stops the run; commit what was settled in any case."""
        dispatch, engine = self._dispatch, self._engine
        events: list[Event] = [Begun()]
        committed = self._clock()
        with _signals(engine.wake) as caught:
            while True:
                now = self._clock()
                self._handle(events, now)
                progress.show(now, dispatch.settled, dispatch.failed)
                if dispatch.finished:
                    break
                if now - committed >= COMMIT_SECONDS:
                    self._merge.commit()
                    committed = now
                events = engine.wait(COMMIT_SECONDS)
                events += [Interrupted(number) for number in caught]
        self._merge.commit()
        if dispatch.stopped_by is None:
            engine.finish()

    def _handle(self, events: list[Event], now: float) -> None:
        for event in events:
            for command in self._dispatch.handle(event, now):
                self._perform(command)
            if self._dispatch.finished:
                return

    def _perform(self, command: Command) -> None:
        match command:
            case Send(worker, chunk):
                if not self._roster.numbered:
                    chunk = msgspec.structs.replace(chunk, addresses=self._roster.names(chunk.ordinals))
                self._engine.send(worker, chunk)
            case StartWorker(worker):
                self._engine.start(worker, self._begin)
            case KillWorker(worker):
                self._engine.kill(worker)
            case settled:
                self._merge.accept(settled)


@contextmanager
def _signals(wake: socket.socket) -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM in a list instead of being interrupted anywhere, and wake the engine.

    Only the main thread may do so; a run in another thread is not interrupted.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = [signal.signal(number, lambda number, _: caught.append(number)) for number in _SIGNALS]
    descriptor = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        yield caught
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
