"""A mailbox's folders in one round trip, or those of several: the hot path of a census."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.failures import failure, incomplete
from workers.mapi.hresults import MapiError
from workers.mapi.rops import (
    MOST_ROWS,
    GetHierarchyTableRequest,
    OpenFolderRequest,
    QueryRowsRequest,
    SetColumnsRequest,
)
from workers.mapi.rows import row_codec
from workers.mapi.tables import Bookmark, TableFlags, query_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.mapi.folders import MsgStore
    from workers.mapi.rops import Request
    from workers.mapi.rows import Row

#: The columns of a listing: of a fixed width first, which the codec reads in one go; the name is the last.
_ROWS = row_codec(
    (
        props.PR_FID,
        props.PR_PARENT_FID,
        props.PR_CONTENT_COUNT,
        props.PR_CONTENT_UNREAD,
        props.PR_MESSAGE_SIZE_EXTENDED,
        props.PR_DISPLAY_NAME_W,
    )
)

#: Nobody waits for what a notification would tell.
_TREE = TableFlags.DEPTH | TableFlags.NO_NOTIFICATIONS | TableFlags.SUPPRESS_NOTIFICATIONS


#: Places of the handle table that a listing takes: the store, its IPM subtree, the table. And its ROPs.
_PLACES, _ROPS = 3, 4


def list_folders(store: MsgStore) -> list[Row]:
    """Every folder below the IPM subtree: folder id, parent's id, messages, unread messages, bytes, name.

    In the server's order, where a parent may come after its children. Raises MapiError, PROTOCOL where a row or a
    cell is missing.
    """
    (_, table, _, page), handles = store.chain(_requests(store, 0), _PLACES - 1, _ROWS)
    return _rows(store, table, page, handles)


def list_together(stores: Sequence[MsgStore]) -> list[list[Row] | MapiError]:
    """The same of several stores on one connection, in one round trip where all fit into a reply; an error for one that has one.

    Raises MapiError when the buffer failed as a whole.
    """
    requests = [request for place, store in enumerate(stores) for request in _requests(store, place * _PLACES)]
    handles = [handle for store in stores for handle in (store.handle, NO_HANDLE, NO_HANDLE)]
    responses, filled = stores[0].logon.connection.execute(requests, handles, _ROWS)
    return [
        _told(store, responses[place * _ROPS : (place + 1) * _ROPS], filled[place * _PLACES : (place + 1) * _PLACES])
        for place, store in enumerate(stores)
    ]


def _requests(store: MsgStore, place: int) -> list[Request]:
    """The ROPs of a listing, for a store whose handle stands at this place of the handle table."""
    index = store.logon.index
    return [
        OpenFolderRequest(index, place, place + 1, store.ipm_subtree, 0),
        GetHierarchyTableRequest(index, place + 1, place + 2, _TREE),
        SetColumnsRequest(index, place + 2, 0, _ROWS.tags),
        QueryRowsRequest(index, place + 2, 0, forward_read=True, row_count=MOST_ROWS),
    ]


def _told(store: MsgStore, responses: list[Any], handles: list[int]) -> list[Row] | MapiError:
    for response in responses:
        if response.return_value:
            store.logon.discard(handles[1:])
            return failure(response.return_value, f"ROP 0x{response.rop_id:02X}")
    try:
        return _rows(store, responses[1], responses[3], handles)
    except MapiError as error:
        return error


def _rows(store: MsgStore, table: Any, page: Any, handles: list[int]) -> list[Row]:  # noqa: ANN401 - two responses
    """The rows of a table whose first page is there, checked; its folder and the table itself are released."""
    try:
        rows: list[Row] = page.rows
        while page.origin != Bookmark.END:
            page = query_page(store.logon, handles[2], _ROWS, MOST_ROWS)
            rows += page.rows
    finally:
        store.logon.discard(handles[1:3])
    if len(rows) < table.row_count:
        raise incomplete(f"QueryRows: {len(rows)} of {table.row_count} folders")
    for folder_id, _, messages, unread, size, name in rows:
        if not (type(messages) is type(unread) is type(size) is int and type(name) is str):
            raise incomplete(f"QueryRows: a cell of folder 0x{folder_id:X}")
    return rows


def folder_paths(top: int, rows: list[Row]) -> list[str]:
    """The path of each row's folder from the folder `top` down: names joined by `/`.

    Raises MapiError, PROTOCOL where a folder's parent is not among the rows.
    """
    prefixes = {top: ""}
    paths = []
    for folder_id, parent_id, _, _, _, name in rows:
        prefix = prefixes.get(parent_id)
        if prefix is None:
            return _paths_in_any_order(prefixes, rows)
        path = prefix + name
        prefixes[folder_id] = path + "/"
        paths.append(path)
    return paths


def _paths_in_any_order(prefixes: dict[int, str], rows: list[Row]) -> list[str]:
    """The same where a folder comes before its parent, as it may."""
    listed = {row[0]: row for row in rows}
    return [_prefix(row[0], listed, prefixes)[:-1] for row in rows]


def _prefix(folder_id: int, listed: dict[int, Row], prefixes: dict[int, str]) -> str:
    """What stands before the names in a folder: climb to an ancestor that is known, and come down again."""
    climbed: list[Row] = []
    while folder_id not in prefixes:
        row = listed.get(folder_id)
        if row is None or len(climbed) == len(listed):
            raise incomplete(f"QueryRows: folder 0x{folder_id:X} has no way to the top")
        climbed.append(row)
        folder_id = row[1]
    prefix = prefixes[folder_id]
    for row in reversed(climbed):
        prefix = f"{prefix}{row[5]}/"
        prefixes[row[0]] = prefix
    return prefix
