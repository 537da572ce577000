"""One run of a job with one setting, measured: in a process apart, with a ledger that is gone with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fanout import facts
from fanout.bench.apart import WorkFailedError, apart
from fanout.bench.settings import AUTO, Connections, demanding
from fanout.bench.verdict import Sample
from fanout.conduct import Conductor, Outlet, Workforce
from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.ledger import TemporaryLedger
from fanout.machine import share_of_memory
from fanout.policy import Limits, Policy
from fanout.progress import Silent
from workers.marks import WritesNotAllowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.bench.settings import Setting
    from fanout.conduct import Mailboxes, Report, Task
    from fanout.errors import FanoutError
    from fanout.roster import Roster

_ERRORS: dict[str, type[FanoutError]] = {
    error.__name__: error for error in (UsageError, CredentialsError, StoppedError)
}


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with every setting alike."""

    mailboxes: Mailboxes
    task: Task

    def survey(self, settings: Sequence[Setting]) -> Roster:
        """List the roster, and see that every setting can be had. Raises what `Conductor.survey` raises."""
        return [self._survey(setting) for setting in demanding(settings)][-1]

    def first(self, count: int) -> Work:
        """The same with the first so many of the mailboxes."""
        return replace(self, mailboxes=replace(self.mailboxes, choice=replace(self.mailboxes.choice, limit=count)))

    def measure(self, setting: Setting) -> Sample:
        """What a run takes, from the listing of its roster until its last process is gone.

        Raises UsageError, CredentialsError or StoppedError for a run that does not come to its end.
        """
        try:
            cost, told = apart(lambda: msgspec.msgpack.encode(self._run(setting)))
        except WorkFailedError as error:
            raise StoppedError("the process that led a run was killed before the run had ended") from error
        ran = msgspec.msgpack.decode(told, type=_Ran | _Refused)
        if isinstance(ran, _Refused):
            raise _ERRORS[ran.kind](ran.message)
        return Sample(ran.wall, cost.cpu, ran.first, cost.peak, ran.mailboxes, ran.failed)

    def _survey(self, setting: Setting) -> Roster:
        with Conductor(self.mailboxes, _workforce(setting), TemporaryLedger(self.task.recording)) as conductor:
            return conductor.survey()[0]

    def _run(self, setting: Setting) -> _Ran | _Refused:
        watch = _Stopwatch()
        try:
            report = self._conduct(setting, watch)
        except (UsageError, CredentialsError, StoppedError) as error:
            return _Refused(type(error).__name__, _words(error))
        if stopped := facts.stopped_by(report):
            return _Refused(StoppedError.__name__, stopped)
        wall = time.monotonic() - watch.begun
        return _Ran(wall, wall if watch.first is None else watch.first, report.roster.count, report.merge.failed)

    def _conduct(self, setting: Setting, watch: _Stopwatch) -> Report:
        task = replace(self.task, policy=Policy(Limits(max_rss=share_of_memory(setting.workers))))
        with Conductor(self.mailboxes, _workforce(setting), TemporaryLedger(task.recording)) as conductor:
            roster, how = conductor.survey()
            return conductor.run(task, roster, how, Outlet(watch))


class _Ran(msgspec.Struct, frozen=True, tag=True):
    """A run that came to its end."""

    wall: float
    first: float
    mailboxes: int
    failed: int


class _Refused(msgspec.Struct, frozen=True, tag=True):
    """A run that did not, by which kind of error."""

    kind: str
    message: str


class _Stopwatch(Silent):
    """A progress that notes when the first mailbox has its outcome."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        #: Seconds since then; None before there is an outcome.
        self.first: float | None = None

    def show(self, now: float, settled: int, failed: int, count: int) -> None:  # noqa: ARG002 - a progress is told so
        if settled and self.first is None:
            self.first = time.monotonic() - self.begun


def _workforce(setting: Setting) -> Workforce:
    return Workforce(
        setting.workers,
        None if setting.chunk_size == AUTO else setting.chunk_size,
        setting.connections is Connections.SEPARATE,
        setting.start_method,
        setting.concurrency,
    )


def _words(error: FanoutError) -> str:
    if str(error) == str(WritesNotAllowed()):
        return "the job says that it writes, and a bench would have it write again and again: take one that only reads"
    return str(error)
