"""Bodies of the address book's requests, both ways ([MS-OXCMAPIHTTP] 2.2.5): only what lists and resolves mailboxes.

What may be absent stands behind a byte, 0xFF where it is there; so do strings within rows.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.mapi.http.bodies import END, LOCALE, NUMBER, reading, status
from workers.mapi.wire import CODE_PAGE, CodecError, numbers, read_string, take, write_string

if TYPE_CHECKING:
    from collections.abc import Sequence

#: PidTagDisplayName, PidTagSmtpAddress, PidTagEmailAddress (the legacyExchangeDN), PidTagAddressType, PidTagAccount,
#: PidTagDisplayType: the columns of an Entry.
COLUMNS = (0x3001001F, 0x39FE001F, 0x3003001F, 0x3002001F, 0x3A00001F, 0x39000003)

#: PtypInteger32, the type of the last one; the others are PtypString, which is UTF-16.
_INTEGER = 0x0003

#: PidTagDisplayType of a mailbox; lists, public folders and people elsewhere have others (DT_MAILUSER).
MAILBOX = 0

#: CurrentRec of a table's end (MID_END_OF_TABLE), and MinimalIds of a name ([MS-OXNSPI] 2.2.1.8, 2.2.1.9).
END_OF_TABLE = 2
UNRESOLVED, AMBIGUOUS, RESOLVED = 0, 1, 2

_STAT = Struct("<3Ii5I")
_THERE = b"\xff"

#: Before a cell of a row with the flag 1: it is there, it is not, an error code stands for it.
_VALUE, _NOTHING, _ERROR = 0, 1, 0x0A

#: The code of such an error: MAPI_E_NOT_FOUND.
_NOT_FOUND = 0x8004010F


class Stat(NamedTuple):
    """Where in a table one is ([MS-OXNSPI] 2.2.8 STAT)."""

    sort_type: int = 0  # by display name
    container_id: int = 0  # the global address list
    current_rec: int = 0
    delta: int = 0
    num_pos: int = 0
    total_recs: int = 0
    code_page: int = CODE_PAGE
    template_locale: int = LOCALE
    sort_locale: int = LOCALE

    def encode(self) -> bytes:
        return _THERE + _STAT.pack(*self)


class Entry(NamedTuple):
    """A mailbox as the address book has it; None for what it does not have."""

    name: str | None
    address: str | None
    dn: str | None
    address_type: str | None = "EX"
    account: str | None = None
    display_type: int | None = MAILBOX


def bind_request() -> bytes:
    """Begin to ask."""
    return NUMBER.pack(0) + Stat().encode() + END


def bind_response(guid: bytes) -> bytes:
    return bytes(8) + guid + END


def unbind_request() -> bytes:
    return NUMBER.pack(0) + END


def unbind_response() -> bytes:
    """Its ErrorCode is 1 for success ([MS-OXNSPI] 3.1.4.1.2)."""
    return NUMBER.pack(0) + NUMBER.pack(1) + END


class QueryRowsRequest(NamedTuple):
    """Rows from a place of the table on ([MS-OXCMAPIHTTP] 2.2.5.12.1)."""

    stat: Stat
    rows: int

    def encode(self) -> bytes:
        return NUMBER.pack(0) + self.stat.encode() + NUMBER.pack(0) + NUMBER.pack(self.rows) + _columns() + END

    @classmethod
    def decode(cls, body: bytes) -> QueryRowsRequest:
        """Raises CodecError."""
        reader = _Reader(body)
        with reading("a QueryRows"):
            reader.number()
            stat = reader.stat()
            reader.array()
            return cls(stat, reader.number())


class QueryRowsResponse(NamedTuple):
    """Rows, and where the table goes on ([MS-OXCMAPIHTTP] 2.2.5.12.2)."""

    stat: Stat
    entries: list[Entry]

    def encode(self) -> bytes:
        return bytes(8) + self.stat.encode() + _columns() + _rows(self.entries) + END

    @classmethod
    def decode(cls, body: bytes) -> QueryRowsResponse:
        """Raises RpcError when the server refused, CodecError."""
        reader = _Reader(body, status(body))
        with reading("an answer to QueryRows"):
            return cls(reader.stat(), reader.entries())


class ResolveNamesRequest(NamedTuple):
    """Entries for names, addresses, DNs ([MS-OXCMAPIHTTP] 2.2.5.14.1)."""

    names: list[str]

    def encode(self) -> bytes:
        listed = b"".join(map(write_string, self.names))
        return NUMBER.pack(0) + Stat().encode() + _columns() + _THERE + NUMBER.pack(len(self.names)) + listed + END

    @classmethod
    def decode(cls, body: bytes) -> ResolveNamesRequest:
        """Raises CodecError."""
        reader = _Reader(body)
        with reading("a ResolveNames"):
            reader.number()
            reader.stat()
            if reader.byte():
                reader.array()
            return cls([reader.string() for _ in range(reader.number())] if reader.byte() else [])


class ResolveNamesResponse(NamedTuple):
    """What became of each name, and the entries of those that are resolved ([MS-OXCMAPIHTTP] 2.2.5.14.2)."""

    found: list[int]  # UNRESOLVED, AMBIGUOUS, RESOLVED
    entries: list[Entry]

    def encode(self) -> bytes:
        found = _THERE + NUMBER.pack(len(self.found)) + numbers(len(self.found)).pack(*self.found)
        return bytes(8) + NUMBER.pack(CODE_PAGE) + found + _columns() + _rows(self.entries) + END

    @classmethod
    def decode(cls, body: bytes) -> ResolveNamesResponse:
        """Raises RpcError when the server refused, CodecError; also when there is not an entry for each that is resolved."""
        reader = _Reader(body, status(body))
        with reading("an answer to ResolveNames"):
            reader.number()
            found = reader.array() if reader.byte() else []
            entries = reader.entries()
        if found.count(RESOLVED) != len(entries):
            raise CodecError(f"{len(entries)} entries for {found.count(RESOLVED)} names")
        return cls(found, entries)


def _columns() -> bytes:
    return _THERE + NUMBER.pack(len(COLUMNS)) + numbers(len(COLUMNS)).pack(*COLUMNS)


def _rows(entries: Sequence[Entry]) -> bytes:
    return NUMBER.pack(len(entries)) + b"".join(map(_row, entries))


def _row(entry: Entry) -> bytes:
    if None not in entry:
        return b"\0" + b"".join(map(_written, entry))
    missing = bytes([_ERROR]) + NUMBER.pack(_NOT_FOUND)
    return b"\1" + b"".join(missing if cell is None else bytes([_VALUE]) + _written(cell) for cell in entry)


def _written(cell: str | int | None) -> bytes:
    return _THERE + write_string(cell) if isinstance(cell, str) else NUMBER.pack(cell or 0)


class _Reader:
    """Reads a body from left to right. Raises one of BROKEN where it ends too soon, CodecError."""

    def __init__(self, body: bytes, offset: int = 0) -> None:
        self._body = body
        self._at = offset

    def byte(self) -> int:
        self._at += 1
        return self._body[self._at - 1]

    def number(self) -> int:
        (number,) = NUMBER.unpack_from(self._body, self._at)
        self._at += NUMBER.size
        return int(number)

    def array(self) -> list[int]:
        count = self.number()
        array = numbers(count).unpack(take(self._body, self._at, NUMBER.size * count))
        self._at += NUMBER.size * count
        return [*array]

    def string(self) -> str:
        text, self._at = read_string(self._body, self._at)
        return text

    def stat(self) -> Stat:
        """The STAT; that of a table's beginning where there is none."""
        if not self.byte():
            return Stat()
        stat = Stat(*_STAT.unpack_from(self._body, self._at))
        self._at += _STAT.size
        return stat

    def entries(self) -> list[Entry]:
        """The rows; none where there are none. Raises CodecError for other columns than were asked for."""
        if not self.byte():
            return []
        if self.array() != [*COLUMNS]:
            raise CodecError("rows of other columns than were asked for")
        return [self._entry() for _ in range(self.number())]

    def _entry(self) -> Entry:
        flagged = self.byte()
        cells: list[Any] = [self._cell(tag & 0xFFFF, flagged) for tag in COLUMNS]
        return Entry(*cells)

    def _cell(self, kind: int, flagged: int) -> str | int | None:
        flag = self.byte() if flagged else _VALUE
        if flag == _VALUE and kind == _INTEGER:
            return self.number()
        if flag == _VALUE:
            return self.string() if self.byte() else None
        if flag == _ERROR:
            self.number()
        elif flag != _NOTHING:
            raise CodecError(f"a cell with the flag 0x{flag:02X}")
        return None
