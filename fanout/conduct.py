"""A run from its plan to its report: list the roster, cut it, go through it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import chain, islice
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
from fanout.roster import Choice, Roster, Sharing
from fanout.voices import Journal, NoJournal
from fanout.workplace import THIS_MACHINE, Workplace
from workers.access import ANYBODY, Access
from workers.causes import Cause
from workers.child import is_worker
from workers.messages import MAX_RESULT, Begin, Error, Job, ListMailboxes, Names, OnLeak, Recording
from workers.servers import server_at
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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

#: Characters of a mailbox's name: an SMTP address has 320 at the most, a legacyExchangeDN may have more.
LONGEST_NAME = 1024

#: Names in one page of the ledger's roster.
PAGE = 1000


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


class EmptyRosterError(UsageError):
    """No mailbox is left to visit."""


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

    def survey(self) -> tuple[Roster, Partition]:
        """List the roster into the ledger, and decide how it is cut.

        Raises UsageError for an empty roster and for a chunk or a concurrency above the capacity, CredentialsError when
        the server refuses the account, StoppedError when it can't be listed.
        """
        return self._list(self._cut)

    def survey_capacity(self) -> tuple[Roster, int | None]:
        """List the roster into the ledger; how many of its mailboxes a session can hold, None for no ceiling.

        Raises what `survey` raises, and UsageError when a session can hold none.
        """
        return self._list(_capacity)

    def _list(self, decide: Callable[[Announced], T]) -> tuple[Roster, T]:
        """The roster, and what is decided by what the server announces, before any name is listed."""
        given, wanted = self._given()
        with Listing(self._engine, begin_of(self._mailboxes, self._workforce, None), wanted) as listing:
            announced = listing.announced()
            self.capacity = announced.capacity
            try:
                decided = decide(announced)
            except ValueError as error:
                raise UsageError(str(error)) from error
            roster = self._roster(announced, listing.names() if given is None else given)
        if not roster.count:
            raise EmptyRosterError(
                f"no mailbox is left to visit: there is none, or none was chosen, where the roster is {roster.source}"
            )
        return roster, decided

    def _given(self) -> tuple[Iterator[str] | None, ListMailboxes]:
        """The names where they were given, and what a roster worker is asked for. Raises UsageError."""
        mailboxes = self._mailboxes
        if mailboxes.names is None:
            if self._server.unlisted:
                raise UsageError(self._server.unlisted)
            return None, ListMailboxes(mailboxes.choice.names)
        names = iter(mailboxes.names)
        first = next(names, None)
        if first is None:
            return iter(()), ListMailboxes(Names.NONE)
        return chain([first], names), ListMailboxes(Names.NONE, _one_line(first))

    def _cut(self, announced: Announced) -> Partition:
        """How the roster is cut. Raises ValueError."""
        force = self._workforce
        check_concurrency(force.concurrency, announced)
        return partition(force.chunk_size, force.workers, announced.capacity, announced.arithmetic)

    def run(self, task: Task, roster: Roster, how: Partition, outlet: Outlet, todo: Rest | None = None) -> Report:
        """Go through the roster, or through what is left `todo` of it.

        Raises UsageError when workers can't have the job, StoppedError when the ledger or the sink takes no more.
        """
        merge = Merge(self._ledger, roster, outlet.sink, jobs.marks(task.job).totals)
        force, left = self._workforce, todo.within(range(roster.count)) if todo else None
        dispatch = Dispatch(roster.count, how, force.workers, task.policy, left, lanes=force.concurrency)
        loop = Loop(dispatch, self._engine, [begin_of(self._mailboxes, force, task)], roster, merge)
        return Report(roster, merge, lead(dispatch, loop, outlet))

    def _roster(self, announced: Announced, names: Iterator[str]) -> Roster:
        choice = self._mailboxes.choice
        source = self._mailboxes.names_from or announced.source
        if announced.numbered is not None and self._mailboxes.names is None and not choice.by_name:
            count = choice.of_count(announced.numbered)
            return Roster(count, source, self._computed_names, numbered=True)
        wanted = choice.of(map(_one_line, names))
        if choice.shard is None:
            return Roster(self._write_down(wanted), source, self._ledger.names, numbered=False)
        sharing = Sharing(choice.shard)
        count = self._write_down_shard(sharing.of(wanted))
        return Roster(count, source, self._ledger.names, numbered=False, whole=sharing.whole)

    def _computed_names(self, ordinals: range) -> list[str]:
        return [self._server.address(ordinal) for ordinal in ordinals]

    def _write_down(self, names: Iterator[str]) -> int:
        """Put the names into the ledger, by pages; returns how many there are."""
        count = 0
        while page := list(islice(names, PAGE)):
            self._ledger.add_names(page)
            count += len(page)
        return count

    def _write_down_shard(self, names: Iterator[tuple[int, str]]) -> int:
        """The same with the names of a shard, and their places in the whole."""
        count = 0
        while page := list(islice(names, PAGE)):
            self._ledger.add_names([name for _, name in page], [place for place, _ in page])
            count += len(page)
        return count


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


def _one_line(name: object) -> str:
    """The name, which the ledger keeps in a line. Raises UsageError for one that is none."""
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        shown = repr(name) if len(repr(name)) < 80 else f"{name!r:.80}..."
        raise UsageError(
            f"{shown} can't be the name of a mailbox: a name is one line of text, {LONGEST_NAME:,} characters at the most"
        )
    return name


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a run is heard of, beside its ledger."""

    progress: Progress
    sink: Sink | None = None
    helm: Helm = UNSTEERED
    journal: Journal = field(default_factory=NoJournal)
