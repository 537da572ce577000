"""The visit: for each mailbox of a chunk, log on, run the job, log off; yield what is to be told of it.

A session gives open mailboxes one after another (`Session.mailboxes`) and marks each in the slot before anything of it
reaches the server. A failure, of the log-on or of the job, ends that walk; a new walk goes on behind the mailbox that
failed. So nothing has to be looked at for a mailbox that is well: for jobs of microseconds that is most of the cost.

Mailboxes are taken in strides. After each the clock is read, and what was found is written down. A stride is one
mailbox wherever mailboxes take a millisecond or more, and grows only below that; so what has been found is told within
FLUSH_SECONDS, except for what the mailbox under way adds. A job that may not be called twice for a mailbox is taken by
strides of one, and each is told of before the next is begun.

Between two strides is also where a worker leaves: when its slot asks it to, or when its memory has grown too large. What it
has not begun is given to others.

This module knows no pipe and no server.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

from workers.causes import Cause
from workers.failures import describe, unwritable
from workers.messages import MAX_RESULT, Failed, Found, Leaving, Unable
from workers.slots import AT, ATTEMPT, NOWHERE, PUT_OFF, STOP
from workers.totals import NOTHING, SUMS, Totals, written

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from workers.mailbox import Mailbox
    from workers.messages import Chunk, Error, ToParent
    from workers.output import Output
    from workers.servers import Session

#: Seconds that a finding waits in the worker at the most, and bytes that wait there: frames of 64 to 128 KB cost least.
FLUSH_SECONDS = 0.1
FLUSH_BYTES = 64 * 1024

#: A stride doubles while it takes less than this and fills less than that, up to so many mailboxes.
QUICK_SECONDS = 0.001
QUICK_BYTES = 32 * 1024
LONGEST_STRIDE = 1024

#: Seconds between two looks at the worker's own memory: each costs some microseconds.
WEIGH_SECONDS = 0.1

_encoder = msgspec.json.Encoder(enc_hook=written)


class Record(msgspec.Struct, gc=False):
    """The record of a mailbox that is done, as it stands in the JSONL file."""

    mailbox: str
    ok: bool
    result: object
    attempts: int
    seconds: float


class ServerRecord(Record, gc=False):
    """The same, of a run over several servers."""

    server: str


class Recorder(Protocol):
    """How mailboxes are visited, and what is written down of each."""

    #: When the mailbox under way was begun, on the visitor's clock.
    begun: float

    def take(self, mailboxes: Iterator[Mailbox], attempt: int, entries: list[object]) -> None:
        """Run the job over the mailboxes; append what is to be written of each. Lets the first failure through."""
        ...

    def results(self, entries: list[object]) -> list[object]:
        """The results within the entries."""
        ...


class ResultsRecorder:
    """Writes down the result alone, and loops at the speed of C."""

    def __init__(self, job: Callable[[Mailbox], object], clock: Callable[[], float]) -> None:
        self._job = job
        self._clock = clock
        self.begun = clock()

    def take(self, mailboxes: Iterator[Mailbox], attempt: int, entries: list[object]) -> None:  # noqa: ARG002
        self.begun = self._clock()
        entries.extend(map(self._job, mailboxes))

    def results(self, entries: list[object]) -> list[object]:
        return entries


class RecordsRecorder:
    """Writes down whole records. Their seconds begin where the mailbox before ended: log-on and log-off count."""

    def __init__(self, job: Callable[[Mailbox], object], clock: Callable[[], float], server: str | None = None) -> None:
        """`server`: its URL, where records tell it."""
        self._job = job
        self._clock = clock
        self._record: Callable[..., Record] = partial(ServerRecord, server=server) if server else Record
        self.begun = clock()

    def take(self, mailboxes: Iterator[Mailbox], attempt: int, entries: list[object]) -> None:
        job, clock, record = self._job, self._clock, self._record
        self.begun = clock()
        for mailbox in mailboxes:
            result = job(mailbox)
            ended = clock()
            seconds = int((ended - self.begun) * 1e6 + 0.5) / 1e6  # less of the mailbox's time than `round` takes
            entries.append(record(mailbox.address, ok=True, result=result, attempts=attempt, seconds=seconds))
            self.begun = ended

    def results(self, entries: list[object]) -> list[object]:
        return [entry.result for entry in entries if isinstance(entry, Record)]


class Muted(Exception):  # noqa: N818 - a fact about the worker's pipe
    """A job closed the pipe to the parent: nothing can be told any more. The slot names the last suspect."""


def _heard() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Terms:
    """What a visitor is held to."""

    #: Bytes of the largest result, as JSON.
    max_result: int = MAX_RESULT
    #: Bytes of resident memory beyond which the worker leaves; None for no limit.
    max_rss: int | None = None
    #: Tells the bytes of resident memory.
    resident: Callable[[], int] = int
    #: Whether a mailbox is told of before the next one is begun, so that none is ever visited again that was done.
    one_by_one: bool = False
    #: Whether the job is to do everything but write.
    dry_run: bool = False
    #: Tells whether the parent still hears what is told.
    heard: Callable[[], bool] = _heard
    #: How results become totals.
    totals: Totals = SUMS


class Visitor:
    """Visits chunks, one at a time, over one session."""

    def __init__(self, session: Session, recorder: Recorder, slot: memoryview, output: Output, terms: Terms) -> None:
        session.dry_run = terms.dry_run
        self._session = session
        self._recorder = recorder
        self._slot = slot
        self._output = output
        self.terms = terms
        self._clock: Callable[[], float] = time.monotonic
        self._stride = 1
        self._longest = 1 if terms.one_by_one else LONGEST_STRIDE
        self._weighed = self._clock()
        #: Whether the job was called for the mailbox under way.
        self._called = False
        #: Whether the chunk that was visited last took no longer than a stride may: what was found in it can wait for the next.
        self.quick = False
        #: What the worker says when it is to end; None while it is not.
        self.leaving: Leaving | Unable | None = None

    def visit(self, chunk: Chunk) -> Iterator[list[ToParent]]:
        """Yield what is to be told of the chunk, in its order; each list is meant for one write to the pipe.

        Every mailbox of the chunk is told of exactly once, in a Found or as a Failed; unless the last thing told is
        Leaving, or Unable, behind which nothing was begun. Raises Muted.
        """
        begun = self._clock()
        findings = _Findings(chunk, begun, self.terms)
        self.quick = False
        self._heed()
        self._slot[ATTEMPT], self._slot[PUT_OFF] = chunk.attempt, chunk.put_off
        while findings.next < findings.stop and not self.leaving:
            for _ in self._walk(findings):
                yield self._told(findings)
        self._slot[AT] = NOWHERE
        told = self._told(findings)
        self.quick = self._recorder.begun - begun < QUICK_SECONDS and not self.terms.one_by_one
        yield [*told, self.leaving] if self.leaving else told

    def _walk(self, findings: _Findings) -> Iterator[None]:
        """Visit mailboxes to the end of the chunk, the first failure or a reason to leave; yield when it is time to tell."""
        mailboxes = self._session.mailboxes(*findings.rest(), self._slot)
        over = False
        while not over:
            failure = self._take(mailboxes, findings)
            self._heed()
            if not self.terms.heard():
                raise Muted
            if self.terms.max_rss is not None:
                self._weigh(self.terms.max_rss)
            over = failure is not None or findings.next == findings.stop or self.leaving is not None
            if over:
                mailboxes.close()  # before anything is told: what the log-off prints belongs to what is told
            if self.terms.one_by_one or findings.due(self._recorder.begun):
                yield

    def _heed(self) -> None:
        """Leave if the slot asks for it. Raises ValueError in a fork that a job let return: its slot is released."""
        if self._slot[STOP] and self.leaving is None:
            self.leaving = Leaving("it was asked to")

    def _weigh(self, most: int) -> None:
        """Leave if the memory has grown too large, which is looked at now and then."""
        if self._recorder.begun - self._weighed < WEIGH_SECONDS:
            return
        self._weighed = self._recorder.begun
        held = self.terms.resident()
        if held > most and self.leaving is None:
            self.leaving = Leaving(f"its memory has grown to {held:,} bytes; it is to stay below {most:,}")

    def _take(self, mailboxes: Generator[Mailbox], findings: _Findings) -> BaseException | None:
        """Take one stride, and write it down. Returns what ended it early."""
        entries: list[object] = []
        stride = min(self._stride, findings.stop - findings.next)
        begun = self._clock()
        failure = self._run(mailboxes, stride, findings.chunk.attempt, entries)
        ended = self._clock()
        written = findings.write(entries, self._recorder)
        if failure is not None:
            self._judge(describe(failure), ended - self._recorder.begun, findings)
        self._recorder.begun = ended
        self._fit_stride(ended - begun, written)
        return failure

    def _judge(self, error: Error, seconds: float, findings: _Findings) -> None:
        """A mailbox failed; unless it is the account that is refused, which must not be tried at the next one."""
        if self._called and self.terms.one_by_one:
            error = msgspec.structs.replace(error, retryable=False)  # it may have written before it failed
        if error.cause is Cause.CREDENTIALS:
            self.leaving = Unable(error)
        else:
            findings.fail(error, seconds)

    def _run(
        self, mailboxes: Iterator[Mailbox], stride: int, attempt: int, entries: list[object]
    ) -> BaseException | None:
        """Append up to `stride` entries; returns what ended the stride before that, at the mailbox behind the last."""
        if self.terms.one_by_one:
            mailboxes = self._noting(mailboxes)
        try:
            self._recorder.take(islice(mailboxes, stride), attempt, entries)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of a job are outcomes, too
            return error
        if len(entries) < stride:  # a loop at the speed of C takes a StopIteration for its own end
            return RuntimeError("the job raised StopIteration, or its session ended before the chunk did")
        return None

    def _noting(self, mailboxes: Iterator[Mailbox]) -> Iterator[Mailbox]:
        """Note when a mailbox is open, and the job about to be called."""
        self._called = False
        for mailbox in mailboxes:
            self._called = True
            yield mailbox

    def _fit_stride(self, seconds: float, written: int) -> None:
        if seconds < QUICK_SECONDS and written < QUICK_BYTES:
            self._stride = min(self._stride * 2, self._longest)
        elif self._stride > 1:
            self._stride //= 2

    def _told(self, findings: _Findings) -> list[ToParent]:
        return [*self._output.take(), *findings.tell(self._clock())]


class _Findings:
    """What was found in a chunk and has not been told yet."""

    def __init__(self, chunk: Chunk, now: float, terms: Terms) -> None:
        self.chunk = chunk
        self._max_result = terms.max_result
        self._totals = terms.totals
        #: The ordinal of the next mailbox to visit, and the one behind the chunk's last.
        self.next = chunk.first
        self.stop = chunk.first + chunk.count
        self._messages: list[ToParent] = []
        self._lines: list[bytes] = []
        #: Bytes of these lines.
        self._size = 0
        #: Bytes of lines since the last telling.
        self._untold = 0
        self._total: object = NOTHING
        self._first = chunk.first
        self._told_at = now

    def rest(self) -> tuple[range, list[str] | None]:
        """The ordinals and addresses that have not been visited."""
        addresses = self.chunk.addresses
        return range(self.next, self.stop), addresses and addresses[self.next - self.chunk.first :]

    def due(self, now: float) -> bool:
        return now - self._told_at >= FLUSH_SECONDS or self._untold >= FLUSH_BYTES

    def write(self, entries: list[object], recorder: Recorder) -> int:
        """Write a line for each entry; one that can't be written fails its mailbox. Returns the bytes written."""
        before = self._untold
        try:
            self._write(entries, recorder)
        except Exception as error:  # noqa: BLE001 - whatever a result's encoding raises is that mailbox's failure
            self._write_apart(entries, recorder, error)
        return self._untold - before

    def _write(self, entries: list[object], recorder: Recorder) -> None:
        lines = _encoder.encode_lines(entries)
        if len(lines) > self._max_result:
            raise ValueError(f"it has {len(lines):,} bytes as JSON, more than the {self._max_result:,} allowed")
        self._total = self._totals.add(self._total, self._totals.fold(recorder.results(entries)))
        self._lines.append(lines)
        self._size += len(lines)
        self._untold += len(lines)
        self.next += len(entries)
        if self._size >= FLUSH_BYTES:
            self._close_found()  # one message holds no more than a stride beyond that

    def _write_apart(self, entries: list[object], recorder: Recorder, error: Exception) -> None:
        if len(entries) == 1:
            self.fail(describe(unwritable(error)), getattr(entries[0], "seconds", 0.0))
            return
        for entry in entries:
            self.write([entry], recorder)

    def fail(self, error: Error, seconds: float) -> None:
        """Note that the next mailbox failed."""
        self._close_found()
        self._messages.append(Failed(self.chunk.number, self.next, round(seconds, 6), error))
        self.next += 1
        self._first = self.next

    def tell(self, now: float) -> list[ToParent]:
        """All that has not been told."""
        self._close_found()
        messages, self._messages = self._messages, []
        self._told_at, self._untold = now, 0
        return messages

    def _close_found(self) -> None:
        count = self.next - self._first
        if count:
            total = _encoder.encode(self._total)
            self._messages.append(Found(self.chunk.number, self._first, count, b"".join(self._lines), total))
        self._lines.clear()
        self._size = 0
        self._total = NOTHING
        self._first = self.next
