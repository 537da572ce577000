"""The survey of a server: what a session of it can hold, and which mailboxes it has, before any of them is opened.

It is told what happens to its roster worker, and waits for nothing, as its listing. So several servers are surveyed at the same time.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from fanout.errors import UsageError
from fanout.ledger import TemporaryLedger
from workers.messages import ListMailboxes, Names, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanout.conduct import Mailboxes
    from fanout.errors import FanoutError
    from fanout.events import Event
    from fanout.listing import Listing
    from fanout.loop import Engine
    from workers.messages import Announced
    from workers.servers import Server

#: Characters of a mailbox's name: an SMTP address has 320 at the most, a legacyExchangeDN may have more.
LONGEST_NAME = 1024

#: Names read at a time.
PAGE = 1000

#: Seconds that all servers have at least when one has answered.
LEAST_PATIENCE = 1.0


class Survey:
    """Of one server."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        server: Server,
        check: Callable[[Announced], object],
        listing: Callable[[ListMailboxes], Listing],
    ) -> None:
        """`check` looks at what the server announces, before a name is listed, and raises ValueError for what can't be.
        `listing` makes one of what is wanted.

        Raises UsageError where the server can't list its mailboxes, and no names were given.
        """
        self._choice = mailboxes.choice
        self._server = server
        self._check = check
        self._given, wanted = _given(mailboxes, server)
        self._listing = listing(wanted)
        self._is_checked = False
        #: What was listed, and how many of that the patterns let in.
        self._listed = TemporaryLedger(Recording.RESULTS)
        self._count = self._fitting = 0

    def start(self) -> None:
        self._listing.start()

    def hear(self, event: Event) -> None:
        """Take what has happened to the roster worker."""
        names = self._listing.hear(event)
        if self._listing.announced and not self._is_checked:
            self._is_checked = True
            self._look(self._listing.announced)
        if self._given is None:
            self._take(names)

    def end(self) -> None:
        """Nobody wants to know any more."""
        self._listing.end()

    @property
    def ended(self) -> bool:
        """Whether all is known, or why nothing is."""
        return self._listing.ended

    @property
    def error(self) -> FanoutError | None:
        """Why nothing is known: CredentialsError where the account is refused, UsageError for what can't be, else StoppedError."""
        return self._listing.error

    @property
    def has_names(self) -> bool:
        """Whether it is known which mailboxes are wanted: names that were given are, whatever becomes of the server."""
        return self._given is not None or (self.ended and self.error is None)

    @property
    def announced(self) -> Announced:
        """What the server says of itself. To be asked when it has ended without an error."""
        assert self._listing.announced is not None
        return self._listing.announced

    @property
    def numbered(self) -> int | None:
        """How many mailboxes are wanted, where nobody has to look at their names, or write them down; else None."""
        if self._given is not None or self._choice.by_name or self.announced.numbered is None:
            return None
        return self._choice.of_count(self.announced.numbered)

    def names(self) -> Iterator[str]:
        """The names that are wanted, of all shards, in the server's order, or in that in which they were given.

        Raises UsageError for one that can be none.
        """
        if self.numbered is not None:
            return map(self._server.address, range(self.numbered))
        return self._choice.of(self._read() if self._given is None else map(one_line, self._given))

    def _look(self, announced: Announced) -> None:
        try:
            self._check(announced)
        except ValueError as error:
            self._listing.end(UsageError(str(error)))

    def _take(self, names: list[str]) -> None:
        if not names:
            return
        try:
            self._listed.add_names([*map(one_line, names)])
        except UsageError as error:
            self._listing.end(error)
            return
        self._count += len(names)
        choice = self._choice
        if choice.limit is not None and choice.sample is None:  # a trial of ten need not wait for a million names
            self._fitting += sum(map(choice.fits, names))
            if self._fitting >= choice.limit:
                self._listing.end()

    def _read(self) -> Iterator[str]:
        for first in range(0, self._count, PAGE):
            yield from self._listed.names(range(first, min(first + PAGE, self._count)))


class Surveys:
    """Of several servers, each by the number of its roster worker."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        #: Those of which all is known, or why nothing is; and the others.
        self.ended: dict[int, Survey] = {}
        self.under_way: dict[int, Survey] = {}
        #: Those that nobody wants any more, until their workers have ended.
        self._dropped: dict[int, Survey] = {}

    def begin(self, number: int, survey: Survey) -> None:
        self.under_way[number] = survey
        survey.start()

    def of(self, number: int) -> Survey | None:
        """The one with this number; None where it was never begun."""
        return self.under_way.get(number) or self.ended.get(number)

    def hear(self, event: Event) -> int | None:
        """Take what has happened to the roster worker of one that has not ended; its number, or None for any other event."""
        number: int = getattr(event, "worker", -1)
        survey = self.under_way.get(number) or self._dropped.get(number)
        if survey is None:
            return None
        survey.hear(event)
        if survey.ended and not self._dropped.pop(number, None):
            self.ended[number] = self.under_way.pop(number)
        return number

    @property
    def is_quiet(self) -> bool:
        """Whether no roster worker is left."""
        return not self.under_way and not self._dropped

    def drop(self, number: int) -> None:
        """Nobody wants to know any more what this one says."""
        if survey := self.under_way.pop(number, None):
            self._dropped[number] = survey
            survey.end()

    def wait(self, patience: float | None = None) -> None:
        """Hear them until all have ended; or until one has ended well, and the others have had as long again: a second at least,
        and `patience` seconds at most. None waits for all.

        Raises UsageError, as soon as that is known, for what can't be asked of a server.
        """
        begun, until = self._clock(), math.inf
        while self.under_way and self._clock() < until:
            for event in self._engine.wait(None if math.isinf(until) else until - self._clock()):
                number = self.hear(event)
                if number not in self.ended:
                    continue
                error = self.ended[number].error
                if isinstance(error, UsageError):
                    raise error
                if error is None and patience is not None and math.isinf(until):
                    now = self._clock()
                    until = now + min(patience, max(LEAST_PATIENCE, now - begun))


def _given(mailboxes: Mailboxes, server: Server) -> tuple[Iterator[str] | None, ListMailboxes]:
    """The names where they were given, and what a roster worker is asked for. Raises UsageError."""
    if mailboxes.names is None:
        if server.unlisted:
            raise UsageError(server.unlisted)
        return None, ListMailboxes(mailboxes.choice.names)
    names = iter(mailboxes.names)
    first = next(names, None)
    if first is None:
        return iter(()), ListMailboxes(Names.NONE)
    return chain([first], names), ListMailboxes(Names.NONE, one_line(first))


def one_line(name: object) -> str:
    """The name, which the ledger keeps in a line. Raises UsageError for one that is none."""
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        shown = repr(name) if len(repr(name)) < 80 else f"{name!r:.80}..."
        raise UsageError(
            f"{shown} can't be the name of a mailbox: a name is one line of text, {LONGEST_NAME:,} characters at the most"
        )
    return name
