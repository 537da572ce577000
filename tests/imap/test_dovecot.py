"""A real server: what it says is what was put there, and what it refuses is told by its cause."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import fanout
from tests.imap.dovecot import DOVECOT, MASTER, MISSING, PASSWORD, Dovecot, running
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
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dovecot, dict[str, dict[str, int]]]]:
    folder = tmp_path_factory.mktemp("dovecot")
    census = make(folder / "homes", COUNT)
    with running(folder, [*NAMES, "broken@lab.example"], "mail_max_userip_connections = 3") as server:
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


def test_reading_marks_nothing(served: tuple[Dovecot, Any]) -> None:
    server, expected = served
    with session(server).open(NAMES[5]) as mailbox:
        for folder in mailbox.folders():
            assert all(each.read() for each in folder.messages())
    with session(server).open(NAMES[5]) as mailbox:
        assert census(mailbox) == expected[NAMES[5]]


def test_a_wrong_password_is_the_accounts(served: tuple[Dovecot, Any]) -> None:
    with pytest.raises(MailboxError) as caught:
        session(served[0], access=Access(user=MASTER, password="wrong")).check(NAMES[0])

    assert caught.value.cause is Cause.CREDENTIALS


def test_a_mailbox_that_is_not_there_is_missing(served: tuple[Dovecot, Any]) -> None:
    own = session(served[0])
    with own.open(NAMES[0]):
        pass
    with pytest.raises(MailboxError) as caught:
        own.open("nobody@lab.example")

    assert caught.value.cause in {Cause.MISSING, Cause.DENIED}


def test_an_authorization_id_opens_the_same_mailbox(served: tuple[Dovecot, Any]) -> None:
    server, expected = served
    with session(server, "?authzid=yes").open(NAMES[3]) as mailbox:
        assert census(mailbox) == expected[NAMES[3]]


def test_too_many_connections_are_a_server_that_is_busy(served: tuple[Dovecot, Any]) -> None:
    own = session(served[0])
    held = [own.open(NAMES[9]) for _ in range(3)]
    with pytest.raises(MailboxError) as caught:
        own.open(NAMES[9])
    for mailbox in held:
        mailbox.close()

    assert caught.value.cause is Cause.BUSY


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mail of another account")
def test_a_mailbox_that_cannot_be_read_is_a_failure_and_never_empty(served: tuple[Dovecot, Any]) -> None:
    server, _ = served
    maildir = server.homes / "broken@lab.example" / "Maildir"
    for kind in ("cur", "new", "tmp"):
        (maildir / kind).mkdir(parents=True, exist_ok=True)
    for path in [maildir, *maildir.iterdir()]:
        os.chown(path, 0, 0)
        path.chmod(0o700)

    with pytest.raises(MailboxError) as caught, session(server).open("broken@lab.example") as mailbox:
        mailbox.folders()

    assert caught.value.cause in {Cause.SERVER, Cause.BUSY, Cause.DENIED}


def disturbed(mailbox: Any, *, master: int, trick: str, folder: str) -> Any:  # noqa: ANN401
    """A census with a look into each folder; at one mailbox the server is disturbed between the two."""
    counted = census(mailbox)
    once = Path(folder) / "once"
    if mailbox.address == NAMES[20] and not once.exists():
        once.touch()
        TRICKS[trick](psutil.Process(master), Path(folder))
    read = sum(len(message.read()) for each in mailbox.folders() for message in each.messages())
    assert read == counted["bytes"]
    return counted


def stop_one(master: psutil.Process, _: Path) -> None:
    """Stop the process that serves the mailbox."""
    [serving] = [each for each in master.children(recursive=True) if f"[{NAMES[20]} " in " ".join(each.cmdline())]
    serving.suspend()


def kill_all(master: psutil.Process, _: Path) -> None:
    """Kill every process but the master, which starts others."""
    for process in master.children(recursive=True):
        process.kill()


def kill_and_restart(_: psutil.Process, folder: Path) -> None:
    """Have the test kill the server and start it again: what a job starts ends with its worker."""
    (folder / "asked").write_text("")
    (folder / "done").read_text()


TRICKS = {"stop": stop_one, "kill": kill_all, "restart": kill_and_restart}


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[Dovecot, dict[str, dict[str, int]]]]:
    """A server of 40 mailboxes for one test alone, which has indexed all of them; started again when a job asks for it."""
    expected = make(tmp_path / "homes", 40)
    for name in ("asked", "done"):
        os.mkfifo(tmp_path / name)
    with running(tmp_path, list(expected), "verbose_proctitle = yes") as server:
        for mailbox in session(server).mailboxes(range(40), list(expected), private_slot()):
            assert load("census")(mailbox, newest=True)
        thread = threading.Thread(target=restart, args=(server,), daemon=True)
        thread.start()
        yield server, expected
        if thread.is_alive():  # nobody asked
            (tmp_path / "once").unlink(missing_ok=True)
            (tmp_path / "asked").write_text("")
            thread.join()


def restart(server: Dovecot) -> None:
    """Kill the server when a job asks for it, and start it again."""
    (server.folder / "asked").read_text()
    if (server.folder / "once").exists():
        server.kill()
        try:
            server.start()
        finally:
            (server.folder / "done").write_text("")


@pytest.mark.spawns
@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_is_lost_when_the_server_is_disturbed(
    lonely: tuple[Dovecot, dict[str, dict[str, int]]], trick: str
) -> None:
    server, expected = lonely
    found = fanout.run(
        f"{__file__}:disturbed",
        server=f"{server.url}?timeout=2",
        mailboxes=list(expected),
        workers=2,
        chunk_size=5,
        options={"master": server.pid, "trick": trick, "folder": str(server.folder)},
        access=ACCESS,
        policy=fanout.Policy(retries=6),
    )

    assert [(each.mailbox, each.error.message) for each in found.failed if each.error] == []
    assert {outcome.mailbox: outcome.result for outcome in found} == expected
    assert max(outcome.attempts for outcome in found) > 1
