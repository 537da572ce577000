"""Each ROP against its layout in [MS-OXCROPS], and there and back for whatever its fields hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.mapi.strategies import column_sets, integers, numbers, rows, strings, strings8
from workers.mapi import rops
from workers.mapi.buffers import (
    CodecError,
    decode_request_buffer,
    decode_response_buffer,
    encode_request_buffer,
    encode_response_buffer,
)
from workers.mapi.properties import PR_CONTENT_COUNT, PR_DISPLAY_NAME_W, PR_SMTP_ADDRESS_W, PropertyError, row_codec
from workers.mapi.wire import write_string, write_string8

reproducibly = settings(derandomize=True, deadline=None, max_examples=40)

LAYOUTS: list[tuple[rops.Request, str]] = [
    (rops.LogonRequest(1, 2, 1, 0x01000008, 0, "/cn=a"), "fe 01 02 01 08000001 00000000 0600 2f636e3d6100"),
    (rops.ReleaseRequest(1, 2), "01 01 02"),
    (rops.OpenFolderRequest(1, 2, 3, 0x0D00000000000001, 0), "02 01 02 03 010000000000000d 00"),
    (rops.OpenMessageRequest(1, 2, 3, 0x0FFF, 4, 0, 5), "03 01 02 03 ff0f 0400000000000000 00 0500000000000000"),
    (rops.GetHierarchyTableRequest(1, 2, 3, rops.TABLE_DEPTH), "04 01 02 03 04"),
    (rops.GetContentsTableRequest(1, 2, 3, 0), "05 01 02 03 00"),
    (rops.GetPropertiesSpecificRequest(1, 2, 0, 1, (PR_CONTENT_COUNT,)), "07 01 02 0000 0100 0100 03000236"),
    (rops.SetColumnsRequest(1, 2, 0, (PR_CONTENT_COUNT, PR_DISPLAY_NAME_W)), "12 01 02 00 0200 03000236 1f000130"),
    (
        rops.SortTableRequest(1, 2, 0, 0, 0, (rops.SortOrder(0x40, 0x0E06, 1),)),
        "13 01 02 00 0100 0000 0000 4000 060e 01",
    ),
    (rops.QueryRowsRequest(1, 2, 0, forward_read=True, row_count=4095), "15 01 02 00 01 ff0f"),
    (rops.QueryPositionRequest(1, 2), "17 01 02"),
    (rops.SeekRowRequest(1, 2, rops.END, -2, want_row_moved_count=True), "18 01 02 02 feffffff 01"),
    (rops.GetReceiveFolderRequest(1, 2, "IPM"), "27 01 02 49504d00"),
    (rops.OpenStreamRequest(1, 2, 3, 0x1000001F, 0), "2b 01 02 03 1f000010 00"),
    (rops.ReadStreamRequest(1, 2, 4096), "2c 01 02 0010"),
    (rops.ReadStreamRequest(1, 2, rops.USE_MAXIMUM_BYTE_COUNT, 65536), "2c 01 02 beba 00000100"),
]


@pytest.mark.parametrize(("request_", "layout"), LAYOUTS, ids=lambda each: type(each).__name__)
def test_a_request_has_the_layout_of_the_specification(request_: rops.Request, layout: str) -> None:
    octets = bytes.fromhex(layout)

    assert request_.encode() == octets
    assert rops.REQUESTS[octets[0]](b"before" + octets + b"after", 6) == (request_, 6 + len(octets))


ANSWERS: list[tuple[rops.Request, rops.Response, str]] = [
    (LAYOUTS[2][0], rops.OpenFolderResponse(3, has_rules=True, is_ghosted=False), "02 03 00000000 01 00"),
    (LAYOUTS[4][0], rops.GetHierarchyTableResponse(3, 27), "04 03 00000000 1b000000"),
    (LAYOUTS[5][0], rops.GetContentsTableResponse(3, 12), "05 03 00000000 0c000000"),
    (LAYOUTS[7][0], rops.SetColumnsResponse(2, 0), "12 02 00000000 00"),
    (LAYOUTS[8][0], rops.SortTableResponse(2, 0), "13 02 00000000 00"),
    (LAYOUTS[10][0], rops.QueryPositionResponse(2, 5, 27), "17 02 00000000 05000000 1b000000"),
    (LAYOUTS[11][0], rops.SeekRowResponse(2, has_sought_less=False, rows_sought=-2), "18 02 00000000 00 feffffff"),
    (LAYOUTS[12][0], rops.GetReceiveFolderResponse(2, 13, "IPM"), "27 02 00000000 0d00000000000000 49504d00"),
    (LAYOUTS[13][0], rops.OpenStreamResponse(3, 70000), "2b 03 00000000 70110100"),
    (LAYOUTS[14][0], rops.ReadStreamResponse(2, b"abc"), "2c 02 00000000 0300 616263"),
    (LAYOUTS[2][0], rops.ErrorResponse(0x02, 3, 0x8004010F), "02 03 0f010480"),
    (LAYOUTS[0][0], rops.ErrorResponse(0xFE, 2, 0x3EB), "fe 02 eb030000"),
    (LAYOUTS[0][0], rops.LogonRedirectResponse(2, 1, "/cn=b"), "fe 02 78040000 01 06 2f636e3d6200"),
    (
        LAYOUTS[2][0],
        rops.BufferTooSmallResponse(166, LAYOUTS[2][0].encode()),
        "ff a600 02 01 02 03 010000000000000d 00",
    ),
    (LAYOUTS[0][0], rops.OpaqueResponse(b"\x6e\0\0"), "6e 0000"),
]


@pytest.mark.parametrize(("request_", "response", "layout"), ANSWERS, ids=lambda each: type(each).__name__)
def test_a_response_has_the_layout_of_the_specification(
    request_: rops.Request, response: rops.Response, layout: str
) -> None:
    octets = bytes.fromhex(layout)

    assert response.encode() == octets
    assert decode_response_buffer(encode_response_buffer([octets], []), [request_]) == ([response], [])


def test_a_logon_response_names_the_special_folders() -> None:
    response = rops.LogonResponse(
        output_handle_index=0,
        logon_flags=rops.LOGON_PRIVATE,
        folder_ids=rops.FolderIds(*range(1, 14)),
        response_flags=7,
        mailbox_guid=b"m" * 16,
        repl_id=5,
        repl_guid=b"r" * 16,
        logon_time=rops.LogonTime(39, 29, 9, 0, 22, 11, 2026),
        gwart_time=134000000000000000,
        store_state=0,
    )
    octets = response.encode()

    assert len(octets) == 166
    assert octets[7:15].hex() == "0100000000000000"
    assert octets[146:154].hex() == "271d0900" + "160bea07"
    assert rops.LogonResponse.decode(octets, 0) == (response, 166)
    assert response.folder_ids.ipm_subtree == 4


def test_a_logon_to_public_folders_is_not_read() -> None:
    octets = bytes.fromhex("fe0000000000") + bytes(160)

    with pytest.raises(CodecError, match="public"):
        decode_response_buffer(encode_response_buffer([octets], [1]), [rops.LogonRequest(0, 0, 0, 0, 0, "")])


@pytest.mark.parametrize("essdn", ["2f636e", "2f00636e00", ""])
def test_an_essdn_without_one_final_nul_is_refused(essdn: str) -> None:
    octets = bytes.fromhex(essdn)
    logon = bytes.fromhex("fe0000010000000000000000") + len(octets).to_bytes(2, "little") + octets

    with pytest.raises(CodecError, match="NUL is not its last"):
        decode_request_buffer((len(logon) + 2).to_bytes(2, "little") + logon)


def test_a_string_outside_the_code_page_is_refused() -> None:
    with pytest.raises(CodecError, match="code page"):
        encode_request_buffer([rops.LogonRequest(0, 0, 1, 0, 0, "/cn=添付")], [0])


def test_a_string_with_a_nul_inside_is_refused() -> None:
    with pytest.raises(CodecError, match="NUL"):
        encode_request_buffer([rops.LogonRequest(0, 0, 1, 0, 0, "/cn=a\0b")], [0])


def test_a_number_that_its_field_cannot_hold_is_refused() -> None:
    with pytest.raises(CodecError):
        encode_request_buffer([rops.ReleaseRequest(256, 0)], [0])


def field_values(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of a ROP whose layout is fixed, each field filled by its spelling there."""
    spelled = {
        "B": numbers(8),
        "H": numbers(16),
        "I": numbers(32),
        "Q": numbers(64),
        "i": integers(32),
        "?": st.booleans(),
    }
    layout = kind.layout if kind.__name__.endswith("Request") else "B" + kind.layout
    fields = dict(zip(kind.__struct_fields__, (spelled[letter] for letter in layout), strict=True))
    if "is_ghosted" in fields:
        fields["is_ghosted"] = st.just(value=False)
    return st.builds(kind, **fields)


