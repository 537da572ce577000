from __future__ import annotations

from typing import Any

import pytest

from tests.simulated.wire import (
    DEPTH,
    FOLDER_COLUMNS,
    MESSAGE_COLUMNS,
    Wire,
    contents,
    folder_rows,
    listing,
    server_of,
)
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE
from workers.mapi.properties import PropertyError
from workers.mapi.rops import (
    BEGINNING,
    CURRENT,
    END,
    GetContentsTableRequest,
    GetHierarchyTableRequest,
    OpenFolderRequest,
    QueryPositionRequest,
    QueryRowsRequest,
    Request,
    SeekRowRequest,
    SetColumnsRequest,
    SortOrder,
    SortTableRequest,
)
from workers.mapi.rows import row_codec
from workers.simulated.stores import INBOX, IPM_SUBTREE, ROOT

NULL_OBJECT = 0x4B9
INVALID_PARAMETER = 0x80070057
NOT_SUPPORTED = 0x80040102
NOT_FOUND = PropertyError(0x8004010F)

DELIVERED = props.PR_MESSAGE_DELIVERY_TIME >> 16


@pytest.fixture
def wire() -> Wire:
    return Wire(server_of("sim:5?folders=12&messages=300"))


def query(count: int, *, forward: bool = True, flags: int = 0, place: int = 0) -> QueryRowsRequest:
    return QueryRowsRequest(0, place, flags, forward, count)


def hierarchy(wire: Wire) -> int:
    """The handle of the table of all folders below the IPM subtree, with FOLDER_COLUMNS, its cursor at the beginning."""
    handles = [wire.log_on(), NO_HANDLE, NO_HANDLE]
    return wire(listing(wire.top())[:3], handles)[1][2]


def pages(wire: Wire, table: int, *requests: QueryRowsRequest) -> list[tuple[int, list[Any]]]:
    """Origin and the places, in the whole table, of the rows that each query gives."""
    order = [facts.folder_id for facts in wire.server.population.mailbox(0).subtree()]
    responses, _ = wire(requests, [table], folder_rows())
    return [(response.origin, [order.index(row[0]) for row in response.rows]) for response in responses]


def test_a_hierarchy_table_with_depth_has_every_folder_below(wire: Wire) -> None:
    expected = [
        (facts.folder_id, facts.parent_id, facts.message_count, facts.unread_count, facts.size, facts.name)
        for facts in wire.server.population.mailbox(0).subtree()
    ]

    assert wire.folders() == expected
    assert len(expected) == 13


def test_without_depth_it_has_the_children_alone(wire: Wire) -> None:
    handle = wire.log_on()
    requests = [*listing(wire.top())]
    requests[1] = GetHierarchyTableRequest(0, 1, 2, 0)

    responses, _ = wire(requests, [handle, NO_HANDLE, NO_HANDLE])

    children = [f for f in wire.server.population.mailbox(0).subtree() if f.depth == 1]
    assert responses[1].row_count == len(children) < 13
    assert [row[0] for row in responses[3].rows] == [facts.folder_id for facts in children]


def test_from_the_root_one_gets_the_folders_outside_the_ipm_subtree_too(wire: Wire) -> None:
    handle = wire.log_on()
    tags = (props.PR_FID, props.PR_DEPTH, props.PR_FOLDER_TYPE, props.PR_CONTENT_COUNT)
    requests = [*listing(wire.folder_id(ROOT))]
    requests[2] = SetColumnsRequest(0, 2, 0, tags)

    responses, _ = wire(requests, [handle, NO_HANDLE, NO_HANDLE])

    depths = {row[0]: row[1] for row in responses[3].rows}
    assert responses[1].row_count == len(depths) == 13 + 8
    assert depths[wire.folder_id(IPM_SUBTREE)] == 1
    assert depths[wire.folder_id(INBOX)] == 2


def test_depth_is_counted_from_the_folder_that_the_table_is_of(wire: Wire) -> None:
    nested = next(f for f in wire.server.population.mailbox(0).subtree() if f.depth == 2)
    handle = wire.log_on()
    requests = [*listing(nested.parent_id)]
    requests[2] = SetColumnsRequest(0, 2, 0, (props.PR_FID, props.PR_DEPTH))

    responses, _ = wire(requests, [handle, NO_HANDLE, NO_HANDLE])

    assert (nested.folder_id, 1) in responses[3].rows


