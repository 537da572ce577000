"""A server for tests of the session: it has one table of rows, says yes to all else, and can be told to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from workers.mapi.buffers import NO_HANDLE, decode_request_buffer, encode_response_buffer
from workers.mapi.profile import ConnectFlags, Profile
from workers.mapi.rops import (
    CURRENT,
    END,
    BufferTooSmallResponse,
    ErrorResponse,
    FolderIds,
    GetContentsTableRequest,
    GetContentsTableResponse,
    GetHierarchyTableRequest,
    GetHierarchyTableResponse,
    LogonRedirectResponse,
    LogonRequest,
    LogonResponse,
    LogonTime,
    OpaqueRequest,
    OpenFolderRequest,
    OpenFolderResponse,
    QueryRowsRequest,
    QueryRowsResponse,
    ReleaseRequest,
    Request,
    Response,
    SetColumnsRequest,
    SetColumnsResponse,
    SortTableRequest,
    SortTableResponse,
)
from workers.mapi.rows import Row, RowCodec, row_codec
from workers.mapi.subsystem import Subsystem
from workers.mapi.transport import ConnectionLost, MailboxRow, RpcError

#: The fourth of the 13 FolderIds, which are 1 to 13 here.
IPM_SUBTREE = 4
OWNER = 0x07


#: LogonId to the mailbox and the handles that are open on it.
Logons = dict[int, tuple[str, set[int]]]


class FakeServer:
    """Knows logons and handles as a real server does: a LogonId used twice replaces the first logon in silence."""

    def __init__(self) -> None:
        #: The logons of each live context.
        self.contexts: dict[int, Logons] = {}
        #: The names of the ROPs of each buffer that arrived, in order.
        self.buffers: list[list[str]] = []
        #: Mailbox DN to the code with which a logon to it is refused.
        self.refused: dict[str, int] = {}
        #: What the next Executes raise instead of an answer; a buffer with 0x47D is executed all the same.
        self.failures: list[RpcError | ConnectionLost | None] = []
        #: Mailbox DN to the server that has it instead of this one.
        self.elsewhere: dict[str, str] = {}
        self.response_flags = OWNER
        #: The rows of every table, how many are sent at a time, and how many are announced.
        self.rows: list[Row] = []
        self.page = 1000
        self.announced: int | None = None
        #: ROPs that a buffer answers before its reply is full (0xFF).
        self.room = 1000
        #: Changes a reply on its way back.
        self.tamper: Callable[[bytes], bytes] = lambda reply: reply
        self.directory: list[MailboxRow] = []
        self._numbers = count(1)
        self._columns: dict[int, RowCodec] = {}
        self._cursors: dict[int, int] = {}

    def connect(self, user_dn: str) -> int:
        assert user_dn
        context = next(self._numbers)
        self.contexts[context] = {}
        return context

    def disconnect(self, context: int) -> None:
        self.contexts.pop(context, None)

    def mailbox_rows(self, offset: int, limit: int) -> Sequence[MailboxRow]:
        return self.directory[offset : offset + min(limit, 3)]

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, ConnectionLost):
            self.contexts.pop(context)
        if failure is not None and not (isinstance(failure, RpcError) and failure.code == 0x47D):
            raise failure
        requests, handles = decode_request_buffer(rop_buffer)
        self.buffers.append([type(request).__name__.removesuffix("Request") for request in requests])
        answers = list(self._answers(context, requests, handles))
        if failure is not None:
            raise failure
        return self.tamper(encode_response_buffer(answers, handles))

    def open_handles(self, context: int) -> set[int]:
        return {handle for _, handles in self.contexts[context].values() for handle in handles}

    def _answers(self, context: int, requests: list[Request], handles: list[int]) -> Iterator[Response]:
        room = self.room
        for place, request in enumerate(requests):
            if not room:
                rest = b"".join(waiting.encode() for waiting in requests[place:])
                yield BufferTooSmallResponse(0x8000, rest)
                return
            response = self._run(self.contexts[context], request, handles)
            if response is not None:
                room -= 1
                yield response

    def _run(self, logons: Logons, request: Request, handles: list[int]) -> Response | None:
        if isinstance(request, LogonRequest):
            return self._log_on(logons, request, handles)
        assert not isinstance(request, OpaqueRequest)
        if isinstance(request, ReleaseRequest):
            _release(logons, request.logon_id, handles[request.input_handle_index])
            return None
        _, opened = logons.get(request.logon_id, ("", set[int]()))
        if handles[request.input_handle_index] not in opened:
            place = getattr(request, "output_handle_index", request.input_handle_index)
            return ErrorResponse(request.rop_id, place, 0x4B9)
        if isinstance(request, OpenFolderRequest | GetHierarchyTableRequest | GetContentsTableRequest):
            handles[request.output_handle_index] = self._open(opened)
            return self._opened(request)
        return self._on_table(handles[request.input_handle_index], request)

    def _opened(self, request: OpenFolderRequest | GetHierarchyTableRequest | GetContentsTableRequest) -> Response:
        place = request.output_handle_index
        rows = len(self.rows) if self.announced is None else self.announced
        match request:
            case OpenFolderRequest():
                return OpenFolderResponse(place, has_rules=False, is_ghosted=False)
            case GetHierarchyTableRequest():
                return GetHierarchyTableResponse(place, rows)
        return GetContentsTableResponse(place, rows)

    def _on_table(self, table: int, request: Request) -> Response:
        match request:
            case SetColumnsRequest(input_handle_index=index, property_tags=tags):
                self._columns[table] = row_codec(tags)
                return SetColumnsResponse(index, 0)
            case SortTableRequest(input_handle_index=index):
                return SortTableResponse(index, 0)
            case QueryRowsRequest(input_handle_index=index, row_count=count):
                return self._query_rows(table, index, count)
        raise AssertionError(f"no answer to {request}")

    def _log_on(self, logons: Logons, request: LogonRequest, handles: list[int]) -> Response:
        place = request.output_handle_index
        if request.essdn in self.refused:
            return ErrorResponse(request.rop_id, place, self.refused[request.essdn])
        if request.essdn in self.elsewhere:
            return LogonRedirectResponse(place, 1, self.elsewhere[request.essdn])
        assert handles[place] == NO_HANDLE
        handles[place] = next(self._numbers)
        logons[request.logon_id] = (request.essdn, {handles[place]})
        ids, time = FolderIds._make(range(1, 14)), LogonTime(0, 0, 0, 0, 1, 1, 2001)
        return LogonResponse(place, 1, ids, self.response_flags, bytes(16), 1, bytes(16), time, 0, 0)

    def _open(self, opened: set[int]) -> int:
        handle = next(self._numbers)
        opened.add(handle)
        return handle

    def _query_rows(self, table: int, index: int, most: int) -> Response:
        start = self._cursors.get(table, 0)
        rows = self.rows[start : start + min(self.page, most)]
        self._cursors[table] = start + len(rows)
        origin = END if start + len(rows) == len(self.rows) else CURRENT
        data = b"".join(self._columns[table].encode(row) for row in rows)
        return QueryRowsResponse(index, origin, len(rows), data)


def _release(logons: Logons, logon_id: int, handle: int) -> None:
    _, opened = logons.get(logon_id, ("", set[int]()))
    if opened and handle == min(opened):  # the logon's own: the first that was opened on it
        del logons[logon_id]
    opened.discard(handle)


def profile_of(server: FakeServer, reserved: frozenset[int] = frozenset(), flags: int = 0) -> Profile:
    """A profile that leads to the server; also to its directory."""
    return Profile("tests", server, "/cn=admin", server, ConnectFlags(flags), reserved)


def started() -> Subsystem:
    """A subsystem of the test's own, so that no test sees the process's."""
    subsystem = Subsystem()
    subsystem.initialize()
    return subsystem
