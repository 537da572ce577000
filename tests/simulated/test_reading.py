from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulated.wire import Wire, server_of
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.properties import PR_INTERNET_CONTENT, PropertyError, TypedValue
from workers.mapi.rops import (
    CODE_PAGE_OF_LOGON,
    USE_MAXIMUM_BYTE_COUNT,
    GetPropertiesSpecificRequest,
    OpenFolderRequest,
    OpenMessageRequest,
    OpenStreamRequest,
    ReadStreamRequest,
    Request,
)
from workers.simulated.stores import INBOX, MessageFacts, message_id

NOT_FOUND = PropertyError(0x8004010F)
TOO_LARGE = PropertyError(0x8007000E)


@pytest.fixture
def wire() -> Wire:
    return Wire(server_of("sim:5?folders=3&messages=60"))


def one_message(directory: Path, content: bytes) -> Wire:
    """A server with one mailbox, in whose Inbox lies this message alone."""
    inbox = directory / "somebody" / "Inbox"
    inbox.mkdir(parents=True)
    (inbox / "1.").write_bytes(content)
    return Wire(server_of(f"sim:{directory}"))


def newest(wire: Wire) -> tuple[MessageFacts, bytes]:
    """The newest message of the Inbox: what the population knows of it, and its text."""
    messages = wire.server.population.mailbox(0).messages(wire.folder_id(INBOX))
    return messages.facts(0), messages.read(0)


def open_message(wire: Wire, identifier: int) -> OpenMessageRequest:
    return OpenMessageRequest(0, 0, 1, CODE_PAGE_OF_LOGON, wire.folder_id(INBOX), 0, identifier)


def properties(place: int, *tags: int, limit: int = 0) -> GetPropertiesSpecificRequest:
    return GetPropertiesSpecificRequest(0, place, limit, 1, tags)


def values_of(wire: Wire, *tags: int, limit: int = 0) -> tuple[Any, ...]:
    """The properties of the newest message."""
    facts, _ = newest(wire)
    requests: list[Request] = [open_message(wire, facts.message_id), properties(1, *tags, limit=limit)]
    responses, _ = wire(requests, [wire.log_on(), NO_HANDLE])
    values: tuple[Any, ...] = responses[1].values
    return values


def stream_of(wire: Wire, tag: int, part: int = 1000) -> bytes:
    """A property of the newest message, read in parts of `part` bytes."""
    facts, _ = newest(wire)
    requests: list[Request] = [open_message(wire, facts.message_id), OpenStreamRequest(0, 1, 2, tag, 0)]
    responses, handles = wire(requests, [wire.log_on(), NO_HANDLE, NO_HANDLE])
    data: bytes = b""
    while True:
        [response], _ = wire([ReadStreamRequest(0, 0, part)], [handles[2]])
        data += response.data
        if not response.data:
            break
    assert len(data) == responses[1].stream_size
    return data


def test_a_message_is_opened_with_its_subject(wire: Wire) -> None:
    facts, _ = newest(wire)

    [response], _ = wire([open_message(wire, facts.message_id)], [wire.log_on(), NO_HANDLE])

    assert response.return_value == 0
    assert response.normalized_subject.string == facts.subject


@pytest.mark.parametrize("row", [10**6, 2**31])
def test_a_message_that_is_not_there_is_not_found(wire: Wire, row: int) -> None:
    requests: list[Request] = [open_message(wire, message_id(INBOX, row)), open_message(wire, 0x0900_0000_0000_0001)]

    assert wire.codes(requests, [wire.log_on(), NO_HANDLE]) == [NOT_FOUND.code, NOT_FOUND.code]


def test_a_message_has_the_properties_of_its_row(wire: Wire) -> None:
    facts, _ = newest(wire)

    assert values_of(
        wire,
        props.PR_MID,
        props.PR_SUBJECT_W,
        props.PR_SENDER_NAME_W,
        props.PR_SENDER_SMTP_ADDRESS_W,
        props.PR_MESSAGE_DELIVERY_TIME,
        props.PR_MESSAGE_SIZE,
        props.PR_MESSAGE_FLAGS,
        props.PR_INTERNET_MESSAGE_ID_W,
        props.PR_MESSAGE_CLASS_W,
        props.PR_HTML,
    ) == (
        facts.message_id,
        facts.subject,
        facts.sender_name,
        facts.sender_address,
        facts.delivered,
        facts.size,
        int(facts.read),
        facts.internet_message_id,
        "IPM.Note",
        NOT_FOUND,
    )


