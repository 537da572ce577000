"""The Exchange provider of a session: its connections, and the stores that are opened on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from workers.mapi.buffers import NO_HANDLE
from workers.mapi.connection import Connection, SeparateConnection
from workers.mapi.failures import failure
from workers.mapi.folders import MsgStore
from workers.mapi.hresults import ErrorCode, HResult, MapiError
from workers.mapi.logons import LogonTableFull, capacity
from workers.mapi.rops import LOGON_PRIVATE, LogonRedirectResponse, LogonRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.mapi.connection import Leftover, Logon
    from workers.mapi.profile import OpenStoreFlags, Profile
    from workers.mapi.session import Session


class StoreEntryId(NamedTuple):
    """Which store to open and with what rights; made without asking the server, so it may name nobody."""

    server_dn: str
    mailbox_dn: str
    flags: OpenStoreFlags


class Provider:
    """What sessions that share a session share: the connections, so the index tables, and the stores kept open."""

    __slots__ = ("_connections", "_shared", "kept", "profile", "sessions")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile  # as it was at logon
        self.kept: list[MsgStore] = []  # opened for the session's own use, until it ends
        self.sessions: list[Session] = []  # those that share it; when the last has left, it is over
        self._connections: dict[Connection, None] = {}
        self._shared: Connection | None = None
        if not profile.separate_connections:
            self._shared = Connection(profile)
            self._connections[self._shared] = None

    @property
    def capacity(self) -> int | None:
        """Mailboxes that fit beside the stores kept open; None where each has a connection of its own."""
        if self._shared is None:
            return None
        return capacity(self.profile.reserved, sum(store.is_open for store in self.kept))

    def check(self) -> None:
        """Connect, and open nothing. Raises MapiError; CREDENTIALS when the server refuses the account."""
        connection = self._shared or Connection(self.profile)
        connection.check()
        if connection is not self._shared:
            connection.close()

    def open_store(self, entry_id: StoreEntryId) -> MsgStore:
        """Log on. When every index is taken, nothing is sent: MAPI_E_FAILONEPROVIDER, NO_FREE_LOGON_INDEX.

        Any other refusal that has no HRESULT of its own is MAPI_E_FAILONEPROVIDER, too, with the server's code
        below it. Either way the index is free again.
        """
        connection = self._shared or SeparateConnection(self.profile, self._connections)
        try:
            logon = connection.begin(entry_id.mailbox_dn)
        except LogonTableFull as full:
            code = ErrorCode.NO_FREE_LOGON_INDEX
            raise MapiError(HResult.MAPI_E_FAILONEPROVIDER, code, "OpenMsgStore") from full
        try:
            return log_on(logon, entry_id.flags)
        except BaseException:
            connection.end(logon)
            raise

    def open_together(self, entry_ids: Sequence[StoreEntryId]) -> list[MsgStore | MapiError]:
        """Log on to several mailboxes of the shared connection in one round trip; an error for one that is refused.

        As many as there are free indexes for: the answer may be shorter. Raises MapiError as `open_store` does where there is
        none, and when the buffer failed as a whole.
        """
        connection = self._shared
        assert connection is not None, "a connection for each logon has none to share"
        logons: list[Logon] = []
        for entry_id in entry_ids:
            try:
                logons.append(connection.begin(entry_id.mailbox_dn))
            except LogonTableFull as full:
                if not logons:
                    code = ErrorCode.NO_FREE_LOGON_INDEX
                    raise MapiError(HResult.MAPI_E_FAILONEPROVIDER, code, "OpenMsgStore") from full
                break
        requests = [
            LogonRequest(logon.index, place, LOGON_PRIVATE, entry_id.flags, 0, logon.mailbox_dn)
            for place, (logon, entry_id) in enumerate(zip(logons, entry_ids, strict=False))
        ]
        try:
            responses, handles = connection.execute(requests, [NO_HANDLE] * len(logons))
        except BaseException:
            for logon in logons:
                connection.end(logon)
            raise
        return [_opened(*each) for each in zip(logons, handles, responses, strict=False)]

    def invalidate(self) -> list[Leftover]:
        """End every connection, and with them all that is open; what was never released."""
        found = list(self.leftovers())
        for connection in self.connections():
            connection.close()
        for session in self.sessions:
            session.invalidate()
        self.kept.clear()
        return found

    def leave(self, session: Session) -> None:
        """One session less shares it; the last one ends it."""
        self.sessions.remove(session)
        if not self.sessions:
            self.invalidate()

    def holds(self, store: MsgStore) -> bool:
        """Whether the store is open, and on one of these connections."""
        return store.is_open and store.logon.connection in self._connections

    def leftovers(self) -> Iterator[Leftover]:
        """What is not released at this moment, connection by connection."""
        for connection in self._connections:
            yield from connection.leftovers()

    def connections(self) -> list[Connection]:
        """Those that there are at this moment, oldest first."""
        return [*self._connections]


def log_on(logon: Logon, flags: OpenStoreFlags) -> MsgStore:
    """RopLogon to the mailbox of `logon`, under its index. Raises MapiError as `Provider.open_store` does."""
    request = LogonRequest(logon.index, 0, LOGON_PRIVATE, flags, 0, logon.mailbox_dn)
    [response], handles = logon.connection.execute([request], [NO_HANDLE])
    if response.return_value:
        raise _refused(response)
    return MsgStore(logon, handles[0], response)


def _opened(logon: Logon, handle: int, response: Any) -> MsgStore | MapiError:  # noqa: ANN401 - the answer to RopLogon
    if response.return_value:
        logon.connection.end(logon)
        return _refused(response)
    return MsgStore(logon, handle, response)


def _refused(response: Any) -> MapiError:  # noqa: ANN401
    """The error for a logon that is refused; one that is sent elsewhere is told where to."""
    elsewhere = f" (it is on the server {response.server_name})" if type(response) is LogonRedirectResponse else ""
    return failure(response.return_value, f"OpenMsgStore{elsewhere}", HResult.MAPI_E_FAILONEPROVIDER)
