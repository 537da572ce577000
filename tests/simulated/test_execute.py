from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulated.wire import Wire, contents, listing, logon, logon_as, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE, encode_request_buffer
from workers.mapi.rops import (
    GetContentsTableRequest,
    GetHierarchyTableRequest,
    GetPropertiesSpecificRequest,
    GetReceiveFolderRequest,
    LogonRequest,
    OpenFolderRequest,
    OpenStreamRequest,
    QueryPositionRequest,
    QueryRowsRequest,
    ReadStreamRequest,
    ReleaseRequest,
    Request,
    SetColumnsRequest,
)
from workers.mapi.transport import RpcError
from workers.simulated.stores import DELETED_ITEMS, INBOX, IPM_SUBTREE, OUTBOX, ROOT, SENT_ITEMS, mailbox_dn

NULL_OBJECT = 0x4B9
NOT_FOUND = 0x8004010F
NOT_SUPPORTED = 0x80040102
INVALID_PARAMETER = 0x80070057


@pytest.fixture
def wire() -> Wire:
    return Wire(server_of("sim:300?folders=3&messages=30"))


def owner_name(logon_id: int, place: int) -> GetPropertiesSpecificRequest:
    return GetPropertiesSpecificRequest(logon_id, place, 0, 1, (props.PR_MAILBOX_OWNER_NAME_W,))


def test_a_logon_names_the_special_folders_and_the_owners_right(wire: Wire) -> None:
    [response], [handle] = wire([logon(wire.server, 5)], [NO_HANDLE])

    assert response.return_value == 0
    assert response.folder_ids.root == wire.folder_id(ROOT, 5)
    assert response.folder_ids.ipm_subtree == wire.folder_id(IPM_SUBTREE, 5)
    assert response.folder_ids.inbox == wire.folder_id(INBOX, 5)
    assert response.folder_ids.outbox == wire.folder_id(OUTBOX, 5)
    assert response.folder_ids.sent_items == wire.folder_id(SENT_ITEMS, 5)
    assert response.folder_ids.deleted_items == wire.folder_id(DELETED_ITEMS, 5)
    assert len(set(response.folder_ids)) == 13
    assert response.response_flags & 0x02
    assert response.mailbox_guid == wire.server.population.mailbox(5).guid
    assert handle != NO_HANDLE


def test_a_dn_is_understood_in_any_letter_case(wire: Wire) -> None:
    dn = mailbox_dn(wire.server.population.address(7))

    assert wire.codes([logon_as(dn.upper())], [NO_HANDLE]) == [0]


def test_nobody_is_an_unknown_user(wire: Wire) -> None:
    [response], handles = wire([logon_as(mailbox_dn("nobody"))], [NO_HANDLE])

    assert response.return_value == 0x3EB
    assert handles == [NO_HANDLE]


def test_a_logon_needs_the_replid_flag_and_is_to_a_mailbox(wire: Wire) -> None:
    dn = mailbox_dn(wire.server.population.address(0))

    assert wire.codes([LogonRequest(0, 0, 1, 0, 0, dn)], [NO_HANDLE]) == [INVALID_PARAMETER]
    assert wire.codes([LogonRequest(0, 0, 0, 0x0100_0000, 0, dn)], [NO_HANDLE]) == [0x80040111]


def test_logon_number_257_replaces_the_first_one_silently(wire: Wire) -> None:
    handles = [wire.log_on(ordinal, ordinal) for ordinal in range(256)]
    newest = wire.log_on(256, 0)

    assert wire.codes([owner_name(0, 0), owner_name(1, 1)], [handles[0], handles[1]]) == [NULL_OBJECT, 0]
    assert wire.codes([owner_name(0, 0)], [newest]) == [0]
    assert wire.server.open_objects(wire.context) == 256


