"""Property values as they stand in a row: one reader and one writer a property type ([MS-OXCDATA] 2.11).

What a cell is in Python: int for integers, FILETIMEs (units of 100 ns since 1601) and currency (units of
1/10,000); float; bool; str; bytes for binary values and GUIDs (16 bytes, as on the wire); a tuple of these
for multi-values. PtypInteger64 is read unsigned, because folder and message ids travel as it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from workers.mapi.wire import (
    CodecError,
    read_string,
    read_string8,
    take,
    write_string,
    write_string8,
)

#: Reads a value at an offset; gives it and where the next one begins.
Reader = Callable[[bytes, int], tuple[Any, int]]
Writer = Callable[[Any], bytes]

_COUNT16 = Struct("<H")
_COUNT32 = Struct("<I")
_MULTIPLE = 0x1000
_GUID_SIZE = 16


class PropertyType(IntEnum):
    """The low half of a property tag ([MS-OXCDATA] 2.11.1)."""

    UNSPECIFIED = 0x0000
    INTEGER16 = 0x0002
    INTEGER32 = 0x0003
    FLOATING32 = 0x0004
    FLOATING64 = 0x0005
    CURRENCY = 0x0006
    FLOATING_TIME = 0x0007
    ERROR_CODE = 0x000A
    BOOLEAN = 0x000B
    INTEGER64 = 0x0014
    STRING8 = 0x001E
    STRING = 0x001F
    TIME = 0x0040
    GUID = 0x0048
    SERVER_ID = 0x00FB
    BINARY = 0x0102
    MULTIPLE_INTEGER16 = 0x1002
    MULTIPLE_INTEGER32 = 0x1003
    MULTIPLE_FLOATING32 = 0x1004
    MULTIPLE_FLOATING64 = 0x1005
    MULTIPLE_CURRENCY = 0x1006
    MULTIPLE_FLOATING_TIME = 0x1007
    MULTIPLE_INTEGER64 = 0x1014
    MULTIPLE_STRING8 = 0x101E
    MULTIPLE_STRING = 0x101F
    MULTIPLE_TIME = 0x1040
    MULTIPLE_GUID = 0x1048
    MULTIPLE_BINARY = 0x1102


#: The types of a fixed width, and how `struct` spells them.
FIXED: dict[int, str] = {
    PropertyType.INTEGER16: "h",
    PropertyType.INTEGER32: "i",
    PropertyType.FLOATING32: "f",
    PropertyType.FLOATING64: "d",
    PropertyType.CURRENCY: "q",
    PropertyType.FLOATING_TIME: "d",
    PropertyType.ERROR_CODE: "I",
    PropertyType.BOOLEAN: "?",
    PropertyType.INTEGER64: "Q",
    PropertyType.TIME: "Q",
}


class PropertyError(msgspec.Struct, frozen=True):
    """A cell that holds no value but the reason why: PtypErrorCode, an HRESULT or a store's code."""

    code: int


class TypedValue(NamedTuple):
    """A cell of a column that was asked for as PtypUnspecified: the type that the server chose, and the value."""

    property_type: int
    value: Any


def property_type(tag: int) -> int:
    """The type in a property tag. It may be one that PropertyType does not know."""
    return tag & 0xFFFF


def reader_of(kind: int) -> Reader:
    """What reads a value of a property type; raises CodecError for a type that no row can hold."""
    try:
        return _READERS[kind]
    except KeyError:
        raise CodecError(f"property type 0x{kind:04X} is not read from rows") from None


def writer_of(kind: int) -> Writer:
    """What writes a value of a property type; raises CodecError for a type that no row can hold."""
    try:
        return _WRITERS[kind]
    except KeyError:
        raise CodecError(f"property type 0x{kind:04X} is not written to rows") from None


def told(kind: int) -> int:
    """The type that a value brought along, which must be one."""
    if kind == PropertyType.UNSPECIFIED:
        raise CodecError("a typed value of no type")
    return kind


def _read_binary(buffer: bytes, offset: int) -> tuple[bytes, int]:
    (size,) = _COUNT16.unpack_from(buffer, offset)
    return take(buffer, offset + 2, size), offset + 2 + size


