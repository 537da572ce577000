from __future__ import annotations

import pytest

from tests.mapi.fakes import FakeServer, profile_of, started
from workers.causes import Cause
from workers.mapi import (
    ConnectFlags,
    ErrorCode,
    HResult,
    LogonFlags,
    MapiError,
    Session,
    mapi_initialize,
    mapi_logon_ex,
    mapi_uninitialize,
)
from workers.mapi.connection import Leftover
from workers.mapi.logons import MAX_LOGONS
from workers.mapi.profile import OpenStoreFlags, Profile
from workers.mapi.session import OWNER
from workers.mapi.transport import ConnectionLost, MailboxRow, RpcError

SERVER_DN = "/o=sim/cn=Configuration/cn=Servers/cn=S1/cn=Microsoft Private MDB"


def session_on(server: FakeServer, reserved: frozenset[int] = frozenset(), flags: int = 0) -> Session:
    return started().logon(profile_of(server, reserved, flags), LogonFlags.NEW_SESSION)


def fill(session: Session) -> None:
    for number in range(MAX_LOGONS):
        session.open_msg_store(f"/cn={number}")


def refusal_of(session: Session, dn: str) -> MapiError:
    with pytest.raises(MapiError) as caught:
        session.open_msg_store(dn)
    return caught.value


def test_nothing_is_sent_before_the_first_store_is_opened() -> None:
    server = FakeServer()
    session_on(server)

    assert server.contexts == {}


def test_a_full_table_refuses_before_anything_is_sent() -> None:
    server = FakeServer()
    session = session_on(server)
    fill(session)
    sent = len(server.buffers)
    error = refusal_of(session, "/cn=one.too.many")

    assert error.hresult is HResult.MAPI_E_FAILONEPROVIDER
    assert error.low_level_error == ErrorCode.NO_FREE_LOGON_INDEX
    assert error.cause is Cause.LOGONS
    assert len(server.buffers) == sent


@pytest.mark.parametrize(
    ("code", "hresult", "cause"),
    [
        (ErrorCode.UNKNOWN_USER, HResult.MAPI_E_NOT_FOUND, Cause.MISSING),
        (HResult.MAPI_E_NOT_FOUND, HResult.MAPI_E_NOT_FOUND, Cause.MISSING),
        (HResult.MAPI_E_NO_ACCESS, HResult.MAPI_E_NO_ACCESS, Cause.DENIED),
        (ErrorCode.LOGIN_PERM, HResult.MAPI_E_NO_ACCESS, Cause.DENIED),
        (ErrorCode.SERVER_BUSY, HResult.MAPI_E_BUSY, Cause.BUSY),
        (ErrorCode.MAILBOX_IN_TRANSIT, HResult.MAPI_E_FAILONEPROVIDER, Cause.BUSY),
        (ErrorCode.MAX_OBJS_EXCEEDED, HResult.MAPI_E_TOO_BIG, Cause.SERVER),
        (ErrorCode.MAILBOX_DISABLED, HResult.MAPI_E_FAILONEPROVIDER, Cause.SERVER),
    ],
)
def test_a_refused_logon_tells_its_cause_and_gives_its_index_back(code: int, hresult: int, cause: Cause) -> None:
    server = FakeServer()
    session = session_on(server)
    server.refused["/cn=anna"] = code
    error = refusal_of(session, "/cn=anna")

    assert (error.hresult, error.cause) == (hresult, cause)
    assert session.open_msg_store("/cn=ben").logon.index == 0


def test_a_call_that_fails_as_a_whole_gives_the_index_back() -> None:
    server = FakeServer()
    session = session_on(server)
    server.failures = [RpcError(ErrorCode.SERVER_BUSY)]
    error = refusal_of(session, "/cn=anna")

    assert (error.hresult, error.low_level_error) == (HResult.MAPI_E_BUSY, ErrorCode.SERVER_BUSY)
    assert session.open_msg_store("/cn=ben").logon.index == 0


def test_hr_mailbox_logon_opens_a_store_with_privilege() -> None:
    server = FakeServer()
    session = session_on(server)
    default = session.open_default_store("/cn=admin")
    store = session.hr_mailbox_logon(default, SERVER_DN, "/cn=anna")

    assert (store.mailbox_dn, store.logon.index) == ("/cn=anna", 1)
    assert session.create_store_entry_id(SERVER_DN, "/cn=anna").flags == OWNER | OpenStoreFlags.USE_ADMIN_PRIVILEGE


