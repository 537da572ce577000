"""What reads mail: a folder's messages in pages, newest first, and one message as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from workers.mapi import properties as props
from workers.mapi.failures import incomplete
from workers.mapi.folders import Folder
from workers.mapi.messages import PART, Message, Stream
from workers.mapi.rops import (
    CODE_PAGE_OF_LOGON,
    GetContentsTableRequest,
    OpenFolderRequest,
    OpenMessageRequest,
    OpenStreamRequest,
    QueryRowsRequest,
    ReadStreamRequest,
    SetColumnsRequest,
    SortOrder,
    SortTableRequest,
)
from workers.mapi.rows import row_codec
from workers.mapi.tables import Bookmark, Order, Table, TableFlags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.mapi.folders import MsgStore
    from workers.mapi.rops import QueryRowsResponse, Request
    from workers.mapi.rows import Row

#: The first page of a folder is short: who wants the newest message pays for no more than these rows.
FIRST_PAGE = 16


class MessageRow(NamedTuple):
    """A row of a contents table. A cell that the message does not have is None or a PropertyError."""

    message_id: int
    size: int
    delivery_time: Any  # FILETIME
    subject: Any
    sender_name: Any
    sender_address: Any  # SMTP
    internet_message_id: Any


_ROWS = row_codec(
    (
        props.PR_MID,
        props.PR_MESSAGE_SIZE,
        props.PR_MESSAGE_DELIVERY_TIME,
        props.PR_SUBJECT_W,
        props.PR_SENDER_NAME_W,
        props.PR_SENDER_SMTP_ADDRESS_W,
        props.PR_INTERNET_MESSAGE_ID_W,
    )
)
_NEWEST_FIRST = SortOrder(
    props.PR_MESSAGE_DELIVERY_TIME & 0xFFFF, props.PR_MESSAGE_DELIVERY_TIME >> 16, Order.DESCENDING
)


class Contents:
    """The messages of a folder, newest first, and the table that they are read from."""

    __slots__ = ("_page", "table")

    def __init__(self, table: Table, page: QueryRowsResponse) -> None:
        self.table = table
        self._page = page

    def rows(self) -> Iterator[MessageRow]:
        """Each message, once; the first page was read with the table. Mail that arrives meanwhile may be among them.

        Raises MapiError, PROTOCOL where rows are missing.
        """
        page, found = self._page, len(self._page.rows)
        yield from map(_message_row, page.rows)
        while page.origin != Bookmark.END:
            page = self.table.query_page()
            found += len(page.rows)
            yield from map(_message_row, page.rows)
        if found < self.table.row_count:
            raise incomplete(f"QueryRows: {found} of {self.table.row_count} messages")


def _message_row(cells: Row) -> MessageRow:
    row = MessageRow._make(cells)
    if not type(row.message_id) is type(row.size) is int:
        raise incomplete(f"QueryRows: a message without id or size, {cells}")
    return row


def open_contents(store: MsgStore, folder_id: int) -> Contents:
    """A folder's contents table with its first page, in one round trip. The table holds the folder open."""
    index = store.logon.index
    requests: list[Request] = [
        OpenFolderRequest(index, 0, 1, folder_id, 0),
        GetContentsTableRequest(index, 1, 2, TableFlags.NO_NOTIFICATIONS),
        SetColumnsRequest(index, 2, 0, _ROWS.tags),
        SortTableRequest(index, 2, 0, 0, 0, (_NEWEST_FIRST,)),
        QueryRowsRequest(index, 2, 0, forward_read=True, row_count=FIRST_PAGE),
    ]
    (_, contents, _, _, page), handles = store.chain(requests, 2, _ROWS)
    with Folder(handles[1], store, folder_id) as folder:
        return Contents(Table(handles[2], folder, contents.row_count, _ROWS), page)


def read_message(store: MsgStore, folder_id: int, message_id: int) -> bytes:
    """The whole message as the server has it; what fits into one reply costs one round trip.

    Raises MapiError: NOT_FOUND for a message that is gone, PROTOCOL for one that is not whole.
    """
    index = store.logon.index
    requests: list[Request] = [
        OpenMessageRequest(index, 0, 1, CODE_PAGE_OF_LOGON, folder_id, 0, message_id),
        OpenStreamRequest(index, 1, 2, props.PR_INTERNET_CONTENT, 0),
        ReadStreamRequest(index, 2, PART),
    ]
    (_, opened, part), handles = store.chain(requests, 2)
    with (
        Message(handles[1], store) as message,
        Stream(handles[2], message, opened.stream_size, len(part.data)) as stream,
    ):
        whole: bytes = part.data + stream.read(opened.stream_size)
    if len(whole) != opened.stream_size:
        raise incomplete(f"ReadStream: {len(whole)} of {opened.stream_size} bytes")
    return whole