FIXED = [kind for kind in vars(rops).values() if isinstance(kind, type) and hasattr(kind, "layout")]


@pytest.mark.parametrize("kind", FIXED)
@reproducibly
@given(data=st.data())
def test_a_rop_of_a_fixed_layout_is_read_as_it_was_written(kind: type[Any], data: st.DataObject) -> None:
    rop = data.draw(field_values(kind))

    assert kind.decode(b"xx" + rop.encode() + b"yy", 2) == (rop, 2 + len(rop.encode()))


tag_lists = st.lists(numbers(32), max_size=20).map(tuple)
sort_orders = st.lists(st.builds(rops.SortOrder, numbers(16), numbers(16), numbers(8)), max_size=5).map(tuple)
VARYING: list[st.SearchStrategy[Any]] = [
    st.builds(rops.LogonRequest, *[numbers(8)] * 3, numbers(32), numbers(32), strings8),
    st.builds(rops.SetColumnsRequest, *[numbers(8)] * 3, tag_lists),
    st.builds(rops.SortTableRequest, *[numbers(8)] * 3, numbers(16), numbers(16), sort_orders),
    st.builds(rops.GetPropertiesSpecificRequest, numbers(8), numbers(8), numbers(16), numbers(16), tag_lists),
    st.builds(rops.GetReceiveFolderRequest, numbers(8), numbers(8), strings8),
    st.builds(rops.ReadStreamRequest, numbers(8), numbers(8), st.integers(0, 0xBABD)),
    st.builds(rops.ReadStreamRequest, numbers(8), numbers(8), st.just(0xBABE), numbers(32)),
]


