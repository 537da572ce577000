from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mapi.fakes import IPM_SUBTREE, FakeServer, profile_of
from workers.causes import Cause
from workers.mapi import ErrorCode, HResult, MapiError
from workers.mapi.listing import folder_paths
from workers.mapi.mailbox import MapiFolder, MapiMailbox, MapiSession
from workers.mapi.properties import PropertyError, filetime_of
from workers.mapi.reading import FIRST_PAGE
from workers.mapi.rows import Row

NOWHERE = PropertyError(HResult.MAPI_E_NOT_FOUND)


def session_on(server: FakeServer) -> MapiSession:
    return MapiSession(profile_of(server), "/cn={}".format, str)


def mailbox_with(*rows: Row) -> MapiMailbox:
    server = FakeServer()
    server.rows = [*rows]
    return session_on(server).open("anna")


def folder(folder_id: int, parent: int, name: str, counts: tuple[int, int, int] = (0, 0, 0)) -> Row:
    return (folder_id, parent, *counts, name)


def message(number: int, delivered: datetime | None = None, subject: object = "s", size: object = 10) -> Row:
    return (number, size, delivered and filetime_of(delivered), subject, "Anna", "anna@x.example", f"<{number}@x>")


def cause_of_folders(mailbox: MapiMailbox) -> Cause:
    with pytest.raises(MapiError) as caught:
        mailbox.folders()
    return caught.value.cause


def test_folders_are_ordered_by_path_wherever_their_parents_stand() -> None:
    mailbox = mailbox_with(
        folder(31, 30, "2001"),
        folder(20, IPM_SUBTREE, "Sent", (3, 1, 99)),
        folder(30, 21, "Archive"),
        folder(21, IPM_SUBTREE, "Inbox"),
    )

    assert [(f.path, f.message_count, f.unread_count, f.size) for f in mailbox.folders()] == [
        ("Inbox", 0, 0, 0),
        ("Inbox/Archive", 0, 0, 0),
        ("Inbox/Archive/2001", 0, 0, 0),
        ("Sent", 3, 1, 99),
    ]


@given(st.permutations(range(12)), st.data())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_paths_do_not_depend_on_the_order_of_the_rows(order: list[int], data: st.DataObject) -> None:
    parents = [data.draw(st.integers(-1, number - 1)) for number in range(12)]
    rows = [folder(number, 99 if parents[number] < 0 else parents[number], f"F{number}") for number in range(12)]
    paths = dict(enumerate(folder_paths(99, rows)))

    assert folder_paths(99, [rows[place] for place in order]) == [paths[place] for place in order]


def test_a_folder_tree_of_any_depth_has_its_paths() -> None:
    rows = [folder(number, number - 1, "d") for number in range(3000, 0, -1)]

    assert folder_paths(0, rows)[0] == "/".join("d" * 3000)


@pytest.mark.parametrize(
    "rows",
    [
        [folder(20, 77, "orphan")],
        [folder(20, 21, "a"), folder(21, 20, "b")],
        [folder(20, 20, "its own parent")],
        [(20, IPM_SUBTREE, 1, 1, NOWHERE, "no size")],
        [(20, IPM_SUBTREE, 1, 1, 1, None)],
    ],
)
def test_a_listing_that_cannot_be_true_is_a_protocol_error(rows: list[Row]) -> None:
    assert cause_of_folders(mailbox_with(*rows)) is Cause.PROTOCOL


@pytest.mark.parametrize("announced", [3, 1000])
def test_a_listing_with_rows_missing_is_a_protocol_error(announced: int) -> None:
    server = FakeServer()
    server.rows = [folder(20, IPM_SUBTREE, "Inbox"), folder(21, IPM_SUBTREE, "Sent")]
    server.announced = announced
    mailbox = session_on(server).open("anna")

    assert cause_of_folders(mailbox) is Cause.PROTOCOL

    mailbox.close()
    mailbox.store.logon.connection.flush()

    assert [*server.contexts.values()] == [{}]


def test_a_listing_of_many_pages_is_complete() -> None:
    server = FakeServer()
    server.rows = [folder(number, IPM_SUBTREE, f"F{number:04}") for number in range(20, 1020)]
    server.page = 300
    mailbox = session_on(server).open("anna")

    assert [f.path for f in mailbox.folders()] == [row[5] for row in server.rows]
    assert server.buffers[1:] == [
        ["OpenFolder", "GetHierarchyTable", "SetColumns", "QueryRows"],
        *[["QueryRows"]] * 3,
    ]


def test_a_logon_without_the_owners_right_is_denied_and_not_an_empty_mailbox() -> None:
    server = FakeServer()
    server.response_flags = 0x01
    session = session_on(server)
    for _ in range(300):  # each gives its index back
        with pytest.raises(MapiError) as caught:
            session.open("anna")
        assert caught.value.cause is Cause.DENIED


def test_a_mailbox_that_is_not_there_is_missing() -> None:
    server = FakeServer()
    server.refused["/cn=anna"] = ErrorCode.UNKNOWN_USER

    with pytest.raises(MapiError) as caught:
        session_on(server).open("anna")
    assert caught.value.cause is Cause.MISSING


def test_leaving_a_mailbox_releases_it() -> None:
    server = FakeServer()
    session = session_on(server)
    for _ in range(600):
        with session.open("anna") as mailbox:
            assert mailbox.store.logon.index == 0


def test_what_a_job_takes_from_the_store_is_its_own() -> None:
    session = session_on(FakeServer())
    with session.open("anna") as mailbox:
        taken = mailbox.store.open_folder(IPM_SUBTREE)

    assert taken.get_hierarchy_table().is_open
    assert session.open("ben").store.logon.index == 1


