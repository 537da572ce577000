"""PropertyRows: the hot path of the codec, compiled once a column set ([MS-OXCDATA] 2.8.1).

A row has no length and no separators, so it is read by its columns alone. A row whose cells are all there is
flag 0 and the values back to back; one missing cell makes the whole row flag 1, each cell after a flag of its
own. A census reads millions of the first kind: for these a function is generated for the column set, in which
neighbouring columns of fixed width are one `struct` and strings are found in place. For the columns
(PidTagFolderId, PidTagContentCount, PidTagDisplayName) its loop is

    if buffer[offset]:
        row, offset = flagged(buffer, offset)
        append(row)
        continue
    c0, c1 = unpack0(buffer, offset)            # "<xQi": the x steps over the flag
    offset += 13
    end = find(NUL, offset)
    if (end - offset) & 1:                      # the high byte of the last character was the first NUL
        end += 1
    if end < offset or buffer[end + 1]:         # not there, or astride two characters
        end = end_of_string(buffer, offset)
    c2 = decode_utf16(buffer[offset:end], "surrogatepass", True)[0]
    offset = end + 2
    append((c0, c1, c2,))
"""

from __future__ import annotations

from codecs import utf_16_le_decode, utf_16_le_encode
from functools import lru_cache, partial
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from workers.mapi.generated import compiled
from workers.mapi.values import (
    FIXED,
    PropertyError,
    PropertyType,
    TypedValue,
    property_type,
    reader_of,
    told,
    writer_of,
)
from workers.mapi.wire import BROKEN, CodecError, end_of_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The cells of a row, in the order of its columns. An absent cell is None, one with an error a PropertyError.
Row = tuple[Any, ...]

#: A column set that is compiled has no more. Messages have some hundred properties, and Python's compiler gives
#: up at some thousand terms; a count from the wire reaches 65,535.
MOST_COLUMNS = 512

_ERROR_CODE = Struct("<I")
_TYPE = Struct("<H")


class RowCodec:
    """Reads and writes the rows of one column set. Make it with `row_codec`, which keeps what it compiled."""

    __slots__ = ("decode", "encode", "tags")

    #: The column set: property tags, in order.
    tags: tuple[int, ...]
    #: (buffer, offset, count) -> (rows, where the next field begins). Raises CodecError.
    decode: Callable[[bytes, int, int], tuple[list[Row], int]]
    #: A row, flag included; None or a PropertyError in a cell makes it a flagged one. Raises CodecError
    #: for a value that is not of its column's type.
    encode: Callable[[Row], bytes]

    def __init__(self, tags: tuple[int, ...]) -> None:
        if len(tags) > MOST_COLUMNS:
            raise CodecError(f"{len(tags)} columns, {MOST_COLUMNS} is the most")
        self.tags = tags
        columns = [_Column(f"c{place}", property_type(tag)) for place, tag in enumerate(tags)]
        self.decode = _compile_decoder(tags, columns)
        self.encode = _compile_encoder(columns)


@lru_cache(maxsize=256)
def row_codec(tags: tuple[int, ...]) -> RowCodec:
    """The codec of a column set. Raises CodecError for more than MOST_COLUMNS, or a type that no row can hold."""
    return RowCodec(tags)


class _Column(NamedTuple):
    """A column as the generated text sees it: the variable that holds its cell, and its property type."""

    name: str
    kind: int


def _runs(columns: list[_Column]) -> Iterator[list[_Column]]:
    """Neighbouring columns of fixed width together, all others alone."""
    for fixed, group in groupby(columns, lambda column: column.kind in FIXED):
        if fixed:
            yield list(group)
        else:
            yield from ([column] for column in group)


def _layout(run: list[_Column], flag: str) -> Struct:
    """The struct of a run of fixed width; the first run of a row covers its flag, too."""
    return Struct("<" + flag + "".join(FIXED[column.kind] for column in run))


_DECODER = """
def decode(buffer, offset, count):
    rows = []
    append = rows.append
    find = buffer.find
    try:
        for _ in range(count):
            if buffer[offset]:
                row, offset = flagged(buffer, offset)
                append(row)
                continue
            {lines}
            append(({cells}))
    except BROKEN as error:
        raise CodecError(f"a row is broken or cut short at {{offset}}") from error
    return rows, offset
"""

_READ_RUN = """
{cells} = unpack{name}(buffer, offset)
offset += {size}
"""

_READ_STRING = """
end = find(NUL, offset)
if (end - offset) & 1:
    end += 1
if end < offset or buffer[end + 1]:
    end = end_of_string(buffer, offset)
{name} = decode_utf16(buffer[offset:end], "surrogatepass", True)[0]
offset = end + 2
"""

_READ_OTHER = """
{name}, offset = read{name}(buffer, offset)
"""


def _compile_decoder(
    tags: tuple[int, ...], columns: list[_Column]
) -> Callable[[bytes, int, int], tuple[list[Row], int]]:
    names: dict[str, Any] = {
        "flagged": partial(read_row, tags),
        "end_of_string": end_of_string,
        "decode_utf16": utf_16_le_decode,
        "NUL": b"\0\0",
        "BROKEN": BROKEN,
        "CodecError": CodecError,
    }
    source = "".join(_decoder_parts(columns, names))
    lines = source.strip().replace("\n", "\n            ")
    text = _DECODER.format(lines=lines, cells=_tuple_of(columns))
    return cast(
        "Callable[[bytes, int, int], tuple[list[Row], int]]", compiled("decode of a RowCodec", text, names)["decode"]
    )


