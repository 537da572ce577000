"""A run from its plan to its report: list the roster, cut it, go through it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fanout import jobs
from fanout.dispatch import Dispatch
from fanout.errors import UsageError
from fanout.helm import UNSTEERED, Helm
from fanout.listing import Listing
from fanout.loop import Loop
from fanout.merge import Merge
from fanout.partition import partition
from fanout.policy import Policy
from fanout.roster import Choice, Roster, write_down
from fanout.survey import Survey
from fanout.voices import Journal, NoJournal
from fanout.workplace import THIS_MACHINE, Workplace
from workers.access import ANYBODY, Access
from workers.causes import Cause
from workers.child import is_worker
from workers.messages import MAX_RESULT, Begin, Error, Job, OnLeak, Recording
from workers.servers import server_at
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanout.events import Joined
    from fanout.ledger import Ledger
    from fanout.loop import Decisions
    from fanout.partition import Partition
    from fanout.progress import Progress
    from fanout.sink import Sink
    from fanout.staff import Asked
    from fanout.work import Rest
    from workers.messages import Announced
    from workers.servers import Server

T = TypeVar("T")

#: Which worker of the engine asks for the roster; it has ended before others are started.
_ROSTER_WORKER = 0


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Which mailboxes of which server."""

    server: str
    choice: Choice = field(default_factory=Choice)
    #: The names, where they do not come from the server, and what they were read from.
    names: Iterable[str] | None = None
    names_from: str = ""
    #: As whom the server is asked.
    access: Access = ANYBODY
    #: Further servers of the same run, and the names on each of all of them, where they do not come from the servers.
    others: tuple[str, ...] = ()
    names_on: Callable[[str], Iterable[str]] | None = None

    @property
    def servers(self) -> tuple[str, ...]:
        return (self.server, *self.others)


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who does the work, and in what portions."""

    #: Worker processes; as many as this process may use cores unless said otherwise.
    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    #: Mailboxes a chunk; None for guided chunks.
    chunk_size: int | None = None
    separate_connections: bool = False
    #: `fork`, `spawn`, or None for fork wherever that is safe.
    start_method: str | None = None
    #: Mailboxes that a worker has open and visits at a time.
    concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """What is done at each mailbox."""

    job: Job
    options: dict[str, Any] = field(default_factory=dict)
    recording: Recording = Recording.RECORDS
    #: Bytes of the largest result, as JSON.
    max_result: int = MAX_RESULT
    #: Whether a job that writes may be run, and whether it is told to do everything but write.
    allow_writes: bool = False
    dry_run: bool = False
    policy: Policy = field(default_factory=Policy)
    #: What becomes of interfaces that the job does not release.
    on_leak: OnLeak = OnLeak.RECLAIM


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    roster: Roster
    merge: Merge
    #: What ended it before every mailbox had its outcome; None when every one has.
    stopped_by: Error | Asked | None


class Conductor:
    """Leads a run, or the plan of one. A context manager: on leaving it no process is left."""

    def __init__(
        self, mailboxes: Mailboxes, workforce: Workforce, ledger: Ledger, workplace: Workplace = THIS_MACHINE
    ) -> None:
        """Nothing is started yet. Raises UsageError for a server's URL or a number of workers that can't be used."""
        self._server = check(mailboxes, workforce)
        self._mailboxes = mailboxes
        self._workforce = workforce
        self._ledger = ledger
        #: Mailboxes that a session can hold, known when the roster is; None for no ceiling.
        self.capacity: int | None = None
        self._engine = workplace.engine(workforce)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def survey(self, patience: float | None = None) -> tuple[Roster, Partition]:  # noqa: ARG002 - there is no other server to begin with
        """List the roster into the ledger, and decide how it is cut.

        Raises UsageError for an empty roster and for a chunk or a concurrency above the capacity, CredentialsError when
        the server refuses the account, StoppedError when it can't be listed.
        """
        return self._list(partial(cut, self._workforce))

    def survey_capacity(self) -> tuple[Roster, int | None]:
        """List the roster into the ledger; how many of its mailboxes a session can hold, None for no ceiling.

        Raises what `survey` raises, and UsageError when a session can hold none.
        """
        return self._list(_capacity)

    def _list(self, decide: Callable[[Announced], T]) -> tuple[Roster, T]:
        """The roster, and what is decided by what the server announces."""
        begin = begin_of(self._mailboxes, self._workforce, None)
        survey = Survey(self._mailboxes, self._server, decide, partial(Listing, self._engine, _ROSTER_WORKER, begin))
        survey.start()
        while not survey.ended:
            for event in self._engine.wait(None):
                survey.hear(event)
        if survey.error:
            raise survey.error
        self.capacity = survey.announced.capacity
        roster = self._roster(survey)
        if not roster.count:
            raise UsageError(
                f"no mailbox is left to visit: there is none, or none was chosen, where the roster is {roster.source}"
            )
        return roster, decide(survey.announced)

    def _roster(self, survey: Survey) -> Roster:
        source = self._mailboxes.names_from or survey.announced.source
        if survey.numbered is not None:
            return Roster(survey.numbered, source, self._computed_names, numbered=True)
        count, whole = write_down(self._ledger, survey.names(), self._mailboxes.choice.shard)
        return Roster(count, source, self._ledger.names, numbered=False, whole=whole)

    def _computed_names(self, ordinals: range) -> list[str]:
        return [self._server.address(ordinal) for ordinal in ordinals]

    def run(self, task: Task, roster: Roster, how: Partition, outlet: Outlet, todo: Rest | None = None) -> Report:
        """Go through the roster, or through what is left `todo` of it.

        Raises UsageError when workers can't have the job, StoppedError when the ledger or the sink takes no more.
        """
        merge = Merge(self._ledger, roster, outlet.sink, jobs.marks(task.job).totals)
        force, left = self._workforce, todo.within(range(roster.count)) if todo else None
        dispatch = Dispatch(roster.count, how, force.workers, task.policy, left, lanes=force.concurrency)
        loop = Loop(dispatch, self._engine, [begin_of(self._mailboxes, force, task)], roster, merge)
        return Report(roster, merge, lead(dispatch, loop, outlet))


def begin_of(mailboxes: Mailboxes, force: Workforce, task: Task | None) -> Begin:
    """What every worker of the first server is told first; a roster worker has no task."""
    where = (mailboxes.server, force.separate_connections)
    if task is None:
        return Begin(*where, Recording.RESULTS, access=mailboxes.access)
    return Begin(
        *where,
        task.recording,
        task.job,
        task.options,
        task.max_result,
        task.allow_writes,
        task.dry_run,
        task.policy.limits.max_rss,
        task.on_leak,
        access=mailboxes.access,
        merging=jobs.marks(task.job).merge is not None,
    )


def check(mailboxes: Mailboxes, workforce: Workforce) -> Server:
    """The first server. Raises UsageError for a server's URL or a number of workers that can't be used."""
    if is_worker():
        raise UsageError(
            "a job, or the file that it is in, starts a run of its own in a worker; "
            "what is to happen in the calling program alone stands under `if __name__ == '__main__':`"
        )
    _check_workforce(workforce)
    if not isinstance(mailboxes.server, str):
        raise UsageError(f"{mailboxes.server!r} is no server: a server is given by a URL, as in 'sim:1000'")
    try:
        return server_at(mailboxes.server, access=mailboxes.access)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error


def lead(decisions: Decisions, loop: Loop, outlet: Outlet) -> Error | Asked | None:
    """Go through a run to its end; what ended it early. Raises UsageError when workers can't have the job."""
    settled = decisions.settled
    loop.run(outlet.progress, outlet.helm, outlet.journal)
    stopped = decisions.stopped_by
    if isinstance(stopped, Error) and stopped.cause is Cause.JOB and decisions.settled == settled:
        raise UsageError(stopped.message)  # no worker could have the job
    return stopped


