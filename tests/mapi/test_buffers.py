from __future__ import annotations

import pytest

from workers.mapi.buffers import (
    NO_HANDLE,
    CodecError,
    decode_request_buffer,
    decode_response_buffer,
    encode_request_buffer,
    encode_response_buffer,
)
from workers.mapi.properties import PR_CONTENT_COUNT, PR_DISPLAY_NAME_W, row_codec
from workers.mapi.rops import (
    CURRENT,
    END,
    BufferTooSmallResponse,
    ErrorResponse,
    GetPropertiesSpecificRequest,
    LogonRequest,
    OpaqueRequest,
    OpaqueResponse,
    OpenFolderRequest,
    OpenFolderResponse,
    QueryPositionRequest,
    QueryPositionResponse,
    QueryRowsRequest,
    QueryRowsResponse,
    ReleaseRequest,
    Request,
    Response,
    RopId,
    SetColumnsRequest,
    SetColumnsResponse,
)

NAMES = (PR_DISPLAY_NAME_W,)
COUNTS = (PR_CONTENT_COUNT,)


def query(index: int) -> QueryRowsRequest:
    return QueryRowsRequest(0, index, 0, forward_read=True, row_count=9)


def page(index: int, columns: tuple[int, ...], *rows: tuple[object, ...]) -> QueryRowsResponse:
    encoded = b"".join(map(row_codec(columns).encode, rows))
    return QueryRowsResponse(index, END, len(rows), encoded, list(rows))


def read(responses: list[Response], requests: list[Request]) -> list[Response]:
    return decode_response_buffer(encode_response_buffer(responses, [1, 2, 3]), requests)[0]


def test_a_buffer_is_its_size_its_rops_and_its_handles() -> None:
    buffer = encode_request_buffer([ReleaseRequest(0, 0), QueryPositionRequest(0, 1)], [7, NO_HANDLE])

    assert buffer.hex() == "0800" + "010000" + "170001" + "07000000" + "ffffffff"
    assert decode_request_buffer(buffer) == ([ReleaseRequest(0, 0), QueryPositionRequest(0, 1)], [7, NO_HANDLE])


def test_an_empty_list_of_rops_is_a_buffer() -> None:
    assert decode_request_buffer(encode_request_buffer([], [])) == ([], [])
    assert decode_response_buffer(b"\2\0", []) == ([], [])


def test_a_release_has_no_response() -> None:
    requests: list[Request] = [ReleaseRequest(0, 0), QueryPositionRequest(0, 1), ReleaseRequest(0, 1)]

    assert read([QueryPositionResponse(1, 0, 3)], requests) == [QueryPositionResponse(1, 0, 3)]


def test_what_depends_on_a_failed_open_fails_by_itself() -> None:
    requests: list[Request] = [OpenFolderRequest(0, 0, 1, 5, 0), SetColumnsRequest(0, 1, 0, NAMES), query(1)]
    answers: list[Response] = [
        ErrorResponse(RopId.OPEN_FOLDER, 1, 0x8004010F),
        ErrorResponse(RopId.SET_COLUMNS, 1, 0x4B9),
        ErrorResponse(RopId.QUERY_ROWS, 1, 0x4B9),
    ]

    assert read(answers, requests) == answers


def test_each_table_of_a_buffer_has_columns_of_its_own() -> None:
    requests: list[Request] = [
        SetColumnsRequest(0, 1, 0, NAMES),
        SetColumnsRequest(0, 2, 0, COUNTS),
        query(1),
        query(2),
    ]
    answers: list[Response] = [SetColumnsResponse(1, 0), SetColumnsResponse(2, 0)]
    answers += [page(1, NAMES, ("Inbox",), ("Outbox",)), page(2, COUNTS, (5,))]

    assert read(answers, requests) == answers


def test_a_handle_index_that_is_used_again_has_the_columns_set_last() -> None:
    requests: list[Request] = [
        SetColumnsRequest(0, 1, 0, NAMES),
        query(1),
        SetColumnsRequest(0, 1, 0, COUNTS),
        query(1),
    ]
    answers: list[Response] = [SetColumnsResponse(1, 0), page(1, NAMES, ("Inbox",))]
    answers += [SetColumnsResponse(1, 0), page(1, COUNTS, (5,))]

    assert read(answers, requests) == answers


def test_the_columns_of_an_earlier_buffer_must_be_told() -> None:
    buffer = encode_response_buffer([page(0, NAMES, ("Inbox",))], [1])

    assert decode_response_buffer(buffer, [query(0)], row_codec(NAMES))[0] == [page(0, NAMES, ("Inbox",))]
    with pytest.raises(CodecError, match="nobody told"):
        decode_response_buffer(buffer, [query(0)])


def test_columns_that_the_server_refused_do_not_replace_the_earlier_ones() -> None:
    requests: list[Request] = [SetColumnsRequest(0, 0, 0, COUNTS), query(0)]
    answers: list[Response] = [ErrorResponse(RopId.SET_COLUMNS, 0, 0x80070057), page(0, NAMES, ("Inbox",))]
    buffer = encode_response_buffer(answers, [1])

    assert decode_response_buffer(buffer, requests, row_codec(NAMES))[0] == answers


