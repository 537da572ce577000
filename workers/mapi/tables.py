"""IMAPITable: rows in pages, and the check that none is missing."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, ClassVar

from workers.mapi.failures import incomplete
from workers.mapi.hresults import ErrorCode, HResult, MapiError
from workers.mapi.interfaces import Interface
from workers.mapi.rops import (
    MOST_ROWS,
    QueryPositionRequest,
    QueryRowsRequest,
    SeekRowRequest,
    SetColumnsRequest,
    SortOrder,
    SortTableRequest,
)
from workers.mapi.rows import row_codec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.mapi.connection import Logon
    from workers.mapi.rops import QueryRowsResponse
    from workers.mapi.rows import Row, RowCodec


class TableFlags(IntFlag):
    """How a table is made ([MS-OXCFOLD] 2.2.1.13.1 and 2.2.1.14.1)."""

    #: Folders at every depth below, not only the next. Of hierarchy tables.
    DEPTH = 0x04
    DEFERRED_ERRORS = 0x08
    NO_NOTIFICATIONS = 0x10
    #: Notifications caused by this client itself are held back. Of hierarchy tables.
    SUPPRESS_NOTIFICATIONS = 0x80


class Bookmark(IntEnum):
    """Where in a table ([MS-OXCTABL] 2.2.2.1.1)."""

    BEGINNING = 0
    CURRENT = 1
    END = 2


class Order(IntEnum):
    """How a column is sorted."""

    ASCENDING = 0
    DESCENDING = 1


def query_page(logon: Logon, handle: int, rows: RowCodec, count: int) -> QueryRowsResponse:
    """One RopQueryRows, and the rows that its reply had room for; a table that goes on sends at least one.

    Raises MapiError, PROTOCOL where the server sends neither rows nor the end.
    """
    request = QueryRowsRequest(logon.index, 0, 0, forward_read=True, row_count=count)
    responses, _ = logon.chain([request], [handle], rows)
    page: QueryRowsResponse = responses[0]
    if not page.rows and page.origin != Bookmark.END:
        raise incomplete("QueryRows: no rows, and no end")
    return page


class Table(Interface):
    """A table of folders or messages. It is read from a cursor, which stands before the first row at first."""

    kind: ClassVar[str] = "IMAPITable"

    __slots__ = ("_rows", "row_count")

    def __init__(self, handle: int, parent: Interface, row_count: int, rows: RowCodec | None = None) -> None:
        super().__init__(parent.logon, handle, parent)
        self.row_count = row_count  # when the table was made
        self._rows = rows

    def set_columns(self, tags: tuple[int, ...]) -> None:
        """Which properties a row has, in this order. A table has no columns until it is told."""
        self._rows = None  # a table whose columns were refused has none
        rows = row_codec(tags)
        self.chain([SetColumnsRequest(self.logon.index, 0, 0, tags)])
        self._rows = rows

    def sort(self, orders: Iterable[tuple[int, Order]]) -> None:
        """Order the rows by these columns, the first before the second; the cursor goes to the beginning."""
        sort_orders = tuple(SortOrder(tag & 0xFFFF, tag >> 16, order) for tag, order in orders)
        self.chain([SortTableRequest(self.logon.index, 0, 0, 0, 0, sort_orders)])

    def query_rows(self, count: int) -> list[Row]:
        """The next `count` rows, fewer only where the table ends; in as many replies as it takes.

        Raises MapiError, PROTOCOL where the server sends neither rows nor the end.
        """
        rows: list[Row] = []
        while len(rows) < count:
            page = self.query_page(min(count - len(rows), MOST_ROWS))
            rows += page.rows
            if page.origin == Bookmark.END:
                break
        return rows

    def query_page(self, count: int = MOST_ROWS) -> QueryRowsResponse:
        """The next rows, `count` at most and as many as one reply holds, and where the cursor stands after them."""
        self.check()
        if self._rows is None:
            raise MapiError(HResult.MAPI_E_CALL_FAILED, ErrorCode.NULL_OBJECT, "QueryRows before SetColumns")
        return query_page(self.logon, self.handle, self._rows, count)

    def query_position(self) -> tuple[int, int]:
        """How many rows lie before the cursor, and how many there are in all."""
        [response], _ = self.chain([QueryPositionRequest(self.logon.index, 0)])
        return response.numerator, response.denominator

    def seek_row(self, origin: Bookmark, count: int = 0) -> int:
        """Move the cursor `count` rows from `origin`, backwards if negative; how many it moved."""
        request = SeekRowRequest(self.logon.index, 0, origin, count, want_row_moved_count=True)
        responses, _ = self.chain([request])
        rows_sought: int = responses[0].rows_sought
        return rows_sought