def _check_workforce(force: Workforce) -> None:
    """Raise UsageError for what a caller in Python may have got wrong; the command line checks its own words."""
    if not _is_count(force.workers):
        raise UsageError(f"{force.workers!r} workers: a run needs a whole number of them, at least 1")
    if force.chunk_size is not None and not _is_count(force.chunk_size):
        raise UsageError(f"a chunk of {force.chunk_size!r} mailboxes: a chunk has a whole number of them, at least 1")
    if not _is_count(force.concurrency):
        raise UsageError(f"a concurrency of {force.concurrency!r}: it is a whole number of mailboxes, at least 1")
    if force.start_method not in {None, "fork", "spawn"}:
        raise UsageError(f"there is no start method {force.start_method!r}; there are fork and spawn")


def cut(force: Workforce, announced: Announced | Server) -> Partition:
    """How the mailboxes of a server are cut for so many workers. Raises ValueError."""
    check_concurrency(force.concurrency, announced)
    return partition(force.chunk_size, force.workers, announced.capacity, announced.arithmetic)


def _capacity(announced: Announced) -> int | None:
    """How many mailboxes a session holds. Raises ValueError when that is none."""
    if announced.capacity == 0:
        raise ValueError(f"no mailbox can be held open: {announced.arithmetic}")
    return announced.capacity


def check_concurrency(concurrency: int, announced: Announced | Server) -> None:
    """Raise ValueError for more mailboxes at a time than a session holds."""
    if announced.capacity is not None and concurrency > announced.capacity:
        raise ValueError(
            f"a concurrency of {concurrency} is more than the {announced.capacity} mailboxes that one session can hold "
            f"open: {announced.arithmetic}"
        )


def _is_count(number: object) -> bool:
    return type(number) is int and number >= 1


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a run is heard of, beside its ledger."""

    progress: Progress
    sink: Sink | None = None
    helm: Helm = UNSTEERED
    journal: Journal = field(default_factory=NoJournal)
    #: Is told of each server that joins late, or is left out from now on.
    joined: Callable[[str, Joined], object] = lambda _, __: None
