from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.mapi.fakes import FakeServer, profile_of
from workers.causes import Cause
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.connection import MOST_RIDING, Connection
from workers.mapi.hresults import HResult, MapiError
from workers.mapi.rops import LOGON_PRIVATE, ErrorResponse, LogonRequest, OpenFolderRequest, Request
from workers.mapi.transport import ConnectionLost, RpcError


def logons(count: int) -> tuple[list[Request], list[int]]:
    requests: list[Request] = [LogonRequest(n, n, LOGON_PRIVATE, 0, 0, f"/cn={n}") for n in range(count)]
    return requests, [NO_HANDLE] * count


def mailboxes(server: FakeServer) -> dict[int, str]:
    [context] = server.contexts.values()
    return {logon_id: dn for logon_id, (dn, _) in context.items()}


@pytest.mark.parametrize("room", [1, 2, 3, 100])
def test_what_a_full_reply_left_out_is_sent_again_in_a_buffer_of_its_own(room: int) -> None:
    server = FakeServer()
    server.room = room
    responses, handles = Connection(profile_of(server)).execute(*logons(5))

    assert [response.return_value for response in responses] == [0] * 5
    assert mailboxes(server) == {n: f"/cn={n}" for n in range(5)}
    assert sum(map(len, server.buffers)) == 5 + sum(range(5, 0, -room)) - 5
    assert len(set(handles)) == 5


@pytest.mark.parametrize("refusals", [1, 2, 3])
def test_a_reply_thrown_away_whole_is_made_up_for_in_halves(refusals: int) -> None:
    server = FakeServer()
    server.failures = [RpcError(0x47D)] * refusals
    responses, handles = Connection(profile_of(server)).execute(*logons(8))

    assert [response.return_value for response in responses] == [0] * 8
    assert mailboxes(server) == {n: f"/cn={n}" for n in range(8)}, "the same LogonIds, used again"
    [context] = server.contexts
    assert server.open_handles(context) == set(handles), "the orphans were replaced"


def test_a_single_rop_whose_answer_never_fits_fails() -> None:
    server = FakeServer()
    server.failures = [RpcError(0x47D)]

    with pytest.raises(MapiError, match="BUFFER_TOO_SMALL") as caught:
        Connection(profile_of(server)).execute(*logons(1))
    assert caught.value.cause is Cause.PROTOCOL


def test_a_server_that_answers_nothing_is_not_asked_for_ever() -> None:
    server = FakeServer()
    server.room = 0

    with pytest.raises(MapiError, match="BUFFER_TOO_SMALL"):
        Connection(profile_of(server)).execute(*logons(3))
    assert len(server.buffers) == 1


def test_a_halved_chain_finds_its_handles_again() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    server.failures = [RpcError(0x47D)]
    requests: list[Request] = [
        LogonRequest(0, 0, LOGON_PRIVATE, 0, 0, "/cn=anna"),
        OpenFolderRequest(0, 0, 1, 4, 0),
    ]
    responses, handles = connection.execute(requests, [NO_HANDLE] * 2)

    assert [response.return_value for response in responses] == [0, 0]
    [context] = server.contexts
    assert server.open_handles(context) == set(handles)


def test_releases_ride_in_front_of_the_next_buffer() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [handle] = connection.execute(*logons(1))
    connection.release(logon, handle)
    sent = len(server.buffers)
    connection.execute(*logons(2))

    assert server.buffers[sent:] == [["Release", "Logon", "Logon"]]


def test_releases_that_were_run_are_not_sent_with_the_rest() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [handle] = connection.execute(*logons(1))
    connection.release(logon, handle)
    server.room = 1
    sent = len(server.buffers)
    connection.execute(*logons(2))

    assert server.buffers[sent:] == [["Release", "Logon", "Logon"], ["Logon"]]


def test_more_releases_than_a_buffer_carries_go_ahead_of_it() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    connection.execute(*logons(1))
    for number in range(2 * MOST_RIDING + 5):
        connection.release(logon, 1000 + number)
    sent = len(server.buffers)
    connection.execute(*logons(1))

    assert [buffer.count("Release") for buffer in server.buffers[sent:]] == [MOST_RIDING, MOST_RIDING, 5]


def test_a_flush_sends_the_releases_alone() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [handle] = connection.execute(*logons(1))
    connection.release(logon, handle)
    connection.flush()
    connection.flush()

    assert server.buffers[1:] == [["Release"]]
    assert mailboxes(server) == {}


def test_releases_of_a_refused_buffer_wait_for_the_next() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [handle] = connection.execute(*logons(1))
    connection.release(logon, handle)
    server.failures = [RpcError(0x480)]
    with pytest.raises(MapiError, match="BUSY"):
        connection.execute(*logons(2))
    sent = len(server.buffers)
    connection.flush()

    assert server.buffers[sent:] == [["Release"]]
    assert mailboxes(server) == {}