def test_a_page_that_was_cut_to_the_room_left_says_where_the_cursor_stands() -> None:
    row_data = row_codec(NAMES).encode(("Inbox",))
    short = QueryRowsResponse(0, CURRENT, 1, row_data, [("Inbox",)])

    assert decode_response_buffer(encode_response_buffer([short], [1]), [query(0)], row_codec(NAMES))[0] == [short]


def test_too_small_a_buffer_ends_the_answers_and_gives_the_rest_back() -> None:
    requests: list[Request] = [OpenFolderRequest(0, 0, 1, 5, 0), OpenFolderRequest(0, 0, 2, 6, 0)]
    answers: list[Response] = [
        OpenFolderResponse(1, has_rules=False, is_ghosted=False),
        BufferTooSmallResponse(8, requests[1].encode()),
    ]

    assert read(answers, requests) == answers


@pytest.mark.parametrize("rop_id", [RopId.NOTIFY, RopId.PENDING, RopId.BACKOFF])
def test_what_the_server_says_unasked_comes_last(rop_id: int) -> None:
    unasked = OpaqueResponse(bytes((rop_id, 1, 2, 3)))
    answers: list[Response] = [QueryPositionResponse(1, 0, 3), unasked]

    assert read(answers, [QueryPositionRequest(0, 1)]) == answers
    assert read([unasked], [QueryPositionRequest(0, 1)]) == [unasked]


def test_bytes_of_a_response_are_taken_as_they_are() -> None:
    response = QueryPositionResponse(1, 0, 3)

    assert encode_response_buffer([response.encode()], [1]) == encode_response_buffer([response], [1])


def test_a_rop_that_nobody_knows_takes_the_rest_of_the_list() -> None:
    requests: list[Request] = [QueryPositionRequest(0, 1), OpaqueRequest(b"\x09\0\0")]
    answers: list[Response] = [QueryPositionResponse(1, 0, 3), OpaqueResponse(b"\x09\0\0\0\0\0\0\0")]

    assert encode_request_buffer(requests, []).hex() == "0800" + "170001" + "090000"
    assert read(answers, requests) == answers


@pytest.mark.parametrize(
    "buffer",
    [
        b"",
        b"\2",
        b"\1\0",  # RopSize does not count itself
        b"\x09\0\x17\0\0",  # RopSize beyond the buffer
        b"\5\0\x17\0\0\1\2\3",  # half a handle
        b"\4\0\x17\0",  # a ROP cut short
        b"\5\0\x09\0\0",  # a ROP outside the codec
        b"\3\0\0",  # the reserved RopId
        b"\x08\0\x12\0\0\0\xff\xff",  # 65,535 columns that are not there
        b"\x0c\0\x13\0\0\0\xff\xff\0\0\0\0",  # the same of a sort order
    ],
)
def test_a_request_buffer_that_is_not_well_formed_is_refused(buffer: bytes) -> None:
    with pytest.raises(CodecError):
        decode_request_buffer(buffer)


def test_a_rop_does_not_reach_into_the_handle_table() -> None:
    with pytest.raises(CodecError):
        decode_request_buffer(b"\4\0" + b"\x17\0" + b"\1\0\0\0")


@pytest.mark.parametrize(
    "answers",
    [
        "",  # none
        "0201000000000000",  # of another ROP
        "1702000000000000000003000000",  # of another handle index
        "17010000000000000000030000",  # cut short
        "170100000000000000000300000017",  # bytes left over
    ],
)
def test_an_answer_to_something_else_is_refused(answers: str) -> None:
    buffer = encode_response_buffer([bytes.fromhex(answers)], [1, 2])

    with pytest.raises(CodecError):
        decode_response_buffer(buffer, [QueryPositionRequest(0, 1)])


def test_more_rows_announced_than_there_are_is_refused() -> None:
    promise = QueryRowsResponse(0, END, 0xFFFF, row_codec(NAMES).encode(("Inbox",)))

    with pytest.raises(CodecError):
        decode_response_buffer(encode_response_buffer([promise], [1]), [query(0)], row_codec(NAMES))


def test_an_answer_in_a_type_that_no_row_holds_is_refused() -> None:
    request = GetPropertiesSpecificRequest(0, 0, 0, 1, (0x3701000D,))

    with pytest.raises(CodecError, match="property type"):
        decode_response_buffer(encode_response_buffer([bytes.fromhex("07000000000000")], [1]), [request])


def test_more_than_a_buffer_holds_is_refused() -> None:
    logons: list[Request] = [LogonRequest(0, 0, 1, 0, 0, "x" * 4000)] * 17

    with pytest.raises(CodecError, match="more than the wire can hold"):
        encode_request_buffer(logons, [0])


def test_a_handle_of_more_than_32_bits_is_refused() -> None:
    with pytest.raises(CodecError):
        encode_request_buffer([], [1 << 32])
