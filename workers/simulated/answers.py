"""What each ROP does, one function a ROP. A failure is a RopFailure; what all ROPs share is in `execute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.mapi.hresults import HResult
from workers.mapi.properties import row_codec
from workers.mapi.rops import (
    TABLE_DEPTH,
    USE_MAXIMUM_BYTE_COUNT,
    GetContentsTableRequest,
    GetContentsTableResponse,
    GetHierarchyTableRequest,
    GetHierarchyTableResponse,
    GetPropertiesSpecificRequest,
    GetPropertiesSpecificResponse,
    GetReceiveFolderRequest,
    GetReceiveFolderResponse,
    LogonRequest,
    LogonResponse,
    OpenFolderRequest,
    OpenFolderResponse,
    OpenMessageRequest,
    OpenMessageResponse,
    OpenStreamRequest,
    OpenStreamResponse,
    QueryPositionRequest,
    QueryPositionResponse,
    QueryRowsRequest,
    QueryRowsResponse,
    ReadStreamRequest,
    ReadStreamResponse,
    SeekRowRequest,
    SeekRowResponse,
    SetColumnsRequest,
    SetColumnsResponse,
    SortTableRequest,
    SortTableResponse,
    TypedString,
)
from workers.mapi.wire import CodecError
from workers.simulated.admission import logon_response
from workers.simulated.objects import Folder, Logon, Message, NoRoom, RopFailure, Stream
from workers.simulated.properties import property_row, stream_of
from workers.simulated.stores import INBOX, NoMessages, wire_id
from workers.simulated.tables import FolderRows, MessageRows, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mapi.rops import Response
    from workers.simulated.execute import Execution

#: TableFlags that mean something ([MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1); another bit is an error.
_HIERARCHY_FLAGS = 0xFC
_CONTENTS_FLAGS = 0xFA
_ASSOCIATED = 0x02
_SOFT_DELETES = 0x20

#: QueryRowsFlags: leave the cursor where it is.
_NO_ADVANCE = 0x01

#: Bytes of a response of rows, of properties or of a stream, before its data.
_ROWS_HEAD, _PROPERTIES_HEAD, _STREAM_HEAD = 9, 6, 8

#: What a flagged row has beside its values: flags, error codes, and numbers of fixed width; an upper bound a cell.
_CELL = 24

#: StringType of a TypedString: none, empty, Unicode.
_NONE, _EMPTY, _UNICODE = 0, 1, 4


def _log_on(run: Execution, request: LogonRequest) -> LogonResponse:
    logon = run.admit(request)
    run.put(request.output_handle_index, run.connection.log_on(request.logon_id, logon))
    return logon_response(request, logon)


def _open_folder(run: Execution, request: OpenFolderRequest) -> OpenFolderResponse:
    logon, _ = _opener(run, request)
    folder = logon.open_folder(request.folder_id)
    run.put(request.output_handle_index, run.connection.open(logon, folder))
    return OpenFolderResponse(request.output_handle_index, has_rules=False, is_ghosted=False)


def _open_message(run: Execution, request: OpenMessageRequest) -> OpenMessageResponse:
    logon, _ = _opener(run, request)
    messages = logon.messages(request.folder_id)
    row = messages.row_of(request.message_id)
    if row is None:
        raise RopFailure(HResult.MAPI_E_NOT_FOUND)
    message = Message(messages, row)
    run.put(request.output_handle_index, run.connection.open(logon, message))
    return OpenMessageResponse(
        request.output_handle_index,
        has_named_properties=False,
        subject_prefix=TypedString(_EMPTY, ""),
        normalized_subject=_typed(message.facts.subject),
        recipient_count=0,
        recipient_columns=(),
        recipient_rows=(),
    )


def _typed(text: str | None) -> TypedString:
    if text is None:
        return TypedString(_NONE, None)
    return TypedString(_UNICODE, text) if text else TypedString(_EMPTY, "")


def _get_receive_folder(run: Execution, request: GetReceiveFolderRequest) -> GetReceiveFolderResponse:
    """All classes of mail go to the Inbox; "IPM" is what was said of them, nothing of others."""
    logon, subject = run.subject(request.logon_id, request.input_handle_index)
    if subject is not logon:
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)
    inbox = logon.open_folder(logon.mailbox.id_bits | wire_id(INBOX))
    explicit = "IPM" if request.message_class.upper().startswith("IPM") else ""
    return GetReceiveFolderResponse(request.input_handle_index, inbox.folder_id, explicit)


def _get_hierarchy_table(run: Execution, request: GetHierarchyTableRequest) -> GetHierarchyTableResponse:
    logon, folder = _folder(run, request)
    if request.table_flags & ~_HIERARCHY_FLAGS:
        raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
    rows = logon.below(folder.folder_id)
    if request.table_flags & _SOFT_DELETES:
        rows = []
    elif not request.table_flags & TABLE_DEPTH:
        rows = [facts for facts in rows if facts.parent_id == folder.folder_id]
    table = Table(FolderRows(rows))
    run.put(request.output_handle_index, run.connection.open(logon, table))
    return GetHierarchyTableResponse(request.output_handle_index, len(rows))


def _get_contents_table(run: Execution, request: GetContentsTableRequest) -> GetContentsTableResponse:
    """Associated and deleted messages there are none."""
    logon, folder = _folder(run, request)
    if request.table_flags & ~_CONTENTS_FLAGS:
        raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
    empty = request.table_flags & (_ASSOCIATED | _SOFT_DELETES)
    table = Table(MessageRows(NoMessages() if empty else logon.messages(folder.folder_id)))
    run.put(request.output_handle_index, run.connection.open(logon, table))
    return GetContentsTableResponse(request.output_handle_index, len(table))


def _set_columns(run: Execution, request: SetColumnsRequest) -> SetColumnsResponse:
    _table(run, request).set_columns(request.property_tags)
    return SetColumnsResponse(request.input_handle_index, table_status=0)


def _sort_table(run: Execution, request: SortTableRequest) -> SortTableResponse:
    _table(run, request).sort(request.sort_orders)
    return SortTableResponse(request.input_handle_index, table_status=0)


def _query_rows(run: Execution, request: QueryRowsRequest) -> QueryRowsResponse:
    table = _table(run, request)
    position = table.position
    query = table.query_forward if request.forward_read else table.query_backward
    try:
        page = query(request.row_count, run.room - _ROWS_HEAD)
    except NoRoom as full:
        raise NoRoom(full.needed + _ROWS_HEAD) from None
    if request.query_rows_flags & _NO_ADVANCE:
        table.position = position
    return QueryRowsResponse(request.input_handle_index, page.origin, len(page.rows), b"".join(page.rows))


def _query_position(run: Execution, request: QueryPositionRequest) -> QueryPositionResponse:
    table = _table(run, request)
    return QueryPositionResponse(request.input_handle_index, table.position, len(table))


def _seek_row(run: Execution, request: SeekRowRequest) -> SeekRowResponse:
    moved = _table(run, request).seek(request.origin, request.row_count)
    return SeekRowResponse(
        request.input_handle_index,
        has_sought_less=moved != request.row_count,
        rows_sought=moved if request.want_row_moved_count else 0,
    )


def _get_properties(run: Execution, request: GetPropertiesSpecificRequest) -> GetPropertiesSpecificResponse:
    _, subject = run.subject(request.logon_id, request.input_handle_index)
    tags = request.property_tags
    try:
        codec = row_codec(tags)
    except CodecError as error:
        raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER) from error
    if not tags:
        raise RopFailure(HResult.MAPI_E_INVALID_PARAMETER)
    room = run.room - _PROPERTIES_HEAD - _CELL * len(tags)
    row = property_row(subject, tags, room, request.property_size_limit)
    return GetPropertiesSpecificResponse(request.input_handle_index, codec.encode(row))


def _open_stream(run: Execution, request: OpenStreamRequest) -> OpenStreamResponse:
    logon, subject = run.subject(request.logon_id, request.input_handle_index)
    if request.open_mode_flags:  # reading is 0, everything else writes
        raise RopFailure(HResult.MAPI_E_NO_ACCESS)
    stream = Stream(stream_of(subject, request.property_tag))
    run.put(request.output_handle_index, run.connection.open(logon, stream))
    return OpenStreamResponse(request.output_handle_index, stream.size)


def _read_stream(run: Execution, request: ReadStreamRequest) -> ReadStreamResponse:
    _, stream = run.subject(request.logon_id, request.input_handle_index)
    if not isinstance(stream, Stream):
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)
    count = request.byte_count
    if count == USE_MAXIMUM_BYTE_COUNT:
        count = request.maximum_byte_count
    return ReadStreamResponse(request.input_handle_index, stream.read(min(count, run.room - _STREAM_HEAD)))


def _opener(run: Execution, request: OpenFolderRequest | OpenMessageRequest) -> tuple[Logon, Logon | Folder]:
    """The logon, and the object through which something is opened by its id. Raises RopFailure."""
    logon, subject = run.subject(request.logon_id, request.input_handle_index)
    if not isinstance(subject, Logon | Folder):
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)
    return logon, subject


def _folder(run: Execution, request: GetHierarchyTableRequest | GetContentsTableRequest) -> tuple[Logon, Folder]:
    logon, subject = run.subject(request.logon_id, request.input_handle_index)
    if not isinstance(subject, Folder):
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)
    return logon, subject


def _table(
    run: Execution,
    request: SetColumnsRequest | SortTableRequest | QueryRowsRequest | QueryPositionRequest | SeekRowRequest,
) -> Table:
    _, subject = run.subject(request.logon_id, request.input_handle_index)
    if not isinstance(subject, Table):
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT)
    return subject


#: What answers a request of each kind. RopRelease is none of them: it has no answer.
ANSWERS: dict[type, Callable[[Execution, Any], Response]] = {
    LogonRequest: _log_on,
    OpenFolderRequest: _open_folder,
    OpenMessageRequest: _open_message,
    GetReceiveFolderRequest: _get_receive_folder,
    GetHierarchyTableRequest: _get_hierarchy_table,
    GetContentsTableRequest: _get_contents_table,
    SetColumnsRequest: _set_columns,
    SortTableRequest: _sort_table,
    QueryRowsRequest: _query_rows,
    QueryPositionRequest: _query_position,
    SeekRowRequest: _seek_row,
    GetPropertiesSpecificRequest: _get_properties,
    OpenStreamRequest: _open_stream,
    ReadStreamRequest: _read_stream,
}
