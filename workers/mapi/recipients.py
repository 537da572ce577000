"""The recipients that a message is opened with ([MS-OXCDATA] 2.8.3).

A recipient row has many layouts, chosen by its flags. Its size stands before it, so a reader of messages steps
over the rows and reads one only when somebody asks for it.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, Self

import msgspec

from workers.mapi.rows import Row, read_row
from workers.mapi.wire import BROKEN, CodecError, read_string, read_string8, take

_HEAD = Struct("<BHHH")
_FLAGS = Struct("<H")
_COUNT = Struct("<H")

#: RecipientFlags ([MS-OXCDATA] 2.8.3.1).
_TYPE = 0x0007
_EMAIL_ADDRESS = 0x0008
_DISPLAY_NAME = 0x0010
_TRANSMITTABLE_NAME = 0x0020
_UNICODE = 0x0200
_SIMPLE_NAME = 0x0400
_ADDRESS_TYPE = 0x8000
#: Values of _TYPE.
_NO_TYPE, _X500_DN, _DISTRIBUTION_LISTS = 0, 1, (6, 7)


class Recipient(NamedTuple):
    """One recipient. A field that the row does not have is None."""

    recipient_flags: int
    #: The DN without the prefix that the sender's own DN begins with.
    x500_dn: str | None
    entry_id: bytes | None
    search_key: bytes | None
    address_type: str | None
    email_address: str | None
    display_name: str | None
    simple_display_name: str | None
    transmittable_display_name: str | None
    #: The cells of the first so many of the message's recipient columns.
    properties: Row


class OpenRecipientRow(msgspec.Struct, frozen=True):
    """A recipient with what the message says about it ([MS-OXCROPS] 2.2.6.1.2.1)."""

    #: 1 To, 2 Cc, 3 Bcc, with 0x10 and 0x80 as flags beside it.
    recipient_type: int
    code_page_id: int
    reserved: int
    #: The RecipientRow as it stands on the wire; RecipientRowSize is its length.
    recipient_row: bytes

    def encode(self) -> bytes:
        """The row's bytes."""
        head = _HEAD.pack(self.recipient_type, self.code_page_id, self.reserved, len(self.recipient_row))
        return head + self.recipient_row

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The row at `offset`, and where the next one begins."""
        kind, code_page_id, reserved, size = _HEAD.unpack_from(buffer, offset)
        offset += _HEAD.size
        return cls(kind, code_page_id, reserved, take(buffer, offset, size)), offset + size

    def recipient(self, columns: tuple[int, ...]) -> Recipient:
        """The row read, `columns` being the message's recipient columns. Raises CodecError."""
        try:
            return _read_recipient(self.recipient_row, columns)
        except BROKEN as error:
            raise CodecError("a recipient row is broken or cut short") from error


def _read_recipient(row: bytes, columns: tuple[int, ...]) -> Recipient:
    (flags,) = _FLAGS.unpack_from(row, 0)
    dn, entry_id, search_key, offset = _read_identity(row, flags & _TYPE, _FLAGS.size)
    address_type = None
    if flags & _TYPE == _NO_TYPE and flags & _ADDRESS_TYPE:
        address_type, offset = read_string8(row, offset)
    names, offset = _read_names(row, flags, offset)
    (count,) = _COUNT.unpack_from(row, offset)
    if count > len(columns):
        raise CodecError(f"{count} recipient properties for {len(columns)} columns")
    properties, end = read_row(columns[:count], row, offset + _COUNT.size)
    if end != len(row):
        raise CodecError(f"a recipient row of {len(row)} bytes that ends at {end}")
    email_address, display_name, simple, transmittable = names
    return Recipient(
        recipient_flags=flags,
        x500_dn=dn,
        entry_id=entry_id,
        search_key=search_key,
        address_type=address_type,
        email_address=email_address,
        display_name=display_name,
        simple_display_name=simple,
        transmittable_display_name=transmittable,
        properties=properties,
    )


def _read_identity(row: bytes, kind: int, offset: int) -> tuple[str | None, bytes | None, bytes | None, int]:
    """What stands for the recipient in the directory: a DN, or the two ids of a personal distribution list."""
    if kind == _X500_DN:
        dn, offset = read_string8(row, offset + 2)  # after AddressPrefixUsed and DisplayType, a byte each
        return dn, None, None, offset
    if kind in _DISTRIBUTION_LISTS:
        entry_id, offset = _read_sized(row, offset)
        search_key, offset = _read_sized(row, offset)
        return None, entry_id, search_key, offset
    return None, None, None, offset


def _read_sized(row: bytes, offset: int) -> tuple[bytes, int]:
    (size,) = _COUNT.unpack_from(row, offset)
    offset += _COUNT.size
    return take(row, offset, size), offset + size


def _read_names(row: bytes, flags: int, offset: int) -> tuple[list[str | None], int]:
    read = read_string if flags & _UNICODE else read_string8
    names: list[str | None] = []
    for flag in (_EMAIL_ADDRESS, _DISPLAY_NAME, _SIMPLE_NAME, _TRANSMITTABLE_NAME):
        name = None
        if flags & flag:
            name, offset = read(row, offset)
        names.append(name)
    return names, offset
