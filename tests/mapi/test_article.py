"""The article, statement by statement, at the level of the interfaces: S1 to S14 of its table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers.causes import Cause
from workers.mapi import (
    ConnectFlags,
    ErrorCode,
    HResult,
    LogonFlags,
    MapiError,
    MsgStore,
    Profile,
    Session,
    mapi_initialize,
    mapi_logon_ex,
    mapi_uninitialize,
)
from workers.mapi import properties as props
from workers.mapi.interfaces import Interface
from workers.mapi.logons import MAX_LOGONS
from workers.simulated.server import SimulatedServer, simulated_server
from workers.simulated.stores import mailbox_dn

SERVER_DN = "/o=sim/cn=Configuration/cn=Servers/cn=S1/cn=Microsoft Private MDB"


@pytest.fixture
def server() -> SimulatedServer:
    return simulated_server("sim:800?messages=20&folders=3")


@pytest.fixture
def session(server: SimulatedServer) -> Iterator[Session]:
    mapi_initialize()
    yield new_session(server)
    mapi_uninitialize()


def new_session(server: SimulatedServer, reserved: frozenset[int] = frozenset(), flags: int = 0) -> Session:
    profile = Profile("article", server, mailbox_dn("admin"), server, ConnectFlags(flags), reserved)
    return mapi_logon_ex(profile, LogonFlags.NEW_SESSION)


def dn(server: SimulatedServer, ordinal: int) -> str:
    return mailbox_dn(server.population.address(ordinal))


def open_many(session: Session, server: SimulatedServer, ordinals: range) -> list[MsgStore]:
    return [session.open_msg_store(dn(server, ordinal)) for ordinal in ordinals]


def is_readable(store: MsgStore) -> bool:
    with (
        store.open_folder(store.folder_ids.ipm_subtree) as folder,
        folder.get_hierarchy_table() as table,
    ):
        table.set_columns((props.PR_DISPLAY_NAME_W,))
        return len(table.query_rows(100)) == table.row_count > 0


def hr_mailbox_logon_fails_with(session: Session, default: MsgStore, mailbox: str) -> MapiError:
    with pytest.raises(MapiError) as caught:
        session.hr_mailbox_logon(default, SERVER_DN, mailbox)
    return caught.value


def test_s1_more_than_255_mailboxes_in_one_process_give_an_error(session: Session, server: SimulatedServer) -> None:
    open_many(session, server, range(255))

    with pytest.raises(MapiError):
        session.open_msg_store(dn(server, 255))


def test_s2_both_ways_to_open_a_mailbox_give_a_valid_store(session: Session, server: SimulatedServer) -> None:
    first = session.open_msg_store(dn(server, 0))
    second = session.hr_mailbox_logon(first, SERVER_DN, dn(server, 1))

    assert is_readable(first)
    assert is_readable(second)


def test_s3_at_the_ceiling_open_msg_store_answers_failoneprovider(session: Session, server: SimulatedServer) -> None:
    open_many(session, server, range(MAX_LOGONS))

    with pytest.raises(MapiError) as caught:
        session.open_msg_store(dn(server, 300))
    assert caught.value.hresult == 0x8004011D
    assert caught.value.low_level_error == ErrorCode.NO_FREE_LOGON_INDEX


def test_s4_at_the_ceiling_hr_mailbox_logon_answers_call_failed(session: Session, server: SimulatedServer) -> None:
    default, *_ = open_many(session, server, range(MAX_LOGONS))
    error = hr_mailbox_logon_fails_with(session, default, dn(server, 300))

    assert error.hresult == 0x80004005
    assert error.low_level_error == ErrorCode.NO_FREE_LOGON_INDEX


def test_s5_one_byte_holds_the_index_so_a_session_has_255_logons(session: Session, server: SimulatedServer) -> None:
    stores = open_many(session, server, range(255))
    elsewhere = new_session(server).open_msg_store(dn(server, 255))

    assert [store.logon.index for store in stores] == list(range(255))
    assert all(0 <= store.logon.index < 2**8 for store in stores)
    assert elsewhere.logon.index == 0, "another session has a table of its own"


def test_s6_reserved_index_values_lower_the_ceiling(session: Session, server: SimulatedServer) -> None:
    reserved = frozenset({0, 17, 254})
    narrow = new_session(server, reserved)
    stores = open_many(narrow, server, range(252))

    assert narrow.capacity == 252
    assert session.capacity == 255
    assert reserved.isdisjoint(store.logon.index for store in stores)
    with pytest.raises(MapiError, match="FAILONEPROVIDER"):
        narrow.open_msg_store(dn(server, 300))


def test_s7_one_mailbox_after_the_other_never_reaches_the_ceiling(session: Session, server: SimulatedServer) -> None:
    for ordinal in range(600):
        with session.open_msg_store(dn(server, ordinal)) as store:
            assert store.logon.index == 0
    assert is_readable(session.open_msg_store(dn(server, 600)))


def test_s8_the_index_of_a_released_mailbox_is_used_again(session: Session, server: SimulatedServer) -> None:
    stores = open_many(session, server, range(MAX_LOGONS))
    stores[100].release()
    again = session.open_msg_store(dn(server, 300))

    assert again.logon.index == 100
    assert is_readable(again)
    assert is_readable(stores[99])


def test_s9_parts_that_each_keep_below_the_ceiling_hold_every_mailbox_open_together(
    session: Session, server: SimulatedServer
) -> None:
    parts = [session, new_session(server), new_session(server), new_session(server)]
    stores = [
        store
        for part, start in zip(parts, range(0, 800, 200), strict=True)
        for store in open_many(part, server, range(start, start + 200))
    ]

    assert len(stores) == 800
    assert len({store.mailbox_dn for store in stores}) == 800
    assert all(is_readable(store) for store in stores)


def test_s10_separate_connections_lift_the_ceiling_at_the_price_of_a_connection_each(
    session: Session, server: SimulatedServer
) -> None:
    separate = new_session(server, flags=ConnectFlags.USE_SEPARATE_CONNECTION)
    stores = open_many(separate, server, range(300))

    assert server.connections == 300
    assert separate.capacity is None
    assert all(is_readable(store) for store in stores)
    assert session.capacity == 255, "other profiles are as they were"


def test_s11_the_refusal_is_the_clients_own_and_the_server_hears_nothing_of_it(
    session: Session, server: SimulatedServer
) -> None:
    default, *_ = open_many(session, server, range(MAX_LOGONS))
    round_trips = server.round_trips
    with pytest.raises(MapiError) as caught:
        session.open_msg_store(dn(server, 300))
    error = hr_mailbox_logon_fails_with(session, default, dn(server, 300))

    assert (caught.value.cause, error.cause) == (Cause.LOGONS, Cause.LOGONS)
    assert not caught.value.cause.retryable
    assert server.round_trips == round_trips


def leaked(kind: str, store: MsgStore) -> Interface:
    """Something obtained from the store, with all that led to it released."""
    with store.open_folder(store.folder_ids.ipm_subtree) as top, top.get_hierarchy_table() as table:
        if kind == "IMAPITable":
            return top.get_contents_table()
        table.set_columns((props.PR_FID, props.PR_CONTENT_COUNT))
        filled = next(folder_id for folder_id, messages in table.query_rows(100) if messages)
    folder = store.open_folder(filled)
    if kind == "IMAPIFolder":
        return folder
    with folder, folder.get_contents_table() as contents:
        contents.set_columns((props.PR_MID,))
        [[message_id]] = contents.query_rows(1)
        return folder.open_message(message_id)


@pytest.mark.parametrize("kind", ["IMAPITable", "IMAPIFolder", "IMessage"])
def test_s12_a_loop_that_releases_each_store_reaches_the_ceiling_when_it_leaks(
    session: Session, server: SimulatedServer, kind: str
) -> None:
    for ordinal in range(MAX_LOGONS):
        with session.open_msg_store(dn(server, ordinal)) as store:
            assert leaked(kind, store).is_open

    with pytest.raises(MapiError, match="FAILONEPROVIDER"):
        session.open_msg_store(dn(server, 300))
    assert {(leftover.kind, leftover.interfaces) for leftover in session.leftovers()} == {(kind, 1)}


def test_s13_released_in_reverse_order_each_release_takes_effect_at_once(
    session: Session, server: SimulatedServer
) -> None:
    for ordinal in range(600):
        store = session.open_msg_store(dn(server, ordinal))
        folder = store.open_folder(store.folder_ids.ipm_subtree)
        obtained: list[Interface] = [store, folder, folder.get_hierarchy_table(), folder.get_contents_table()]
        connection = store.logon.connection
        for released, interface in enumerate(reversed(obtained), 1):
            interface.release()
            assert len(connection.waiting) == released

        assert list(connection.indexes) == []


def test_s14_the_last_uninitialize_invalidates_and_recovers_everything(server: SimulatedServer) -> None:
    mapi_initialize()
    session = new_session(server)
    lost = [leaked("IMAPITable", store) for store in open_many(session, server, range(MAX_LOGONS))]
    found = mapi_uninitialize()

    assert sum(leftover.interfaces for leftover in found) == 2 * MAX_LOGONS
    assert {leftover.kind for leftover in found} == {"IMsgStore", "IMAPITable"}
    with pytest.raises(MapiError) as caught:
        lost[0].check()
    assert caught.value.hresult is HResult.MAPI_E_INVALID_OBJECT

    mapi_initialize()
    again = new_session(server)

    assert len(open_many(again, server, range(MAX_LOGONS))) == MAX_LOGONS
    mapi_uninitialize()