def test_messages_are_read_in_pages_and_released_at_the_end() -> None:
    server = FakeServer()
    server.rows = [message(number) for number in range(100)]
    server.page = 40
    mailbox = session_on(server).open("anna")
    [*messages] = _inbox(mailbox).messages()

    assert [found.message_id for found in messages] == [f"<{number}@x>" for number in range(100)]
    assert len(server.buffers[1:]) == 1 + -(-(100 - FIRST_PAGE) // 40)
    assert [interface.kind for interface in mailbox.store.logon.outstanding] == ["IMsgStore"]


def test_the_newest_message_costs_one_round_trip() -> None:
    server = FakeServer()
    server.rows = [message(number) for number in range(100)]
    mailbox = session_on(server).open("anna")
    next(iter(_inbox(mailbox).messages()))

    assert len(server.buffers[1:]) == 1


@pytest.mark.parametrize("announced", [2, 50])
def test_messages_with_rows_missing_are_a_protocol_error_at_the_end(announced: int) -> None:
    server = FakeServer()
    server.rows = [message(1)]
    server.announced = announced
    messages = _inbox(session_on(server).open("anna")).messages()
    next(messages)

    with pytest.raises(MapiError) as caught:
        next(messages)
    assert caught.value.cause is Cause.PROTOCOL


def test_an_iterator_that_is_dropped_releases_its_table() -> None:
    server = FakeServer()
    server.rows = [message(number) for number in range(100)]
    mailbox = session_on(server).open("anna")
    messages = _inbox(mailbox).messages()
    next(messages)

    assert [interface.kind for interface in mailbox.store.logon.outstanding] == ["IMsgStore", "IMAPITable"]

    del messages

    assert [interface.kind for interface in mailbox.store.logon.outstanding] == ["IMsgStore"]


def test_closing_the_mailbox_ends_the_iterators_that_are_under_way() -> None:
    server = FakeServer()
    server.rows = [message(number) for number in range(100)]
    server.page = FIRST_PAGE
    session = session_on(server)
    with session.open("anna") as mailbox:
        messages = _inbox(mailbox).messages()
        next(messages)

    with pytest.raises(MapiError, match="INVALID_OBJECT"):
        list(messages)
    assert session.open("ben").store.logon.index == 0


def test_a_message_tells_what_its_row_has() -> None:
    server = FakeServer()
    noon = datetime(2001, 11, 12, 12, tzinfo=UTC)
    server.rows = [message(1, noon, "Hello"), (2, 5, NOWHERE, NOWHERE, "", NOWHERE, None)]
    first, second = _inbox(session_on(server).open("anna")).messages()

    assert (first.subject, first.sender, first.received) == ("Hello", "Anna <anna@x.example>", noon)
    assert (first.size, first.message_id) == (10, "<1@x>")
    assert (second.subject, second.sender, second.received, second.message_id) == ("", "", None, "")


@pytest.mark.parametrize(
    ("name", "address", "sender"),
    [
        ("Anna", "a@x", "Anna <a@x>"),
        ("", "a@x", "<a@x>"),
        ("a@x", "a@x", "<a@x>"),
        ("Anna", NOWHERE, "Anna"),
        (NOWHERE, NOWHERE, ""),
    ],
)
def test_a_sender_is_a_name_and_an_address_or_what_there_is_of_it(name: object, address: object, sender: str) -> None:
    server = FakeServer()
    server.rows = [(1, 5, None, "s", name, address, None)]
    [found] = _inbox(session_on(server).open("anna")).messages()

    assert found.sender == sender


def test_a_message_without_a_size_is_a_protocol_error() -> None:
    server = FakeServer()
    server.rows = [message(1, size=NOWHERE)]

    with pytest.raises(MapiError) as caught:
        list(_inbox(session_on(server).open("anna")).messages())
    assert caught.value.cause is Cause.PROTOCOL


def test_a_walk_marks_each_mailbox_before_it_opens_it_and_closes_it_before_the_next() -> None:
    server = FakeServer()
    session = session_on(server)
    slot = memoryview(bytearray(8)).cast("q")
    walk = session.mailboxes(range(5, 8), ["a", "b", "c"], slot)
    seen = [(slot[0], mailbox.address, mailbox.store.logon.index) for mailbox in walk]

    assert seen == [(5, "a", 0), (6, "b", 0), (7, "c", 0)]


def test_a_walk_that_fails_has_marked_the_mailbox_that_failed() -> None:
    server = FakeServer()
    server.refused["/cn=6"] = ErrorCode.UNKNOWN_USER
    session = session_on(server)
    slot = memoryview(bytearray(8)).cast("q")
    walk = session.mailboxes(range(5, 8), None, slot)
    first = next(walk)

    with pytest.raises(MapiError):
        next(walk)
    assert slot[0] == 6
    assert not first.store.is_open

    again = next(session.mailboxes(range(7, 8), None, slot))

    assert (slot[0], again.address) == (7, "7")


def test_a_walk_that_is_closed_closes_its_mailbox() -> None:
    walk = session_on(FakeServer()).mailboxes(range(2), None, memoryview(bytearray(8)).cast("q"))
    mailbox = next(walk)
    walk.close()

    assert not mailbox.store.is_open


def test_a_session_may_be_closed_twice() -> None:
    server = FakeServer()
    session = session_on(server)
    session.open("anna")
    session.close()
    session.close()

    assert server.contexts == {}


def _inbox(mailbox: MapiMailbox) -> MapiFolder:
    return MapiFolder(mailbox, "Inbox", folder(13, IPM_SUBTREE, "Inbox"))