@pytest.mark.parametrize(
    ("code", "hresult", "low_level"),
    [
        (ErrorCode.UNKNOWN_USER, HResult.EDK_E_NOT_FOUND, ErrorCode.UNKNOWN_USER),
        (HResult.MAPI_E_NOT_FOUND, HResult.EDK_E_NOT_FOUND, HResult.MAPI_E_NOT_FOUND),
        (HResult.MAPI_E_NO_ACCESS, HResult.MAPI_E_CALL_FAILED, HResult.MAPI_E_NO_ACCESS),
        (ErrorCode.SERVER_BUSY, HResult.MAPI_E_CALL_FAILED, ErrorCode.SERVER_BUSY),
    ],
)
def test_hr_mailbox_logon_knows_not_found_and_call_failed_alone(code: int, hresult: int, low_level: int) -> None:
    server = FakeServer()
    session = session_on(server)
    default = session.open_default_store("/cn=admin")
    server.refused["/cn=anna"] = code

    with pytest.raises(MapiError) as caught:
        session.hr_mailbox_logon(default, SERVER_DN, "/cn=anna")
    assert (caught.value.hresult, caught.value.low_level_error) == (hresult, low_level)


def test_hr_mailbox_logon_tells_a_full_table_from_other_failures() -> None:
    session = session_on(FakeServer())
    default = session.open_default_store("/cn=admin")
    for number in range(MAX_LOGONS - 1):
        session.open_msg_store(f"/cn={number}")

    with pytest.raises(MapiError) as caught:
        session.hr_mailbox_logon(default, SERVER_DN, "/cn=anna")
    assert caught.value.hresult is HResult.MAPI_E_CALL_FAILED
    assert caught.value.cause is Cause.LOGONS


@pytest.mark.parametrize("default_is", ["released", "of another session"])
def test_hr_mailbox_logon_needs_a_store_that_the_session_has_open(default_is: str) -> None:
    server = FakeServer()
    session = session_on(server)
    default = (session if default_is == "released" else session_on(server)).open_default_store("/cn=admin")
    if default_is == "released":
        default.release()

    with pytest.raises(MapiError) as caught:
        session.hr_mailbox_logon(default, SERVER_DN, "/cn=anna")
    assert caught.value.low_level_error == HResult.MAPI_E_INVALID_OBJECT


@pytest.mark.parametrize(
    ("server_dn", "mailbox_dn", "hresult"),
    [("", "/cn=anna", HResult.MAPI_E_INVALID_PARAMETER), (SERVER_DN, "", HResult.MAPI_E_CALL_FAILED)],
)
def test_hr_mailbox_logon_needs_both_names(server_dn: str, mailbox_dn: str, hresult: int) -> None:
    session = session_on(FakeServer())
    default = session.open_default_store("/cn=admin")

    with pytest.raises(MapiError) as caught:
        session.hr_mailbox_logon(default, server_dn, mailbox_dn)
    assert caught.value.hresult == hresult


def test_hr_mailbox_logoff_frees_the_index_once() -> None:
    session = session_on(FakeServer())
    store = session.open_msg_store("/cn=anna")
    session.hr_mailbox_logoff(None)
    session.hr_mailbox_logoff(store)

    assert session.leftovers() == []
    with pytest.raises(MapiError, match="INVALID_OBJECT"):
        session.hr_mailbox_logoff(store)


def test_an_entry_id_is_made_without_asking_anybody() -> None:
    server = FakeServer()
    session = session_on(server)
    entry_id = session.create_store_entry_id("/cn=nonsense", "/cn=nobody")
    server.refused["/cn=nobody"] = ErrorCode.UNKNOWN_USER

    assert server.contexts == {}
    with pytest.raises(MapiError, match="NOT_FOUND"):
        session.open_msg_store(entry_id)


def test_two_sessions_have_two_tables() -> None:
    subsystem, profile = started(), profile_of(FakeServer())
    first, second = (subsystem.logon(profile, LogonFlags.NEW_SESSION) for _ in range(2))

    assert [session.open_msg_store("/cn=anna").logon.index for session in (first, second)] == [0, 0]


def test_joining_a_shared_session_shares_its_table_whatever_profile_is_named() -> None:
    subsystem, server = started(), FakeServer()
    first = subsystem.logon(profile_of(server), LogonFlags(0))
    joined = subsystem.logon(profile_of(FakeServer()), LogonFlags(0))

    assert [session.open_msg_store("/cn=anna").logon.index for session in (first, joined)] == [0, 1]
    assert len(server.contexts) == 1


def test_a_shared_session_ends_with_the_last_that_leaves_it() -> None:
    subsystem, server = started(), FakeServer()
    first, joined = (subsystem.logon(profile_of(server), LogonFlags(0)) for _ in range(2))
    store = joined.open_msg_store("/cn=anna")
    first.logoff()

    store.check()
    with pytest.raises(MapiError, match="INVALID_OBJECT"):
        first.open_msg_store("/cn=ben")

    joined.logoff()

    assert not store.is_open
    assert server.contexts == {}


