"""A run over several servers, from its plan to its report: one roster of all, and a dispatch for each.

All servers are asked at the same time. The run begins with those that have said what they have in good time, in the order in which
they are named; any other one joins it when it has, and its mailboxes then come behind the others. A server that can't be asked is left
out, and said. So one that is down or slow holds up nobody.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from fanout import jobs
from fanout.conduct import Conductor, Mailboxes, Report, begin_of, check, cut, lead
from fanout.dispatch import Dispatch
from fanout.errors import CredentialsError, StoppedError, UsageError
from fanout.events import Joined
from fanout.legs import Awaited, Legs
from fanout.listing import Listing
from fanout.loop import Loop, clock
from fanout.merge import Merge
from fanout.partition import ByServer, Cut, Fixed
from fanout.roster import Leg, Roster, Whole, written_leg
from fanout.survey import Survey, Surveys
from fanout.work import Todo
from fanout.workplace import THIS_MACHINE
from workers.access import ANYBODY
from workers.causes import Cause
from workers.messages import Error
from workers.servers import scheme_of
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from fanout.conduct import Outlet, Task, Workforce
    from fanout.errors import FanoutError
    from fanout.events import Event
    from fanout.ledger import Ledger
    from fanout.partition import Partition
    from fanout.work import Rest
    from fanout.workplace import Workplace
    from workers.access import Access
    from workers.servers import Scheme

T = TypeVar("T")

#: Seconds that a run waits at most, when one server has said what it has, for the others to say it, too: they then stand in its
#: roster in the order in which they are named.
PATIENCE = 5.0

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
        self._servers = [check(each, workforce) for each in self._alone]
        self._workforce = workforce
        self._ledger = ledger
        #: Mailboxes that a session of any of the servers can hold, known when the roster is; None for no ceiling.
        self.capacity: int | None = None
        self._engine = workplace.engine(replace(workforce, workers=workforce.workers * len(self._alone)))
        self._surveys = Surveys(self._engine, clock())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def survey(self, patience: float | None = None, among: Container[str] | None = None) -> tuple[Roster, ByServer]:
        """List the rosters into the ledger, and decide how each is cut.

        `patience`: seconds, at most, from when one server has said what it has; who has not by then is awaited. None waits for
        all. `among`: the servers to be asked, the others are awaited; None for all. Raises UsageError for rosters that are all
        empty, and for a chunk or a concurrency above a capacity; StoppedError, or CredentialsError, when no server can be asked.
        """
        self._check_portions()
        for place, each in enumerate(self._alone):
            if among is None or each.server in among:
                self._ask(place, each)
        self._surveys.wait(patience)
        cuts, legs = self._heard()
        _check_asked(cuts)
        listed = {leg.server for leg in legs}
        unlisted = tuple(cut.server for cut in cuts if cut.server not in listed)
        count = sum(leg.count for leg in legs)
        if not count and not unlisted:
            raise UsageError("no mailbox is left to visit: the servers, and what was chosen of them, give none")
        source, names, whole = self._source(len(legs)), self._ledger.names, Whole.of(legs)
        roster = Roster(count, source, names, numbered=False, whole=whole, legs=tuple(legs), unlisted=unlisted)
        return roster, ByServer(tuple(cuts))

    def _check_portions(self) -> None:
        """Raise UsageError for what a session of any of the servers can't hold, before it is asked: it may answer late."""
        try:
            for server in self._servers:
                cut(self._workforce, server)
        except ValueError as error:
            raise UsageError(str(error)) from error

    def _source(self, servers: int) -> str:
        """Where the roster comes from, which so many servers have told their part of."""
        return self._mailboxes.names_from or f"listed by {servers} server{'s' if servers > 1 else ''}"

    def _heard(self) -> tuple[list[Cut], list[Leg]]:
        """What is known of each server by now; its mailboxes are put into the ledger."""
        cuts: list[Cut] = []
        legs: list[Leg] = []
        for place, each in enumerate(self._alone):
            survey, count = self._surveys.of(place), 0
            if survey and survey.has_names:
                legs.append(self._written(each.server, legs[-1].ordinals.stop if legs else 0, survey))
                count = legs[-1].count
            cuts.append(Cut(each.server, count, *self._decided(survey)))
        return cuts, legs

    def _ask(self, place: int, mailboxes: Mailboxes) -> None:
        """Begin to ask a server. Its roster worker is the first of its workers, of which none has begun."""
        listing = partial(Listing, self._engine, place, begin_of(mailboxes, self._workforce, None))
        self._surveys.begin(place, Survey(mailboxes, self._servers[place], partial(cut, self._workforce), listing))

    def _written(self, server: str, first: int, survey: Survey) -> Leg:
        """Put the mailboxes of a server into the ledger, from the ordinal `first` on."""
        return written_leg(self._ledger, server, first, survey.names(), self._mailboxes.choice.shard)

    def _decided(self, survey: Survey | None) -> tuple[Partition | None, Error | None]:
        """How the mailboxes of a server are cut, and why it is left out; neither as long as it is awaited."""
        if survey is None or not survey.ended:
            return None, None
        if survey.error:
            return None, _error(survey.error)
        announced = survey.announced
        self.capacity = min((each for each in (self.capacity, announced.capacity) if each is not None), default=None)
        return cut(self._workforce, announced), None

    def run(self, task: Task, roster: Roster, how: Partition, outlet: Outlet, todo: Rest | None = None) -> Report:
        """Go through the rosters at the same time, or through what is left `todo` of them.

        Raises UsageError when workers can't have the job, StoppedError when the ledger or the sink takes no more.
        """
        assert isinstance(how, ByServer)
        crew = _Crew(self._workforce, task, todo)
        legs = [crew.leg_of(each, roster.leg(each.server)) for each in how.cuts]
        for place, (each, leg) in enumerate(zip(how.cuts, legs, strict=True)):
            if not isinstance(leg, Awaited):
                self._surveys.drop(place)  # it has nothing left to be visited, whatever the server will say
            elif place not in self._surveys.under_way:
                alone = self._alone[place]
                self._ask(place, replace(alone, names=()) if roster.leg(each.server) else alone)
        merge = Merge(self._ledger, roster, outlet.sink, jobs.marks(task.job).totals)
        unlisted = [place for place, each in enumerate(how.cuts) if roster.leg(each.server) is None]
        decisions = Legs(self._mailboxes.servers, legs, crew.joined, unlisted)
        begins = [
            msgspec.structs.replace(begin_of(each, self._workforce, task), tells_server=True) for each in self._alone
        ]
        ear = partial(self._hear, roster, outlet.joined, decisions.given_up)
        loop = Loop(decisions, self._engine, begins, roster, merge, ear)
        return Report(roster, merge, lead(decisions, loop, outlet))

    def _hear(
        self,
        roster: Roster,
        tell: Callable[[str, Joined], object],
        given_up: list[tuple[int, Error]],
        events: list[Event],
    ) -> list[Event]:
        """Take out of the events what concerns roster workers; put in which servers have joined by it.

        Whoever is told of that is told of those servers, too, that were given up since, while others go on.
        """
        while given_up:
            gone, why = given_up.pop(0)
            tell(self._alone[gone].server, Joined(gone, 0, None, None, why))
        if self._surveys.is_quiet:
            return events
        rest: list[Event] = []
        for event in events:
            place = self._surveys.hear(event)
            if place is None:
                rest.append(event)
            elif survey := self._surveys.ended.get(place):
                joined = self._join(place, survey, roster)
                tell(self._alone[place].server, joined)
                rest.append(joined)
        return rest

    def _join(self, place: int, survey: Survey, roster: Roster) -> Joined:
        """Take a server into the run that has said late what it has."""
        server = self._alone[place].server
        leg = roster.leg(server)
        if leg is None and survey.has_names:
            leg = self._written(server, roster.count, survey)
            roster.join(leg)
            roster.source = self._source(len(roster.legs))
            self._ledger.grow(roster)
        how, why = self._decided(survey)
        return Joined(place, leg.first if leg else 0, leg.count if leg else None, how, why)


