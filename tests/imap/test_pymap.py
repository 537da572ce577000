"""A server in Python, so that IMAP is tested everywhere: it has neither LIST-STATUS nor sizes of folders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.imap.dovecot import port_of, reserved_port, wait_for_greeting
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.jobs import load
from workers.servers import server_at
from workers.slots import private_slot

ACCESS = Access(user="demouser", password="demopass")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    reserved = reserved_port()
    number = port_of(reserved)
    command = "import sys; from pymap.main import main; sys.exit(main())"
    words = [
        "--no-tls",
        "--no-service",
        "managesieve",
        "--host",
        "127.0.0.1",
        "--port",
        str(number),
        "dict",
        "--demo-data",
    ]
    with reserved, subprocess.Popen([sys.executable, "-c", command, *words]) as process:
        try:
            wait_for_greeting(process, number)
            yield number
        finally:
            process.terminate()


def session(port: int, words: str, access: Access = ACCESS) -> Any:  # noqa: ANN401
    return server_at(f"imap://127.0.0.1:{port}?{words}", access=access).session(private_slot())


@pytest.mark.parametrize("words", ["login={owner}", "authzid=yes"])
def test_folders_and_messages_are_counted_and_read(port: int, words: str) -> None:
    with session(port, words).open("demouser") as mailbox:
        counted = load("census")(mailbox, newest=True)
        folders = mailbox.folders()
        messages = [message for folder in folders for message in folder.messages()]

        assert counted["messages"] == len(messages) > 0
        assert counted["bytes"] == sum(message.size for message in messages)
        assert counted["newest"] == max(message.received for message in messages).isoformat()
        assert all(len(message.read()) == message.size for message in messages)
        assert "INBOX" in [folder.path for folder in folders]


def test_reading_marks_nothing(port: int) -> None:
    def unread() -> int:
        with session(port, "login={owner}").open("demouser") as mailbox:
            return sum(folder.unread_count for folder in mailbox.folders())

    before = unread()
    with session(port, "login={owner}").open("demouser") as mailbox:
        assert [message.read() for folder in mailbox.folders() for message in folder.messages()]

    assert unread() == before


def test_a_wrong_password_is_the_accounts(port: int) -> None:
    with pytest.raises(MailboxError) as caught:
        session(port, "login={owner}", Access(user="demouser", password="wrong")).check("demouser")

    assert caught.value.cause is Cause.CREDENTIALS
