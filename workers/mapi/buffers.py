"""ROP buffers: several ROPs chained, with the table of handles that their indexes point into ([MS-OXCROPS] 2.2.1).

A buffer is RopSize (2 bytes, counts itself), the list of ROPs, and the handle table to the end. What a transport
puts around it (RPC_HEADER_EXT, HTTP) is not known here; nor is what a handle stands for. Whatever is wrong with a
buffer is one CodecError.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from workers.mapi.rop import HEAD
from workers.mapi.rops import (
    REQUESTS,
    RESPONSE_INDEXES,
    RESPONSES,
    BufferTooSmallResponse,
    ErrorResponse,
    GetPropertiesSpecificRequest,
    GetPropertiesSpecificResponse,
    LogonRedirectResponse,
    OpaqueRequest,
    OpaqueResponse,
    QueryRowsRequest,
    QueryRowsResponse,
    Request,
    Response,
    RopId,
    SetColumnsRequest,
)
from workers.mapi.rops_store import WRONG_SERVER
from workers.mapi.rows import RowCodec, row_codec
from workers.mapi.wire import BROKEN, CodecError, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "NO_HANDLE",
    "CodecError",
    "decode_request_buffer",
    "decode_response_buffer",
    "encode_request_buffer",
    "encode_response_buffer",
]

#: What stands in the table where a ROP of the buffer is to put a handle.
NO_HANDLE = 0xFFFFFFFF

_SIZE = Struct("<H")
_HANDLE_SIZE = 4
_RELEASE = RopId.RELEASE.value  # looking a member up costs as much as reading a field

#: What a server may put into its list unasked.
_UNASKED = frozenset({RopId.NOTIFY, RopId.PENDING, RopId.BACKOFF})


def encode_request_buffer(requests: Iterable[Request], handles: Sequence[int]) -> bytes:
    """The ROPs, in order, with their handle table. Raises CodecError for what the wire cannot hold."""
    return _buffer((request.encode() for request in requests), handles)


def encode_response_buffer(responses: Iterable[Response | bytes], handles: Sequence[int]) -> bytes:
    """The responses, in order, with the handle table; `bytes` are a response that is encoded already.

    Raises CodecError for what the wire cannot hold.
    """
    return _buffer((part if isinstance(part, bytes) else part.encode() for part in responses), handles)


def decode_request_buffer(buffer: bytes) -> tuple[list[Request], list[int]]:
    """The ROPs and the handle table. A ROP that this codec does not know is a CodecError: its end is not known."""
    rops, handles = _split(buffer)
    requests: list[Request] = []
    offset = 0
    try:
        while offset < len(rops):
            read = REQUESTS.get(rops[offset])
            if read is None:
                raise CodecError(f"unknown RopId 0x{rops[offset]:02X} at {offset}")
            request, offset = read(rops, offset)
            requests.append(request)
    except BROKEN as error:
        raise CodecError(f"the ROP at {offset} is broken or cut short") from error
    return requests, handles


def decode_response_buffer(
    buffer: bytes, requests: Iterable[Request], rows: RowCodec | None = None
) -> tuple[list[Response], list[int]]:
    """The responses to `requests`, in order, and the handle table. A RopRelease has none.

    Rows can be read only by their columns. Those that a request names, or a RopSetColumns of the same buffer, are
    known; `rows` reads those of a RopQueryRows on a table whose columns were set earlier. The last response may be
    one more than was asked for: a BufferTooSmallResponse, after which the remaining requests have none, or an
    OpaqueResponse with what the server had to say unasked. Raises CodecError, also when an answer is missing or
    answers something else.
    """
    rops, handles = _split(buffer)
    try:
        return _responses(rops, requests, rows), handles
    except BROKEN as error:
        raise CodecError("a response is broken or cut short") from error


def _responses(rops: bytes, requests: Iterable[Request], rows: RowCodec | None) -> list[Response]:
    columns: dict[int, RowCodec] = {}  # of tables, by handle index
    responses: list[Response] = []
    offset = 0
    for request in requests:
        rop_id = request.rop_id
        if rop_id == _RELEASE:
            continue
        if offset == len(rops):
            raise CodecError(f"no answer to {request}")
        if rops[offset] != rop_id:
            break
        response, offset = _response(rops, offset, request, columns, rows)
        responses.append(response)
    if offset < len(rops):
        responses.append(_last(rops, offset))
    return responses


def _response(
    rops: bytes, offset: int, request: Request, columns: dict[int, RowCodec], rows: RowCodec | None
) -> tuple[Response, int]:
    """The response at `offset`, whose RopId is that of `request`."""
    if type(request) is OpaqueRequest:  # isinstance takes thrice as long to say no
        return OpaqueResponse(rops[offset:]), len(rops)
    rop_id, index, return_value = HEAD.unpack_from(rops, offset)
    if index != RESPONSE_INDEXES[rop_id](request):
        raise CodecError(f"handle index {index} in the answer to {request}")
    if return_value:
        return _failure(rops, offset, return_value)
    if type(request) is QueryRowsRequest:
        return QueryRowsResponse.decode(rops, offset, _known(columns.get(index, rows)))
    if type(request) is GetPropertiesSpecificRequest:
        return GetPropertiesSpecificResponse.decode(rops, offset, row_codec(request.property_tags))
    if type(request) is SetColumnsRequest:
        columns[index] = row_codec(request.property_tags)
    return RESPONSES[rop_id](rops, offset)


def _failure(rops: bytes, offset: int, return_value: int) -> tuple[Response, int]:
    if return_value == WRONG_SERVER and rops[offset] == RopId.LOGON:
        return LogonRedirectResponse.decode(rops, offset)
    return ErrorResponse.decode(rops, offset)


def _known(columns: RowCodec | None) -> RowCodec:
    if columns is None:
        raise CodecError("rows whose columns nobody told")
    return columns


def _last(rops: bytes, offset: int) -> Response:
    """What stands where no response is, or not the one that was due."""
    rop_id = rops[offset]
    if rop_id == RopId.BUFFER_TOO_SMALL:
        return BufferTooSmallResponse.decode(rops, offset)[0]
    if rop_id in _UNASKED:
        return OpaqueResponse(rops[offset:])
    raise CodecError(f"an answer that nothing asked for, RopId 0x{rop_id:02X} at {offset}")


def _buffer(rops: Iterable[bytes], handles: Sequence[int]) -> bytes:
    try:
        listed = b"".join(rops)
        return _SIZE.pack(_SIZE.size + len(listed)) + listed + numbers(len(handles)).pack(*handles)
    except BROKEN as error:
        raise CodecError(f"a ROP, a handle or the whole is more than the wire can hold: {error}") from error


def _split(buffer: bytes) -> tuple[bytes, list[int]]:
    """The list of ROPs, cut out so that no ROP can be read beyond it, and the handle table."""
    if len(buffer) < _SIZE.size:
        raise CodecError(f"a ROP buffer of {len(buffer)} bytes")
    (size,) = _SIZE.unpack_from(buffer)
    table = len(buffer) - size
    if size < _SIZE.size or table < 0 or table % _HANDLE_SIZE:
        raise CodecError(f"RopSize {size} in a buffer of {len(buffer)} bytes")
    handles = numbers(table // _HANDLE_SIZE).unpack_from(buffer, size)
    return buffer[_SIZE.size : size], list(handles)