class _Crew:
    """Who decides for the servers, each for its own."""

    def __init__(self, force: Workforce, task: Task, todo: Rest | None) -> None:
        self._force = force
        self._task = task
        self._todo = todo

    def leg_of(self, cut: Cut, leg: Leg | None) -> Dispatch | Awaited:
        """The leg of a server; for one that can't be asked it has been decided, and one that is done need not be."""
        ordinals = leg.ordinals if leg else range(0)
        left = self._left(ordinals).count
        if cut.is_awaited and (left or not leg):
            return Awaited(self._force.workers, len(ordinals), len(ordinals) - left)
        return self._dispatch(ordinals, cut.how, cut.why)

    def joined(self, event: Joined) -> Dispatch:
        return self._dispatch(range(event.first, event.first + (event.count or 0)), event.how, event.why)

    def _dispatch(self, ordinals: range, how: Partition | None, why: Error | None) -> Dispatch:
        dispatch = Dispatch(
            len(ordinals),
            how or _NOTHING,
            self._force.workers,
            self._task.policy,
            self._left(ordinals),
            lanes=self._force.concurrency,
            first=ordinals.start,
        )
        dispatch.stopped_by = why
        return dispatch

    def _left(self, ordinals: range) -> Todo:
        return self._todo.within(ordinals) if self._todo else Todo([ordinals], len(ordinals))