def test_rows_need_columns(wire: Wire) -> None:
    handle = wire.log_on()
    opened = [handle, NO_HANDLE, NO_HANDLE]
    codes = wire.codes([*listing(wire.top())[:2], query(5, place=2)], opened)

    assert codes == [0, 0, NULL_OBJECT]


@pytest.mark.parametrize("tags", [(), (0x0037_0000,), (props.PR_FID, 0x1234_0FFF)])
def test_columns_that_cannot_be_leave_the_table_without_any(wire: Wire, tags: tuple[int, ...]) -> None:
    table = hierarchy(wire)

    assert wire.codes([SetColumnsRequest(0, 0, 0, tags), query(5)], [table]) == [INVALID_PARAMETER, NULL_OBJECT]


def test_a_property_that_nothing_has_is_a_cell_that_says_so(wire: Wire) -> None:
    tags = (props.PR_FID, 0x7FFE_001F, props.PR_LOCAL_COMMIT_TIME_MAX, props.PR_ASSOC_CONTENT_COUNT)
    table = hierarchy(wire)

    responses, _ = wire([SetColumnsRequest(0, 0, 0, tags), query(100)], [table])

    facts = wire.server.population.mailbox(0).subtree()
    assert responses[1].rows == [
        (f.folder_id, NOT_FOUND, NOT_FOUND if f.newest is None else f.newest, 0) for f in facts
    ]


def test_a_name_can_be_had_in_eight_bits(wire: Wire) -> None:
    table = hierarchy(wire)
    tags = (props.PR_DISPLAY_NAME_W, 0x3001_001E)

    responses, _ = wire([SetColumnsRequest(0, 0, 0, tags), query(100)], [table])

    names = dict(responses[1].rows)
    assert names["Inbox"] == "Inbox"
    assert all(narrow == wide.encode("cp1252", "replace").decode("cp1252") for wide, narrow in names.items())


def test_rows_come_in_pages_and_only_the_end_says_that_it_is_the_end(wire: Wire) -> None:
    table = hierarchy(wire)

    assert pages(wire, table, query(5), query(5), query(5), query(5)) == [
        (CURRENT, [0, 1, 2, 3, 4]),
        (CURRENT, [5, 6, 7, 8, 9]),
        (END, [10, 11, 12]),
        (END, []),
    ]


def test_backwards_the_rows_before_the_cursor_come_in_the_tables_order(wire: Wire) -> None:
    table = hierarchy(wire)

    assert pages(wire, table, query(6), query(2, forward=False), query(9, forward=False), query(1)) == [
        (CURRENT, [0, 1, 2, 3, 4, 5]),
        (CURRENT, [4, 5]),
        (BEGINNING, [0, 1, 2, 3]),
        (CURRENT, [0]),
    ]


def test_the_cursor_can_be_left_where_it_is(wire: Wire) -> None:
    table = hierarchy(wire)

    assert pages(wire, table, query(2, flags=1), query(2)) == [(CURRENT, [0, 1]), (CURRENT, [0, 1])]


def test_the_cursor_is_sought_from_either_end_and_from_where_it_stands(wire: Wire) -> None:
    table = hierarchy(wire)
    seeks = [(END, -2), (CURRENT, 1), (BEGINNING, 3), (CURRENT, -9), (END, 5), (BEGINNING, 0)]
    requests: list[Request] = [
        request
        for origin, count in seeks
        for request in (SeekRowRequest(0, 0, origin, count, want_row_moved_count=True), QueryPositionRequest(0, 0))
    ]

    responses, _ = wire(requests, [table])

    assert [(seek.rows_sought, seek.has_sought_less) for seek in responses[::2]] == [
        (-2, False),
        (1, False),
        (3, False),
        (-3, True),
        (0, True),
        (0, False),
    ]
    assert [(at.numerator, at.denominator) for at in responses[1::2]] == [
        (11, 13),
        (12, 13),
        (3, 13),
        (0, 13),
        (13, 13),
        (0, 13),
    ]
    assert wire.codes([SeekRowRequest(0, 0, 3, 1, want_row_moved_count=True)], [table]) == [INVALID_PARAMETER]


def test_a_hierarchy_table_cannot_be_sorted(wire: Wire) -> None:
    order = SortOrder(0x1F, props.PR_DISPLAY_NAME_W >> 16, 0)

    assert wire.codes([SortTableRequest(0, 0, 0, 0, 0, (order,))], [hierarchy(wire)]) == [NOT_SUPPORTED]


