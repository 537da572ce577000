"""The subprocess's entry.

A worker takes messages from one pipe until that ends, and writes what it has to say to another one. It ignores SIGINT,
which a terminal sends to all: the parent decides. SIGTERM keeps its default action, for a Python handler does not run
while a job is inside C code. It leaves by `os._exit`: nothing that a job left behind (threads, exit handlers) can hold it.

A process that a job forks is not the worker: it has no pipe and no slot. One that a job lets return finds so, and ends.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from workers import holding
from workers.failures import describe
from workers.holding import Holder
from workers.lanes import Lanes
from workers.linux import DUMP, leave_no_core, resident
from workers.loading import JobError, load
from workers.marks import Marks, WritesNotAllowed, marks_of
from workers.messages import (
    Begin,
    Chunk,
    FrameReader,
    Hold,
    ListMailboxes,
    Ready,
    Recording,
    ToWorker,
    Unable,
)
from workers.output import IMPORTED, Output
from workers.own_server import own_server, work_for
from workers.pipe import Pipe
from workers.roster import listing
from workers.servers import server_at
from workers.slots import OwnSlot, Slots, private_slot
from workers.visit import Muted, RecordsRecorder, ResultsRecorder, Terms, Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.mailbox import Mailbox
    from workers.servers import Server, Session
    from workers.slots import Slot
    from workers.visit import Recorder

#: Seconds that a worker may take to end its session: less than the parent waits for it.
CLOSE_SECONDS = 3

#: The exit code of a worker that met a bug in fanout (EX_SOFTWARE of sysexits.h).
BUG = 70


class _Self:
    """What this process is."""

    is_worker = False


def is_worker() -> bool:
    """Whether this process is a worker: then nothing in it may start a run of its own."""
    return _Self.is_worker


class Kit(NamedTuple):
    """What a worker has that is alike in all: what a template has made before it forks them costs none of them memory."""

    output: Output
    reader: FrameReader[ToWorker]


def prepare() -> Kit:
    """Do what a worker needs neither pipe nor slot for, in its own process or in that which it will be a fork of."""
    for asked in (signal.SIGINT, signal.SIGHUP):  # which a terminal sends to all of a run: the parent decides
        signal.signal(asked, signal.SIG_IGN)
    faulthandler.enable(2)
    faulthandler.register(DUMP, 2)
    output = Output(private_slot())
    output.capture()
    return Kit(output, FrameReader(ToWorker))


def main(inbox: int, outbox: int, slots: int, own: range, kit: Kit) -> NoReturn:
    """Be a worker until the pipe `inbox` ends, with the slots that are its `own`: one for each mailbox at a time.

    The other numbers are descriptors, which are the worker's own now.
    """
    _Self.is_worker = True
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _quiet_standard_streams()
    place = _Place.of(Slots(slots, own.stop), own, kit.output)
    worker = os.getpid()
    os.register_at_fork(after_in_child=lambda: _let_go(inbox, outbox, place))
    try:
        _work(Pipe(inbox, outbox, kit.reader), place)
    except BrokenPipeError:  # the parent is gone: nobody is left to be told
        os._exit(0)
    except Muted:
        while True:  # the parent sees the pipe end, kills this process, and says why
            signal.pause()
    except BaseException:  # noqa: BLE001 - a bug in fanout, which must be seen
        if os.getpid() == worker:
            traceback.print_exc(file=sys.__stderr__)
        os._exit(BUG)
    os._exit(0)


class _Place(NamedTuple):
    """Where a worker is to be seen, and what it can't say over the pipe."""

    #: One for each mailbox at a time.
    slots: list[memoryview]
    #: What threads have that visit none.
    others: memoryview
    #: The slot of whichever thread asks.
    slot: Slot
    output: Output

    @classmethod
    def of(cls, slots: Slots, own: range, output: Output) -> _Place:
        writers, others = [slots.writer(number) for number in own], private_slot()
        output.slot = slot = writers[0] if len(writers) == 1 else OwnSlot(others)
        return cls(writers, others, slot, output)