def _decoder_parts(columns: list[_Column], names: dict[str, Any]) -> Iterator[str]:
    """The lines that read each run of columns; what they call is put into `names`."""
    if not columns or columns[0].kind not in FIXED:
        yield "offset += 1\n"
    for run in _runs(columns):
        name, kind = run[0]
        if kind in FIXED:
            layout = _layout(run, "x" if run[0] is columns[0] else "")
            names[f"unpack{name}"] = layout.unpack_from
            yield _READ_RUN.format(cells=_tuple_of(run), name=name, size=layout.size).lstrip()
        elif kind == PropertyType.STRING:
            yield _READ_STRING.format(name=name).lstrip()
        else:
            names[f"read{name}"] = reader_of(kind)
            yield _READ_OTHER.format(name=name).lstrip()


def _tuple_of(columns: list[_Column]) -> str:
    return "".join(f"{column.name}, " for column in columns)


_ENCODER = """
def encode(row):
    try:
        ({cells}) = row
        {guards}
        return {parts}
    except UNFIT:
        return flagged(row)
"""

#: What no writer would notice. `struct` takes anything for a bool, an absent cell for False.
_GUARDS: dict[int, str] = {
    PropertyType.BOOLEAN: "if {name}.__class__ is not bool: return flagged(row)\n        ",
    PropertyType.STRING: "if NUL in {name}: return flagged(row)\n        ",
}

#: What a cell that is absent, or not of its column's type, makes the writers of a plain row raise.
_UNFIT = (*BROKEN, TypeError, AttributeError, ValueError)


def _compile_encoder(columns: list[_Column]) -> Callable[[Row], bytes]:
    names: dict[str, Any] = {
        "flagged": _flagged_writer(columns),
        "UNFIT": _UNFIT,
        "NUL": "\0",
        "encode_utf16": utf_16_le_encode,
    }
    parts = list(_encoder_parts(columns, names))
    guards = (_GUARDS[kind].format(name=name) for name, kind in columns if kind in _GUARDS)
    text = _ENCODER.format(cells=_tuple_of(columns), guards="".join(guards).strip() or "pass", parts=" + ".join(parts))
    return cast("Callable[[Row], bytes]", compiled("encode of a RowCodec", text, names)["encode"])


def _encoder_parts(columns: list[_Column], names: dict[str, Any]) -> Iterator[str]:
    """The expressions that write each run of columns; what they call is put into `names`."""
    if not columns or columns[0].kind not in FIXED:
        yield "b'\\0'"
    for run in _runs(columns):
        name, kind = run[0]
        first = run[0] is columns[0]
        if kind in FIXED:
            names[f"pack{name}"] = _layout(run, "B" if first else "").pack
            yield f"pack{name}({'0, ' if first else ''}{_tuple_of(run)})"
        elif kind == PropertyType.STRING:
            yield f"encode_utf16({name} + NUL, 'surrogatepass')[0]"
        else:
            names[f"write{name}"] = writer_of(kind)
            yield f"write{name}({name})"


def read_row(tags: tuple[int, ...], buffer: bytes, offset: int) -> tuple[Row, int]:
    """One row of any kind, read cell by cell, and where the next field begins: for columns that come but once.

    Raises CodecError, or what BROKEN names where the buffer ends too early.
    """
    flag = buffer[offset]
    if flag > 1:
        raise CodecError(f"a row with flag 0x{flag:02X} at {offset}")
    offset += 1
    cells = []
    for tag in tags:
        kind = property_type(tag)
        cell, offset = _read_flagged_cell(kind, buffer, offset) if flag else reader_of(kind)(buffer, offset)
        cells.append(cell)
    return tuple(cells), offset


def _read_flagged_cell(kind: int, buffer: bytes, offset: int) -> tuple[Any, int]:
    """FlaggedPropertyValue, or FlaggedPropertyValueWithType in an untyped column ([MS-OXCDATA] 2.11.5, 2.11.6)."""
    untyped = kind == PropertyType.UNSPECIFIED
    if untyped:
        (kind,) = _TYPE.unpack_from(buffer, offset)
        offset += 2
    match buffer[offset]:
        case 0x00:
            value, offset = reader_of(told(kind) if untyped else kind)(buffer, offset + 1)
            return (TypedValue(kind, value) if untyped else value), offset
        case 0x01:
            return None, offset + 1
        case 0x0A:
            return PropertyError(_ERROR_CODE.unpack_from(buffer, offset + 1)[0]), offset + 5
        case flag:
            raise CodecError(f"a cell with flag 0x{flag:02X} at {offset}")


def _flagged_writer(columns: list[_Column]) -> Callable[[Row], bytes]:
    """What writes a row in which a cell is absent; for a row that cannot be written it says why."""
    kinds = [column.kind for column in columns]

    def write(row: Row) -> bytes:
        if len(row) != len(kinds):
            raise CodecError(f"{len(row)} cells for {len(kinds)} columns")
        return b"\x01" + b"".join(map(_write_flagged_cell, kinds, row))

    return write


def _write_flagged_cell(kind: int, cell: Any) -> bytes:  # noqa: ANN401 - a cell is of any type
    untyped = kind == PropertyType.UNSPECIFIED
    try:
        match cell:
            case None:
                return b"\0\0\x01" if untyped else b"\x01"
            case PropertyError(code=code):
                return (b"\x0a\0\x0a" if untyped else b"\x0a") + _ERROR_CODE.pack(code)
            case TypedValue(actual, value) if untyped:
                return _TYPE.pack(actual) + b"\0" + writer_of(told(actual))(value)
            case _:
                return b"\0" + writer_of(kind)(cell)
    except _UNFIT as error:
        raise CodecError(f"{cell!r:.80} is not a value of property type 0x{kind:04X}") from error
