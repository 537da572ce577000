"""A real server: what it says is what was put there, and what it refuses is told by its cause."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import fanout
from tests.imap.dovecot import (
    DOVECOT,
    MASTER,
    MISSING,
    PASSWORD,
    Dovecot,
    port_of,
    room,
    running,
    serving,
    to_each,
)
from tests.imap.mail import address, make, message
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.jobs import load
from workers.servers import server_at
from workers.slots import private_slot

pytestmark = pytest.mark.skipif(DOVECOT is None, reason=MISSING)

ACCESS = Access(user=MASTER, password=PASSWORD)
COUNT = 60
NAMES = [address(number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Dovecot, dict[str, dict[str, int]]]]:
    with room() as folder:
        census = make(folder / "homes", COUNT)
        with running(folder, NAMES) as server:
            yield server, census


def session(server: Dovecot, words: str = "", access: Access = ACCESS) -> Any:  # noqa: ANN401
    return server_at(f"{server.url}{words}", access=access).session(private_slot())


def census(mailbox: Any) -> Any:  # noqa: ANN401
    return load("census")(mailbox)


def test_a_census_is_what_was_put_there_and_what_doveadm_says(served: tuple[Dovecot, Any]) -> None:
    server, expected = served
    found = {
        mailbox.address: census(mailbox) for mailbox in session(server).mailboxes(range(COUNT), NAMES, private_slot())
    }

    assert found == expected
    doveadm = shutil.which("doveadm", path=f"{os.environ['PATH']}:/usr/bin")
    assert doveadm
    said = subprocess.run(
        [
            doveadm,
            "-c",
            server.folder / "dovecot.conf",
            "-f",
            "tab",
            "mailbox",
            "status",
            "-u",
            NAMES[7],
            "messages vsize",
            "*",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in said.stdout.splitlines()[1:]]
    assert sum(int(row[1]) for row in rows) == found[NAMES[7]]["messages"]
    assert sum(int(row[2]) for row in rows) == found[NAMES[7]]["bytes"]


def test_folders_and_messages_are_read_as_they_were_written(served: tuple[Dovecot, Any]) -> None:
    server, _ = served
    with session(server).open(NAMES[4]) as mailbox:
        folders = {folder.path: folder for folder in mailbox.folders()}
        read = [each.read() for each in folders["INBOX"].messages()]
        subjects = [each.subject for each in folders["INBOX"].messages()]

        assert set(folders) == {"INBOX", "Sent", "Archüv", "Projects/A & B", "Empty"}
        held = folders["INBOX"].message_count
        assert read == [message(4, 0, at) for at in sorted(range(held), reverse=True)]
        assert subjects == [f"0.{at}" for at in sorted(range(held), reverse=True)]
        assert {each.sender for each in folders["INBOX"].messages()} == {"Jürgen <u4@lab.example>"}


def test_a_wrong_password_is_the_accounts(served: tuple[Dovecot, Any]) -> None:
    with pytest.raises(MailboxError) as caught:
        session(served[0], access=Access(user=MASTER, password="wrong")).check(NAMES[0])

    assert caught.value.cause is Cause.CREDENTIALS


def test_a_mailbox_that_is_not_there_is_missing(served: tuple[Dovecot, Any]) -> None:
    with pytest.raises(MailboxError) as caught:
        session(served[0]).open("nobody@lab.example")

    assert caught.value.cause is Cause.MISSING


def test_an_authorization_id_opens_the_same_mailbox(served: tuple[Dovecot, Any]) -> None:
    server, expected = served
    with session(server, "?authzid=yes").open(NAMES[3]) as mailbox:
        assert census(mailbox) == expected[NAMES[3]]


def disturbed(mailbox: Any, *, master: int, trick: str, folder: str, restarter: int) -> Any:  # noqa: ANN401
    """A census with a look into each folder; at one mailbox the server is disturbed between the two."""
    counted = census(mailbox)
    once = Path(folder) / "once"
    if mailbox.address == NAMES[20] and not once.exists():
        once.touch()
        TRICKS[trick](master, restarter)
    read = sum(len(message.read()) for each in mailbox.folders() for message in each.messages())
    assert read == counted["bytes"]
    return counted


def stop_one(master: int, _: int) -> None:
    """Stop the process that serves the mailbox, and what may be left of one that did so before."""
    to_each(serving(master, f"[{NAMES[20]} "), psutil.Process.suspend)


def kill_all(master: int, _: int) -> None:
    """Kill every process but the master, which starts others."""
    to_each(serving(master), psutil.Process.kill)


def kill_and_restart(_: int, restarter: int) -> None:
    """Have the test kill the server and start it again: what a job starts ends with its worker."""
    with socket.create_connection(("127.0.0.1", restarter)) as asking:
        assert asking.recv(1) == b""  # the end, when it is done


TRICKS = {"stop": stop_one, "kill": kill_all, "restart": kill_and_restart}


@pytest.fixture
def lonely() -> Iterator[tuple[Dovecot, dict[str, dict[str, int]]]]:
    """A server of 25 mailboxes for one test alone, which has indexed all of them."""
    with room() as folder:
        expected = make(folder / "homes", 25)
        with running(folder, list(expected), "verbose_proctitle = yes") as server:
            for mailbox in session(server).mailboxes(range(25), list(expected), private_slot()):
                assert load("census")(mailbox, newest=True)
            yield server, expected


@contextmanager
def restarter(server: Dovecot) -> Iterator[int]:
    """The port where one who connects has the server killed and started again."""
    asked = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=restart, args=(server, asked))
    thread.start()
    try:
        yield port_of(asked)
    finally:
        asked.shutdown(socket.SHUT_RDWR)
        thread.join()
        asked.close()


def restart(server: Dovecot, asked: socket.socket) -> None:
    with suppress(OSError):  # nobody asks
        asking, _ = asked.accept()
        with asking:
            server.kill()
            server.start()


@pytest.mark.spawns
@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_is_lost_when_the_server_is_disturbed(
    lonely: tuple[Dovecot, dict[str, dict[str, int]]], trick: str
) -> None:
    server, expected = lonely
    with restarter(server) as port:
        found = fanout.run(
            f"{__file__}:disturbed",
            server=f"{server.url}?timeout=5",
            mailboxes=list(expected),
            workers=2,
            chunk_size=5,
            options={"master": server.pid, "trick": trick, "folder": str(server.folder), "restarter": port},
            access=ACCESS,
            policy=fanout.Policy(retries=6),
        )

    assert [(each.mailbox, each.error.message) for each in found.failed if each.error] == []
    assert {outcome.mailbox: outcome.result for outcome in found} == expected
    assert max(outcome.attempts for outcome in found) > 1
