"""What a real Dovecot is short of, and what goes wrong there: each is told by its cause, and nothing is taken for empty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

import fanout
from tests.imap.dovecot import DOVECOT, MASTER, MISSING, PASSWORD, Dovecot, room, running, serving, to_each
from tests.imap.mail import address, make
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.imap.line import Line
from workers.imap.place import place_of
from workers.imap.session import ImapSession
from workers.slots import private_slot

pytestmark = pytest.mark.skipif(DOVECOT is None, reason=MISSING)

ACCESS = Access(user=MASTER, password=PASSWORD)
NAMES = [address(number) for number in range(8)]

ONE_LOGIN_PROCESS = "service imap-login {\n  process_limit = 1\n  client_limit = 2\n  service_count = 0\n}"


@pytest.fixture
def folder() -> Iterator[Path]:
    with room() as found:
        yield found


def small(folder: Path, more: str = "") -> AbstractContextManager[Dovecot]:
    """A server of eight mailboxes."""
    make(folder / "homes", len(NAMES))
    return running(folder, NAMES, more)


def session(server: Dovecot, words: str = "") -> ImapSession:
    return ImapSession(place_of(f"{server.url}{words}", ACCESS), private_slot())


def messages(server: Dovecot, name: str) -> int:
    with session(server).open(name) as mailbox:
        return sum(folder.message_count for folder in mailbox.folders())


def failure(server: Dovecot, name: str = NAMES[0], words: str = "") -> MailboxError:
    """What happens to a mailbox whose folders are asked for."""
    with pytest.raises(MailboxError) as caught, session(server, words).open(name) as mailbox:
        mailbox.folders()
    return caught.value


def test_too_many_connections_of_a_user_are_a_server_that_is_busy(folder: Path) -> None:
    with small(folder, "mail_max_userip_connections = 2") as server:
        held = [session(server).open(NAMES[1]) for _ in range(2)]
        error = failure(server, NAMES[1])
        for mailbox in held:
            mailbox.close()

    assert error.cause is Cause.BUSY
    assert "Maximum number of connections" in str(error)


def test_more_sessions_than_the_server_has_processes_are_a_server_that_is_busy(folder: Path) -> None:
    with small(folder, "service imap {\n  process_limit = 2\n}") as server:
        held = [session(server).open(name) for name in NAMES[:2]]
        error = failure(server, NAMES[2])  # which takes the server ten seconds
        for mailbox in held:
            mailbox.close()

    assert error.cause is Cause.BUSY
    assert "the server ended the connection" in str(error)


def test_a_connection_that_others_push_out_of_the_queue_is_a_server_that_is_busy(folder: Path) -> None:
    with small(folder, ONE_LOGIN_PROCESS) as server:
        waiting = [Line(place_of(server.url, ACCESS), lambda: None) for _ in range(3)]
        with pytest.raises(MailboxError) as caught:
            waiting[0].log_on(NAMES[0])
        for line in waiting:
            line.close()

    assert caught.value.cause is Cause.BUSY
    assert "Connection queue full" in str(caught.value)


@pytest.mark.spawns
def test_a_run_gets_past_every_limit_with_the_right_numbers(folder: Path) -> None:
    expected = make(folder / "homes", 30)
    limits = f"mail_max_userip_connections = 1\nservice imap {{\n  process_limit = 3\n}}\n{ONE_LOGIN_PROCESS}"
    with running(folder, list(expected), limits) as server:
        found = fanout.run(
            "census", server=server.url, mailboxes=list(expected), workers=2, concurrency=6, access=ACCESS
        )

    assert [(each.mailbox, each.error.message) for each in found.failed if each.error] == []
    assert {outcome.mailbox: outcome.result for outcome in found} == expected


@pytest.mark.parametrize("process", ["auth", "imap-login"])
def test_a_stopped_process_of_the_server_is_a_server_that_says_nothing(folder: Path, process: str) -> None:
    with small(folder, ONE_LOGIN_PROCESS) as server:
        held = messages(server, NAMES[0])
        stopped = serving(server.pid, process)
        to_each(stopped, psutil.Process.suspend)
        error = failure(server, words="?timeout=1")
        to_each(stopped, psutil.Process.resume)

        assert stopped
        assert error.cause is Cause.UNREACHABLE
        assert messages(server, NAMES[0]) == held


def test_without_its_master_open_sessions_go_on_and_new_ones_are_refused(folder: Path) -> None:
    with small(folder) as server, session(server).open(NAMES[0]) as mailbox:
        left = serving(server.pid)
        server.kill_master()
        folders = mailbox.folders()
        error = failure(server, NAMES[1])
        to_each(left, psutil.Process.kill)

    assert len(folders) == 5
    assert error.cause in {Cause.UNREACHABLE, Cause.BUSY}  # refused, or let in by a login process that then ends


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mail of another account")
@pytest.mark.parametrize("logged_on_before", [0, 1])
def test_a_mailbox_that_cannot_be_read_is_a_failure_and_never_empty(folder: Path, logged_on_before: int) -> None:
    with small(folder) as server:
        maildir = server.homes / NAMES[3] / "Maildir"
        os.chown(maildir, 0, 0)
        maildir.chmod(0o700)
        own = session(server)
        for name in NAMES[:logged_on_before]:  # then the command that lists folders goes with the logon
            with own.open(name) as mailbox:
                mailbox.folders()
        with pytest.raises(MailboxError) as caught, own.open(NAMES[3]) as mailbox:
            mailbox.folders()

    assert caught.value.cause is Cause.SERVER


def test_a_home_that_was_deleted_is_made_anew_by_the_server_and_is_empty(folder: Path) -> None:
    with small(folder) as server:
        shutil.rmtree(server.homes / NAMES[2])
        with session(server).open(NAMES[2]) as mailbox:
            folders = [(folder.path, folder.message_count) for folder in mailbox.folders()]

    assert folders == [("INBOX", 0)]
