"""The listing: a worker of its own asks the server, so that one that hangs cannot hang the parent.

A listing is told what happens to its worker, and waits for nothing: so several servers are asked at the same time, also while a
run goes on already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.errors import CredentialsError, StoppedError
from fanout.events import Babbled, Ended, Heard
from workers.causes import Cause
from workers.messages import Announced, Listed, Unable

if TYPE_CHECKING:
    from fanout.errors import FanoutError
    from fanout.events import Event
    from fanout.loop import Engine
    from workers.messages import Begin, Error, ListMailboxes, ToParent

#: Roster workers that may be ended from outside before the listing is given up.
TRIES = 5


class Listing:
    """One conversation with a server, by one roster worker after the other where they are killed."""

    def __init__(self, engine: Engine, number: int, begin: Begin, wanted: ListMailboxes) -> None:
        """`number`: which worker of the engine it has, which has no process now."""
        self._engine = engine
        self._number = number
        self._begin = begin
        self._wanted = wanted
        self._tries = 0
        #: Names that were passed on, and names that this worker has listed.
        self._known = self._listed = 0
        self._is_over = False
        #: What the server says of itself; None before it has.
        self.announced: Announced | None = None
        #: Why it came to nothing; None while it goes on and when it ended well.
        self.error: FanoutError | None = None
        #: Whether nothing is left of it: the worker has ended, and its number is free.
        self.ended = False

    def start(self) -> None:
        """Begin, or begin again. A second roster worker goes on behind the last name that the first had listed."""
        self._tries += 1
        self._listed = 0
        self._engine.start(self._number, self._begin)
        self._engine.send(self._number, self._wanted)

    def end(self, error: FanoutError | None = None) -> None:
        """Nothing more is wanted, as all is said or there is an `error`. It has ended when its worker has."""
        if not self._is_over:
            self._is_over = True
            self.error = error
            self._engine.kill(self._number)

    def hear(self, event: Event) -> list[str]:
        """Take what has happened to its worker. The names that were listed by this, in the server's order."""
        match event:
            case Ended():
                self._lose_worker(event)
            case Heard(message=message) if not self._is_over:
                return self._said(message)
            case Babbled(what=what):
                self.end(StoppedError(f"the roster worker talked nonsense: {what}"))
            case _:
                pass
        return []

    def _said(self, message: ToParent) -> list[str]:
        match message:
            case Unable(error):
                self.end(_refusal(error))
            case Announced():
                self.announced = message
            case Listed([]):
                self.end(None if self.announced else StoppedError("the roster worker said nothing of the server"))
            case Listed(addresses):
                return self._fresh(addresses)
            case _:
                pass
        return []

    def _fresh(self, addresses: list[str]) -> list[str]:
        """Those names that no worker has listed before."""
        fresh = addresses[max(0, self._known - self._listed) :]
        self._listed += len(addresses)
        self._known += len(fresh)
        return fresh

    def _lose_worker(self, ended: Ended) -> None:
        if not self._is_over and self._tries < TRIES:
            self.start()
            return
        if not self._is_over:
            said = f"; its last words: {ended.words}" if ended.words else ""
            self.error = StoppedError(
                f"{TRIES} roster workers ended before the roster did, the last by {ended.how}{said}"
            )
        self.ended = True


def _refusal(error: Error) -> FanoutError:
    if error.cause is Cause.CREDENTIALS:
        return CredentialsError(f"the server refuses the account: {error.message}; nothing is tried again")
    return StoppedError(f"the mailboxes can't be listed: {error.message}")
