"""A run over several servers, from its plan to its report: one roster of all, server by server, and a dispatch for each.

Rosters are listed one after another, each as for a run over that server alone, before the first mailbox is opened. A server that
can't be asked is left out, and said: the others are gone through without it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Self

import msgspec

from fanout import jobs
from fanout.conduct import PAGE, Conductor, EmptyRosterError, Mailboxes, Report, begin_of, check, lead
from fanout.dispatch import Dispatch
from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.ledger import TemporaryLedger
from fanout.legs import Legs
from fanout.loop import Loop
from fanout.merge import Merge
from fanout.partition import ByServer, Cut, Fixed
from fanout.roster import Leg, Roster, Sharing, digest_of
from fanout.work import Todo
from fanout.workplace import THIS_MACHINE
from workers.access import ANYBODY
from workers.causes import Cause
from workers.messages import Error, Recording
from workers.servers import scheme_of
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.conduct import Outlet, Task, Workforce
    from fanout.ledger import Ledger
    from fanout.partition import Partition
    from fanout.work import Rest
    from fanout.workplace import Workplace

#: How nothing is cut.
_NOTHING = Fixed(1)


class Convoy:
    """Leads a run over several servers, or the plan of one. A context manager: on leaving it no process is left."""

    def __init__(
        self, mailboxes: Mailboxes, workforce: Workforce, ledger: Ledger, workplace: Workplace = THIS_MACHINE
    ) -> None:
        """Nothing is started yet. Raises UsageError for URLs or a number of workers that can't be used."""
        self._mailboxes = mailboxes
        self._alone = _alone(mailboxes)
        for each in self._alone:
            check(each, workforce)
        self._workforce = workforce
        self._ledger = ledger
        #: Mailboxes that a session of any of the servers can hold, known when the roster is; None for no ceiling.
        self.capacity: int | None = None
        self._workplace = workplace
        self._engine = workplace.engine(replace(workforce, workers=workforce.workers * len(self._alone)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def survey(self) -> tuple[Roster, Partition]:
        """List the rosters into the ledger, one behind the other, and decide how each is cut.

        Raises UsageError for rosters that are all empty, and for a chunk or a concurrency above a capacity; StoppedError, or
        CredentialsError, when no server can be asked.
        """
        shard = self._mailboxes.choice.shard
        listing = _Rosters(self._ledger, Sharing(shard) if shard else None)
        cuts = [self._survey_one(each, listing) for each in self._alone]
        _check_asked(cuts)
        unlisted = tuple(cut.server for cut in cuts if cut.why and cut.server not in listing.servers)
        if not listing.count and not unlisted:
            raise UsageError("no mailbox is left to visit: the servers, and what was chosen of them, give none")
        return listing.roster(self._mailboxes.names_from, unlisted), ByServer(tuple(cuts))

    def _survey_one(self, mailboxes: Mailboxes, listing: _Rosters) -> Cut:
        """List one server's mailboxes into a file of its own first: one that breaks off leaves nothing in the ledger."""
        scratch, server = TemporaryLedger(Recording.RESULTS), mailboxes.server
        with closing(scratch), Conductor(mailboxes, self._workforce, scratch, self._workplace) as conductor:
            try:
                roster, how = conductor.survey()
            except EmptyRosterError:
                return Cut(server, listing.add(server, iter(())), _NOTHING)
            except (CredentialsError, StoppedError) as error:
                return Cut(server, self._add_given(mailboxes, listing), None, _error(error))
            ceilings = [each for each in (self.capacity, conductor.capacity) if each is not None]
            self.capacity = min(ceilings, default=None)
            return Cut(server, listing.add(server, _names(roster)), how)

    def _add_given(self, mailboxes: Mailboxes, listing: _Rosters) -> int:
        """Add the mailboxes of a server that can't be asked, as far as they are known; how many."""
        names_on = self._mailboxes.names_on
        if names_on is None:
            return 0
        return listing.add(mailboxes.server, mailboxes.choice.of(names_on(mailboxes.server)))

    def run(self, task: Task, roster: Roster, how: Partition, outlet: Outlet, todo: Rest | None = None) -> Report:
        """Go through the rosters at the same time, or through what is left `todo` of them.

        Raises UsageError when workers can't have the job, StoppedError when the ledger or the sink takes no more.
        """
        assert isinstance(how, ByServer)
        merge = Merge(self._ledger, roster, outlet.sink, jobs.marks(task.job).totals)
        legs = {leg.server: leg for leg in roster.legs}
        dispatches = [self._dispatch(cut, legs.get(cut.server), task, todo) for cut in how.cuts]
        decisions = Legs(self._mailboxes.servers, dispatches)
        begins = [
            msgspec.structs.replace(begin_of(each, self._workforce, task), tells_server=True) for each in self._alone
        ]
        loop = Loop(decisions, self._engine, begins, roster, merge)
        return Report(roster, merge, lead(decisions, loop, outlet))

    def _dispatch(self, cut: Cut, leg: Leg | None, task: Task, todo: Rest | None) -> Dispatch:
        """Who decides for a server; for one that can't be asked it has been decided."""
        force, ordinals = self._workforce, leg.ordinals if leg else range(0)
        dispatch = Dispatch(
            len(ordinals),
            cut.how or _NOTHING,
            force.workers,
            task.policy,
            todo.within(ordinals) if todo else Todo([ordinals], len(ordinals)),
            lanes=force.concurrency,
            first=ordinals.start,
        )
        dispatch.stopped_by = cut.why
        return dispatch


class _Rosters:
    """The rosters of several servers, as they come together in a ledger."""

    def __init__(self, ledger: Ledger, sharing: Sharing | None) -> None:
        self._ledger = ledger
        self._sharing = sharing
        self._legs: list[Leg] = []
        self.count = 0

    @property
    def servers(self) -> set[str]:
        return {leg.server for leg in self._legs}

    def add(self, server: str, names: Iterator[str]) -> int:
        """Write down the names of the next server, or of a shard of them, by pages; how many there are."""
        first = self.count
        placed = self._sharing.of(names) if self._sharing else ((None, name) for name in names)
        while page := list(islice(placed, PAGE)):
            addresses = [name for _, name in page]
            places = [place for place, _ in page if place is not None]
            self._ledger.add_names(addresses, places or None)
            self.count += len(page)
        digest = digest_of(self._ledger.names, range(first, self.count))
        self._legs.append(Leg(server, first, self.count - first, digest))
        return self.count - first

    def roster(self, names_from: str, unlisted: tuple[str, ...]) -> Roster:
        whole = self._sharing.whole if self._sharing else None
        source = names_from or f"listed by {len(self._legs)} server{'s' if len(self._legs) > 1 else ''}"
        legs = tuple(self._legs)
        return Roster(self.count, source, self._ledger.names, numbered=False, whole=whole, legs=legs, unlisted=unlisted)


def _alone(mailboxes: Mailboxes) -> list[Mailboxes]:
    """The same for each server alone, all of its shards together. An account is for those servers that have accounts.

    Raises UsageError for a server that is named twice, and for an account that none of them has.
    """
    servers, names_on = mailboxes.servers, mailboxes.names_on
    if twice := next((server for server in servers if servers.count(server) > 1), None):
        raise UsageError(f"{twice!r} is named twice; each server of a run is named once")
    with_accounts = [server for server in servers if _has_accounts(server)]
    return [
        replace(
            mailboxes,
            server=server,
            choice=replace(mailboxes.choice, shard=None),
            names=names_on(server) if names_on else None,
            access=mailboxes.access if server in with_accounts or not with_accounts else ANYBODY,
            others=(),
            names_on=None,
        )
        for server in servers
    ]


def _has_accounts(server: str) -> bool:
    try:
        return scheme_of(server).accounts
    except ServerUrlError as error:
        raise UsageError(str(error)) from error


def _names(roster: Roster) -> Iterator[str]:
    for first in range(0, roster.count, PAGE):
        yield from roster.names(range(first, min(first + PAGE, roster.count)))


def _error(error: CredentialsError | StoppedError) -> Error:
    """Why a server is left out."""
    cause = Cause.CREDENTIALS if isinstance(error, CredentialsError) else Cause.UNREACHABLE
    return Error(type(error).__name__, str(error), cause)


def _check_asked(cuts: list[Cut]) -> None:
    """Raise StoppedError where no server can be asked, CredentialsError where each refuses the account."""
    errors = [(cut.server, cut.why) for cut in cuts if cut.why]
    if len(errors) < len(cuts):
        return
    kind = CredentialsError if all(why.cause is Cause.CREDENTIALS for _, why in errors) else StoppedError
    raise kind("; ".join(f"{server}: {why.message}" for server, why in errors))


def conductor_of(
    mailboxes: Mailboxes, workforce: Workforce, ledger: Ledger, workplace: Workplace = THIS_MACHINE
) -> Conductor | Convoy:
    """Who leads a run over these mailboxes. Raises UsageError."""
    leads = Convoy if mailboxes.others else Conductor
    return leads(mailboxes, workforce, ledger, workplace)
