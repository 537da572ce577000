"""The address book: which mailboxes there are, and the DNs of names ([MS-OXCMAPIHTTP] 2.2.5, [MS-OXNSPI])."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from workers.mapi.http.bodies import status
from workers.mapi.http.channel import Channel
from workers.mapi.http.nspi import (
    END_OF_TABLE,
    MAILBOX,
    RESOLVED,
    QueryRowsRequest,
    QueryRowsResponse,
    ResolveNamesRequest,
    ResolveNamesResponse,
    Stat,
    bind_request,
    unbind_request,
)
from workers.mapi.transport import ConnectionLost, MailboxRow, RpcError
from workers.mapi.wire import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workers.mapi.http.endpoint import Endpoint
    from workers.mapi.http.nspi import Entry

T = TypeVar("T")

#: Rows asked for at a time: the recorded server gave 601 in one answer, in 15 ms.
PAGE = 1000

#: Names asked for at a time.
NAMES = 100


class AddressBook:
    """The global address list. Bound while it is asked; not to be used by two threads at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._beat: Callable[[], None] = _nothing

    def counted(self, beat: Callable[[], None]) -> AddressBook:
        """The same, with a beat before each round trip."""
        book = AddressBook(self._endpoint)
        book._beat = beat
        return book

    def entries(self) -> Iterator[Entry]:
        """Every mailbox that it lists, in its order, read in pages. Raises RpcError, ConnectionLost."""
        with self._bound() as channel:
            stat = Stat()
            while stat.current_rec != END_OF_TABLE:
                before = stat
                body = self._ask(channel, "QueryRows", QueryRowsRequest(stat, PAGE).encode())
                stat, entries = _read(QueryRowsResponse.decode, body)
                yield from (entry for entry in entries if entry.display_type in {MAILBOX, None})
                if stat == before:
                    raise ConnectionLost("QueryRows: a table that does not go on")

    def dns_of(self, names: Sequence[str]) -> dict[str, str | None]:
        """The DN of each name (an SMTP address, an account); None for one without an entry, or with several.

        Raises RpcError, ConnectionLost.
        """
        found: dict[str, str | None] = {}
        waiting = iter(names)
        with self._bound() as channel:
            while some := list(islice(waiting, NAMES)):
                body = self._ask(channel, "ResolveNames", ResolveNamesRequest([*map(_exactly, some)]).encode())
                response = _read(ResolveNamesResponse.decode, body)
                entries = iter(response.entries)
                for name, state in zip(some, response.found, strict=False):
                    found[name] = next(entries).dn if state == RESOLVED else None
        return found

    def mailbox_rows(self, offset: int, limit: int) -> list[MailboxRow]:
        """Rows for `Session.get_mailbox_table`; what only a store knows (bytes, messages, last logon) is not in them."""
        rows = islice((entry for entry in self.entries() if entry.dn), offset, offset + limit)
        return [MailboxRow(entry.name or "", entry.dn or "", 0, 0, None) for entry in rows]

    @contextmanager
    def _bound(self) -> Iterator[Channel]:
        channel = Channel(self._endpoint.client(), self._endpoint.nspi)
        try:
            _read(status, self._ask(channel, "Bind", bind_request()))
            yield channel
            with suppress(ConnectionLost):
                channel.ask("Unbind", unbind_request())
        finally:
            channel.close()

    def _ask(self, channel: Channel, request_type: str, body: bytes) -> bytes:
        self._beat()
        return channel.ask(request_type, body)


def _exactly(name: str) -> str:
    """An SMTP address in the form that no display name is like."""
    return f"=SMTP:{name}" if "@" in name else name


def _read(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except CodecError as error:
        raise ConnectionLost(str(error)) from error
    except RpcError as refusal:
        raise RpcError(refusal.code, "the address book") from refusal


def _nothing() -> None:
    pass
