"""The laboratory: sessions on a server, made as an experiment wants them, and everything counted that reaches the server."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from workers.mapi.logons import capacity
from workers.mapi.profile import ORDINARY
from workers.mapi.subsystem import LogonFlags, mapi_initialize, mapi_logon_ex, mapi_uninitialize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.mapi.folders import MsgStore
    from workers.mapi.profile import ConnectFlags, Profile
    from workers.mapi.session import Session
    from workers.mapi.transport import Transport

#: What HrMailboxLogon wants for a server's DN; nobody looks at it.
SERVER_DN = "/cn=Configuration/cn=Servers/cn=Microsoft Private MDB"

#: Mailboxes that the experiments want at the most: those of S9.
WANTED = 1000


class UnfitServerError(Exception):
    """The server lacks what an experiment takes: mailboxes, a message, free logon indexes."""


class MapiServer(Protocol):
    """A server that is spoken to in ROP buffers."""

    @property
    def profile(self) -> Profile:
        """How a session reaches it."""
        ...

    def addresses(self) -> Iterator[str]:
        """Its mailboxes, in a fixed order."""
        ...

    def dn_of(self, address: str) -> str:
        """The legacyExchangeDN of a mailbox."""
        ...


class Counted:
    """A transport that counts the contexts that are made, and the buffers that are carried."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.connections = 0
        self.round_trips = 0

    def connect(self, user_dn: str) -> int:
        self.connections += 1
        return self._transport.connect(user_dn)

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        self.round_trips += 1
        return self._transport.execute(context, rop_buffer)

    def disconnect(self, context: int) -> None:
        self._transport.disconnect(context)


class Laboratory:
    """Sessions on one server."""

    def __init__(self, server: MapiServer) -> None:
        """Asks the server for its mailboxes."""
        self.wire = Counted(server.profile.transport)
        self.profile = replace(server.profile, transport=self.wire)
        self._server = server
        self.addresses = list(islice(server.addresses(), WANTED))
        #: Mailboxes that a session with one connection can hold.
        self.capacity = capacity(self.profile.reserved)

    def dn(self, number: int) -> str:
        """The DN of a mailbox, by its place. Raises UnfitServerError."""
        if number >= len(self.addresses):
            raise UnfitServerError(f"it takes {number + 1} mailboxes, and the server has {len(self.addresses)}")
        return self._server.dn_of(self.addresses[number])

    @contextmanager
    def session(self, flags: ConnectFlags = ORDINARY, reserved: frozenset[int] | None = None) -> Iterator[Session]:
        """A session of its own, which is over with the context, and all that is open in it."""
        profile = replace(
            self.profile, connect_flags=flags, reserved=self.profile.reserved if reserved is None else reserved
        )
        mapi_initialize()
        try:
            yield mapi_logon_ex(profile, LogonFlags.NEW_SESSION)
        finally:
            mapi_uninitialize()

    def open(self, session: Session, count: int) -> list[MsgStore]:
        """The first mailboxes, open. Raises MapiError, UnfitServerError."""
        return [session.open_msg_store(self.dn(number)) for number in range(count)]

    def fill(self, session: Session) -> list[MsgStore]:
        """As many mailboxes as the session holds, open; one more is there to be refused."""
        self.dn(self.capacity)
        return self.open(session, self.capacity)
