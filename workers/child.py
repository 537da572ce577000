"""The subprocess's entry, and the only pipe in the child.

A worker takes messages from one pipe until that ends, and writes what it has to say to another one. It ignores SIGINT,
which a terminal sends to all: the parent decides. SIGTERM keeps its default action, for a Python handler does not run
while a job is inside C code. It leaves by `os._exit`: nothing that a job left behind (threads, exit handlers) can hold it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

from workers.failures import describe
from workers.loading import load
from workers.messages import (
    Announced,
    Begin,
    Chunk,
    FrameReader,
    Listed,
    ListMailboxes,
    Names,
    Ready,
    Recording,
    ToParent,
    ToWorker,
    Unable,
    frame,
)
from workers.output import Output
from workers.servers import server_at
from workers.slots import Slots
from workers.visit import RecordsRecorder, ResultsRecorder, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.servers import Server
    from workers.visit import Recorder

#: Bytes asked of a pipe at a time; a pipe holds 64 KiB unless told otherwise.
READ_BYTES = 2**16

#: The exit code of a worker that met a bug in fanout (EX_SOFTWARE of sysexits.h).
BUG = 70

#: Names in one page of the roster: a page of long names still fits a frame of 64 to 128 KB.
PAGE = 1000


def main(inbox: int, outbox: int, slots: int, number: int) -> NoReturn:
    """Be worker `number` until the pipe `inbox` ends. The arguments are descriptors, which are the worker's own now."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.register_at_fork(after_in_child=lambda: os.close(outbox))  # what a job forks can't speak for its worker
    _quiet_standard_streams()
    slot = Slots(slots, number + 1).writer(number)
    output = Output(slot)
    output.capture()
    try:
        _work(_Pipe(inbox, outbox), slot, output)
    except BrokenPipeError:  # the parent is gone: nobody is left to be told
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a bug in fanout, which must be seen
        traceback.print_exc(file=sys.__stderr__)
        os._exit(BUG)
    os._exit(0)


def _quiet_standard_streams() -> None:
    """Keep jobs off the terminal: no input, and what C code prints to stdout goes to stderr."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)


class _Pipe:
    """Both ends of the conversation with the parent."""

    def __init__(self, inbox: int, outbox: int) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._reader: FrameReader[ToWorker] = FrameReader(ToWorker)

    def messages(self) -> Iterator[ToWorker]:
        """What the parent says, until it ends the pipe."""
        while data := os.read(self._inbox, READ_BYTES):
            yield from self._reader.feed(data)

    def tell(self, messages: Iterable[ToParent]) -> None:
        """Write the messages in one piece. Blocks while the parent does not read: so a slow sink slows the workers."""
        data = memoryview(b"".join(map(frame, messages)))
        while data:
            data = data[os.write(self._outbox, data) :]


def _work(pipe: _Pipe, slot: memoryview, output: Output) -> None:
    messages = pipe.messages()
    begin = next(messages, None)
    if not isinstance(begin, Begin):
        return
    try:
        server = server_at(begin.server, separate_connections=begin.separate_connections)
        visitor = _visitor(begin, server, slot, output) if begin.job else None
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent must hear of it
        pipe.tell([Unable(describe(error))])
        return
    pipe.tell([Ready()])
    for message in messages:
        if isinstance(message, Chunk) and visitor:
            for told in visitor.visit(message):
                pipe.tell(told)
        elif isinstance(message, ListMailboxes):
            for page in _listing(server, message):
                pipe.tell([page])


def _visitor(begin: Begin, server: Server, slot: memoryview, output: Output) -> Visitor:
    assert begin.job is not None
    job = load(begin.job, begin.options)
    recorder: Recorder
    recorder = (
        RecordsRecorder(job, time.monotonic)
        if begin.recording is Recording.RECORDS
        else ResultsRecorder(job, time.monotonic)
    )
    return Visitor(server.session(), recorder, slot, output, begin.max_result)


def _listing(server: Server, wanted: ListMailboxes) -> Iterator[ToParent]:
    """What the server announces, its names by pages, and an empty page."""
    try:
        yield Announced(server.capacity, server.arithmetic, server.numbered, server.source)
        if wanted.names is Names.ALL or (wanted.names is Names.UNNUMBERED and server.numbered is None):
            yield from _pages(server.addresses())
    except Exception as error:  # noqa: BLE001 - a server that can't be listed ends the run, with its reason
        yield Unable(describe(error))
    else:
        yield Listed([])


def _pages(addresses: Iterator[str]) -> Iterator[Listed]:
    while page := list(islice(addresses, PAGE)):
        yield Listed(page)
