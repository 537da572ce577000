from __future__ import annotations

from itertools import permutations

import pytest

from tests.mapi.fakes import FakeServer, profile_of, started
from workers.causes import Cause
from workers.mapi import HResult, LogonFlags, MapiError, MsgStore, Order, Session
from workers.mapi import properties as props
from workers.mapi.interfaces import Interface
from workers.mapi.properties import PropertyError
from workers.mapi.provider import log_on
from workers.mapi.session import OWNER

COLUMNS = (props.PR_FID, props.PR_DISPLAY_NAME_W)


def session_on(server: FakeServer) -> Session:
    return started().logon(profile_of(server), LogonFlags.NEW_SESSION)


def family(store: MsgStore) -> list[Interface]:
    """A store with a folder, a folder got from that, and two tables of it, in the order of acquisition."""
    folder = store.open_folder(4)
    inner = folder.open_folder(5)
    return [store, folder, inner, inner.get_hierarchy_table(), inner.get_contents_table()]


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7])
def test_the_index_is_free_with_the_last_release_in_any_order(order: tuple[int, ...]) -> None:
    server = FakeServer()
    session = session_on(server)
    interfaces = family(session.open_msg_store("/cn=anna"))
    connection = interfaces[0].logon.connection
    for place in order:
        assert 0 in connection.indexes
        interfaces[place].release()
    connection.flush()

    assert list(connection.indexes) == []
    assert list(server.contexts.values()) == [{}]


def test_a_released_parent_keeps_its_server_object_until_its_last_child_goes() -> None:
    server = FakeServer()
    store, folder, inner, *tables = family(session_on(server).open_msg_store("/cn=anna"))
    for interface in (store, folder, inner):
        interface.release()
    store.logon.connection.flush()
    [context] = server.contexts

    assert len(server.open_handles(context)) == 5

    tables[0].release()
    store.logon.connection.flush()

    assert len(server.open_handles(context)) == 4

    tables[1].release()
    store.logon.connection.flush()

    assert server.open_handles(context) == set()


def test_children_are_released_before_their_parents() -> None:
    server = FakeServer()
    store, folder, inner, *tables = family(session_on(server).open_msg_store("/cn=anna"))
    handles = [interface.handle for interface in (store, folder, inner, *tables)]
    for interface in (store, folder, inner, *tables):
        interface.release()

    assert [handle for _, handle in store.logon.connection.waiting] == [
        handles[3],
        handles[4],
        handles[2],
        handles[1],
        handles[0],
    ]


def test_a_chain_of_any_depth_is_released_without_recursion() -> None:
    server = FakeServer()
    session = session_on(server)
    store = session.open_msg_store("/cn=anna")
    chain = [store.open_folder(4)]
    for _ in range(3000):
        chain.append(chain[-1].open_folder(4))
    store.release()
    for folder in chain:
        folder.release()

    assert session.leftovers() == []
    assert list(store.logon.connection.indexes) == []


def test_release_is_legal_more_than_once_and_counts_once() -> None:
    session = session_on(FakeServer())
    store = session.open_msg_store("/cn=anna")
    folder = store.open_folder(4)
    folder.release()
    folder.release()

    assert 0 in store.logon.connection.indexes

    store.release()
    store.release()
    session.open_msg_store("/cn=ben")
    store.release()

    assert 0 in store.logon.connection.indexes


def test_a_released_interface_answers_invalid_object_to_everything_but_release() -> None:
    store, folder, _, table, _ = family(session_on(FakeServer()).open_msg_store("/cn=anna"))
    assert isinstance(store, MsgStore)
    for interface in (table, folder, store):
        interface.release()

    for call in (
        lambda: store.open_folder(4),
        store.receive_folder,
        lambda: store.get_props(COLUMNS),
        folder.get_contents_table,  # type: ignore[attr-defined]
        lambda: folder.open_message(1),  # type: ignore[attr-defined]
        lambda: table.set_columns(COLUMNS),  # type: ignore[attr-defined]
        lambda: table.query_rows(1),  # type: ignore[attr-defined]
        table.query_position,  # type: ignore[attr-defined]
    ):
        with pytest.raises(MapiError) as caught:
            call()
        assert caught.value.hresult is HResult.MAPI_E_INVALID_OBJECT


def test_an_interface_is_a_context_manager() -> None:
    session = session_on(FakeServer())
    with session.open_msg_store("/cn=anna") as store, store.open_folder(4) as folder:
        assert [leftover.kind for leftover in session.leftovers()] == ["IMsgStore", "IMAPIFolder"]

    assert not folder.is_open
    assert session.leftovers() == []


def test_a_chain_that_fails_releases_what_it_opened() -> None:
    server = FakeServer()
    store = session_on(server).open_msg_store("/cn=anna")
    store.logon.index = 9  # the server knows no such logon
    with pytest.raises(MapiError) as caught:
        store.open_folder(4)
    store.logon.index = 0

    assert (caught.value.hresult, caught.value.low_level_error) == (HResult.MAPI_E_INVALID_OBJECT, 0x4B9)
    assert store.open_folder(4).is_open


def test_logon_257_on_the_wire_replaces_silently_so_our_table_must_refuse() -> None:
    server = FakeServer()
    store = session_on(server).open_msg_store("/cn=anna")
    connection = store.logon.connection
    connection.indexes.release(0)  # a client that does not keep its table: logon number 257 is LogonId 0 again
    usurper = connection.begin("/cn=mallory")

    assert log_on(usurper, OWNER).is_open, "the server answers success"
    with pytest.raises(MapiError) as caught:
        store.open_folder(4)
    assert caught.value.low_level_error == 0x4B9, "and the first mailbox's handles are broken"


def test_rows_come_in_pages_until_there_are_enough() -> None:
    server = FakeServer()
    server.rows = [(number, f"F{number}") for number in range(10)]
    server.page = 3
    with session_on(server).open_msg_store("/cn=anna") as store, store.open_folder(4) as folder:
        table = folder.get_hierarchy_table()
        table.set_columns(COLUMNS)
        table.sort([(props.PR_FID, Order.ASCENDING)])

        assert table.row_count == 10
        assert table.query_rows(4) == server.rows[:4]
        assert table.query_rows(100) == server.rows[4:]
        assert table.query_rows(100) == []


def test_a_cell_that_is_not_there_is_a_property_error() -> None:
    server = FakeServer()
    server.rows = [(1, PropertyError(HResult.MAPI_E_NOT_FOUND)), (2, None), (3, "F3")]
    table = session_on(server).open_msg_store("/cn=anna").open_folder(4).get_contents_table()
    table.set_columns(COLUMNS)

    assert table.query_rows(9) == server.rows


def test_a_table_without_columns_has_no_rows() -> None:
    table = session_on(FakeServer()).open_msg_store("/cn=anna").open_folder(4).get_hierarchy_table()

    with pytest.raises(MapiError, match="SetColumns"):
        table.query_rows(1)


def test_a_table_that_neither_goes_on_nor_ends_is_a_protocol_error() -> None:
    server = FakeServer()
    server.rows = [(1, "F1")]
    server.page = 0
    table = session_on(server).open_msg_store("/cn=anna").open_folder(4).get_hierarchy_table()
    table.set_columns(COLUMNS)

    with pytest.raises(MapiError) as caught:
        table.query_rows(1)
    assert caught.value.cause is Cause.PROTOCOL