def _let_go(inbox: int, outbox: int, place: _Place) -> None:
    """Make sure that a fork cannot speak for its worker: its pipes lead nowhere, and no mailbox can be begun."""
    for slot in [*place.slots, place.others]:
        slot.release()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (inbox, outbox):  # not closed, or what the fork opens next would be taken for a pipe
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _quiet_standard_streams() -> None:
    """Keep jobs off the terminal: no input, and what C code prints to stdout goes to stderr."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)


def _work(pipe: Pipe, place: _Place) -> None:
    messages = pipe.messages()
    begin = next(messages, None)
    if not isinstance(begin, Begin):
        return
    if begin.access.user:
        leave_no_core()
    work_for(begin.server if begin.tells_server else None)
    try:
        server = server_at(begin.server, separate_connections=begin.separate_connections, access=begin.access)
        job = load(begin.job, begin.options) if begin.job else None
        terms = _terms(begin, marks_of(job), pipe)
        session = server.session(place.slot) if job or begin.holding else None
        visitors = list(_visitors(session, begin, job, place, terms)) if session and job else []
    except BaseException as error:  # noqa: BLE001 - whatever it was, the parent must hear of it
        _introduce(pipe, Unable(describe(error)))
        return
    _introduce(pipe, Ready(uncertain=terms.one_by_one))
    if begin.holding and session:
        _hold(pipe, messages, Holder(server, session, begin, holding.Place(place.slot, place.output)))
    else:
        _answer(pipe, messages, server, visitors, place)
    if session:
        _close(session)


def _close(session: Session) -> None:
    """End the session, or it would stay on the server until it expires. Nothing depends on it, so it may not take long."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends this process, whatever it is in
    signal.alarm(CLOSE_SECONDS)
    with suppress(Exception):
        session.close()


def _introduce(pipe: Pipe, first: Ready | Unable) -> None:
    with suppress(OSError):  # a job's module may have closed stderr
        os.write(2, IMPORTED)
    pipe.tell([first])


def _answer(pipe: Pipe, messages: Iterator[ToWorker], server: Server, visitors: list[Visitor], place: _Place) -> None:
    """Do what the parent asks for, until it ends the pipe or a visitor has a reason to leave."""
    chunks = (message for message in messages if isinstance(message, Chunk))
    if isinstance(place.slot, OwnSlot) and visitors:
        for told in Lanes(visitors, place.slots, place.slot).visit(chunks):
            pipe.tell(told)
    elif visitors:
        _visit(pipe, chunks, visitors[0])
    else:
        for message in messages:
            if isinstance(message, ListMailboxes):
                for page in listing(server, message, place.slot):
                    pipe.tell([page])


def _visit(pipe: Pipe, chunks: Iterable[Chunk], visitor: Visitor) -> None:
    """Visit chunks one after the other. What was found in a quick one waits for those that came with it."""
    for chunk in chunks:
        for told in visitor.visit(chunk):
            if visitor.quick and not visitor.leaving:
                pipe.hold(told)
            else:
                pipe.tell(told)
        if visitor.leaving:
            return


def _hold(pipe: Pipe, messages: Iterator[ToWorker], holder: Holder) -> None:
    """Hold mailboxes until the parent ends the pipe."""
    for message in messages:
        if isinstance(message, Hold):
            for told in holder.hold(message, messages):
                pipe.tell(told)


def _terms(begin: Begin, marks: Marks, pipe: Pipe) -> Terms:
    """What the visitor is held to. Raises WritesNotAllowed for a job that writes and may not, JobError for a merge unseen."""
    if marks.writes and not (begin.allow_writes or begin.dry_run):
        raise WritesNotAllowed
    if marks.merge and not begin.merging:
        raise JobError(
            "the job brings a merge function, and its source does not show it: `@job(merge=...)` has to stand above the "
            "function, as its only decorator, in the file that is named"
        )
    dry_run = marks.writes and begin.dry_run
    return Terms(
        max_result=begin.max_result,
        max_rss=begin.max_rss,
        resident=resident,
        one_by_one=marks.once_only and not dry_run,
        dry_run=dry_run,
        heard=pipe.is_whole,
        totals=marks.totals,
    )


def _visitors(
    session: Session, begin: Begin, job: Callable[[Mailbox], object], place: _Place, terms: Terms
) -> Iterator[Visitor]:
    """One for each slot, all with one session."""
    job = session.watched(job, begin.on_leak, place.output.leaked)
    for slot in place.slots:
        yield Visitor(session, _recorder(begin, job), slot, place.output, terms)


def _recorder(begin: Begin, job: Callable[[Mailbox], object]) -> Recorder:
    if begin.recording is Recording.RESULTS:
        return ResultsRecorder(job, time.monotonic)
    return RecordsRecorder(job, time.monotonic, own_server())
