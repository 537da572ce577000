"""Every ROP of the codec: one class a request and a response, and which response answers which request.

The classes live by family in `rops_store`, `rops_table` and `rops_message`; import them from here. All of
them have `rop_id` and `encode()`; all responses have `return_value`, 0 for success.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from workers.mapi.recipients import OpenRecipientRow, Recipient
from workers.mapi.rop import (
    BufferTooSmallResponse,
    ErrorResponse,
    OpaqueRequest,
    OpaqueResponse,
    RopId,
)
from workers.mapi.rops_message import (
    CODE_PAGE_OF_LOGON,
    USE_MAXIMUM_BYTE_COUNT,
    GetPropertiesSpecificRequest,
    GetPropertiesSpecificResponse,
    OpenMessageRequest,
    OpenMessageResponse,
    OpenStreamRequest,
    OpenStreamResponse,
    ReadStreamRequest,
    ReadStreamResponse,
    TypedString,
)
from workers.mapi.rops_store import (
    LOGON_PRIVATE,
    WRONG_SERVER,
    FolderIds,
    GetReceiveFolderRequest,
    GetReceiveFolderResponse,
    LogonRedirectResponse,
    LogonRequest,
    LogonResponse,
    LogonTime,
    OpenFolderRequest,
    OpenFolderResponse,
    ReleaseRequest,
)
from workers.mapi.rops_table import (
    BEGINNING,
    CURRENT,
    END,
    MOST_ROWS,
    TABLE_DEPTH,
    TABLE_NO_NOTIFICATIONS,
    GetContentsTableRequest,
    GetContentsTableResponse,
    GetHierarchyTableRequest,
    GetHierarchyTableResponse,
    QueryPositionRequest,
    QueryPositionResponse,
    QueryRowsRequest,
    QueryRowsResponse,
    SeekRowRequest,
    SeekRowResponse,
    SetColumnsRequest,
    SetColumnsResponse,
    SortOrder,
    SortTableRequest,
    SortTableResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BEGINNING",
    "CODE_PAGE_OF_LOGON",
    "CURRENT",
    "END",
    "LOGON_PRIVATE",
    "MOST_ROWS",
    "REQUESTS",
    "RESPONSES",
    "RESPONSE_INDEXES",
    "TABLE_DEPTH",
    "TABLE_NO_NOTIFICATIONS",
    "USE_MAXIMUM_BYTE_COUNT",
    "WRONG_SERVER",
    "BufferTooSmallResponse",
    "ErrorResponse",
    "FolderIds",
    "GetContentsTableRequest",
    "GetContentsTableResponse",
    "GetHierarchyTableRequest",
    "GetHierarchyTableResponse",
    "GetPropertiesSpecificRequest",
    "GetPropertiesSpecificResponse",
    "GetReceiveFolderRequest",
    "GetReceiveFolderResponse",
    "LogonRedirectResponse",
    "LogonRequest",
    "LogonResponse",
    "LogonTime",
    "OpaqueRequest",
    "OpaqueResponse",
    "OpenFolderRequest",
    "OpenFolderResponse",
    "OpenMessageRequest",
    "OpenMessageResponse",
    "OpenRecipientRow",
    "OpenStreamRequest",
    "OpenStreamResponse",
    "QueryPositionRequest",
    "QueryPositionResponse",
    "QueryRowsRequest",
    "QueryRowsResponse",
    "ReadStreamRequest",
    "ReadStreamResponse",
    "Recipient",
    "ReleaseRequest",
    "Request",
    "Response",
    "RopId",
    "SeekRowRequest",
    "SeekRowResponse",
    "SetColumnsRequest",
    "SetColumnsResponse",
    "SortOrder",
    "SortTableRequest",
    "SortTableResponse",
    "TypedString",
]

Request: TypeAlias = (
    LogonRequest
    | ReleaseRequest
    | OpenFolderRequest
    | GetReceiveFolderRequest
    | GetHierarchyTableRequest
    | GetContentsTableRequest
    | SetColumnsRequest
    | SortTableRequest
    | QueryRowsRequest
    | QueryPositionRequest
    | SeekRowRequest
    | OpenMessageRequest
    | GetPropertiesSpecificRequest
    | OpenStreamRequest
    | ReadStreamRequest
    | OpaqueRequest
)
Response: TypeAlias = (
    LogonResponse
    | LogonRedirectResponse
    | OpenFolderResponse
    | GetReceiveFolderResponse
    | GetHierarchyTableResponse
    | GetContentsTableResponse
    | SetColumnsResponse
    | SortTableResponse
    | QueryRowsResponse
    | QueryPositionResponse
    | SeekRowResponse
    | OpenMessageResponse
    | GetPropertiesSpecificResponse
    | OpenStreamResponse
    | ReadStreamResponse
    | ErrorResponse
    | BufferTooSmallResponse
    | OpaqueResponse
)

_REQUESTS = (
    LogonRequest,
    ReleaseRequest,
    OpenFolderRequest,
    GetReceiveFolderRequest,
    GetHierarchyTableRequest,
    GetContentsTableRequest,
    SetColumnsRequest,
    SortTableRequest,
    QueryRowsRequest,
    QueryPositionRequest,
    SeekRowRequest,
    OpenMessageRequest,
    GetPropertiesSpecificRequest,
    OpenStreamRequest,
    ReadStreamRequest,
)
_RESPONSES = (
    LogonResponse,
    OpenFolderResponse,
    GetReceiveFolderResponse,
    GetHierarchyTableResponse,
    GetContentsTableResponse,
    SetColumnsResponse,
    SortTableResponse,
    QueryPositionResponse,
    SeekRowResponse,
    OpenMessageResponse,
    OpenStreamResponse,
    ReadStreamResponse,
)

#: RopId to what reads the request.
REQUESTS: dict[int, Callable[[bytes, int], tuple[Request, int]]] = {kind.rop_id: kind.decode for kind in _REQUESTS}

#: RopId to what reads the successful response. Those that are rows are missing: only their columns tell how.
RESPONSES: dict[int, Callable[[bytes, int], tuple[Response, int]]] = {kind.rop_id: kind.decode for kind in _RESPONSES}

#: RopId to the handle index of a request that its response repeats: the output's where it has one.
RESPONSE_INDEXES: dict[int, Callable[[Request], int]] = {
    kind.rop_id: attrgetter(
        "output_handle_index" if "output_handle_index" in kind.__struct_fields__ else "input_handle_index"
    )
    for kind in _REQUESTS
}
