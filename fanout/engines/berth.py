"""A berth: a task on a Dask worker, in which a worker of fanout lives as it would on the parent's machine.

    parent ==(a line)== berth: the engine of processes, for one worker == template --fork--> worker

The task runs that engine in its thread, so what a worker dies of, its slots and its memory are seen there as they are seen at
home. The line is a connection of Dask's own kind, by which the parent calls the port that the Dask worker has anyway; it is as
private as that port is, and nothing on it passes the scheduler. A berth outlives its workers, but not its line: when that
ends, for whatever reason, nothing is left of either.

Two threads: that of the task has the engine, that of the Dask worker's event loop has the line. Between them are two queues.
How much is on its way to the parent is limited: while that takes nothing, nothing is read of the worker, which waits.
"""

from __future__ import annotations

import asyncio
import platform
import tempfile
import threading
from contextlib import suppress
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import msgspec
from distributed import get_worker, secede
from distributed.core import Status

from fanout.crew import NO_ROOM
from fanout.engines.processes import ProcessEngine
from fanout.events import Babbled, Ended, Heard, Reading
from workers.linux import leave_no_core
from workers.messages import Begin, Chunk, FileJob, ListMailboxes

#: What a Dask worker calls the handler that answers for its berths.
PORT = "fanout"

#: Seconds that a berth waits for its parent's call, and a call for its berth.
MEETING = 30.0

#: Pieces of news that may be on their way to the parent: what hides the network, and little more.
WINDOW = 8

#: Starting a template changes the import path for a moment, which all threads of a Dask worker share.
_starting = threading.Lock()


# --- what crosses the line --------------------------------------------------------------------------------------------