def test_a_type_may_be_left_to_the_server(wire: Wire) -> None:
    facts, _ = newest(wire)

    assert values_of(wire, 0x0037_0000, 0x7FFE_0000) == (TypedValue(0x1F, facts.subject), NOT_FOUND)


def test_header_and_body_are_properties(wire: Wire) -> None:
    _, content = newest(wire)
    headers, body = values_of(wire, props.PR_TRANSPORT_MESSAGE_HEADERS_W, props.PR_BODY_W)

    assert (headers + body).encode() == content


def test_a_value_that_is_longer_than_the_client_wants_is_left_out(wire: Wire) -> None:
    facts, _ = newest(wire)

    assert values_of(wire, props.PR_SUBJECT_W, props.PR_BODY_W, limit=200) == (facts.subject, TOO_LARGE)


def test_a_value_that_no_reply_has_room_for_is_left_out_and_can_be_streamed(tmp_path: Path) -> None:
    content = b"Subject: large\r\n\r\n" + b"x" * 100_000
    large = one_message(tmp_path, content)

    assert values_of(large, props.PR_SUBJECT_W, props.PR_BODY_W) == ("large", TOO_LARGE)
    assert stream_of(large, props.PR_BODY_W, 0x7FFF) == ("x" * 100_000).encode("utf-16-le")
    assert stream_of(large, PR_INTERNET_CONTENT, 0x7FFF) == content


@pytest.mark.parametrize("part", [1, 77, 1000, 0xFFFF])
def test_the_whole_message_is_a_stream_of_bytes(wire: Wire, part: int) -> None:
    facts, content = newest(wire)

    assert stream_of(wire, PR_INTERNET_CONTENT, part) == content
    assert len(content) == facts.size


def test_text_is_streamed_as_utf_16_without_a_nul(wire: Wire) -> None:
    facts, _ = newest(wire)

    assert stream_of(wire, props.PR_SUBJECT_W).decode("utf-16-le") == facts.subject
    assert stream_of(wire, 0x0037_001E).decode("cp1252") == facts.subject


def test_a_stream_of_what_is_not_there_or_no_text_is_refused(wire: Wire) -> None:
    facts, _ = newest(wire)
    requests: list[Request] = [
        open_message(wire, facts.message_id),
        OpenStreamRequest(0, 1, 2, props.PR_HTML, 0),
        OpenStreamRequest(0, 1, 2, props.PR_MESSAGE_SIZE, 0),
        OpenStreamRequest(0, 1, 2, props.PR_BODY_W, 1),
    ]

    codes = wire.codes(requests, [wire.log_on(), NO_HANDLE, NO_HANDLE])

    assert codes == [0, NOT_FOUND.code, 0x80040102, 0x80070005]


def test_the_server_may_be_asked_for_as_much_as_fits(tmp_path: Path) -> None:
    large = one_message(tmp_path, b"\r\n" + b"y" * 50_000)
    facts, content = newest(large)
    requests: list[Request] = [
        open_message(large, facts.message_id),
        OpenStreamRequest(0, 1, 2, PR_INTERNET_CONTENT, 0),
        ReadStreamRequest(0, 2, USE_MAXIMUM_BYTE_COUNT, 1_000_000),
    ]

    responses, _ = large(requests, [large.log_on(), NO_HANDLE, NO_HANDLE])

    assert 32_000 < len(responses[2].data) < 0x8000
    assert content.startswith(responses[2].data)


def test_a_store_tells_its_owner_and_its_totals(wire: Wire) -> None:
    mailbox = wire.server.population.mailbox(0)
    tags = (
        props.PR_MAILBOX_OWNER_NAME_W,
        props.PR_MESSAGE_SIZE_EXTENDED,
        props.PR_CONTENT_COUNT,
        props.PR_DISPLAY_NAME_W,
    )

    [response], _ = wire([properties(0, *tags)], [wire.log_on()])

    assert response.values == (
        mailbox.display_name,
        sum(facts.size for facts in mailbox.subtree()),
        sum(facts.message_count for facts in mailbox.subtree()),
        NOT_FOUND,
    )


def test_a_folder_has_the_properties_of_its_row(wire: Wire) -> None:
    requests: list[Request] = [
        OpenFolderRequest(0, 0, 1, wire.folder_id(INBOX), 0),
        properties(1, props.PR_DISPLAY_NAME_W, props.PR_FID, props.PR_PARENT_FID),
        properties(1),
        properties(1, 0x3001_0FFF),
    ]

    responses, _ = wire(requests, [wire.log_on(), NO_HANDLE])

    assert responses[1].values == ("Inbox", wire.folder_id(INBOX), wire.top())
    assert [response.return_value for response in responses[2:]] == [0x80070057, 0x80070057]
