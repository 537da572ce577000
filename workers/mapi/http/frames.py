"""RPC_HEADER_EXT: what stands before a ROP buffer, which may be compressed and obfuscated ([MS-OXCRPC] 2.2.2.1)."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import TYPE_CHECKING

from workers.mapi.http import lz77
from workers.mapi.wire import BROKEN, CodecError, take

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Version, Flags, Size, SizeActual.
_HEADER = Struct("<4H")

#: Bytes of the header, and of the largest payload: its size is told in 16 bits.
HEADER_SIZE = _HEADER.size
MOST = 0xFFFF

_OBFUSCATED = bytes(byte ^ 0xA5 for byte in range(256))


class FrameFlags(IntFlag):
    """Flags of RPC_HEADER_EXT."""

    COMPRESSED = 1
    XOR_MAGIC = 2
    LAST = 4


def wrap(payload: bytes, *, compress: bool = False, obfuscate: bool = False) -> bytes:
    """A ROP buffer as the last, or only, one of a call. Compressed only where that makes it shorter; then obfuscated.

    Raises CodecError for one that is too long.
    """
    if len(payload) > MOST:
        raise CodecError(f"a ROP buffer of {len(payload)} bytes; a call carries {MOST}")
    flags, carried = FrameFlags.LAST, payload
    if compress and len(shorter := lz77.compress(payload)) < len(payload):
        flags, carried = flags | FrameFlags.COMPRESSED, shorter
    if obfuscate:
        flags, carried = flags | FrameFlags.XOR_MAGIC, carried.translate(_OBFUSCATED)
    return _HEADER.pack(0, flags, len(carried), len(payload)) + carried


def unwrap(buffers: bytes) -> bytes:
    """The first ROP buffer. Further ones, which nobody here asks for, hold more rows of its last table.

    Raises CodecError where there is none, and when a buffer is broken or the last one is not there.
    """
    try:
        payloads = list(_payloads(buffers))
    except BROKEN as error:
        raise CodecError("an RPC_HEADER_EXT that is cut short") from error
    return payloads[0]


def _payloads(buffers: bytes) -> Iterator[bytes]:
    offset, flags = 0, 0
    while not flags & FrameFlags.LAST:
        version, flags, size, actual = _HEADER.unpack_from(buffers, offset)
        if version:
            raise CodecError(f"an RPC_HEADER_EXT of version {version}")
        payload = take(buffers, offset + HEADER_SIZE, size)
        if flags & FrameFlags.XOR_MAGIC:
            payload = payload.translate(_OBFUSCATED)
        if flags & FrameFlags.COMPRESSED:
            payload = lz77.decompress(payload, actual)
        elif size != actual:
            raise CodecError(f"a buffer of {size} bytes that is said to have {actual}")
        yield payload
        offset += HEADER_SIZE + size
