from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulated.wire import FOLDER_COLUMNS, Wire, contents, listing, logon, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE, decode_request_buffer, encode_request_buffer
from workers.mapi.rops import (
    CODE_PAGE_OF_LOGON,
    END,
    BufferTooSmallResponse,
    GetPropertiesSpecificRequest,
    OpenMessageRequest,
    QueryRowsRequest,
    Request,
    SetColumnsRequest,
)
from workers.mapi.rows import row_codec
from workers.mapi.transport import MAX_ROP_OUT, RpcError
from workers.simulated.stores import INBOX, message_id

#: Logons of which one reply of the recorded server can tell: (32 KB - 8 - 2) / (166 + a handle of 4), cut.
RECORDED_MOST = 192


@pytest.fixture
def spec() -> Wire:
    return Wire(server_of("sim:300?overflow=spec"))


@pytest.fixture
def recorded() -> Wire:
    return Wire(server_of("sim:300?overflow=recorded"))


def logons(wire: Wire, count: int) -> list[Request]:
    return [logon(wire.server, ordinal, ordinal, ordinal) for ordinal in range(count)]


def owner_name(logon_id: int, place: int) -> GetPropertiesSpecificRequest:
    return GetPropertiesSpecificRequest(logon_id, place, 0, 1, (props.PR_MAILBOX_OWNER_NAME_W,))


@pytest.mark.parametrize("overflow", ["spec", "recorded"])
def test_one_reply_tells_of_192_logons(overflow: str) -> None:
    wire = Wire(server_of(f"sim:300?overflow={overflow}"))

    responses, handles = wire(logons(wire, RECORDED_MOST), [NO_HANDLE] * RECORDED_MOST)

    assert [response.return_value for response in responses] == [0] * RECORDED_MOST
    assert NO_HANDLE not in handles


def test_by_the_specification_what_does_not_fit_is_handed_back_unexecuted(spec: Wire) -> None:
    requests = logons(spec, 250)

    responses, handles = spec(requests, [NO_HANDLE] * 250)

    *done, last = responses
    assert isinstance(last, BufferTooSmallResponse)
    assert {response.return_value for response in done} == {0}
    assert spec.server.open_objects(spec.context) == len(done)
    assert handles[: len(done)].count(NO_HANDLE) == 0
    assert handles[len(done) :] == [NO_HANDLE] * (250 - len(done))
    assert handed_back(last) == requests[len(done) :]
    assert last.size_needed > MAX_ROP_OUT - len(last.request_buffers) - 4 * 250


def handed_back(response: BufferTooSmallResponse) -> list[Request]:
    size = len(response.request_buffers) + 2
    return decode_request_buffer(size.to_bytes(2, "little") + response.request_buffers)[0]


def test_the_rest_can_be_sent_again_until_all_is_done(spec: Wire) -> None:
    waiting, handles, calls = logons(spec, 250), [NO_HANDLE] * 250, 0
    while waiting:
        responses, handles = spec(waiting, handles)
        waiting = handed_back(responses[-1]) if isinstance(responses[-1], BufferTooSmallResponse) else []
        calls += 1

    assert spec.server.open_objects(spec.context) == 250
    assert calls == 2


def test_a_reply_with_what_is_handed_back_is_no_larger_than_32_kb(spec: Wire) -> None:
    reply = spec.server.execute(spec.context, encode_request_buffer(logons(spec, 250), [NO_HANDLE] * 250))

    assert len(reply) <= MAX_ROP_OUT


def test_on_the_recorded_server_the_whole_execute_fails_though_its_logons_happened(recorded: Wire) -> None:
    with pytest.raises(RpcError) as caught:
        recorded(logons(recorded, 250), [NO_HANDLE] * 250)

    assert caught.value.code == 0x47D
    told = (MAX_ROP_OUT - 8 - 2 - 4 * 250) // 166
    assert recorded.server.open_objects(recorded.context) == told + 1, "the one that did not fit was executed, too"


def test_using_the_same_logon_ids_again_recovers_from_it(recorded: Wire) -> None:
    with pytest.raises(RpcError):
        recorded(logons(recorded, 250), [NO_HANDLE] * 250)
    for half in (logons(recorded, 250)[:125], logons(recorded, 250)[125:]):
        responses, _ = recorded(half, [NO_HANDLE] * 250)
        assert {response.return_value for response in responses} == {0}

    assert recorded.server.open_objects(recorded.context) == 250