def test_what_a_failed_chain_opened_is_released_again_last_opened_first() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [store] = connection.execute(*logons(1))
    requests: list[Request] = [
        OpenFolderRequest(0, 0, 1, 4, 0),
        OpenFolderRequest(0, 1, 2, 4, 0),
        OpenFolderRequest(9, 0, 3, 4, 0),  # there is no such logon
    ]

    with pytest.raises(MapiError, match="NULL_OBJECT"):
        logon.chain(requests, [store, *[NO_HANDLE] * 3])
    [context] = server.contexts
    inner, outer = sorted(server.open_handles(context) - {store}, reverse=True)
    assert connection.waiting == [(0, inner), (0, outer)]


def test_releases_of_a_lost_context_are_forgotten() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    _, [handle] = connection.execute(*logons(1))
    connection.release(logon, handle)
    server.failures = [ConnectionLost()]
    with pytest.raises(MapiError, match="NETWORK_ERROR"):
        connection.execute(*logons(2))
    sent = len(server.buffers)
    connection.execute(*logons(1))

    assert server.buffers[sent:] == [["Logon"]]


def test_releases_that_wait_when_the_context_is_lost_are_forgotten() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    logon = connection.begin("/cn=0")
    connection.execute(*logons(1))
    for number in range(MOST_RIDING + 1):
        connection.release(logon, 1000 + number)
    server.failures = [ConnectionLost()]
    with pytest.raises(MapiError, match="NETWORK_ERROR"):
        connection.flush()

    assert connection.waiting == []


def test_the_refusal_of_one_rop_is_a_response() -> None:
    server = FakeServer()
    server.refused["/cn=1"] = HResult.MAPI_E_NOT_FOUND
    responses, _ = Connection(profile_of(server)).execute(*logons(3))

    assert [response.return_value for response in responses] == [0, HResult.MAPI_E_NOT_FOUND, 0]
    assert responses[1] == ErrorResponse(0xFE, 1, HResult.MAPI_E_NOT_FOUND)


NOTIFICATION = bytes([0x2A, 1, 2, 3])
BACKOFF = bytes([0xF9, 0, 1, 0, 0, 0, 0, 0, 0])


def with_tail(reply: bytes, handles: int, tail: bytes, keep: int | None = None) -> bytes:
    """The reply with its ROPs cut to `keep` bytes and `tail` behind them."""
    size = int.from_bytes(reply[:2], "little")
    rops = reply[2:size][:keep] + tail
    return (len(rops) + 2).to_bytes(2, "little") + rops + reply[-4 * handles :]


def test_a_notification_that_nobody_asked_for_is_passed_over() -> None:
    server = FakeServer()
    server.tamper = lambda reply: with_tail(reply, 2, NOTIFICATION)
    responses, _ = Connection(profile_of(server)).execute(*logons(2))

    assert len(responses) == 2


def test_a_server_that_asks_to_back_off_is_busy() -> None:
    server = FakeServer()
    server.tamper = lambda reply: with_tail(reply, 2, BACKOFF, keep=166)

    with pytest.raises(MapiError) as caught:
        Connection(profile_of(server)).execute(*logons(2))
    assert caught.value.cause is Cause.BUSY


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda reply: reply[:-4],  # one handle less than was sent
        lambda reply: reply[:-1],
        lambda _reply: b"",
        lambda reply: with_tail(reply, 2, NOTIFICATION, keep=166),
        lambda reply: with_tail(reply, 2, b"", keep=166),
        lambda reply: with_tail(reply, 2, b"\x01\x02"),
    ],
)
def test_an_answer_that_cannot_be_read_or_is_incomplete_is_a_protocol_error(
    spoilt: Callable[[bytes], bytes],
) -> None:
    server = FakeServer()
    server.tamper = spoilt

    with pytest.raises(MapiError) as caught:
        Connection(profile_of(server)).execute(*logons(2))
    assert caught.value.cause is Cause.PROTOCOL


def test_a_logon_that_was_lost_releases_nothing_of_the_one_that_has_its_index_now() -> None:
    server = FakeServer()
    connection = Connection(profile_of(server))
    lost = connection.begin("/cn=0")
    server.failures = [ConnectionLost()]
    with pytest.raises(MapiError, match="NETWORK_ERROR"):
        connection.execute(*logons(1))
    new = connection.begin("/cn=1")

    connection.release(lost, 1000)
    connection.end(lost)

    assert new.index == lost.index
    assert connection.waiting == []
    assert new.index in connection.indexes
