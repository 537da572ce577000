"""A client of the simulated server that speaks ROPs and nothing above: what tests send, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE, decode_response_buffer, encode_request_buffer
from workers.mapi.rops import (
    GetContentsTableRequest,
    GetHierarchyTableRequest,
    LogonRequest,
    OpenFolderRequest,
    QueryRowsRequest,
    Request,
    SetColumnsRequest,
)
from workers.mapi.rows import RowCodec, row_codec
from workers.simulated.server import SimulatedServer, simulated_server
from workers.simulated.stores import IPM_SUBTREE, mailbox_dn, wire_id

ACCOUNT = "/o=sim/cn=admin"
REPLID_MAPPING = 0x0100_0000
DEPTH = 0x04

FOLDER_COLUMNS = (
    props.PR_FID,
    props.PR_PARENT_FID,
    props.PR_CONTENT_COUNT,
    props.PR_CONTENT_UNREAD,
    props.PR_MESSAGE_SIZE_EXTENDED,
    props.PR_DISPLAY_NAME_W,
)
MESSAGE_COLUMNS = (props.PR_MID, props.PR_MESSAGE_SIZE, props.PR_MESSAGE_DELIVERY_TIME, props.PR_SUBJECT_W)

Answer = tuple[list[Any], list[int]]


class Pauses(list[float]):
    """Remembers what the server would have waited for, in seconds, and waits for nothing."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Wire:
    """One session context."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server
        self.context = server.connect(ACCOUNT)

    def __call__(self, requests: Sequence[Request], handles: Sequence[int], columns: RowCodec | None = None) -> Answer:
        """The responses and the handle table. `columns`: of a table opened earlier."""
        reply = self.server.execute(self.context, encode_request_buffer(requests, [*handles]))
        return decode_response_buffer(reply, requests, columns)

    def codes(self, requests: Sequence[Request], handles: Sequence[int]) -> list[int]:
        """The ReturnValues."""
        responses, _ = self(requests, handles)
        return [response.return_value for response in responses]

    def log_on(self, ordinal: int = 0, logon_id: int = 0) -> int:
        """The handle of a mailbox that opens without fault."""
        [response], [handle] = self([logon(self.server, ordinal, logon_id)], [NO_HANDLE])
        assert response.return_value == 0, hex(response.return_value)
        return handle

    def folders(self, ordinal: int = 0, logon_id: int = 0) -> list[tuple[Any, ...]]:
        """The rows of FOLDER_COLUMNS of the whole tree; the mailbox is logged on with `logon_id` anew."""
        handle = self.log_on(ordinal, logon_id)
        responses, _ = self(listing(self.top(ordinal), logon_id=logon_id), [handle, NO_HANDLE, NO_HANDLE])
        return list(responses[-1].rows)

    def top(self, ordinal: int = 0) -> int:
        """The id of the IPM subtree's folder."""
        return self.folder_id(IPM_SUBTREE, ordinal)

    def folder_id(self, counter: int, ordinal: int = 0) -> int:
        return self.server.population.mailbox(ordinal).id_bits | wire_id(counter)


def server_of(url: str) -> SimulatedServer:
    """A server on which no time passes."""
    return simulated_server(url, Pauses())


def pauses_of(server: SimulatedServer) -> Pauses:
    pauses = server.pause
    assert isinstance(pauses, Pauses)
    return pauses


def logon(server: SimulatedServer, ordinal: int = 0, logon_id: int = 0, place: int = 0) -> LogonRequest:
    return logon_as(mailbox_dn(server.population.address(ordinal)), logon_id, place)


def logon_as(dn: str, logon_id: int = 0, place: int = 0) -> LogonRequest:
    return LogonRequest(logon_id, place, 1, REPLID_MAPPING, 0, dn)


def listing(folder_id: int, *, logon_id: int = 0, count: int = 4095) -> list[Request]:
    """Places 0 to 2 of the handle table: the logon, the folder, its hierarchy table with all levels."""
    return [
        OpenFolderRequest(logon_id, 0, 1, folder_id, 0),
        GetHierarchyTableRequest(logon_id, 1, 2, DEPTH),
        SetColumnsRequest(logon_id, 2, 0, FOLDER_COLUMNS),
        QueryRowsRequest(logon_id, 2, 0, forward_read=True, row_count=count),
    ]


def contents(folder_id: int, tags: tuple[int, ...] = MESSAGE_COLUMNS, count: int = 4095) -> list[Request]:
    """Places 0 to 2 of the handle table: the logon, the folder, its contents table."""
    return [
        OpenFolderRequest(0, 0, 1, folder_id, 0),
        GetContentsTableRequest(0, 1, 2, 0),
        SetColumnsRequest(0, 2, 0, tags),
        QueryRowsRequest(0, 2, 0, forward_read=True, row_count=count),
    ]


def folder_rows() -> RowCodec:
    return row_codec(FOLDER_COLUMNS)
