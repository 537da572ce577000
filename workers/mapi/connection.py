"""One session context on the server, with its one logon index table.

A buffer leaves from here and from nowhere else, so here is what holds for all of them: releases ride in front of
the next buffer and cost no round trip; a reply that was too small is made up for; a lost context takes its logons
with it. What the ROPs are about is the business of the interfaces above.
"""

from __future__ import annotations

from collections import Counter
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.mapi.buffers import NO_HANDLE, decode_response_buffer, encode_request_buffer
from workers.mapi.failures import failure, incomplete, refused
from workers.mapi.hresults import ErrorCode, HResult, MapiError
from workers.mapi.logons import LogonIndexTable
from workers.mapi.rops import BufferTooSmallResponse, OpaqueResponse, ReleaseRequest, RopId
from workers.mapi.transport import ConnectionLost, RpcError
from workers.mapi.wire import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workers.mapi.interfaces import Interface
    from workers.mapi.profile import Profile
    from workers.mapi.rops import Request
    from workers.mapi.rows import RowCodec

#: The responses, each of the class that answers its request or an ErrorResponse, and the handle table.
Answer = tuple[list[Any], list[int]]

#: Releases that ride in front of one buffer. Each takes a place of the handle table, whose indexes are bytes;
#: half of it is left to the ROPs that are carried.
MOST_RIDING = 128


class Leftover(NamedTuple):
    """Interfaces of one kind that were never released, on one logon."""

    mailbox_dn: str
    logon_index: int
    kind: str  # the interface's name in MAPI: IMsgStore, IMAPITable
    interfaces: int  # how many


class Connection:
    """A session context: made when first needed, and made anew after it was lost.

    Threads may work on logons of one connection, each on its own; their round trips wait for each other.
    """

    __slots__ = ("_context", "_lock", "_profile", "indexes", "logons", "waiting")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._lock = RLock()  # of all that is here; held for a whole round trip
        self._context: int | None = None
        self.waiting: list[tuple[int, int]] = []  # releases: logon index and handle, in their order
        self.indexes = LogonIndexTable(profile.reserved)
        self.logons: dict[int, Logon] = {}

    def begin(self, mailbox_dn: str) -> Logon:
        """A logon with an index of its own, not yet on the server. Raises LogonTableFull; sends nothing."""
        with self._lock:
            index = self.indexes.acquire()
            logon = self.logons[index] = Logon(self, index, mailbox_dn)
            return logon

    def end(self, logon: Logon) -> None:
        """The logon's index is free. One that was lost with its context gave it back then."""
        with self._lock:
            if self.logons.get(logon.index) is logon:
                del self.logons[logon.index]
                self.indexes.release(logon.index)

    def release(self, logon: Logon, handle: int) -> None:
        """RopRelease, in front of the next buffer: no index is used again before its old logon is released.

        What was lost with its context needs none.
        """
        with self._lock:
            if self.logons.get(logon.index) is logon:
                self.waiting.append((logon.index, handle))

    def check(self) -> None:
        """Connect now, unless it is connected. Raises MapiError; CREDENTIALS when the account is refused."""
        with self._lock:
            if self._context is None:
                self._connect()

    def execute(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None = None) -> Answer:
        """One response for each request, and the handle table as the server left it (it may be longer).

        `rows` reads the rows of a table whose columns were set by an earlier buffer. Raises MapiError when the
        buffer failed as a whole; the refusal of a single ROP is a response.
        """
        with self._lock:
            if not self.waiting:
                return self._run(requests, handles, rows)
            while len(self.waiting) > MOST_RIDING:
                self._carry((), [])
            return self._carry(requests, handles, rows)

    def flush(self) -> None:
        """Send the releases that wait. Nobody needs to: they go with the next buffer, or with the context."""
        with self._lock:
            while self.waiting:
                self._carry((), [])

    def close(self) -> None:
        """Give up the context. What is open on it answers INVALID_OBJECT from now on. Never raises."""
        with self._lock:
            context = self._context
            self._forget(HResult.MAPI_E_INVALID_OBJECT)
            if context is not None:
                self._profile.transport.disconnect(context)

    def leftovers(self) -> Iterator[Leftover]:
        """What was never released, logon by logon in the order of their indexes."""
        for _, logon in sorted([*self.logons.items()]):
            yield from logon.leftovers()

    def _carry(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None = None) -> Answer:
        """Send the releases that wait, MOST_RIDING at most, with these requests behind them.

        When the buffer fails as a whole they wait again. That a server ran them all the same does no harm: a second
        release is ignored, and a handle given out since then belongs to the buffer that failed, so to nobody.
        """
        riding, self.waiting = self.waiting[:MOST_RIDING], self.waiting[MOST_RIDING:]
        releases = [ReleaseRequest(logon, place) for place, (logon, _) in enumerate(riding, len(handles))]
        try:
            return self._run([*releases, *requests], handles + [handle for _, handle in riding], rows)
        except MapiError:
            if self._context is not None:
                self.waiting[:0] = riding
            raise

    def _run(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None) -> Answer:
        try:
            responses, handles = self._exchange(requests, handles, rows)
        except RpcError as refusal:
            if refusal.code != ErrorCode.BUFFER_TOO_SMALL or len(requests) < 2:
                raise failure(refusal.code, refusal.of("Execute")) from refusal
            return self._run_by_halves(requests, handles, rows)
        last = responses[-1] if responses else None
        if type(last) is BufferTooSmallResponse:
            return self._run_the_rest(requests, responses[:-1], handles, rows)
        if type(last) is OpaqueResponse:
            return _checked(requests, responses[:-1], last), handles
        return responses, handles

    def _run_by_halves(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None) -> Answer:
        """The whole reply was thrown away (0x47D), although its ROPs were executed: send less at a time.

        The logons among them are opened again under the same LogonIds, which replaces the unreachable ones.
        """
        half = len(requests) // 2
        before, handles = self._run(requests[:half], handles, rows)
        after, handles = self._run(requests[half:], handles, rows)
        return before + after, handles

    def _run_the_rest(
        self,
        requests: Sequence[Request],
        answered: list[Any],
        handles: list[int],
        rows: RowCodec | None,
    ) -> Answer:
        """RopBufferTooSmall: what follows the last answer was not run, so it goes in a buffer of its own."""
        rest = requests[_place_after(requests, len(answered)) :]
        if len(rest) == len(requests):
            raise failure(ErrorCode.BUFFER_TOO_SMALL, "Execute")
        after, handles = self._run(rest, handles, rows)
        return answered + after, handles

    def _exchange(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None) -> Answer:
        """One round trip."""
        context = self._context
        if context is None:
            context = self._connect()
        try:
            reply = self._profile.transport.execute(context, encode_request_buffer(requests, handles))
            answer = decode_response_buffer(reply, requests, rows)
        except ConnectionLost as lost:
            self._forget(HResult.MAPI_E_NETWORK_ERROR)
            raise MapiError(HResult.MAPI_E_NETWORK_ERROR, where=f"Execute ({lost})") from lost
        except CodecError as error:
            raise incomplete(f"Execute: {error}") from error
        if len(answer[1]) < len(handles):
            raise incomplete(f"Execute: a table of {len(answer[1])} handles for {len(handles)}")
        return answer

    def _connect(self) -> int:
        try:
            self._context = self._profile.transport.connect(self._profile.user_dn)
        except ConnectionLost as lost:
            raise MapiError(HResult.MAPI_E_NETWORK_ERROR, where=f"Connect ({lost})") from lost
        except RpcError as refusal:
            raise refused(refusal.code, refusal.of("Connect")) from refusal
        return self._context

    def _forget(self, answer: HResult) -> None:
        """The context is gone, and all that was in it."""
        self._context = None
        self.waiting.clear()
        for logon in self.logons.values():
            logon.invalidate(answer)
        self.logons.clear()
        self.indexes.clear()


