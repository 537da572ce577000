"""ROPs on a message and on the properties of any object: open message, get properties, streams."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import msgspec

from workers.mapi.recipients import OpenRecipientRow
from workers.mapi.rop import FixedRequest, FixedResponse, RopId
from workers.mapi.rows import Row
from workers.mapi.wire import (
    CodecError,
    numbers,
    read_string,
    read_string8,
    take,
    write_string,
    write_string8,
)

if TYPE_CHECKING:
    from workers.mapi.rows import RowCodec

#: ByteCount of a RopReadStream whose count is in MaximumByteCount ([MS-OXCROPS] 2.2.9.2.1).
USE_MAXIMUM_BYTE_COUNT = 0xBABE
#: CodePageId of a RopOpenMessage: that of the logon.
CODE_PAGE_OF_LOGON = 0x0FFF


class OpenMessageRequest(FixedRequest, frozen=True):
    """RopOpenMessage ([MS-OXCROPS] 2.2.6.1.1)."""

    rop_id = RopId.OPEN_MESSAGE
    layout = "BBBHQBQ"
    logon_id: int
    input_handle_index: int
    output_handle_index: int
    code_page_id: int
    folder_id: int
    open_mode_flags: int
    message_id: int


class TypedString(NamedTuple):
    """A string and how it was written ([MS-OXCDATA] 2.11.7): None, where there is none, is not the empty string."""

    #: 0 absent, 1 empty, 2 8-bit, 3 UTF-16 without its high bytes, 4 UTF-16.
    string_type: int
    string: str | None


class OpenMessageResponse(msgspec.Struct, frozen=True):
    """An open message with its subject and as many recipients as fitted ([MS-OXCROPS] 2.2.6.1.2)."""

    rop_id: ClassVar[int] = RopId.OPEN_MESSAGE
    return_value: ClassVar[int] = 0
    output_handle_index: int
    has_named_properties: bool
    subject_prefix: TypedString
    normalized_subject: TypedString
    #: All recipients of the message; `recipient_rows` may hold fewer.
    recipient_count: int
    recipient_columns: tuple[int, ...]
    recipient_rows: tuple[OpenRecipientRow, ...]

    def encode(self) -> bytes:
        """The response's bytes."""
        columns = self.recipient_columns
        return b"".join(
            (
                _MESSAGE.pack(self.rop_id, self.output_handle_index, 0, self.has_named_properties),
                _write_typed_string(self.subject_prefix),
                _write_typed_string(self.normalized_subject),
                _COLUMNS.pack(self.recipient_count, len(columns)),
                numbers(len(columns)).pack(*columns),
                bytes((len(self.recipient_rows),)),
                *(row.encode() for row in self.recipient_rows),
            )
        )

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        _, index, _, named = _MESSAGE.unpack_from(buffer, offset)
        prefix, offset = _read_typed_string(buffer, offset + _MESSAGE.size)
        subject, offset = _read_typed_string(buffer, offset)
        recipients, count = _COLUMNS.unpack_from(buffer, offset)
        columns = numbers(count).unpack_from(buffer, offset + _COLUMNS.size)
        offset += _COLUMNS.size + 4 * count
        rows, offset = _read_recipients(buffer, offset + 1, buffer[offset])
        return cls(index, named, prefix, subject, recipients, columns, rows), offset


_MESSAGE = Struct("<BBI?")
_COLUMNS = Struct("<HH")


def _read_recipients(buffer: bytes, offset: int, count: int) -> tuple[tuple[OpenRecipientRow, ...], int]:
    rows = []
    for _ in range(count):
        row, offset = OpenRecipientRow.decode(buffer, offset)
        rows.append(row)
    return tuple(rows), offset


def _read_typed_string(buffer: bytes, offset: int) -> tuple[TypedString, int]:
    kind, offset = buffer[offset], offset + 1
    match kind:
        case 0:
            return TypedString(kind, None), offset
        case 1:
            return TypedString(kind, ""), offset
        case 2:
            text, offset = read_string8(buffer, offset)
        case 3:
            text, offset = _read_reduced(buffer, offset)
        case 4:
            text, offset = read_string(buffer, offset)
        case _:
            raise CodecError(f"a typed string of type {kind}")
    return TypedString(kind, text), offset


def _read_reduced(buffer: bytes, offset: int) -> tuple[str, int]:
    """UTF-16 whose high bytes were all 0 and are left out."""
    end = buffer.find(b"\0", offset)
    if end < 0:
        raise CodecError(f"no NUL ends the string at {offset}")
    return buffer[offset:end].decode("latin-1"), end + 1


def _write_typed_string(typed: TypedString) -> bytes:
    kind, text = typed.string_type, typed.string or ""
    match kind:
        case 0 | 1 if not text:
            return bytes((kind,))
        case 2:
            return b"\2" + write_string8(text)
        case 3 if "\0" not in text:
            return b"\3" + text.encode("latin-1") + b"\0"
        case 4:
            return b"\4" + write_string(text)
        case _:
            raise CodecError(f"not a typed string: {typed}")