@pytest.mark.parametrize("overflow", ["spec", "recorded"])
def test_rows_take_the_room_that_is_left_and_say_that_there_are_more(overflow: str) -> None:
    wire = Wire(server_of(f"sim:300?folders=400&messages=400&overflow={overflow}"))
    handle = wire.log_on(299, 255)
    requests = [*logons(wire, 100), *listing(wire.top(299), logon_id=255)]
    requests[100:] = [shifted(request) for request in requests[100:]]

    responses, handles = wire(requests, [*[NO_HANDLE] * 100, handle, NO_HANDLE, NO_HANDLE])

    page = responses[-1]
    assert 0 < page.row_count < 401
    assert page.origin != END
    [rest], _ = wire(
        [QueryRowsRequest(255, 0, 0, forward_read=True, row_count=4095)], [handles[-1]], row_codec(FOLDER_COLUMNS)
    )
    assert page.row_count + rest.row_count == 401


def shifted(request: Request) -> Request:
    """The same ROP, with places of the handle table from 100 on."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    places = {name: place + 100 for name, place in fields.items() if name.endswith("_handle_index")}
    return type(request)(**(fields | places))


def test_a_reply_without_room_for_a_single_row_is_an_overflow() -> None:
    def crowded(overflow: str) -> tuple[Wire, list[Request], list[int]]:
        wire = Wire(server_of(f"sim:300?folders=400&messages=400&overflow={overflow}"))
        _, opened = wire(listing(wire.top(299), logon_id=255)[:3], [wire.log_on(299, 255), NO_HANDLE, NO_HANDLE])
        table = opened[2]
        query = QueryRowsRequest(255, 192, 0, forward_read=True, row_count=5)
        full = [*[NO_HANDLE] * RECORDED_MOST, table, *[NO_HANDLE] * 20]
        return wire, [*logons(wire, RECORDED_MOST), query], full

    wire, requests, handles = crowded("recorded")
    with pytest.raises(RpcError) as caught:
        wire(requests, handles)
    assert caught.value.code == 0x47D

    wire, requests, handles = crowded("spec")
    responses, _ = wire(requests, handles, row_codec(FOLDER_COLUMNS))
    assert isinstance(responses[-1], BufferTooSmallResponse)
    assert handed_back(responses[-1])[-1] == requests[-1]


def test_the_columns_of_a_table_are_not_set_by_a_rop_that_is_handed_back(spec: Wire) -> None:
    handle = spec.log_on(0, 255)
    _, opened = spec(listing(spec.top(), logon_id=255)[:2], [handle, NO_HANDLE, NO_HANDLE])
    requests = [*logons(spec, 250), SetColumnsRequest(255, 250, 0, FOLDER_COLUMNS)]

    responses, _ = spec(requests, [*[NO_HANDLE] * 250, opened[2]])

    query = QueryRowsRequest(255, 0, 0, forward_read=True, row_count=1)
    assert isinstance(responses[-1], BufferTooSmallResponse)
    assert spec.codes([query], [opened[2]]) == [0x4B9]


def test_the_handles_of_one_buffer_count_against_its_room(recorded: Wire) -> None:
    fits, one_more = RECORDED_MOST, RECORDED_MOST + 1

    assert len(recorded(logons(recorded, fits), [NO_HANDLE] * fits)[0]) == fits
    with pytest.raises(RpcError):
        recorded(logons(recorded, one_more), [NO_HANDLE] * one_more)


def one_message(directory: Path, subject_length: int) -> Wire:
    """A server with one mailbox, in whose Inbox lies one message."""
    inbox = directory / "box" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "1.").write_bytes(b"Subject: " + b"x" * subject_length + b"\n\n")
    return Wire(server_of(f"sim:{directory}"))


def test_a_message_that_is_handed_back_is_not_left_open(tmp_path: Path) -> None:
    wire = one_message(tmp_path, 100)
    handle = wire.log_on(0, 255)
    opening = OpenMessageRequest(255, 192, 193, CODE_PAGE_OF_LOGON, wire.folder_id(INBOX), 0, message_id(INBOX, 0))
    again = [logon(wire.server, 0, place, place) for place in range(RECORDED_MOST)]

    responses, handles = wire([*again, opening], [*[NO_HANDLE] * RECORDED_MOST, handle, *[NO_HANDLE] * 20])

    assert handed_back(responses[-1]) == [opening]
    assert handles[193] == NO_HANDLE
    assert wire.server.open_objects(wire.context) == RECORDED_MOST + 1


def test_a_row_that_no_reply_can_hold_is_handed_back_and_then_an_error_of_its_rop(tmp_path: Path) -> None:
    wire = one_message(tmp_path, 300)
    requests = contents(wire.folder_id(INBOX), (props.PR_SUBJECT_W,) * 70)

    responses, handles = wire(requests, [wire.log_on(), NO_HANDLE, NO_HANDLE])

    assert handed_back(responses[-1]) == requests[-1:]
    assert wire.codes(requests[-1:], handles) == [0x47D]