@pytest.mark.parametrize("flags", [0x01, 0x02])
def test_a_flag_that_means_nothing_is_an_invalid_parameter(wire: Wire, flags: int) -> None:
    handles = [wire.log_on(), NO_HANDLE, NO_HANDLE]
    requests: list[Request] = [OpenFolderRequest(0, 0, 1, wire.top(), 0), GetHierarchyTableRequest(0, 1, 2, flags)]

    assert wire.codes(requests, handles) == [0, INVALID_PARAMETER]


def test_there_are_no_deleted_folders_and_no_associated_messages(wire: Wire) -> None:
    handles = [wire.log_on(), NO_HANDLE, NO_HANDLE, NO_HANDLE]
    requests: list[Request] = [
        OpenFolderRequest(0, 0, 1, wire.folder_id(INBOX), 0),
        GetHierarchyTableRequest(0, 1, 2, DEPTH | 0x20),
        GetContentsTableRequest(0, 1, 2, 0x02),
        GetContentsTableRequest(0, 1, 3, 0x20),
    ]

    responses, _ = wire(requests, handles)

    assert [response.row_count for response in responses[1:]] == [0, 0, 0]


def test_a_contents_table_has_every_message_of_the_folder_newest_first(wire: Wire) -> None:
    inbox = wire.folder_id(INBOX)
    messages = wire.server.population.mailbox(0).messages(inbox)
    told = [messages.facts(row) for row in range(len(messages))]
    [_, opened, _, page], handles = wire(contents(inbox), [wire.log_on(), NO_HANDLE, NO_HANDLE])
    rows = [*page.rows]
    while page.origin != END:
        [page], _ = wire([query(100)], [handles[2]], row_codec(MESSAGE_COLUMNS))
        rows += page.rows

    assert opened.row_count == len(rows)
    assert rows == [(facts.message_id, facts.size, facts.delivered, facts.subject) for facts in told]


@pytest.mark.parametrize("descending", [0, 1])
def test_messages_are_sorted_by_delivery_either_way_and_the_cursor_goes_to_the_beginning(
    wire: Wire, descending: int
) -> None:
    inbox = wire.folder_id(INBOX)
    requests = contents(inbox, count=3)
    requests += [
        SortTableRequest(0, 2, 0, 0, 0, (SortOrder(0x40, DELIVERED, descending),)),
        QueryRowsRequest(0, 2, 0, forward_read=True, row_count=4095),
    ]

    responses, _ = wire(requests, [wire.log_on(), NO_HANDLE, NO_HANDLE])

    dates = [row[2] for row in responses[-1].rows]
    newest = max(facts.newest or 0 for facts in wire.server.population.mailbox(0).subtree() if facts.folder_id == inbox)
    assert dates == sorted(dates, reverse=bool(descending))
    assert (dates[0] == newest) == bool(descending)


def test_another_order_is_accepted_and_changes_nothing(wire: Wire) -> None:
    requests = contents(wire.folder_id(INBOX), count=5)
    bogus = SortTableRequest(0, 2, 0, 0, 0, (SortOrder(0x1F, 0x7FFE, 0),))
    handles = [wire.log_on(), NO_HANDLE, NO_HANDLE]

    responses, _ = wire([*requests, bogus, requests[-1]], handles)

    assert responses[4].return_value == 0
    assert responses[5].rows == responses[3].rows


def test_the_ipm_subtree_itself_holds_no_mail(wire: Wire) -> None:
    responses, _ = wire(contents(wire.top()), [wire.log_on(), NO_HANDLE, NO_HANDLE])

    assert responses[1].row_count == 0
    assert (responses[3].origin, responses[3].rows) == (END, [])


def test_a_listing_that_exceeds_a_reply_is_cut_without_a_word_and_goes_on() -> None:
    large = Wire(server_of("sim:1?folders=2000&messages=2000"))
    [_, table, _, page], handles = large(listing(large.top()), [large.log_on(), NO_HANDLE, NO_HANDLE])
    rows, replies = [*page.rows], 1

    assert page.origin == CURRENT
    while page.origin != END:
        [page], _ = large([query(4095)], [handles[2]], row_codec(FOLDER_COLUMNS))
        rows += page.rows
        replies += 1
    assert len(rows) == table.row_count == 2001
    assert 3 <= replies <= 6