class GetPropertiesSpecificRequest(msgspec.Struct, frozen=True):
    """RopGetPropertiesSpecific ([MS-OXCROPS] 2.2.8.3.1)."""

    rop_id: ClassVar[int] = RopId.GET_PROPERTIES_SPECIFIC
    logon_id: int
    input_handle_index: int
    #: Bytes; a longer value comes back as an error. 0 is no limit.
    property_size_limit: int
    want_unicode: int
    property_tags: tuple[int, ...]

    def encode(self) -> bytes:
        """The request's bytes."""
        tags = self.property_tags
        head = _GET_PROPERTIES.pack(
            self.rop_id,
            self.logon_id,
            self.input_handle_index,
            self.property_size_limit,
            self.want_unicode,
            len(tags),
        )
        return head + numbers(len(tags)).pack(*tags)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins."""
        _, logon_id, index, limit, unicode, count = _GET_PROPERTIES.unpack_from(buffer, offset)
        offset += _GET_PROPERTIES.size
        tags = numbers(count).unpack_from(buffer, offset)
        return cls(logon_id, index, limit, unicode, tags), offset + 4 * count


_GET_PROPERTIES = Struct("<BBBHHH")


class GetPropertiesSpecificResponse(msgspec.Struct, frozen=True):
    """The properties as one row, in the order in which they were asked for ([MS-OXCROPS] 2.2.8.3.2)."""

    rop_id: ClassVar[int] = RopId.GET_PROPERTIES_SPECIFIC
    return_value: ClassVar[int] = 0
    input_handle_index: int
    #: The row as it stands on the wire.
    row_data: bytes
    #: The same row read; empty in a response that was made to be written.
    values: Row = ()

    def encode(self) -> bytes:
        """The response's bytes, from `row_data`."""
        return _PROPERTIES.pack(self.rop_id, self.input_handle_index, 0) + self.row_data

    @classmethod
    def decode(cls, buffer: bytes, offset: int, codec: RowCodec) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        _, index, _ = _PROPERTIES.unpack_from(buffer, offset)
        start = offset + _PROPERTIES.size
        rows, end = codec.decode(buffer, start, 1)
        return cls(index, buffer[start:end], rows[0]), end


_PROPERTIES = Struct("<BBI")


class OpenStreamRequest(FixedRequest, frozen=True):
    """RopOpenStream: a property as a stream of bytes ([MS-OXCROPS] 2.2.9.1.1)."""

    rop_id = RopId.OPEN_STREAM
    layout = "BBBIB"
    logon_id: int
    input_handle_index: int
    output_handle_index: int
    property_tag: int
    open_mode_flags: int


class OpenStreamResponse(FixedResponse, frozen=True):
    """An open stream ([MS-OXCROPS] 2.2.9.1.2)."""

    rop_id = RopId.OPEN_STREAM
    layout = "I"
    output_handle_index: int
    #: Bytes. A string's do not count a NUL.
    stream_size: int


class ReadStreamRequest(msgspec.Struct, frozen=True):
    """RopReadStream ([MS-OXCROPS] 2.2.9.2.1)."""

    rop_id: ClassVar[int] = RopId.READ_STREAM
    logon_id: int
    input_handle_index: int
    #: Bytes; USE_MAXIMUM_BYTE_COUNT hands over to the next field, which is on the wire only then.
    byte_count: int
    maximum_byte_count: int = 0

    def encode(self) -> bytes:
        """The request's bytes."""
        head = _READ.pack(self.rop_id, self.logon_id, self.input_handle_index, self.byte_count)
        return head + _MAXIMUM.pack(self.maximum_byte_count) if self.byte_count == USE_MAXIMUM_BYTE_COUNT else head

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins."""
        _, logon_id, index, count = _READ.unpack_from(buffer, offset)
        offset += _READ.size
        if count != USE_MAXIMUM_BYTE_COUNT:
            return cls(logon_id, index, count), offset
        (maximum,) = _MAXIMUM.unpack_from(buffer, offset)
        return cls(logon_id, index, count, maximum), offset + _MAXIMUM.size


_READ = Struct("<BBBH")
_MAXIMUM = Struct("<I")


class ReadStreamResponse(msgspec.Struct, frozen=True):
    """Bytes of a stream; none at its end ([MS-OXCROPS] 2.2.9.2.2)."""

    rop_id: ClassVar[int] = RopId.READ_STREAM
    return_value: ClassVar[int] = 0
    input_handle_index: int
    data: bytes

    def encode(self) -> bytes:
        """The response's bytes."""
        return _STREAM.pack(self.rop_id, self.input_handle_index, 0, len(self.data)) + self.data

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        _, index, _, size = _STREAM.unpack_from(buffer, offset)
        offset += _STREAM.size
        return cls(index, take(buffer, offset, size)), offset + size


_STREAM = Struct("<BBIH")
