"""ROPs on tables: hierarchy and contents tables, their columns, order, position and rows."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import msgspec

from workers.mapi.rop import FixedRequest, FixedResponse, RopId
from workers.mapi.rows import Row
from workers.mapi.wire import numbers

if TYPE_CHECKING:
    from workers.mapi.rows import RowCodec

#: TableFlags of a hierarchy table: all levels below the folder, not its children alone.
TABLE_DEPTH = 0x04
#: TableFlags: no RopNotify about changes of the table.
TABLE_NO_NOTIFICATIONS = 0x10
#: Origin: where a position is counted from, and where a table's cursor stands ([MS-OXCTABL] 2.2.2.1.1).
BEGINNING, CURRENT, END = 0, 1, 2
#: The RowCount that asks RopQueryRows for all that fits. The field holds more; a reply of 32 KB does not, of
#: rows of eight bytes.
MOST_ROWS = 0x0FFF


class GetHierarchyTableRequest(FixedRequest, frozen=True):
    """RopGetHierarchyTable: the folders below a folder ([MS-OXCROPS] 2.2.4.13.1)."""

    rop_id = RopId.GET_HIERARCHY_TABLE
    layout = "BBBB"
    logon_id: int
    input_handle_index: int
    output_handle_index: int
    table_flags: int


class GetHierarchyTableResponse(FixedResponse, frozen=True):
    """An open hierarchy table ([MS-OXCROPS] 2.2.4.13.2)."""

    rop_id = RopId.GET_HIERARCHY_TABLE
    layout = "I"
    output_handle_index: int
    row_count: int


class GetContentsTableRequest(FixedRequest, frozen=True):
    """RopGetContentsTable: the messages of a folder ([MS-OXCROPS] 2.2.4.14.1)."""

    rop_id = RopId.GET_CONTENTS_TABLE
    layout = "BBBB"
    logon_id: int
    input_handle_index: int
    output_handle_index: int
    table_flags: int


class GetContentsTableResponse(FixedResponse, frozen=True):
    """An open contents table ([MS-OXCROPS] 2.2.4.14.2)."""

    rop_id = RopId.GET_CONTENTS_TABLE
    layout = "I"
    output_handle_index: int
    row_count: int


class SetColumnsRequest(msgspec.Struct, frozen=True):
    """RopSetColumns ([MS-OXCROPS] 2.2.5.1.1)."""

    rop_id: ClassVar[int] = RopId.SET_COLUMNS
    logon_id: int
    input_handle_index: int
    set_columns_flags: int
    property_tags: tuple[int, ...]

    def encode(self) -> bytes:
        """The request's bytes."""
        tags = self.property_tags
        head = _SET_COLUMNS.pack(self.rop_id, self.logon_id, self.input_handle_index, self.set_columns_flags, len(tags))
        return head + numbers(len(tags)).pack(*tags)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins."""
        _, logon_id, index, flags, count = _SET_COLUMNS.unpack_from(buffer, offset)
        offset += _SET_COLUMNS.size
        return cls(logon_id, index, flags, numbers(count).unpack_from(buffer, offset)), offset + 4 * count


_SET_COLUMNS = Struct("<BBBBH")


class SetColumnsResponse(FixedResponse, frozen=True):
    """The columns are set ([MS-OXCROPS] 2.2.5.1.2)."""

    rop_id = RopId.SET_COLUMNS
    layout = "B"
    input_handle_index: int
    table_status: int


class SortOrder(NamedTuple):
    """One column to sort by ([MS-OXCDATA] 2.13.1)."""

    property_type: int
    property_id: int
    #: 0 ascending, 1 descending, 4 the greatest first within a category.
    order: int


class SortTableRequest(msgspec.Struct, frozen=True):
    """RopSortTable ([MS-OXCROPS] 2.2.5.2.1)."""

    rop_id: ClassVar[int] = RopId.SORT_TABLE
    logon_id: int
    input_handle_index: int
    sort_table_flags: int
    category_count: int
    expanded_count: int
    sort_orders: tuple[SortOrder, ...]

    def encode(self) -> bytes:
        """The request's bytes."""
        head = _SORT_TABLE.pack(
            self.rop_id,
            self.logon_id,
            self.input_handle_index,
            self.sort_table_flags,
            len(self.sort_orders),
            self.category_count,
            self.expanded_count,
        )
        return head + b"".join(_SORT_ORDER.pack(*order) for order in self.sort_orders)

    @classmethod
    def decode(cls, buffer: bytes, offset: int) -> tuple[Self, int]:
        """The request at `offset`, and where the next one begins."""
        _, logon_id, index, flags, count, categories, expanded = _SORT_TABLE.unpack_from(buffer, offset)
        offset += _SORT_TABLE.size
        end = offset + count * _SORT_ORDER.size
        orders = (_SORT_ORDER.unpack_from(buffer, at) for at in range(offset, end, _SORT_ORDER.size))
        request = cls(
            logon_id,
            index,
            flags,
            categories,
            expanded,
            tuple(SortOrder(*order) for order in orders),
        )
        return request, end


