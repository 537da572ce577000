from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from struct import pack

import pytest

from workers.causes import Cause
from workers.mapi import Bookmark, Folder, HResult, LogonFlags, MapiError, Message, MsgStore, Profile
from workers.mapi import properties as props
from workers.mapi.mailbox import MapiSession
from workers.mapi.properties import PR_INTERNET_CONTENT
from workers.mapi.subsystem import Subsystem
from workers.mapi.transport import MailboxRow
from workers.simulated.server import SimulatedServer, simulated_server
from workers.simulated.stores import mailbox_dn

#: Bytes of the large message: seven replies of 32 KB would hold it.
LARGE = 200_000


class Tampered:
    """A server behind a wire that changes the replies."""

    def __init__(self, server: SimulatedServer, tamper: Callable[[bytes], bytes]) -> None:
        self._server = server
        self._tamper = tamper

    def connect(self, user_dn: str) -> int:
        return self._server.connect(user_dn)

    def execute(self, context: int, rop_buffer: bytes) -> bytes:
        return self._tamper(self._server.execute(context, rop_buffer))

    def disconnect(self, context: int) -> None:
        self._server.disconnect(context)

    def mailbox_rows(self, offset: int, limit: int) -> Sequence[MailboxRow]:
        return self._server.mailbox_rows(offset, limit)


def as_it_is(reply: bytes) -> bytes:
    return reply


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """A mailbox on disk, with one message that fits into a reply and one that does not."""
    inbox = tmp_path / "anna" / "inbox"
    inbox.mkdir(parents=True)
    header = b"From: Ben <ben@x.example>\r\nSubject: %s\r\n\r\n"
    (inbox / "1").write_bytes(header % b"small" + b"Hello.\r\n")
    (inbox / "2").write_bytes((header % b"large").ljust(LARGE, b"."))
    return tmp_path


@pytest.fixture(params=["spec", "recorded"])
def server(mail: Path, request: pytest.FixtureRequest) -> SimulatedServer:
    return simulated_server(f"sim:{mail}?overflow={request.param}")


def session_on(server: SimulatedServer, tamper: Callable[[bytes], bytes] = as_it_is) -> MapiSession:
    profile = Profile("tests", Tampered(server, tamper), mailbox_dn("admin"))
    return MapiSession(profile, mailbox_dn, server.population.address)


def store_on(server: SimulatedServer) -> MsgStore:
    subsystem = Subsystem()
    subsystem.initialize()
    session = subsystem.logon(Profile("tests", server, mailbox_dn("admin")), LogonFlags.NEW_SESSION)
    return session.open_msg_store(mailbox_dn(server.population.address(0)))


def filled_folder(store: MsgStore) -> Folder:
    with store.open_folder(store.folder_ids.ipm_subtree) as top, top.get_hierarchy_table() as table:
        table.set_columns((props.PR_FID, props.PR_CONTENT_COUNT))
        return store.open_folder(next(folder_id for folder_id, count in table.query_rows(100) if count))


def large_message(store: MsgStore) -> Message:
    with filled_folder(store) as folder, folder.get_contents_table() as table:
        table.set_columns((props.PR_MESSAGE_SIZE, props.PR_MID))
        return folder.open_message(max(table.query_rows(100))[1])


def test_a_message_larger_than_a_reply_is_read_whole(server: SimulatedServer, mail: Path) -> None:
    with session_on(server).open("anna") as mailbox:
        [folder] = [folder for folder in mailbox.folders() if folder.message_count]
        texts = {message.read() for message in folder.messages()}

    assert texts == {path.read_bytes() for path in (mail / "anna" / "inbox").iterdir()}


@pytest.mark.parametrize("size", [0, LARGE + 1])
def test_a_message_that_is_not_as_long_as_announced_is_a_protocol_error(server: SimulatedServer, size: int) -> None:
    announced, told = (pack("<BBII", 0x2B, 2, 0, number) for number in (LARGE, size))
    with session_on(server, lambda reply: reply.replace(announced, told)).open("anna") as mailbox:
        [folder] = [folder for folder in mailbox.folders() if folder.message_count]
        large = max(folder.messages(), key=lambda message: message.size)

        with pytest.raises(MapiError) as caught:
            large.read()
    assert caught.value.cause is Cause.PROTOCOL


def test_a_stream_is_read_in_the_parts_that_one_asks_for(server: SimulatedServer) -> None:
    with large_message(store_on(server)) as message, message.open_stream(PR_INTERNET_CONTENT) as stream:
        head, rest = stream.read(100), stream.read(10 * LARGE)

        assert head.startswith(b"From: Ben")
        assert (len(head), len(rest)) == (100, LARGE - 100)
        assert stream.read(1) == b""
        assert stream.position == stream.size == LARGE


def test_a_property_that_is_not_there_has_no_stream(server: SimulatedServer) -> None:
    with large_message(store_on(server)) as message, pytest.raises(MapiError) as caught:
        message.open_stream(props.PR_RTF_COMPRESSED)
    assert caught.value.hresult is HResult.MAPI_E_NOT_FOUND


def test_a_message_that_is_gone_is_not_found(server: SimulatedServer) -> None:
    with filled_folder(store_on(server)) as folder, pytest.raises(MapiError) as caught:
        folder.open_message(0x1234_0000_0000_0001)
    assert caught.value.hresult is HResult.MAPI_E_NOT_FOUND


def test_properties_come_in_the_order_in_which_they_were_asked_for(server: SimulatedServer) -> None:
    with large_message(store_on(server)) as message:
        subject, nothing, size = message.get_props((props.PR_SUBJECT_W, props.PR_HTML, props.PR_MESSAGE_SIZE))

    assert (subject, size) == ("large", LARGE)
    assert nothing.code == HResult.MAPI_E_NOT_FOUND


def test_new_mail_goes_to_the_inbox(server: SimulatedServer) -> None:
    store = store_on(server)

    assert store.receive_folder("IPM.Note").folder_id == store.folder_ids.inbox


def test_a_cursor_is_moved_and_tells_where_it_stands(server: SimulatedServer) -> None:
    with filled_folder(store_on(server)) as folder, folder.get_contents_table() as table:
        table.set_columns((props.PR_MID,))
        first, second = table.query_rows(10)

        assert table.query_position() == (2, 2)
        assert table.seek_row(Bookmark.BEGINNING, 1) == 1
        assert table.query_rows(10) == [second]
        assert table.seek_row(Bookmark.CURRENT, -2) == -2
        assert table.query_position() == (0, 2)
        assert table.query_rows(1) == [first]