def _alone(mailboxes: Mailboxes) -> list[Mailboxes]:
    """The same for each server alone, all of its shards together.

    Raises UsageError for a server that is named twice, and for URLs that can't be meant.
    """
    servers, names_on = mailboxes.servers, mailboxes.names_on
    check_named_once(servers)
    accesses = access_to(servers, mailboxes.access)
    return [
        replace(
            mailboxes,
            server=server,
            choice=replace(mailboxes.choice, shard=None),
            names=names_on(server) if names_on else None,
            access=access,
            others=(),
            names_on=None,
        )
        for server, access in zip(servers, accesses, strict=True)
    ]


def access_to(servers: Sequence[str], access: Access) -> list[Access]:
    """As whom each of several servers is asked: an account is for those that have accounts, unless that is none of them.

    Raises UsageError for URLs that can't be meant.
    """
    have = [_has_accounts(server) for server in servers]
    return [access if has or not any(have) else ANYBODY for has in have]


def check_named_once(servers: Sequence[str]) -> None:
    """Raise UsageError for a server that is named twice, perhaps in other words, and for URLs that can't be meant."""
    seen: list[tuple[object, str]] = []
    for server in servers:
        place = _scheme(server, lambda scheme, url: scheme.place(url))
        for other_place, other in seen:
            if place == other_place:
                named = f"{server!r} is named twice" if server == other else f"{other!r} and {server!r} are one server"
                raise UsageError(f"{named}; each server of a run is named once")
        seen.append((place, server))


def _has_accounts(server: str) -> bool:
    return _scheme(server, lambda scheme, _: scheme.accounts)


def _scheme(server: str, ask: Callable[[Scheme, str], T]) -> T:
    """What the scheme of a URL says of it. Raises UsageError for one that can't be meant."""
    try:
        return ask(scheme_of(server), server)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error


def _error(error: FanoutError) -> Error:
    """Why a server is left out."""
    causes = {CredentialsError: Cause.CREDENTIALS, StoppedError: Cause.UNREACHABLE}
    return Error(type(error).__name__, str(error), causes.get(type(error), Cause.SERVER))


def _check_asked(cuts: list[Cut]) -> None:
    """Raise StoppedError where no server can be asked, CredentialsError where each refuses the account."""
    errors = [(cut.server, cut.why) for cut in cuts if cut.why]
    if len(errors) < len(cuts):
        return
    kind = CredentialsError if all(why.cause is Cause.CREDENTIALS for _, why in errors) else StoppedError
    raise kind("; ".join(f"{server}: {why.message}" for server, why in errors))


def missing(how: Partition, roster: Roster, todo: Rest | None = None) -> Iterator[Cut]:
    """Those servers that a run begins without; but one of which nothing is left is not missed."""
    for each in how.cuts if isinstance(how, ByServer) else ():
        leg = roster.leg(each.server)
        left = None if leg is None else todo.within(leg.ordinals).count if todo else leg.count
        if each.how is None and left != 0:
            yield each


def conductor_of(
    mailboxes: Mailboxes, workforce: Workforce, ledger: Ledger, workplace: Workplace = THIS_MACHINE
) -> Conductor | Convoy:
    """Who leads a run over these mailboxes. Raises UsageError."""
    leads = Convoy if mailboxes.others else Conductor
    return leads(mailboxes, workforce, ledger, workplace)
