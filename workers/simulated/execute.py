"""Executes the ROPs of one buffer, in their order, against one session context ([MS-OXCROPS] 3.2.5.1).

A ROP that fails is answered with its code, and those that wanted its object fail in their turn: 0x4B9. Only
what makes the buffer as a whole senseless fails the whole Execute (RpcError). What a single ROP does is told in
`answers`; here is what holds for all of them: handles, errors, and the room in the reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.mapi.buffers import NO_HANDLE, decode_request_buffer, encode_response_buffer
from workers.mapi.hresults import ErrorCode, HResult
from workers.mapi.rops import (
    RESPONSE_INDEXES,
    BufferTooSmallResponse,
    ErrorResponse,
    LogonRequest,
    OpenMessageRequest,
    ReleaseRequest,
)
from workers.mapi.transport import MAX_ROP_OUT, RpcError
from workers.mapi.wire import CodecError
from workers.simulated.answers import ANSWERS
from workers.simulated.objects import Connection, Logon, NoRoom, RopFailure, code_of
from workers.simulated.options import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.mapi.rops import Request

#: Bytes of a reply that are no responses: RPC_HEADER_EXT, which counts against the 32 KB on the recorded
#: server, and RopSize; the handle table comes on top.
_FRAME = 8 + 2
_HANDLE = 4

#: Bytes of a response that does not adapt to the room there is: RopLogon's, and the largest of all others
#: (RopQueryPosition's).
_LOGON_REPLY, _OTHER_REPLY = 166, 14

#: RopBufferTooSmall before its RequestBuffers: RopId and SizeNeeded, which is 16 bits.
_TOO_SMALL_HEAD = 3
_MOST_NEEDED = 0xFFFF

#: With so many bytes left nobody needs to know to the byte how long the requests are that may come back.
_AMPLE = 24 * 1024


def decode(rop_buffer: bytes) -> tuple[list[Request], list[int]]:
    """The requests and the handle table. Raises RpcError, 0x4B6: nothing of the buffer is executed."""
    try:
        return decode_request_buffer(rop_buffer)
    except CodecError as error:
        raise RpcError(ErrorCode.RPC_FORMAT) from error


class Execution:
    """One ROP buffer under way on one session context."""

    def __init__(
        self,
        connection: Connection,
        handles: list[int],
        overflow: Overflow,
        admit: Callable[[LogonRequest], Logon],
    ) -> None:
        """`handles` is changed in place. `admit` opens a mailbox, or raises RopFailure."""
        self.connection = connection
        self.admit = admit
        self._handles = handles
        self._hands_back = overflow is Overflow.SPEC
        #: Bytes for the response of the ROP under way.
        self.room = 0
        self._left = MAX_ROP_OUT - _FRAME - _HANDLE * len(handles)  # bytes that responses may still take
        self._parts: list[bytes] = []

    def run(self, requests: Sequence[Request], size: int) -> bytes:
        """The reply; `size`: bytes of the request buffer.

        Raises RpcError when the Execute fails as a whole. What was executed till then stays so.
        """
        for place, request in enumerate(requests):
            if type(request) is ReleaseRequest:
                self.connection.release(request.logon_id, self._handle(request.input_handle_index))
                continue
            try:
                self.room = self._left - self._reserved(requests, place, size)
                part = self._answer(request)
            except NoRoom as full:
                if not self._hands_back:
                    raise RpcError(ErrorCode.BUFFER_TOO_SMALL) from full
                if self._parts:
                    self._parts.append(self._too_small(requests[place:], full.needed))
                    break
                part = _error(request, ErrorCode.BUFFER_TOO_SMALL)  # no reply has room for it
            self._parts.append(part)
            self._left -= len(part)
        return encode_response_buffer(self._parts, self._handles)

    def subject(self, logon_id: int, index: int) -> tuple[Logon, Any]:
        """The logon and the object that a ROP is about.

        Raises RopFailure, NULL_OBJECT, when either is not there or they do not belong together; RpcError when the
        index is outside the handle table.
        """
        handle = self._handle(index)
        logon = self.connection.logons.get(logon_id)
        found = None if logon is None else logon.objects.get(handle)
        if logon is None or found is None:
            raise RopFailure(ErrorCode.NULL_OBJECT)
        return logon, found

    def put(self, index: int, handle: int) -> None:
        """What a ROP opened, for the ROPs after it and for the client."""
        self._handles[index] = handle

    def _handle(self, index: int) -> int:
        """Raises RpcError for an index outside the table; the specification would fail the ROP alone."""
        try:
            return self._handles[index]
        except IndexError:
            raise RpcError(HResult.MAPI_E_INVALID_OBJECT) from None

    def _reserved(self, requests: Sequence[Request], place: int, size: int) -> int:
        """Bytes to keep free, so that the requests behind `place` can be handed back if one of them has no room."""
        if not self._hands_back or place + 1 == len(requests):
            return 0
        if self._left - size > _AMPLE:
            return _TOO_SMALL_HEAD + size
        return _TOO_SMALL_HEAD + sum(len(request.encode()) for request in requests[place + 1 :])

    def _answer(self, request: Request) -> bytes:
        """The response. Raises NoRoom: not executed if it is to be handed back, else executed for nothing."""
        least = _LOGON_REPLY if type(request) is LogonRequest else _OTHER_REPLY
        if self._hands_back and self.room < least:
            raise NoRoom(least)
        try:
            self._handle(RESPONSE_INDEXES[request.rop_id](request))
            part = ANSWERS[type(request)](self, request).encode()
        except RopFailure as failure:
            part = _error(request, failure.code)
        except OSError as error:
            part = _error(request, code_of(error))
        if len(part) > self.room:
            if self._hands_back and isinstance(request, OpenMessageRequest):  # no other opener can be too long here
                self._undo(request)
            raise NoRoom(len(part))
        return part

    def _undo(self, request: OpenMessageRequest) -> None:
        index = request.output_handle_index
        self.connection.release(request.logon_id, self._handles[index])
        self._handles[index] = NO_HANDLE

    def _too_small(self, rest: Sequence[Request], needed: int) -> bytes:
        used = MAX_ROP_OUT - self._left
        unexecuted = b"".join(request.encode() for request in rest)
        return BufferTooSmallResponse(min(used + needed, _MOST_NEEDED), unexecuted).encode()


def _error(request: Request, code: int) -> bytes:
    """The answer of a ROP that failed, with the index of what it was to open, or else of what it was about."""
    return ErrorResponse(request.rop_id, RESPONSE_INDEXES[request.rop_id](request), code).encode()