class _Word(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Parent to berth."""


class Start(_Word, frozen=True):
    """Start the worker. `code`: what the job's file holds, where it is in a file."""

    begin: Begin
    code: bytes | None = None


class Give(_Word, frozen=True):
    """Give the worker a message."""

    message: Chunk | ListMailboxes


class Order(Enum):
    """What the engine is to do, and what concerns the berth itself."""

    RETIRE = "retire"
    STOP = "stop"
    DUMP = "dump"
    TERMINATE = "terminate"
    KILL = "kill"
    LOOK = "look"
    #: A piece of news has been taken.
    TAKEN = "taken"
    #: The berth is to end, with all that is in it.
    LEAVE = "leave"


class Do(_Word, frozen=True):
    """An order."""

    order: Order


class Imported(msgspec.Struct, frozen=True, tag=True):
    """What the import of the job printed."""

    text: str


ToBerth = Start | Give | Do
News = Heard | Babbled | Ended | Reading | Imported

encode = msgspec.msgpack.Encoder().encode
read_words: msgspec.msgpack.Decoder[list[ToBerth]] = msgspec.msgpack.Decoder(list[ToBerth])
read_news: msgspec.msgpack.Decoder[list[News]] = msgspec.msgpack.Decoder(list[News])


# --- the task ---------------------------------------------------------------------------------------------------------


class Manner(NamedTuple):
    """How workers live."""

    #: Mailboxes that each visits at a time.
    lanes: int = 1
    #: `fork`, `spawn`, or None for fork wherever that is safe.
    start_method: str | None = None


def lend(name: str, lanes: int, start_method: str | None) -> None:
    """Be the berth of this name until the parent lets it go. To be run as a task of Dask."""
    secede()  # it is no work of the Dask worker's threads: sessions are what limits it
    loop = get_worker().loop.asyncio_loop
    berth = Berth(Manner(lanes, start_method), loop)
    loop.call_soon_threadsafe(_introduce, name, berth)
    try:
        berth.serve()
    finally:
        loop.call_soon_threadsafe(_dismiss, name, berth)


class Berth:
    """The engine of processes for one worker, at the end of a line."""

    def __init__(self, manner: Manner, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = ProcessEngine(1, manner.start_method, manner.lanes)
        self._engine.show = lambda text: self._tell([Imported(text)])
        self._commands = {
            Order.RETIRE: self._engine.retire,
            Order.STOP: self._engine.stop,
            Order.DUMP: self._engine.dump,
            Order.TERMINATE: self._engine.terminate,
            Order.KILL: self._engine.kill,
        }
        self._loop = loop
        self._words: SimpleQueue[list[ToBerth]] = SimpleQueue()
        self._news: asyncio.Queue[bytes] = asyncio.Queue()
        #: Pieces of news that the parent has not taken.
        self._untaken = 0
        self._comm: Any = None
        #: Where the job's file is, when it is not where the parent has it.
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    # in the thread of the task

    def serve(self) -> None:
        """Do what the parent says until it says LEAVE, its line ends, or it never calls."""
        with self._engine:
            if self._is_called():
                self._tell([])  # the first news: here it is
                while self._obeys(self._listen()):
                    pass
        if self._folder:
            self._folder.cleanup()

    def _is_called(self) -> bool:
        try:
            return not self._words.get(timeout=MEETING)
        except Empty:
            return False

    def _listen(self) -> list[ToBerth]:
        """What the parent has said, perhaps nothing. Tells it what has happened until then."""
        if self._untaken >= WINDOW:
            return self._words.get()
        if events := self._engine.wait(None):
            self._tell(events)
        words = []
        while not self._words.empty():
            words += self._words.get()
        return words

    def _obeys(self, words: list[ToBerth]) -> bool:
        """Do what was said. False when the berth is to end."""
        for word in words:
            match word:
                case Start(begin, code):
                    self._start(begin, code)
                case Give(message):
                    self._engine.post(0, message)
                case Do(Order.LEAVE):
                    return False
                case Do(order):
                    self._do(order)
        return True

    def _start(self, begin: Begin, code: bytes | None) -> None:
        try:
            with _starting:
                self._engine.start(0, self._at_home(begin, code))
        except OSError as error:  # no room for the job's file, or for another process
            self._tell([Ended(0, NO_ROOM, (), f"{platform.node()}: {error}")])

    def _do(self, order: Order) -> None:
        match order:
            case Order.TAKEN:
                self._untaken -= 1
            case Order.LOOK:
                self._tell(self._engine.look())
            case _:
                self._commands[order](0)

    def _at_home(self, begin: Begin, code: bytes | None) -> Begin:
        """The same for this machine: a job's file that is not here, or is another one, is put into a folder."""
        if begin.access.password:
            leave_no_core()
        if not isinstance(begin.job, FileJob) or code is None or _holds(Path(begin.job.path), code):
            return begin
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="fanout-")
        path = Path(self._folder.name, Path(begin.job.path).name)
        path.write_bytes(code)
        return msgspec.structs.replace(begin, job=FileJob(str(path), begin.job.function))

    def _tell(self, news: list[Any]) -> None:
        self._untaken += 1
        self._loop.call_soon_threadsafe(self._news.put_nowait, encode(news))

    # in the thread of the Dask worker's event loop

    async def talk(self, comm: Any) -> None:  # noqa: ANN401 - Dask's connections have no types
        """Carry words and news until the line ends, on either side. The first word, of nothing, says that it is called."""
        self._comm = comm
        speaking = asyncio.ensure_future(self._speak(comm))
        self._hear([])
        try:
            while True:
                self._hear(read_words.decode(await comm.read()))
        except OSError:  # its end
            return
        finally:
            speaking.cancel()
            self._hear([Do(Order.LEAVE)])

    async def _speak(self, comm: Any) -> None:  # noqa: ANN401 - as above
        with suppress(OSError):  # whoever reads sees the end, too
            while True:
                await comm.write(await self._news.get())

    def _hear(self, words: list[ToBerth]) -> None:
        self._words.put(words)
        with suppress(OSError):  # the engine is closed: nobody needs to be woken
            self._engine.wake.send(b"\0")

    def hang_up(self) -> None:
        """End the line, if it has not ended."""
        if self._comm is not None:
            self._comm.abort()


def _holds(path: Path, code: bytes) -> bool:
    """Whether that file is there and holds this."""
    try:
        return path.read_bytes() == code
    except OSError:
        return False


# --- where a call and its berth meet, in the event loop of the Dask worker ---------------------------------------------

_berths: dict[str, asyncio.Future[Berth]] = {}


def open_port(dask_worker: Any) -> None:  # noqa: ANN401 - distributed has no types here
    """Have a Dask worker answer calls to its berths."""
    dask_worker.handlers[PORT] = answer


async def answer(comm: Any, name: str) -> Status:  # noqa: ANN401 - as above
    """The parent calls a berth, which may not be there yet."""
    try:
        berth = await asyncio.wait_for(_meeting(name), MEETING)
    except TimeoutError:
        comm.abort()
    else:
        await berth.talk(comm)
    finally:
        _berths.pop(name, None)
    return Status.dont_reply


def _meeting(name: str) -> asyncio.Future[Berth]:
    return _berths.setdefault(name, asyncio.get_running_loop().create_future())


def _introduce(name: str, berth: Berth) -> None:
    meeting = _meeting(name)
    if not meeting.done():
        meeting.set_result(berth)


def _dismiss(name: str, berth: Berth) -> None:
    _berths.pop(name, None)
    berth.hang_up()
