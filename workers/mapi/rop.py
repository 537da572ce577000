"""What all ROPs share: their numbers, and the shape of those whose fields are all of a fixed width.

A request is RopId, LogonId, one or two handle indexes and its fields; a successful response is RopId, handle
index, ReturnValue 0 and its fields; a failed one ends after the ReturnValue ([MS-OXCROPS] 2.2.2 and on).
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec

from workers.mapi.generated import compiled

#: RopId, handle index, ReturnValue: how every response begins.
HEAD = Struct("<BBI")


class RopId(IntEnum):
    """The first byte of a ROP ([MS-OXCROPS] 2.2.2)."""

    RELEASE = 0x01
    OPEN_FOLDER = 0x02
    OPEN_MESSAGE = 0x03
    GET_HIERARCHY_TABLE = 0x04
    GET_CONTENTS_TABLE = 0x05
    GET_PROPERTIES_SPECIFIC = 0x07
    SET_COLUMNS = 0x12
    SORT_TABLE = 0x13
    QUERY_ROWS = 0x15
    QUERY_POSITION = 0x17
    SEEK_ROW = 0x18
    GET_RECEIVE_FOLDER = 0x27
    NOTIFY = 0x2A
    OPEN_STREAM = 0x2B
    READ_STREAM = 0x2C
    PENDING = 0x6E
    BACKOFF = 0xF9
    LOGON = 0xFE
    BUFFER_TOO_SMALL = 0xFF


class FixedRop(msgspec.Struct, frozen=True):
    """A ROP whose fields all have a fixed width; they are declared in wire order."""

    rop_id: ClassVar[int]
    #: The fields, as `struct` spells them.
    layout: ClassVar[str] = ""
    _head: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Compile the layout: with the RopId for writing, without it for reading."""
        if not cls.layout:  # a kind of ROP, and none itself
            return
        written, read = (Struct(f"<{first}{cls._head}{cls.layout}") for first in "Bx")
        fields = "".join(f", self.{field}" for field in cls.__annotations__)
        text = _FIXED.format(rop_id=int(cls.rop_id), fields=fields, size=read.size)
        names = compiled(cls.__name__, text, {"pack": written.pack, "unpack": read.unpack_from, "make": cls})
        cls.encode = names["encode"]  # type: ignore[method-assign]  # what is declared below has no body
        cls.decode = staticmethod(names["decode"])  # type: ignore[method-assign]

    if TYPE_CHECKING:

        def encode(self) -> bytes:
            """The ROP's bytes."""

        @classmethod
        def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
            """The ROP at `offset`, known by its RopId and ReturnValue, and where the next one begins."""


_FIXED = """
def encode(self):
    return pack({rop_id}{fields})

def decode(buffer, offset):
    return make(*unpack(buffer, offset)), offset + {size}
"""


class FixedRequest(FixedRop, frozen=True):
    """A request of that kind."""


class FixedResponse(FixedRop, frozen=True):
    """A successful response of that kind. Its first field is the handle index, told apart from `layout`."""

    _head = "B4x"  # the handle index, and a ReturnValue of 0
    return_value: ClassVar[int] = 0


class ErrorResponse(msgspec.Struct, frozen=True):
    """Any ROP that failed: all that comes back is the code."""

    rop_id: int
    handle_index: int
    #: An HRESULT or a store's code; never 0.
    return_value: int

    def encode(self) -> bytes:
        """The response's bytes."""
        return HEAD.pack(self.rop_id, self.handle_index, self.return_value)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, and where the next one begins."""
        return cls(*HEAD.unpack_from(buffer, offset)), offset + HEAD.size


class BufferTooSmallResponse(msgspec.Struct, frozen=True):
    """The answers did not fit: what was not executed comes back, and nothing follows ([MS-OXCROPS] 2.2.15.1)."""

    rop_id: ClassVar[int] = RopId.BUFFER_TOO_SMALL
    return_value: ClassVar[int] = 0x47D
    #: Bytes of response buffer that the server wants for the rest.
    size_needed: int
    #: The requests that were not executed, as they were sent.
    request_buffers: bytes

    def encode(self) -> bytes:
        """The response's bytes."""
        return _TOO_SMALL.pack(self.rop_id, self.size_needed) + self.request_buffers

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`; it takes the rest of the list."""
        _, size_needed = _TOO_SMALL.unpack_from(buffer, offset)
        return cls(size_needed, buffer[offset + _TOO_SMALL.size :]), len(buffer)


_TOO_SMALL = Struct("<BH")


class OpaqueRequest(msgspec.Struct, frozen=True):
    """A ROP that this codec does not know, as bytes that the caller wrote, RopId first. Must be a buffer's last:
    nobody here knows where its response ends."""

    data: bytes

    @property
    def rop_id(self) -> int:
        """The ROP's number."""
        return self.data[0]

    def encode(self) -> bytes:
        """The bytes as they are."""
        return self.data


class OpaqueResponse(msgspec.Struct, frozen=True):
    """What answers an OpaqueRequest, or what a server adds of its own accord (notifications, back-off).

    Its length is not known, so it takes the rest of the list.
    """

    data: bytes

    @property
    def rop_id(self) -> int:
        """The ROP's number."""
        return self.data[0]

    def encode(self) -> bytes:
        """The bytes as they are."""
        return self.data