@reproducibly
@given(st.lists(st.one_of(VARYING + [field_values(kind) for kind in FIXED if kind.__name__.endswith("Request")])))
def test_requests_chained_in_a_buffer_are_read_as_they_were_written(chain: list[Any]) -> None:
    handles = [1, 0xFFFFFFFF]

    assert decode_request_buffer(encode_request_buffer(chain, handles)) == (chain, handles)


@reproducibly
@given(st.data(), column_sets)
def test_rows_come_back_from_the_buffer_whose_columns_they_have(data: st.DataObject, columns: tuple[int, ...]) -> None:
    codec = row_codec(columns)
    page = data.draw(st.lists(rows(columns), max_size=3))
    values = data.draw(rows(columns))
    requests: list[rops.Request] = [
        rops.SetColumnsRequest(0, 0, 0, columns),
        rops.QueryRowsRequest(0, 0, 0, forward_read=True, row_count=9),
        rops.GetPropertiesSpecificRequest(0, 1, 0, 1, columns),
    ]
    written: list[rops.Response] = [
        rops.SetColumnsResponse(0, 0),
        rops.QueryRowsResponse(0, rops.END, len(page), b"".join(map(codec.encode, page))),
        rops.GetPropertiesSpecificResponse(1, codec.encode(values)),
    ]

    read, _ = decode_response_buffer(encode_response_buffer(written, [1, 2]), requests)

    assert read == [written[0], structs.replace(written[1], rows=page), structs.replace(written[2], values=values)]


TYPED = [
    (rops.TypedString(0, None), "00"),
    (rops.TypedString(1, ""), "01"),
    (rops.TypedString(2, "é"), "02 e900"),
    (rops.TypedString(3, "é"), "03 e900"),
    (rops.TypedString(4, "é"), "04 e9000000"),
    (rops.TypedString(4, ""), "04 0000"),
]


@pytest.mark.parametrize(("typed", "layout"), TYPED)
def test_a_typed_string_keeps_the_way_in_which_it_was_written(typed: rops.TypedString, layout: str) -> None:
    message = rops.OpenMessageResponse(0, False, typed, typed, 0, (), ())  # noqa: FBT003 - a field
    octets = message.encode()

    assert octets.hex() == "030000000000" + "00" + layout.replace(" ", "") * 2 + "0000" + "0000" + "00"
    assert rops.OpenMessageResponse.decode(octets, 0) == (message, len(octets))


@pytest.mark.parametrize(
    "typed",
    [rops.TypedString(0, "text"), rops.TypedString(3, "添"), rops.TypedString(3, "\0"), rops.TypedString(5, "")],
)
def test_a_typed_string_that_cannot_be_written_so_is_refused(typed: rops.TypedString) -> None:
    message = rops.OpenMessageResponse(0, False, typed, typed, 0, (), ())  # noqa: FBT003 - a field

    with pytest.raises(CodecError):
        encode_response_buffer([message], [])