class SeparateConnection(Connection):
    """A connection of one logon, for profiles with CONNECT_USE_SEPARATE_CONNECTION. It ends with the logon."""

    __slots__ = ("_siblings",)

    def __init__(self, profile: Profile, siblings: dict[Connection, None]) -> None:
        """`siblings`: the connections of the session, where this one is found while it lives."""
        super().__init__(profile)
        self._siblings = siblings

    def begin(self, mailbox_dn: str) -> Logon:
        logon = super().begin(mailbox_dn)
        self._siblings[self] = None
        return logon

    def end(self, logon: Logon) -> None:
        super().end(logon)
        self.close()

    def _forget(self, answer: HResult) -> None:
        super()._forget(answer)
        self._siblings.pop(self, None)


class Logon:
    """One mailbox open on a connection, and every interface on it that was not released."""

    __slots__ = ("connection", "index", "mailbox_dn", "outstanding")

    def __init__(self, connection: Connection, index: int, mailbox_dn: str) -> None:
        self.connection = connection
        self.index = index
        self.mailbox_dn = mailbox_dn
        self.outstanding: dict[Interface, None] = {}  # in the order in which they were obtained

    def chain(self, requests: Sequence[Request], handles: list[int], rows: RowCodec | None = None) -> Answer:
        """Execute ROPs that build on one another: all of them succeed, or what they opened is released again.

        Raises MapiError with the first refusal; those after it are only its consequence.
        """
        responses, filled = self.connection.execute(requests, handles, rows)
        for response in responses:
            if response.return_value:
                self.discard(new for old, new in zip(handles, filled, strict=False) if old == NO_HANDLE)
                raise failure(response.return_value, f"ROP 0x{response.rop_id:02X}")
        return responses, filled

    def discard(self, handles: Iterable[int]) -> None:
        """Release server objects that no interface stands for, owned before owner ([MS-OXCROPS] 3.1.5.3)."""
        for handle in reversed([*handles]):
            if handle != NO_HANDLE:
                self.connection.release(self, handle)

    def invalidate(self, answer: HResult) -> None:
        """Every interface answers `answer` from now on."""
        for interface in [*self.outstanding]:  # another thread may be at work on it
            interface.invalidate(answer)
        self.outstanding.clear()

    def leftovers(self) -> Iterator[Leftover]:
        """How many interfaces of which kind were not released; the kind obtained first comes first."""
        for kind, count in Counter(interface.kind for interface in self.outstanding).items():
            yield Leftover(self.mailbox_dn, self.index, kind, count)


def _checked(requests: Sequence[Request], answered: list[Any], unasked: OpaqueResponse) -> list[Any]:
    """The answers without what the server said unasked, a notification, say, which nobody here waits for."""
    if _place_after(requests, len(answered)) == len(requests):
        return answered
    if unasked.rop_id == RopId.BACKOFF:
        raise failure(ErrorCode.SERVER_BUSY, "RopBackoff")
    raise incomplete(f"Execute: {len(answered)} answers only")


def _place_after(requests: Sequence[Request], answers: int) -> int:
    """Where the first request stands that has no answer. A release never has one, and is run in passing."""
    for place, request in enumerate(requests):
        if type(request) is not ReleaseRequest:
            if not answers:
                return place
            answers -= 1
    return len(requests)