def test_after_the_shared_session_ended_the_next_logon_makes_a_new_one() -> None:
    subsystem, server = started(), FakeServer()
    subsystem.logon(profile_of(server), LogonFlags(0)).logoff()
    again = subsystem.logon(profile_of(server), LogonFlags(0))

    assert again.open_msg_store("/cn=anna").is_open


def test_leaving_a_session_as_a_context_disconnects() -> None:
    server = FakeServer()
    with session_on(server) as session:
        session.open_msg_store("/cn=anna")

    assert server.contexts == {}


def test_capacity_leaves_out_reserved_indexes_and_stores_kept_open() -> None:
    session = session_on(FakeServer(), reserved=frozenset({0, 1}))
    default = session.open_default_store("/cn=admin")

    assert session.capacity == MAX_LOGONS - 2 - 1

    default.release()

    assert session.capacity == MAX_LOGONS - 2


def test_exactly_the_capacity_fits_beside_the_default_store() -> None:
    session = session_on(FakeServer(), reserved=frozenset({3}))
    session.open_default_store("/cn=admin")
    capacity = session.capacity
    assert capacity
    for number in range(capacity):
        session.open_msg_store(f"/cn={number}")

    assert refusal_of(session, "/cn=more").cause is Cause.LOGONS


def test_separate_connections_have_no_ceiling_and_end_with_their_logon() -> None:
    server = FakeServer()
    session = session_on(server, flags=ConnectFlags.USE_SEPARATE_CONNECTION)
    stores = [session.open_msg_store(f"/cn={number}") for number in range(MAX_LOGONS + 5)]

    assert session.capacity is None
    assert len(server.contexts) == MAX_LOGONS + 5
    assert {store.logon.index for store in stores} == {0}

    for store in stores:
        store.release()

    assert server.contexts == {}
    assert session.provider.connections() == []


def test_a_mailbox_that_another_server_has_fails_and_is_told_where_it_is() -> None:
    server = FakeServer()
    server.elsewhere["/cn=anna"] = "/cn=other"
    session = session_on(server)
    error = refusal_of(session, "/cn=anna")
    [before, together] = session.open_msg_stores(["/cn=berta", "/cn=anna"])

    assert (error.hresult, error.low_level_error) == (HResult.MAPI_E_FAILONEPROVIDER, ErrorCode.WRONG_SERVER)
    assert "(it is on the server /cn=other)" in str(error)
    assert str(together) == str(error)
    assert before.is_open  # type: ignore[union-attr]


def test_a_refused_logon_on_a_separate_connection_leaves_no_connection() -> None:
    server = FakeServer()
    session = session_on(server, flags=ConnectFlags.USE_SEPARATE_CONNECTION)
    server.refused["/cn=anna"] = ErrorCode.UNKNOWN_USER
    refusal_of(session, "/cn=anna")

    assert server.contexts == {}
    assert session.provider.connections() == []


def test_a_separate_connection_with_no_index_to_issue_refuses_unsent() -> None:
    server = FakeServer()
    everything = frozenset(range(MAX_LOGONS))
    session = session_on(server, everything, ConnectFlags.USE_SEPARATE_CONNECTION)

    assert refusal_of(session, "/cn=anna").cause is Cause.LOGONS
    assert session.provider.connections() == []
    assert server.contexts == {}


def test_a_lost_connection_takes_its_logons_and_the_next_open_connects_anew() -> None:
    server = FakeServer()
    session = session_on(server)
    lost = session.open_msg_store("/cn=anna")
    server.failures = [ConnectionLost()]
    error = refusal_of(session, "/cn=ben")

    assert error.cause is Cause.UNREACHABLE
    with pytest.raises(MapiError) as caught:
        lost.open_folder(4)
    assert caught.value.hresult is HResult.MAPI_E_NETWORK_ERROR

    again = session.open_msg_store("/cn=ben")
    lost.release()

    assert again.logon.index == 0
    assert again.open_folder(4).is_open


def test_a_server_that_cannot_be_reached_is_a_network_error() -> None:
    class Unreachable(FakeServer):
        def connect(self, user_dn: str) -> int:
            raise ConnectionLost(user_dn)

    assert refusal_of(session_on(Unreachable()), "/cn=anna").hresult is HResult.MAPI_E_NETWORK_ERROR


