"""What a session says and understands: against a server that says what the test has it say."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.imap.dovecot import port_of, reserved_port
from tests.imap.scripts import ABLE, CUT, SILENCE, Script, scripted
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.imap.session import ImapSession
from workers.servers import server_at
from workers.slots import AT, BEATS, private_slot
from workers.urls import ServerUrlError

MASTER = Access(user="master", password='p"ss\\word')

FOLDERS = (
    '* LIST (\\HasNoChildren) "." INBOX\r\n'
    "* STATUS INBOX (MESSAGES 2 UNSEEN 1 SIZE 300)\r\n"
    '* LIST (\\HasChildren \\Noselect) "." "Projects"\r\n'
    '* LIST (\\HasNoChildren) "." "Projects.Gr&APY-&AN8-e"\r\n'
    '* STATUS "Projects.Gr&APY-&AN8-e" (MESSAGES 0 UNSEEN 0 SIZE 0)\r\n'
    '* LIST (\\HasNoChildren) "." {8}\r\na "b" \\c\r\n'
    '* STATUS {8}\r\na "b" \\c (MESSAGES 1 UNSEEN 0 SIZE 70)\r\n'
    "{tag} OK done"
)


def session_of(script: Script, words: str = "", access: Access = MASTER) -> ImapSession:
    session: Any = server_at(f"imap://127.0.0.1:{script.port}{words}", access=access).session(private_slot())
    assert isinstance(session, ImapSession)
    return session


def failure(script: Script, words: str = "", access: Access = MASTER) -> MailboxError:
    """What happens to a mailbox whose folders are asked for."""
    with pytest.raises(MailboxError) as caught, session_of(script, words, access).open("anna") as mailbox:
        mailbox.folders()
    return caught.value


def test_folders_come_with_one_command_and_are_read_to_their_numbers() -> None:
    with scripted({"LIST": FOLDERS}) as script:
        with session_of(script).open("anna") as mailbox:
            folders = [(each.path, each.message_count, each.unread_count, each.size) for each in mailbox.folders()]

        assert folders == [("INBOX", 2, 1, 300), ("Projects/Größe", 0, 0, 0), ('a "b" \\c', 1, 0, 70)]
        assert script.heard[:2] == [
            'LOGIN "anna*master" "p\\"ss\\\\word"',
            'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN SIZE))',
        ]


def test_once_folders_were_asked_for_the_command_goes_with_the_next_logon() -> None:
    with scripted({"LIST": FOLDERS}) as script:
        session = session_of(script)
        slot = private_slot()
        walk = session.mailboxes(range(4, 7), ["anna", "berta", "carla"], slot)
        seen = [(slot[AT], mailbox.address, len(mailbox.folders())) for mailbox in walk]

        assert seen == [(4, "anna", 3), (5, "berta", 3), (6, "carla", 3)]
        assert session._slot[BEATS] == 3 + 2 + 2  # connect, log on, list; then connect, and one flight


def test_a_job_that_wants_no_folders_makes_the_server_list_none() -> None:
    with scripted({}) as script:
        for mailbox in session_of(script).mailboxes(range(2), ["anna", "berta"], private_slot()):
            assert mailbox.display_name == mailbox.address

        assert not [command for command in script.heard if command.startswith("LIST")]


def test_without_list_status_each_folder_is_asked_for_and_sizes_are_added_up() -> None:
    answers: dict[str, str | list[str]] = {
        "LOGIN": "{tag} OK in",
        "CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done",
        'LIST "" "\\*"$': '* LIST () "/" inbox\r\n* LIST () "/" Old\r\n{tag} OK done',
        'STATUS "INBOX"': "* STATUS INBOX (MESSAGES 2 UNSEEN 2)\r\n{tag} OK done",
        'STATUS "Old"': "* STATUS Old (UNSEEN 0 MESSAGES 0)\r\n{tag} OK done",
        'EXAMINE "INBOX"': "* 2 EXISTS\r\n{tag} OK [READ-ONLY] done",
        "FETCH 1": "* 1 FETCH (RFC822.SIZE 10)\r\n* 2 FETCH (FLAGS () RFC822.SIZE 32)\r\n{tag} OK done",
    }
    with scripted(answers) as script, session_of(script).open("anna") as mailbox:
        folders = [(each.path, each.message_count, each.unread_count, each.size) for each in mailbox.folders()]

        assert folders == [("INBOX", 2, 2, 42), ("Old", 0, 0, 0)]
        assert 'EXAMINE "Old"' not in script.heard


def test_messages_come_newest_first_with_what_their_headers_say() -> None:
    header = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?x-none?q?_=FC?=\r\nFrom: Anna <anna@x.example>\r\nMessage-ID: <1@x>\r\n\r\n"
    size = len(header)
    answers: dict[str, str | list[str]] = {
        "LIST": FOLDERS,
        "EXAMINE": "{tag} OK done",
        "FETCH 1": (
            '* 1 FETCH (UID 7 INTERNALDATE " 1-Jan-2026 10:00:00 +0100")\r\n'
            '* 2 FETCH (UID 9 INTERNALDATE "01-Jan-2026 09:30:00 +0000")\r\n{tag} OK done'
        ),
        "UID FETCH 9,7": (
            '* 2 FETCH (UID 9 RFC822.SIZE 5 INTERNALDATE "01-Jan-2026 09:30:00 +0000" '
            'BODY[HEADER.FIELDS ("SUBJECT" "FROM" "MESSAGE-ID")] "")\r\n'
            '* 1 FETCH (UID 7 RFC822.SIZE 120 INTERNALDATE " 1-Jan-2026 10:00:00 +0100" '
            f"BODY[HEADER.FIELDS (SUBJECT FROM MESSAGE-ID)] {{{size}}}\r\n{header})\r\n{{tag}} OK done"
        ),
        "UID FETCH 7 ": "* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n{tag} OK done",
        "UID FETCH 9 ": "{tag} OK done",
    }
    with scripted(answers) as script, session_of(script).open("anna") as mailbox:
        newest, older = mailbox.folders()[0].messages()

        assert (newest.subject, newest.sender, newest.message_id, newest.size) == ("", "", "", 5)
        assert older.subject == "Grüße ü"
        assert (older.sender, older.message_id, older.size) == ("Anna <anna@x.example>", "<1@x>", 120)
        assert older.received == datetime(2026, 1, 1, 9, tzinfo=UTC)
        assert older.read() == b"hello"
        with pytest.raises(MailboxError, match="is gone"):
            newest.read()
        assert not [command for command in script.heard if command.startswith(("SELECT", "STORE"))]
        assert all("BODY.PEEK[" in command for command in script.heard if "BODY" in command)


def patience(answer: str) -> str:
    """A server that says something may take its time."""
    return "?timeout=1" if answer == SILENCE else ""


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (
            "{tag} NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            Cause.BUSY,
        ),
        ("{tag} NO [UNAVAILABLE] Temporary authentication failure.", Cause.BUSY),
        ("{tag} NO [INUSE] later", Cause.BUSY),
        (CUT, Cause.BUSY),
        ("* BYE Disconnected for inactivity during authentication.", Cause.BUSY),
        ("{tag} NO [AUTHENTICATIONFAILED] Authentication failed.", Cause.CREDENTIALS),
        ("{tag} NO go away", Cause.CREDENTIALS),
        ("{tag} NO [AUTHORIZATIONFAILED] no such owner", Cause.MISSING),
        ("{tag} BAD what", Cause.PROTOCOL),
        (SILENCE, Cause.UNREACHABLE),
        ("nonsense", Cause.PROTOCOL),
    ],
)
def test_what_a_logon_can_be_answered(answer: str, cause: Cause) -> None:
    with scripted({"LOGIN": answer}) as script:
        error = failure(script, patience(answer))

        assert error.cause is cause
        assert 'p"ss' not in str(error)


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [("* BYE Connection queue full", Cause.BUSY), (CUT, Cause.BUSY), (SILENCE, Cause.UNREACHABLE)],
)
def test_a_server_that_does_not_greet(greeting: str, cause: Cause) -> None:
    with scripted({}, greeting) as script:
        assert failure(script, patience(greeting)).cause is cause


def test_a_server_that_is_not_there() -> None:
    with reserved_port() as nobody:
        session: Any = server_at(f"imap://127.0.0.1:{port_of(nobody)}", access=MASTER).session(private_slot())
        with pytest.raises(MailboxError) as caught:
            session.open("anna")

    assert caught.value.cause is Cause.UNREACHABLE


def test_one_mailbox_that_is_refused_after_others_were_let_in_does_not_end_the_run() -> None:
    with scripted({"LOGIN": [f"{{tag}} OK [CAPABILITY {ABLE}] in", "{tag} NO [AUTHENTICATIONFAILED] no"]}) as script:
        session = session_of(script)
        session.open("anna").close()

        with pytest.raises(MailboxError) as caught:
            session.open("berta")
        assert caught.value.cause is Cause.DENIED


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (
            '* LIST () "." INBOX\r\n{tag} OK done',
            Cause.SERVER,
        ),  # its STATUS is left out, and refused when it is asked for
        (FOLDERS.replace("MESSAGES 2", "MESSAGES NIL"), Cause.PROTOCOL),
        (FOLDERS.replace("SIZE 300", "RECENT 3"), Cause.PROTOCOL),
        ('* LIST (\\HasNoChildren "." INBOX\r\n{tag} OK done', Cause.PROTOCOL),
        ("{tag} NO [SERVERBUG] Internal error occurred.", Cause.SERVER),
        ("{tag} NO [NOPERM] no", Cause.DENIED),
        (CUT, Cause.UNREACHABLE),
        (SILENCE, Cause.UNREACHABLE),
    ],
)
def test_folders_that_cannot_be_told_are_a_failure_and_never_empty(answer: str, cause: Cause) -> None:
    with scripted({"LIST": answer, "STATUS": "{tag} NO [SERVERBUG] Internal error occurred."}) as script:
        assert failure(script, patience(answer)).cause is cause


def test_a_folder_that_cannot_be_examined_is_a_failure() -> None:
    with (
        scripted({"LIST": FOLDERS, "EXAMINE": "{tag} NO [SERVERBUG] no", "FETCH": "{tag} BAD no folder"}) as script,
        session_of(script).open("anna") as mailbox,
        pytest.raises(MailboxError, match="EXAMINE") as caught,
    ):
        next(mailbox.folders()[0].messages())

    assert caught.value.cause is Cause.SERVER


def test_an_authorization_id_names_the_mailbox() -> None:
    with scripted({"AUTHENTICATE": "+ "}) as script:
        session_of(script, "?authzid=yes").open("anna").close()

        assert script.heard[0] == "AUTHENTICATE PLAIN"
        assert base64.b64decode(script.heard[1]) == b'anna\0master\0p"ss\\word'


@pytest.mark.parametrize(
    ("offered", "mechanism", "initial"),
    [
        (
            "AUTH=OAUTHBEARER AUTH=XOAUTH2",
            "OAUTHBEARER",
            b"n,a=anna*master,\1host=127.0.0.1\1port=PORT\1auth=Bearer t0k\1\1",
        ),
        ("AUTH=XOAUTH2", "XOAUTH2", b"user=anna*master\1auth=Bearer t0k\1\1"),
    ],
)
def test_a_token_instead_of_a_password(offered: str, mechanism: str, initial: bytes) -> None:
    answers: dict[str, str | list[str]] = {
        "CAPABILITY": f"* CAPABILITY IMAP4rev1 {offered}\r\n{{tag}} OK done",
        "AUTHENTICATE": "+ ",
    }
    with scripted(answers, "* OK ready") as script:
        session_of(script, "", Access(user="master", token_command="echo t0k")).open("anna").close()

        assert script.heard[1] == f"AUTHENTICATE {mechanism}"
        assert base64.b64decode(script.heard[2]) == initial.replace(b"PORT", str(script.port).encode())


def test_a_token_is_kept_until_the_server_refuses_it(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    command = f"echo x >> {taken}; wc -l < {taken}"  # the first token is 1, the second 2
    answers: dict[str, str | list[str]] = {
        "AUTHENTICATE": "+ ",
        "CONTINUED": ["{tag} OK in", "{tag} OK in", "{tag} NO [AUTHENTICATIONFAILED] expired", "{tag} OK in"],
    }
    with scripted(answers) as script:
        session = session_of(script, "?login={owner}", Access(user="master", token_command=command))
        for owner in ("anna", "berta", "carla"):
            session.open(owner).close()
        shown = [base64.b64decode(each) for each in script.heard if each.startswith("bix")]

    assert [re.findall(rb"a=(\w+),|Bearer (\w+)", each) for each in shown] == [
        [(b"anna", b""), (b"", b"1")],
        [(b"berta", b""), (b"", b"1")],
        [(b"carla", b""), (b"", b"1")],
        [(b"carla", b""), (b"", b"2")],
    ]


def test_no_token_is_the_accounts_trouble() -> None:
    with scripted({}) as script:
        error = failure(script, "", Access(user="master", token_command="exit 1"))

    assert error.cause is Cause.CREDENTIALS


def test_a_server_that_wants_tls_first_is_said_so() -> None:
    with scripted({"CAPABILITY": "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK done"}, "* OK hi") as script:
        error = failure(script)

        assert error.cause is Cause.CREDENTIALS
        assert "without TLS" in str(error)
        assert "LOGIN" not in " ".join(script.heard)


def test_a_fork_of_the_worker_sends_nothing() -> None:
    with scripted({}) as script:
        session = session_of(script)
        session._slot.release()  # type: ignore[attr-defined]  # as it is in a process that a job forked

        with pytest.raises(MailboxError, match="a fork of the worker"):
            session.open("anna")
        assert script.heard == []


def test_the_account_is_looked_at_by_a_mailbox_where_one_is_known() -> None:
    with scripted({"LOGIN": "{tag} NO [AUTHENTICATIONFAILED] no"}) as script:
        session_of(script).check()
        with pytest.raises(MailboxError) as caught:
            session_of(script).check("anna")

        assert caught.value.cause is Cause.CREDENTIALS


@pytest.mark.parametrize(
    ("url", "access", "why"),
    [
        ("imaps://", MASTER, "names no host"),
        ("imaps://mail.example", Access(), "--user"),
        ("imaps://mail.example:99999", MASTER, "Port out of range"),
        ("imaps://anna:s3cret@mail.example", MASTER, "no place for an account"),
        ("imaps://mail.example/INBOX", MASTER, "nothing is to be said behind the host"),
        ("imaps://mail.example?colour=red", MASTER, "no option 'colour'"),
        ("imaps://mail.example?login={user}", MASTER, "without {owner}"),
        ("imaps://mail.example?authzid=perhaps", MASTER, "yes or no"),
        ("imap://mail.example?starttls=no", MASTER, "--plaintext"),
        ("imaps://mail.example", Access(user="a", ca_file="/nowhere"), "--ca-file /nowhere"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, access: Access, why: str) -> None:
    with pytest.raises(ServerUrlError) as caught:
        server_at(url, access=access)

    assert why in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "access", "tls", "starttls"),
    [
        ("imaps://mail.example", MASTER, True, False),
        ("imap://mail.example", MASTER, False, True),
        ("imap://localhost", MASTER, False, False),
        ("imap://localhost?starttls=yes", MASTER, False, True),
        ("imap://mail.example", Access(user="a", plaintext=True), False, False),
    ],
)
def test_a_password_crosses_a_network_with_tls_unless_told_otherwise(
    url: str, access: Access, *, tls: bool, starttls: bool
) -> None:
    server: Any = server_at(url, access=access)

    assert (server._place.tls, server._place.starttls) == (tls, starttls)


def test_users_cannot_be_listed_and_it_is_said_who_can() -> None:
    server = server_at("imaps://mail.example", access=MASTER)

    assert "doveadm user" in server.unlisted
    with pytest.raises(MailboxError, match="can't list users"):
        next(server.addresses())
    assert server.capacity is None
