"""The engine of a Dask cluster: performs the commands of dispatch, and tells what happened there.

    parent ==(a line)== berth on a Dask worker, with its worker        as many as the run has workers

A berth is a task of Dask, in which the engine of processes runs for one worker (`berth`); here are the other ends of their lines.
A berth and its template stay when their worker ends: the next one is a fork of the same template. A line that ends takes its
worker with it, as does the Dask worker that is lost: this is the worker's end, and the next one is given another berth, wherever
a session is free. Dask runs no task twice by itself, and knows nothing of chunks.

Dask's client has a thread of its own, with an event loop in which the lines live (`line`, `cluster`). It is the only thread
beside the run's, and nothing is forked here. What it hears is put into a queue, and `wait` is woken.

What is said goes out with the next `wait`. A look is answered with what the look before has seen: the answer to this one is on its way.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
from concurrent import futures
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from fanout.crew import LEFT, LOST
from fanout.engines.berth import Do, Give, Imported, Manner, Order, Start, read_news
from fanout.engines.line import PATIENCE, Line, Lost, Told
from fanout.errors import UsageError
from fanout.events import Ended, Event, Heard, Reading
from workers.causes import Cause
from workers.messages import Chunk, Error, FileJob, ListMailboxes, Unable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.engines.berth import News, ToBerth
    from fanout.engines.cluster import Cluster
    from workers.messages import Begin, Message

#: With what the name of every task begins.
TASK = "fanout worker"

#: How a worker ends for which no berth could be had.
NO_BERTH = "the want of a berth on the Dask cluster"

#: Bytes of wakes taken at a time.
WAKES = 2**12


class DaskEngine:
    """Workers in berths on the Dask workers of a cluster. `close` ends them all."""

    def __init__(self, cluster: Cluster, manner: Manner, purpose: str) -> None:
        """`purpose`: what the workers are for, as Dask's dashboard shows it."""
        self._cluster = cluster
        self._manner = manner
        self._purpose = purpose
        self._lines: dict[int, Line] = {}
        self._told: SimpleQueue[Told | Lost] = SimpleQueue()
        self._events: list[Event] = []
        self._woken, self.wake = _pair()
        self._heard, self._hears = _pair()
        self._selector = selectors.DefaultSelector()
        for end in (self._woken, self._heard):
            self._selector.register(end, selectors.EVENT_READ, end)
        #: Of lines that were let go: done when nothing is left of them.
        self._ends: list[futures.Future[Lost]] = []
        #: Whether what the import of the job printed was shown.
        self._shown = False

    # --- commands -----------------------------------------------------------------------------------------------------

    def make_room(self, count: int) -> None:
        """Be able to have workers of numbers below `count`. Raises UsageError where the cluster has not as many sessions."""
        self._cluster.make_room(count)

    def start(self, number: int, begin: Begin) -> None:
        """Start worker `number`, which has no process now. Its first message will be Ready or Unable.

        Raises UsageError when a password would cross a network that others may listen to.
        """
        access = begin.access
        if access.password and not (access.plaintext or self._cluster.is_private):
            raise UsageError(
                "the password would go to the Dask workers over a network without TLS; use a cluster with TLS, or consent "
                "with --plaintext"
            )
        line = self._lines.get(number)
        if line is None:
            title = f"{TASK} {number} of {self._purpose}"
            line = self._lines[number] = Line(self._cluster, number, title, self._manner, self._tell)
        line.lives += 1
        line.lives_on, line.reading = True, None
        line.unsaid.append(Start(begin, _code_of(begin)))

    def send(self, number: int, message: Message) -> None:
        """Give the worker a message, after those it was given before."""
        assert isinstance(message, Chunk | ListMailboxes)
        self._say(number, Give(message))

    post = send

    def stop(self, number: int) -> None:
        """Ask the worker to leave before it begins another mailbox."""
        self._say(number, Do(Order.STOP))

    def dump(self, number: int) -> None:
        """Have the worker write the stacks of its threads to its last words."""
        self._say(number, Do(Order.DUMP))

    def terminate(self, number: int) -> None:
        """Ask the worker's process to end, by SIGTERM."""
        self._say(number, Do(Order.TERMINATE))

    def kill(self, number: int) -> None:
        """Kill the worker. One whose Dask worker does not obey in time is lost with it."""
        self._say(number, Do(Order.KILL))
        if number in self._lines and not self._dismissed(number, "SIGKILL"):
            self._lines[number].expect_end()

    def retire(self, number: int) -> None:
        """Tell the worker that there is nothing more to do."""
        self._say(number, Do(Order.RETIRE))
        self._dismissed(number, LEFT)

    def _say(self, number: int, word: ToBerth) -> None:
        line = self._lines.get(number)
        if line and line.lives_on:
            line.unsaid.append(word)

    def _dismissed(self, number: int, how: str) -> bool:
        """End a worker whose berth there is not yet, and may not be for long; whether it was such a one."""
        line = self._lines.get(number)
        if line is None or line.reached:
            return False
        self._let_go(line)
        self._end(line, Ended(number, how, ()))
        return True

    def look(self) -> list[Reading]:
        """What was last seen of each worker, in the order in which their berths were asked for."""
        alive = [line for line in self._lines.values() if line.lives_on and line.reached]
        for line in alive:
            line.unsaid.append(Do(Order.LOOK))
        return [line.reading for line in alive if line.reading]

    # --- events -------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None) -> list[Event]:
        """What happened, in order; waits up to `timeout` seconds for the first of it. None waits for ever.

        Returns early, perhaps with nothing, when something is written to `wake`, or can be read from what it attends to.
        """
        woken = False
        while True:
            for line in self._lines.values():
                line.flush()
            if self._events or woken:
                break
            ready = [key.data for key, _ in self._selector.select(timeout)]
            if not ready:
                break
            for end in ready:
                if end is not None:  # what is attended to is for others to read
                    end.recv(WAKES)
            woken = self._woken in ready or None in ready
            self._hear()
        events, self._events = self._events, []
        return events

    @contextmanager
    def attending(self, source: int) -> Iterator[None]:
        """Have `wait` return early while there is something to be read from the descriptor `source`, which is for others
        to read."""
        self._selector.register(source, selectors.EVENT_READ)
        yield
        self._selector.unregister(source)

    def _tell(self, what: Told | Lost) -> None:
        """In the thread of the client: have it heard by this one."""
        self._told.put(what)
        with suppress(OSError):  # full of wakes, or closed
            self._hears.send(b"\0")

    def _hear(self) -> None:
        while not self._told.empty():
            what = self._told.get()
            if self._lines.get(what.line.number) is not what.line:
                continue  # it was let go
            if isinstance(what, Lost):
                self._lose(what)
            else:
                self._take(what.line, what.news)

    def _take(self, line: Line, news: bytes) -> None:
        try:
            found = read_news.decode(news)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._lose(Lost(line, f"what came over its line says nothing: {error}"))
            self._let_go(line)
            return
        line.unsaid.append(Do(Order.TAKEN))
        for each in found:
            self._take_one(line, each)

    def _take_one(self, line: Line, news: News) -> None:
        match news:
            case Imported(text):
                self._show(text)
            case Reading():
                line.reading = msgspec.structs.replace(news, worker=line.number)
            case Ended():
                self._end(line, msgspec.structs.replace(news, worker=line.number))
            case Heard(_, Unable(error)):
                there = f"{error.message} (on the Dask worker {line.address})"
                self._events.append(Heard(line.number, Unable(msgspec.structs.replace(error, message=there))))
            case _:
                self._events.append(msgspec.structs.replace(news, worker=line.number))

    def _lose(self, lost: Lost) -> None:
        """A line has ended: another one is made when the next worker is started."""
        if lost.bug:
            raise lost.bug
        line = lost.line
        if self._lines.pop(line.number, None) and line.lives_on:
            if lost.for_good:
                error = Error("ClusterGone", lost.why, Cause.UNREACHABLE)
                self._events.append(Heard(line.number, Unable(error)))
            how = LOST if line.reached else NO_BERTH
            pid = line.reading.pid if line.reading else None
            self._end(line, Ended(line.number, how, (), lost.why, pid))

    def _end(self, line: Line, ended: Ended) -> None:
        line.lives_on = False
        self._events.append(ended)

    def _let_go(self, line: Line) -> None:
        """Have nothing more to do with it."""
        self._lines.pop(line.number, None)
        self._ends.append(line.ended)
        line.leave()

    def _show(self, text: str) -> None:
        """Let the user see what the import of the job had to say, once."""
        if not self._shown:
            self._shown = True
            sys.stderr.write(text)
            sys.stderr.flush()

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> list[Event]:
        """Let every worker end its session and leave, and tell of it; those that take too long are left to `close`."""
        for number in list(self._lines):
            self.retire(number)
        last: list[Event] = []
        while any(line.lives_on for line in self._lines.values()) and (events := self.wait(PATIENCE)):
            last += events
        return [*last, *self.wait(0.0)]

    def close(self) -> None:
        """End every berth that is left, and what lives there. May be called again."""
        for line in list(self._lines.values()):
            self._let_go(line)
        futures.wait(self._ends, timeout=3 * PATIENCE)
        self._selector.close()
        for end in (self._woken, self.wake, self._heard, self._hears):
            end.close()


def _code_of(begin: Begin) -> bytes | None:
    """What the job's file holds, where it is in one: the other machine may not have it, or another one of that name."""
    with suppress(OSError):  # the worker says so
        return Path(begin.job.path).read_bytes() if isinstance(begin.job, FileJob) else None
    return None


def _pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        os.set_blocking(end.fileno(), False)
    return ends