def test_a_refused_connection_tells_the_servers_code() -> None:
    class Full(FakeServer):
        def connect(self, user_dn: str) -> int:  # noqa: ARG002 - nobody gets in
            raise RpcError(HResult.MAPI_E_SESSION_LIMIT)

    error = refusal_of(session_on(Full()), "/cn=anna")

    assert (error.hresult, error.cause) == (HResult.MAPI_E_SESSION_LIMIT, Cause.BUSY)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (HResult.MAPI_E_LOGON_FAILED, Cause.CREDENTIALS),
        (HResult.MAPI_E_PASSWORD_EXPIRED, Cause.CREDENTIALS),
        (HResult.MAPI_E_ACCOUNT_DISABLED, Cause.CREDENTIALS),
        (HResult.MAPI_E_NO_ACCESS, Cause.CREDENTIALS),
        (ErrorCode.LOGIN_PERM, Cause.CREDENTIALS),
        (ErrorCode.SERVER_BUSY, Cause.BUSY),
    ],
)
def test_a_connect_tells_whether_it_is_the_account_that_is_refused(code: int, cause: Cause) -> None:
    class Refusing(FakeServer):
        def connect(self, user_dn: str) -> int:  # noqa: ARG002 - nobody gets in
            raise RpcError(code)

    session = session_on(Refusing())

    with pytest.raises(MapiError) as caught:
        session.provider.check()
    assert (caught.value.cause, refusal_of(session, "/cn=anna").cause) == (cause, cause)


def test_a_mailbox_that_refuses_the_account_is_denied_and_the_account_is_not() -> None:
    server = FakeServer()
    server.refused["/cn=anna"] = HResult.MAPI_E_LOGON_FAILED

    assert refusal_of(session_on(server), "/cn=anna").cause is Cause.DENIED


def test_a_look_at_the_account_leaves_its_connection_to_the_session() -> None:
    server = FakeServer()
    session = session_on(server)
    session.provider.check()
    session.provider.check()
    session.open_msg_store("/cn=anna")

    assert len(server.contexts) == 1


def test_the_mailbox_table_is_read_in_pages_until_one_is_empty() -> None:
    server = FakeServer()
    server.directory = [MailboxRow(f"M{n}", f"/cn={n}", n, n, None) for n in range(8)]
    session = session_on(server)

    assert list(session.get_mailbox_table()) == server.directory
    assert list(session.get_mailbox_table(offset=6)) == server.directory[6:]
    assert list(session.get_mailbox_table(offset=8)) == []


@pytest.mark.parametrize(
    ("raised", "hresult"),
    [
        (ConnectionLost(), HResult.MAPI_E_NETWORK_ERROR),
        (RpcError(HResult.MAPI_E_LOGON_FAILED), HResult.MAPI_E_LOGON_FAILED),
    ],
)
def test_a_directory_that_fails_is_a_mapi_error(raised: Exception, hresult: int) -> None:
    class Down(FakeServer):
        def mailbox_rows(self, offset: int, limit: int) -> list[MailboxRow]:  # noqa: ARG002 - whatever is asked
            raise raised

    with pytest.raises(MapiError) as caught:
        list(session_on(Down()).get_mailbox_table())
    assert caught.value.hresult == hresult


def test_without_a_directory_there_is_no_mailbox_table() -> None:
    session = started().logon(Profile("tests", FakeServer(), "/cn=admin"), LogonFlags.NEW_SESSION)

    with pytest.raises(MapiError, match="NO_SUPPORT"):
        session.get_mailbox_table()


def test_the_last_uninitialize_says_what_it_found() -> None:
    subsystem, server = started(), FakeServer()
    subsystem.initialize()
    session = subsystem.logon(profile_of(server), LogonFlags.NEW_SESSION)
    anna, ben = session.open_msg_store("/cn=anna"), session.open_msg_store("/cn=ben")
    anna.release()
    folder = ben.open_folder(4)
    tables = [folder.get_hierarchy_table() for _ in range(2)]

    assert subsystem.uninitialize() == []
    assert folder.is_open
    assert subsystem.uninitialize() == [
        Leftover("/cn=ben", 1, "IMsgStore", 1),
        Leftover("/cn=ben", 1, "IMAPIFolder", 1),
        Leftover("/cn=ben", 1, "IMAPITable", 2),
    ]
    assert server.contexts == {}

    for interface in (*tables, folder, ben):
        with pytest.raises(MapiError, match="INVALID_OBJECT"):
            interface.check()
        interface.release()


def test_calls_before_initialize_and_after_the_last_uninitialize_are_refused() -> None:
    with pytest.raises(MapiError, match="NOT_INITIALIZED"):
        mapi_logon_ex(profile_of(FakeServer()))
    with pytest.raises(MapiError, match="NOT_INITIALIZED"):
        mapi_uninitialize()

    mapi_initialize()
    session = mapi_logon_ex(profile_of(FakeServer()), LogonFlags.NEW_SESSION)
    mapi_uninitialize()

    with pytest.raises(MapiError, match="INVALID_OBJECT"):
        session.open_msg_store("/cn=anna")
    session.logoff()