def test_a_logon_that_replaces_another_releases_all_that_was_open_on_it(wire: Wire) -> None:
    first = wire.log_on(0)
    _, opened = wire(listing(wire.top()), [first, NO_HANDLE, NO_HANDLE])
    wire.log_on(1)

    assert wire.codes([QueryPositionRequest(0, 0)], [opened[2]]) == [NULL_OBJECT]
    assert wire.server.open_objects(wire.context) == 1


def test_a_failed_logon_leaves_the_old_one_alone(wire: Wire) -> None:
    handle = wire.log_on(0)

    assert wire.codes([logon_as(mailbox_dn("nobody"))], [NO_HANDLE]) == [0x3EB]
    assert wire.codes([owner_name(0, 0)], [handle]) == [0]


def test_a_handle_is_good_with_its_own_logon_only(wire: Wire) -> None:
    first, second = wire.log_on(0, 0), wire.log_on(1, 1)

    assert wire.codes([owner_name(1, 0), owner_name(0, 1)], [first, second]) == [NULL_OBJECT, NULL_OBJECT]
    assert wire.codes([owner_name(77, 0)], [first]) == [NULL_OBJECT]


def test_a_handle_is_good_in_its_own_context_only(wire: Wire) -> None:
    handle = wire.log_on(0)
    other = Wire(wire.server)

    assert other.codes([owner_name(0, 0)], [handle]) == [NULL_OBJECT]


def test_a_release_is_never_answered_whatever_it_releases(wire: Wire) -> None:
    handle = wire.log_on(0)
    releases = [ReleaseRequest(0, 0), ReleaseRequest(0, 0), ReleaseRequest(9, 0), ReleaseRequest(0, 1)]

    responses, _ = wire(releases, [handle, NO_HANDLE])

    assert responses == []
    assert wire.server.open_objects(wire.context) == 0


def test_releasing_a_logon_releases_what_is_open_on_it(wire: Wire) -> None:
    handle = wire.log_on(0)
    _, opened = wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])
    wire([ReleaseRequest(0, 0)], [handle])

    assert wire.codes([OpenFolderRequest(0, 0, 1, wire.top(), 0)], [opened[1], NO_HANDLE]) == [NULL_OBJECT]
    assert wire.server.open_objects(wire.context) == 0


def test_a_child_outlives_the_folder_that_it_came_from(wire: Wire) -> None:
    handle = wire.log_on(0)
    _, opened = wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])
    wire([ReleaseRequest(0, 0)], [opened[1]])

    assert wire.codes([QueryPositionRequest(0, 0)], [opened[2]]) == [0]


def test_a_failed_open_leaves_its_place_empty_and_the_execute_goes_on(wire: Wire) -> None:
    handle = wire.log_on(0)
    requests = [*listing(0xABCD_0000_0000_0001), owner_name(0, 0)]

    responses, handles = wire(requests, [handle, NO_HANDLE, NO_HANDLE])

    assert [response.return_value for response in responses] == [NOT_FOUND, *[NULL_OBJECT] * 3, 0]
    assert [response.handle_index for response in responses[:4]] == [1, 2, 2, 2]
    assert handles == [handle, NO_HANDLE, NO_HANDLE]


@pytest.mark.parametrize("folder_id", [0, 0x0900_0000_0000_0002])
def test_what_can_be_no_folder_id_is_an_invalid_parameter(wire: Wire, folder_id: int) -> None:
    handle = wire.log_on(0)

    assert wire.codes([OpenFolderRequest(0, 0, 1, folder_id, 0)], [handle, NO_HANDLE]) == [INVALID_PARAMETER]


def test_a_folder_of_another_mailbox_is_not_found(wire: Wire) -> None:
    handle = wire.log_on(0)

    assert wire.codes([OpenFolderRequest(0, 0, 1, wire.top(1), 0)], [handle, NO_HANDLE]) == [NOT_FOUND]


def test_a_folder_is_opened_through_a_folder_but_not_through_a_table(wire: Wire) -> None:
    handle = wire.log_on(0)
    _, opened = wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])
    inbox = wire.folder_id(INBOX)

    assert wire.codes([OpenFolderRequest(0, 0, 1, inbox, 0)], [opened[1], NO_HANDLE]) == [0]
    assert wire.codes([OpenFolderRequest(0, 0, 1, inbox, 0)], [opened[2], NO_HANDLE]) == [NOT_SUPPORTED]