_SORT_TABLE = Struct("<BBBBHHH")
_SORT_ORDER = Struct("<HHB")


class SortTableResponse(FixedResponse, frozen=True):
    """The table is sorted ([MS-OXCROPS] 2.2.5.2.2)."""

    rop_id = RopId.SORT_TABLE
    layout = "B"
    input_handle_index: int
    table_status: int


class QueryRowsRequest(FixedRequest, frozen=True):
    """RopQueryRows: rows from the cursor on ([MS-OXCROPS] 2.2.5.4.1)."""

    rop_id = RopId.QUERY_ROWS
    layout = "BBB?H"
    logon_id: int
    input_handle_index: int
    #: 0 moves the cursor, 0x01 leaves it where it was ([MS-OXCTABL] 2.2.2.5.1).
    query_rows_flags: int
    forward_read: bool
    #: Rows at most; MOST_ROWS for all that fit.
    row_count: int


class QueryRowsResponse(msgspec.Struct, frozen=True):
    """As many rows as fitted ([MS-OXCROPS] 2.2.5.4.2). Only origin END, or no row at all, says that there are no more."""

    rop_id: ClassVar[int] = RopId.QUERY_ROWS
    return_value: ClassVar[int] = 0
    input_handle_index: int
    #: Where the cursor stands now: BEGINNING, CURRENT or END.
    origin: int
    row_count: int
    #: The rows as they stand on the wire.
    row_data: bytes
    #: The same rows read; empty in a response that was made to be written.
    rows: list[Row] = []

    def encode(self) -> bytes:
        """The response's bytes, from `row_data`."""
        head = _ROWS.pack(self.rop_id, self.input_handle_index, 0, self.origin, self.row_count)
        return head + self.row_data

    @classmethod
    def decode(cls, buffer: bytes, offset: int, codec: RowCodec) -> tuple[Self, int]:
        """The response at `offset`, known to be a successful one, and where the next one begins."""
        _, index, _, origin, count = _ROWS.unpack_from(buffer, offset)
        start = offset + _ROWS.size
        rows, end = codec.decode(buffer, start, count)
        return cls(index, origin, count, buffer[start:end], rows), end


_ROWS = Struct("<BBIBH")


class QueryPositionRequest(FixedRequest, frozen=True):
    """RopQueryPosition: where the cursor stands ([MS-OXCROPS] 2.2.5.7.1)."""

    rop_id = RopId.QUERY_POSITION
    layout = "BB"
    logon_id: int
    input_handle_index: int


class QueryPositionResponse(FixedResponse, frozen=True):
    """The cursor stands before row `numerator`, counted from 0, of `denominator` ([MS-OXCROPS] 2.2.5.7.2)."""

    rop_id = RopId.QUERY_POSITION
    layout = "II"
    input_handle_index: int
    numerator: int
    denominator: int


class SeekRowRequest(FixedRequest, frozen=True):
    """RopSeekRow: moves the cursor ([MS-OXCROPS] 2.2.5.8.1)."""

    rop_id = RopId.SEEK_ROW
    layout = "BBBi?"
    logon_id: int
    input_handle_index: int
    origin: int
    #: Rows from there; backwards when negative.
    row_count: int
    want_row_moved_count: bool


class SeekRowResponse(FixedResponse, frozen=True):
    """How far the cursor moved, if that was asked for ([MS-OXCROPS] 2.2.5.8.2)."""

    rop_id = RopId.SEEK_ROW
    layout = "?i"
    input_handle_index: int
    has_sought_less: bool
    rows_sought: int