@pytest.mark.parametrize("typed", ["05", "03 6161", "02 6161", "04 61", "04"])
def test_a_typed_string_that_cannot_be_read_is_refused(typed: str) -> None:
    octets = bytes.fromhex("0303" + "00000000" + "00" + typed)

    with pytest.raises(CodecError):
        decode_response_buffer(encode_response_buffer([octets], []), [LAYOUTS[3][0]])


COLUMNS = (PR_SMTP_ADDRESS_W, PR_CONTENT_COUNT)


def test_an_smtp_recipient_has_its_address_and_its_name() -> None:
    properties = row_codec(COLUMNS).encode(("a@b.c", 5))
    row = bytes.fromhex("1b02") + write_string("a@b.c") + write_string("A. B.") + b"\2\0" + properties
    message = rops.OpenMessageResponse(
        output_handle_index=1,
        has_named_properties=False,
        subject_prefix=rops.TypedString(1, ""),
        normalized_subject=rops.TypedString(4, "subject"),
        recipient_count=1,
        recipient_columns=COLUMNS,
        recipient_rows=(rops.OpenRecipientRow(1, 1252, 0, row),),
    )

    read, _ = rops.OpenMessageResponse.decode(message.encode(), 0)
    recipient = read.recipient_rows[0].recipient(read.recipient_columns)

    assert read == message
    assert (recipient.email_address, recipient.display_name, recipient.properties) == ("a@b.c", "A. B.", ("a@b.c", 5))


def test_an_exchange_recipient_has_a_dn_and_may_lack_properties() -> None:
    properties = row_codec(COLUMNS[:1]).encode((PropertyError(0x8004010F),))
    row = bytes.fromhex("3100" + "0000") + write_string8("cn=a") + write_string8("A") + write_string8("T") + b"\1\0"

    recipient = rops.OpenRecipientRow(1, 1252, 0, row + properties).recipient(COLUMNS)

    assert (recipient.x500_dn, recipient.display_name, recipient.transmittable_display_name) == ("cn=a", "A", "T")
    assert recipient.properties == (PropertyError(0x8004010F),)


def test_a_personal_distribution_list_has_an_entry_id_and_a_search_key() -> None:
    row = bytes.fromhex("1600" + "0300616263" + "0200787a") + write_string8("list") + bytes.fromhex("0000" + "00")

    recipient = rops.OpenRecipientRow(1, 1252, 0, row).recipient(COLUMNS)

    assert (recipient.entry_id, recipient.search_key, recipient.display_name) == (b"abc", b"xz", "list")


def test_a_recipient_of_no_known_type_brings_its_address_type() -> None:
    row = bytes.fromhex("1884") + b"FAX\0" + b"123\0" + b"F\0" + b"simple\0" + bytes.fromhex("0000" + "00")

    recipient = rops.OpenRecipientRow(1, 1252, 0, row).recipient(COLUMNS)

    assert (recipient.address_type, recipient.email_address) == ("FAX", "123")
    assert (recipient.display_name, recipient.simple_display_name) == ("F", "simple")


@pytest.mark.parametrize(
    "row",
    [
        "",
        "1b02",
        "0000" + "0300" + "00" + "00" * 20,  # more properties than columns
        "0000" + "0000" + "00" + "00",  # bytes left over
        "0000" + "0000" + "02",  # a row of no known kind
    ],
)
def test_a_recipient_row_that_cannot_be_read_does_not_harm_the_message(row: str) -> None:
    recipient = rops.OpenRecipientRow(1, 1252, 0, bytes.fromhex(row))
    untitled = rops.TypedString(0, None)
    message = rops.OpenMessageResponse(0, False, untitled, untitled, 1, COLUMNS, (recipient,))  # noqa: FBT003 - a field

    assert rops.OpenMessageResponse.decode(message.encode(), 0)[0] == message
    with pytest.raises(CodecError):
        recipient.recipient(COLUMNS)


def test_a_ghosted_folder_is_refused() -> None:
    octets = bytes.fromhex("0203000000000001")

    with pytest.raises(CodecError, match="ghosted"):
        decode_response_buffer(encode_response_buffer([octets], []), [LAYOUTS[2][0]])


@reproducibly
@given(strings)
def test_a_subject_of_any_text_is_read_as_it_was_written(text: str) -> None:
    typed = rops.TypedString(4, text)
    message = rops.OpenMessageResponse(0, False, typed, typed, 0, (), ())  # noqa: FBT003 - a field

    assert rops.OpenMessageResponse.decode(message.encode(), 0)[0] == message