def test_a_rop_on_an_object_of_another_kind_is_not_supported(wire: Wire) -> None:
    handle = wire.log_on(0)
    _, opened = wire(listing(wire.top()), [handle, NO_HANDLE, NO_HANDLE])
    requests: list[Request] = [
        GetHierarchyTableRequest(0, 0, 3, 0),
        GetContentsTableRequest(0, 0, 3, 0),
        SetColumnsRequest(0, 1, 0, (props.PR_FID,)),
        QueryRowsRequest(0, 0, 0, forward_read=True, row_count=1),
        QueryPositionRequest(0, 1),
        GetPropertiesSpecificRequest(0, 2, 0, 1, (props.PR_FID,)),
        GetReceiveFolderRequest(0, 1, ""),
        ReadStreamRequest(0, 1, 10),
        OpenStreamRequest(0, 2, 3, props.PR_BODY_W, 0),
    ]

    assert wire.codes(requests, [*opened, NO_HANDLE]) == [NOT_SUPPORTED] * len(requests)


def test_mail_of_every_class_is_received_in_the_inbox(wire: Wire) -> None:
    handle = wire.log_on(0)
    requests = [GetReceiveFolderRequest(0, 0, name) for name in ("IPM.Note", "", "Report")]

    responses, _ = wire(requests, [handle])

    assert {response.folder_id for response in responses} == {wire.folder_id(INBOX)}
    assert [response.explicit_message_class for response in responses] == ["IPM", "", ""]


@pytest.mark.parametrize("buffer", [b"", b"\2", b"\5\0\0\0\0", b"\xff\xff", b"\3\0\xa5\0\0\0\0", b"\4\0\7\0\0\0\0\0"])
def test_what_cannot_be_parsed_fails_the_whole_execute(wire: Wire, buffer: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        wire.server.execute(wire.context, buffer)

    assert caught.value.code == 0x4B6


def test_of_a_buffer_that_cannot_be_parsed_nothing_is_executed(wire: Wire) -> None:
    whole = encode_request_buffer([logon(wire.server)], [NO_HANDLE])
    size = int.from_bytes(whole[:2], "little") + 1
    with pytest.raises(RpcError):
        wire.server.execute(wire.context, size.to_bytes(2, "little") + whole[2:-4] + b"\xa5" + whole[-4:])

    assert wire.server.open_objects(wire.context) == 0


def test_an_index_outside_the_handle_table_fails_the_whole_execute(wire: Wire) -> None:
    handle = wire.log_on(0)
    for request in (owner_name(0, 9), ReleaseRequest(0, 9), OpenFolderRequest(0, 0, 9, wire.top(), 0)):
        with pytest.raises(RpcError) as caught:
            wire([request], [handle])

        assert caught.value.code == 0x80040108


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.data())
def test_no_buffer_makes_the_server_fail_with_anything_but_an_rpc_error(data: st.DataObject) -> None:
    wire = Wire(server_of("sim:3?folders=2&messages=4"))
    handle = wire.log_on(0)
    chain = [logon(wire.server, 1, 1, 3), *listing(wire.top()), *contents(wire.folder_id(INBOX))]
    buffer = bytearray(encode_request_buffer(chain, [handle, NO_HANDLE, NO_HANDLE, NO_HANDLE]))
    for _ in range(data.draw(st.integers(1, 4))):
        buffer[data.draw(st.integers(0, len(buffer) - 1))] = data.draw(st.integers(0, 255))
    try:
        reply = wire.server.execute(wire.context, bytes(buffer))
    except RpcError as error:
        assert error.code in (0x4B6, 0x80040108)  # noqa: PT017 - either is right, and so is a reply
    else:
        assert len(reply) <= 0x8000
