"""Why a run gives up, with mailboxes left: when, and in which words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.causes import Cause
from workers.messages import Error

if TYPE_CHECKING:
    from fanout.events import Ended

#: Workers in a row that may end at no mailbox with nothing done in between, before the run gives up: they can't work here.
DEATHS_IN_VAIN = 5

#: Mailboxes in a row that may be settled as unreachable, each after all of its attempts, before the server is taken for gone.
GONE = 50

#: Seconds that each lane may have waited in vain, with nobody answered in between: a server that fails over or is started again is
#: back by then, and the run goes on. In large chunks a mailbox has its second attempt, and its last, hours later.
SILENCE = 900.0

#: Attempts in a row, at the least, for a silence. One lane alone may well come upon some neighbours that nobody can reach.
ENOUGH = 10


class Reach:
    """Whether the server can be reached, as far as mailboxes tell."""

    def __init__(self) -> None:
        #: Mailboxes in a row that were settled as unreachable.
        self._unreached = 0
        #: Attempts in a row that reached nobody, and how long they waited, in seconds of all lanes.
        self._attempts = 0
        self._waited = 0.0

    def done(self) -> None:
        """Some mailboxes are done."""
        self._unreached = self._attempts = 0
        self._waited = 0.0

    def attempted(self, error: Error, seconds: float, lanes: int) -> Error | None:
        """An attempt has failed, for good or not; why the run gives up, if its lanes have waited in vain for too long."""
        if error.cause is not Cause.UNREACHABLE:
            self._attempts, self._waited = 0, 0.0
            return None
        self._attempts += 1
        self._waited += seconds
        silent = self._attempts >= ENOUGH and self._waited >= SILENCE * lanes
        return server_silent(self._attempts, self._waited / lanes, error) if silent else None

    def failed(self, error: Error) -> Error | None:
        """A mailbox has failed for good; why the run gives up, if it is one too many that could not be reached."""
        self._unreached = self._unreached + 1 if error.cause is Cause.UNREACHABLE else 0
        return server_gone(error) if self._unreached == GONE else None


def cannot_work(event: Ended) -> Error:
    """Workers end before they do anything: they can't work here."""
    words = f"; its last words: {event.words}" if event.words else ""
    return Error(
        type="WorkersDie",
        message=f"{DEATHS_IN_VAIN} workers in a row ended before they did anything, the last by {event.how}{words}",
        cause=Cause.CRASH,
    )


def server_gone(last: Error) -> Error:
    """Nothing reaches the server any more."""
    return Error(
        type="ServerGone",
        message=f"{GONE} mailboxes in a row could not be reached, the last: {last.message}; "
        f"with --only-failed={Cause.UNREACHABLE} they are visited again",
        cause=Cause.UNREACHABLE,
    )


def server_silent(attempts: int, seconds: float, last: Error) -> Error:
    """Nobody was answered while every lane waited for so many seconds."""
    return Error(
        type="ServerGone",
        message=f"{attempts} attempts in a row reached no mailbox, {seconds:.0f} s of waiting for each worker; the last: {last.message}",
        cause=Cause.UNREACHABLE,
    )


def too_many(failed: int, settled: int) -> Error:
    """More mailboxes failed than the run allows."""
    return Error(
        type="TooManyFailures",
        message=f"{failed:,} of {settled:,} mailboxes failed, more than --max-failures allows",
        cause=Cause.SERVER,
    )


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A server that a run over several has given up."""

    server: str
    error: Error
    #: Mailboxes that have no outcome.
    left: int
    #: Whether its mailboxes could be listed at all.
    known: bool

    def __str__(self) -> str:
        left = f"{self.left:,} mailboxes left" if self.known else "not listed"
        return f"{self.server} ({left}): {self.error.message}"


def given_up(lost: list[GivenUp], of: int) -> Error:
    """Of several servers, these have mailboxes left. The cause is theirs where they are all, and have one in common."""
    causes = {each.error.cause for each in lost}
    return Error(
        type="ServersGivenUp",
        message=f"{len(lost)} of {of} servers given up: {'; '.join(map(str, lost))}",
        cause=causes.pop() if len(causes) == 1 and len(lost) == of else Cause.SERVER,
    )
