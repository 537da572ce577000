"""`run`: a job over a server, from Python."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from fanout import jobs
from fanout.conduct import Mailboxes, Outlet, Report, Task, Workforce
from fanout.convoy import PATIENCE, conductor_of
from fanout.errors import FanoutError, UsageError
from fanout.ledger import TemporaryLedger
from fanout.policy import Policy
from fanout.progress import Silent
from fanout.roster import Choice
from fanout.workplace import THIS_MACHINE, Workplace
from workers.access import ANYBODY, Access
from workers.messages import OnLeak, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fanout.leaks import LeakLine
    from fanout.outcomes import Outcome


def _check(job: object, mailboxes: object, limit: object, options: object) -> None:
    """Raise UsageError for arguments that are no such thing."""
    if not callable(job) and not isinstance(job, str):
        raise UsageError(f"{job!r} is no job: a job is a function that takes a mailbox, or the words for one")
    if isinstance(mailboxes, str):
        raise UsageError(f"{mailboxes!r} is one name: `mailboxes` is a list of names")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise UsageError(f"a limit of {limit!r} mailboxes: it is a whole number, at least 1")
    if options and not (isinstance(options, dict) and all(isinstance(name, str) for name in options)):
        raise UsageError(f"{options!r} are no options: they are a dict of names and values")


def _servers(server: object) -> Sequence[str]:
    """The servers, of which there is one at least. Raises UsageError."""
    if isinstance(server, list | tuple) and server and all(isinstance(each, str) for each in server):
        return server
    if not isinstance(server, str):
        raise UsageError(
            f"{server!r} is no server: a server is given by a URL, as in 'sim:1000', several as a list of them"
        )
    return [server]


def _on_leak(word: OnLeak | str) -> OnLeak:
    try:
        return OnLeak(word)
    except ValueError:
        raise UsageError(f"on_leak={word!r}: it is reclaim, fail or warn") from None


class MailboxesFailedError(FanoutError):
    """Some mailboxes failed, and the caller wanted none to."""

    exit_code = 1


class Outcomes:
    """Some outcomes of a run: has a length, and can be gone through again and again."""

    def __init__(self, count: int, read: Callable[[], Iterator[Outcome]]) -> None:
        self._count = count
        self._read = read

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Outcome]:
        return self._read()


class Found:
    """What a run found: iterate over it for the outcome of every mailbox, in the order of the roster.

    Outcomes are read from a temporary file, which is gone with this object: memory does not grow with them.
    """

    def __init__(self, report: Report, ledger: TemporaryLedger) -> None:
        self._ledger = ledger
        self._report = report
        #: The results of all mailboxes that are done, added up: numbers, or the fields of objects that hold numbers.
        self.totals = report.merge.total
        #: What ended the run early: an error, or a signal; None when every mailbox has its outcome.
        self.stopped_by = report.stopped_by
        #: The outcomes of mailboxes that are done, and of those that failed.
        self.succeeded = Outcomes(report.merge.succeeded, lambda: (each for each in self if each.ok))
        self.failed = Outcomes(report.merge.failed, ledger.failures)
        #: What the job left unreleased, by line of its code, the worst first.
        self.leaks: list[LeakLine] = ledger.leaks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()

    def __iter__(self) -> Iterator[Outcome]:
        return self._ledger.outcomes(self._report.roster)

    def __len__(self) -> int:
        return len(self.succeeded) + len(self.failed)

    def __repr__(self) -> str:
        return f"<Found: {len(self.succeeded):,} done, {len(self.failed):,} failed, of {self._report.roster.count:,}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the first outcomes, the totals, failures by cause, and what ended the run early."""
        from fanout import facts, notebook, summary  # a script would wait for them, and show nothing

        stopped = facts.stopped_by(self._report)
        below = [*notebook.causes_in_words(self._report.merge.causes), *summary.totals_in_words(self.totals)]
        below += [f"stopped early: {stopped}"] if stopped else []
        return notebook.of_outcomes(repr(self)[1:-1], self, len(self), below)

    def raise_for_failures(self) -> None:
        """Raise MailboxesFailedError, which names the first ones, unless every mailbox is done."""
        if not self.failed and self.stopped_by is None:
            return
        from fanout import facts  # a run that ends well does not wait for it

        first = [f"{each.name}: {each.error.message}" for each in islice(self.failed, 3) if each.error]
        stopped = facts.stopped_by(self._report)
        told = [f"first: {'; '.join(first)}"] if first else []
        raise MailboxesFailedError("; ".join([repr(self), *told, *([f"stopped early: {stopped}"] if stopped else [])]))


