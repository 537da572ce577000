from __future__ import annotations

from typing import Any

import pytest

from tests.mapi.fakes import OWNER, FakeServer
from workers.mapi.buffers import NO_HANDLE, decode_response_buffer, encode_request_buffer
from workers.mapi.rops import (
    LOGON_PRIVATE,
    BufferTooSmallResponse,
    ErrorResponse,
    LogonRequest,
    OpenFolderRequest,
    ReleaseRequest,
    Request,
)
from workers.mapi.transport import ConnectionLost, RpcError


def logon(logon_id: int, dn: str, place: int = 0) -> LogonRequest:
    return LogonRequest(logon_id, place, LOGON_PRIVATE, 0, 0, dn)


def send(server: FakeServer, context: int, requests: list[Request], handles: list[int]) -> tuple[list[Any], list[int]]:
    reply = server.execute(context, encode_request_buffer(requests, handles))
    return decode_response_buffer(reply, requests)


def test_a_logon_opens_the_mailbox_and_a_release_closes_it() -> None:
    server = FakeServer()
    context = server.connect("/cn=admin")
    [response], [handle] = send(server, context, [logon(7, "/cn=anna")], [NO_HANDLE])

    assert response.return_value == 0
    assert server.contexts[context] == {7: ("/cn=anna", {handle})}

    send(server, context, [ReleaseRequest(7, 0)], [handle])

    assert server.contexts[context] == {}


def test_a_logon_id_used_twice_replaces_the_first_logon_in_silence() -> None:
    server = FakeServer()
    context = server.connect("/cn=admin")
    _, [first] = send(server, context, [logon(0, "/cn=anna")], [NO_HANDLE])
    [response], _ = send(server, context, [logon(0, "/cn=ben")], [NO_HANDLE])
    [refusal], _ = send(server, context, [OpenFolderRequest(0, 0, 1, 4, 0)], [first, NO_HANDLE])

    assert response.return_value == 0
    assert refusal == ErrorResponse(0x02, 1, 0x4B9)


def test_a_handle_is_good_for_nothing_under_another_logon_id() -> None:
    server = FakeServer()
    context = server.connect("/cn=admin")
    _, handles = send(server, context, [logon(0, "/cn=a"), logon(1, "/cn=b", 1)], [NO_HANDLE, NO_HANDLE])
    [refusal], _ = send(server, context, [OpenFolderRequest(1, 0, 1, 4, 0)], [handles[0], NO_HANDLE])

    assert refusal == ErrorResponse(0x02, 1, 0x4B9)


def test_the_server_fails_as_often_as_it_is_told() -> None:
    server = FakeServer()
    context = server.connect("/cn=admin")
    server.failures = [RpcError(0x480), RpcError(0x47D), None, ConnectionLost()]

    for error in (RpcError, RpcError):
        with pytest.raises(error):
            send(server, context, [logon(0, "/cn=anna")], [NO_HANDLE])
    assert server.contexts[context] == {0: ("/cn=anna", {2})}, "0x47D is said after the ROPs were executed"

    assert send(server, context, [logon(0, "/cn=anna")], [NO_HANDLE])[1] == [3]
    with pytest.raises(ConnectionLost):
        send(server, context, [logon(0, "/cn=anna")], [NO_HANDLE])
    assert server.contexts == {}


def test_a_reply_without_room_hands_back_what_was_not_run() -> None:
    server = FakeServer()
    context = server.connect("/cn=admin")
    server.room = 1
    requests: list[Request] = [logon(0, "/cn=a"), logon(1, "/cn=b", 1)]
    responses, _ = send(server, context, requests, [NO_HANDLE, NO_HANDLE])

    assert responses[1:] == [BufferTooSmallResponse(0x8000, requests[1].encode())]
    assert [*server.contexts[context]] == [0]


def test_the_owners_right_is_among_the_response_flags() -> None:
    assert OWNER & 0x02
