"""Bodies of Connect, Execute and Disconnect, both ways ([MS-OXCMAPIHTTP] 2.2.4). No padding; all little-endian.

A request's body ends with an auxiliary buffer, an answer's, too. It tells servers about clients, or clients about
servers; ours is empty, and that of a server is skipped.
"""

from __future__ import annotations

from contextlib import contextmanager
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from workers.mapi.transport import RpcError
from workers.mapi.wire import (
    BROKEN,
    CODE_PAGE,
    CodecError,
    read_string,
    read_string8,
    take,
    write_string,
    write_string8,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = Struct("<I")
_TWO = Struct("<2I")
_THREE = Struct("<3I")
_FOUR = Struct("<4I")

#: A body that ends: AuxiliaryBufferSize 0.
END = NUMBER.pack(0)

#: en-US: sorting and names of special folders, neither of which is looked at.
LOCALE = 1033

#: Execute's Flags: neither compress nor obfuscate the answer ([MS-OXCRPC] 3.1.4.2).
PLAIN = 0x1 | 0x2

#: MaxRopOut: RPC_HEADER_EXT and 64 KB, as the recorded client asks for.
MAX_ROP_OUT = 8 + 0x10000


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Say of whatever is missing within that it is missing. Raises CodecError."""
    try:
        yield
    except BROKEN as error:
        raise CodecError(f"{what} that is broken or cut short") from error


def status(body: bytes) -> int:
    """Where an answer goes on behind its StatusCode and ErrorCode. Raises RpcError when either is not 0, CodecError."""
    with reading("an answer"):
        (status_code,) = NUMBER.unpack_from(body)
        if status_code:  # the failure form has no ErrorCode
            raise RpcError(status_code)
        (error_code,) = NUMBER.unpack_from(body, NUMBER.size)
    if error_code:  # what follows depends on the server
        raise RpcError(error_code)
    return _TWO.size


def failed(error_code: int) -> bytes:
    """An answer that says so, and no more."""
    return _TWO.pack(0, error_code) + END


class ConnectRequest(NamedTuple):
    """Asks for a session context ([MS-OXCMAPIHTTP] 2.2.4.1.1)."""

    user_dn: str
    flags: int = 0
    code_page: int = CODE_PAGE
    sort_locale: int = LOCALE
    string_locale: int = LOCALE

    def encode(self) -> bytes:
        return write_string8(self.user_dn) + _FOUR.pack(*self[1:]) + END

    @classmethod
    def decode(cls, body: bytes) -> ConnectRequest:
        """Raises CodecError."""
        with reading("a Connect"):
            user_dn, offset = read_string8(body, 0)
            return cls(user_dn, *_FOUR.unpack_from(body, offset))


class ConnectResponse(NamedTuple):
    """A session context is there ([MS-OXCMAPIHTTP] 2.2.4.1.2)."""

    polls_max: int  # milliseconds
    retry_count: int
    retry_delay: int  # milliseconds
    dn_prefix: str
    display_name: str

    def encode(self) -> bytes:
        return (
            _TWO.pack(0, 0)
            + _THREE.pack(*self[:3])
            + write_string8(self.dn_prefix)
            + write_string(self.display_name)
            + END
        )

    @classmethod
    def decode(cls, body: bytes) -> ConnectResponse:
        """Raises RpcError when the server refused, CodecError."""
        offset = status(body)
        with reading("an answer to Connect"):
            polls_max, retry_count, retry_delay = _THREE.unpack_from(body, offset)
            dn_prefix, offset = read_string8(body, offset + _THREE.size)
            display_name, _ = read_string(body, offset)
            return cls(polls_max, retry_count, retry_delay, dn_prefix, display_name)


class ExecuteRequest(NamedTuple):
    """Carries ROP buffers ([MS-OXCMAPIHTTP] 2.2.4.2.1)."""

    rop_buffer: bytes  # with its RPC_HEADER_EXT
    flags: int = PLAIN
    max_rop_out: int = MAX_ROP_OUT

    def encode(self) -> bytes:
        return _TWO.pack(self.flags, len(self.rop_buffer)) + self.rop_buffer + NUMBER.pack(self.max_rop_out) + END

    @classmethod
    def decode(cls, body: bytes) -> ExecuteRequest:
        """Raises CodecError."""
        with reading("an Execute"):
            flags, size = _TWO.unpack_from(body)
            rop_buffer = take(body, _TWO.size, size)
            (max_rop_out,) = NUMBER.unpack_from(body, _TWO.size + size)
            return cls(rop_buffer, flags, max_rop_out)


class ExecuteResponse(NamedTuple):
    """Brings ROP buffers back ([MS-OXCMAPIHTTP] 2.2.4.2.2)."""

    rop_buffer: bytes  # with its RPC_HEADER_EXT

    def encode(self) -> bytes:
        return _FOUR.pack(0, 0, 0, len(self.rop_buffer)) + self.rop_buffer + END

    @classmethod
    def decode(cls, body: bytes) -> ExecuteResponse:
        """Raises RpcError when the call was refused as a whole, CodecError."""
        offset = status(body)
        with reading("an answer to Execute"):
            _, size = _TWO.unpack_from(body, offset)
            return cls(take(body, offset + _TWO.size, size))


#: Disconnect, and PING, which has no body at all ([MS-OXCMAPIHTTP] 2.2.4.3.1, 2.2.6).
DISCONNECT = END
DISCONNECTED = failed(0)