def _write_binary(octets: bytes) -> bytes:
    return _COUNT16.pack(len(octets)) + octets


def _read_guid(buffer: bytes, offset: int) -> tuple[bytes, int]:
    return take(buffer, offset, _GUID_SIZE), offset + _GUID_SIZE


def _write_guid(octets: bytes) -> bytes:
    if len(octets) != _GUID_SIZE:
        raise CodecError(f"a GUID has {_GUID_SIZE} bytes, not {len(octets)}")
    return bytes(octets)


def _write_boolean(value: bool) -> bytes:  # noqa: FBT001 - it is the cell
    if value.__class__ is not bool:  # `struct` takes anything for one
        raise CodecError(f"not a bool: {value!r}")
    return b"\1" if value else b"\0"


def _read_typed(buffer: bytes, offset: int) -> tuple[TypedValue, int]:
    (kind,) = _COUNT16.unpack_from(buffer, offset)
    value, offset = reader_of(told(kind))(buffer, offset + 2)
    return TypedValue(kind, value), offset


def _write_typed(typed: TypedValue) -> bytes:
    kind, value = typed
    return _COUNT16.pack(kind) + writer_of(told(kind))(value)


def _fixed(form: str) -> tuple[Reader, Writer]:
    layout = Struct("<" + form)

    def read(buffer: bytes, offset: int) -> tuple[Any, int]:
        return layout.unpack_from(buffer, offset)[0], offset + layout.size

    return read, layout.pack


def _multiple_fixed(form: str) -> tuple[Reader, Writer]:
    width = Struct("<" + form).size

    def layout(count: int) -> Struct:
        return Struct(f"<{count}{form}")

    def read(buffer: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        count, offset = _read_count(buffer, offset, width)
        return layout(count).unpack_from(buffer, offset), offset + count * width

    def write(values: tuple[Any, ...]) -> bytes:
        return _COUNT32.pack(len(values)) + layout(len(values)).pack(*values)

    return read, write


def _multiple(read_one: Reader, write_one: Writer, narrowest: int) -> tuple[Reader, Writer]:
    def read(buffer: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        count, offset = _read_count(buffer, offset, narrowest)
        values = []
        for _ in range(count):
            value, offset = read_one(buffer, offset)
            values.append(value)
        return tuple(values), offset

    def write(values: tuple[Any, ...]) -> bytes:
        return _COUNT32.pack(len(values)) + b"".join(map(write_one, values))

    return read, write


def _read_count(buffer: bytes, offset: int, narrowest: int) -> tuple[int, int]:
    """How many values follow. A count that cannot be true is refused before anything is made from it."""
    (count,) = _COUNT32.unpack_from(buffer, offset)
    if count * narrowest > len(buffer) - offset - 4:
        raise CodecError(f"{count} values announced at {offset}, {len(buffer) - offset - 4} bytes left")
    return count, offset + 4


_CODECS: dict[int, tuple[Reader, Writer]] = {
    PropertyType.UNSPECIFIED: (_read_typed, _write_typed),
    PropertyType.STRING8: (read_string8, write_string8),
    PropertyType.STRING: (read_string, write_string),
    PropertyType.SERVER_ID: (_read_binary, _write_binary),
    PropertyType.BINARY: (_read_binary, _write_binary),
    PropertyType.GUID: (_read_guid, _write_guid),
    PropertyType.MULTIPLE_STRING8: _multiple(read_string8, write_string8, 1),
    PropertyType.MULTIPLE_STRING: _multiple(read_string, write_string, 2),
    PropertyType.MULTIPLE_BINARY: _multiple(_read_binary, _write_binary, 2),
    PropertyType.MULTIPLE_GUID: _multiple(_read_guid, _write_guid, _GUID_SIZE),
    **{kind: _fixed(form) for kind, form in FIXED.items()},
    **{
        kind | _MULTIPLE: _multiple_fixed(form)
        for kind, form in FIXED.items()
        if kind not in (PropertyType.BOOLEAN, PropertyType.ERROR_CODE)
    },
}
_READERS = {kind: read for kind, (read, _) in _CODECS.items()}
_WRITERS = {kind: write for kind, (_, write) in _CODECS.items()} | {PropertyType.BOOLEAN: _write_boolean}