def run(  # noqa: PLR0913 - each is a word of the command line, and named by the caller
    job: str | Callable[..., object],
    *,
    server: str | Sequence[str],
    workers: int | None = None,
    chunk_size: int | None = None,
    mailboxes: Iterable[str] | None = None,
    limit: int | None = None,
    options: dict[str, Any] | None = None,
    recording: Recording = Recording.RECORDS,
    separate_connections: bool = False,
    start_method: str | None = None,
    policy: Policy | None = None,
    allow_writes: bool = False,
    concurrency: int = 1,
    on_leak: OnLeak | str = OnLeak.RECLAIM,
    access: Access = ANYBODY,
    workplace: Workplace = THIS_MACHINE,
) -> Found:
    """Run a job over every mailbox of a server, and return what was found.

    `job`: a function that takes an open mailbox, or the words for one that the command line takes. `server`: its URL, or
    several of them. `workers`: processes for each server, by default one a core over all. `chunk_size`: mailboxes a chunk, by
    default guided (large first, small last). `mailboxes`: the names to visit, by default the server's roster. `limit`: the first so many of them. `options`: keyword arguments for
    the job, of the kinds that its annotations name; what has none is what JSON can say. `recording`: whether seconds are kept with each result, or results alone, which
    costs less. `start_method`: `fork` or `spawn`, by default fork wherever that is safe. `policy`: limits, second attempts, and
    when to give up. `allow_writes`: whether a job that says that it writes may be run. `concurrency`: mailboxes that a worker
    has open and visits at a time, in threads, so that the job must not mind being called in several at once. `on_leak`:
    what becomes of interfaces that the job got from `mailbox.store` and did not release: `reclaim`, `fail` or `warn`. `access`: the account that opens the mailboxes of a real server.
    `workplace`: where workers work, by default this machine; or a `fanout.engines.cluster.Cluster`, of which `workers` are by default all free sessions.

    A mailbox that can't be opened, or for which the job raises, is a failed outcome, not an exception. Ctrl-C ends the run
    and gives what is there: `stopped_by` says so. Raises UsageError for what can't be run, StoppedError when the server
    can't be listed, and CredentialsError when it refuses the account.
    """
    _check(job, mailboxes, limit, options)
    named = jobs.named(job) if isinstance(job, str) else jobs.carried(job)
    told = Task(
        named,
        jobs.plain(named, options or {}, None if isinstance(job, str) else job),
        recording,
        allow_writes=allow_writes,
        policy=policy or Policy(),
        on_leak=_on_leak(on_leak),
    )
    source = "the names given" if mailboxes is not None else ""
    first, *others = _servers(server)
    if others and mailboxes is not None:
        raise UsageError("of several servers each lists its own mailboxes: `mailboxes` are those of one")
    wanted = Mailboxes(first, Choice(limit=limit), mailboxes, source, access, tuple(others))
    force = Workforce(
        max(1, workplace.workers // (1 + len(others))) if workers is None else workers,
        chunk_size,
        separate_connections=separate_connections,
        start_method=start_method,
        concurrency=concurrency,
    )
    ledger = TemporaryLedger(recording)
    with conductor_of(wanted, force, ledger, workplace) as conductor:
        roster, how = conductor.survey(PATIENCE)
        return Found(conductor.run(told, roster, how, Outlet(Silent())), ledger)
