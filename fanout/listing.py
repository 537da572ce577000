"""The listing: a worker of its own asks the server, so that one that hangs cannot hang the parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.errors import CredentialsError, StoppedError
from fanout.events import Babbled, Ended, Heard
from workers.causes import Cause
from workers.messages import Announced, Begin, Listed, ListMailboxes, Ready, Unable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.events import Event
    from fanout.loop import Engine
    from workers.messages import ToParent

#: The number of the roster worker; it has ended before others are started.
_NUMBER = 0

#: Roster workers that may be ended from outside before the listing is given up.
TRIES = 5


class Listing:
    """One conversation with a roster worker. A context manager: on leaving it the worker has ended."""

    def __init__(self, engine: Engine, begin: Begin, wanted: ListMailboxes) -> None:
        self._engine = engine
        self._begin = begin
        self._wanted = wanted
        self._ended = False
        self._tries = 0

    def __enter__(self) -> Listing:
        self._start()
        self._messages = self._hear()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self._engine.kill(_NUMBER)
        while not self._ended:
            for event in self._engine.wait(None):
                self._ended = self._ended or isinstance(event, Ended)

    def announced(self) -> Announced:
        """What the server says of itself; to be asked once, and first. Raises StoppedError, CredentialsError."""
        for message in self._messages:
            if isinstance(message, Announced):
                return message
        raise StoppedError("the roster worker said nothing of the server")

    def names(self) -> Iterator[str]:
        """The names that were asked for, in the server's order. Raises StoppedError.

        A second roster worker, where the first was killed, goes on behind the last name that the first had listed.
        """
        known = heard = 0  # names that were passed on, and names that this worker has listed
        for message in self._messages:
            if isinstance(message, Announced):
                heard = 0
            elif isinstance(message, Listed):
                if not message.addresses:
                    return
                fresh = message.addresses[max(0, known - heard) :]
                heard += len(message.addresses)
                known += len(fresh)
                yield from fresh

    def _start(self) -> None:
        self._tries += 1
        self._engine.start(_NUMBER, self._begin)
        self._engine.send(_NUMBER, self._wanted)

    def _hear(self) -> Iterator[ToParent]:
        while not self._ended:
            for event in self._engine.wait(None):
                yield from self._said(event)

    def _said(self, event: Event) -> Iterator[ToParent]:
        match event:
            case Heard(message=Unable(error)) if error.cause is Cause.CREDENTIALS:
                raise CredentialsError(f"the server refuses the account: {error.message}; nothing is tried again")
            case Heard(message=Unable(error)):
                raise StoppedError(f"the mailboxes can't be listed: {error.message}")
            case Heard(message=Ready()):
                return
            case Heard(message=message):
                yield message
            case Babbled(what=what):
                raise StoppedError(f"the roster worker talked nonsense: {what}")
            case Ended(how=how, words=words) if self._tries == TRIES:
                self._ended = True
                said = f"; its last words: {words}" if words else ""
                raise StoppedError(f"{TRIES} roster workers ended before the roster did, the last by {how}{said}")
            case Ended():
                self._start()
