"""`mbx:DIRECTORY`: one mailbox a file in mbox format, with one folder."""

from __future__ import annotations

import mailbox as mailboxes
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.causes import Cause, MailboxError
from workers.servers import Scheme
from workers.slots import AT, BEATS
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from email.message import Message as Email

    from workers.mailbox import Folder, Mailbox
    from workers.messages import Leak, OnLeak
    from workers.slots import Slot


@dataclass
class MbxMessage:
    """A message of the file."""

    _email: Email

    @property
    def subject(self) -> str:
        return str(self._email["Subject"] or "")

    @property
    def sender(self) -> str:
        return str(self._email["From"] or "")

    @property
    def received(self) -> datetime | None:
        date = self._email["Date"]
        return parsedate_to_datetime(date).astimezone(UTC) if date else None

    @property
    def size(self) -> int:
        return len(self.read())

    @property
    def message_id(self) -> str:
        return str(self._email["Message-ID"] or "")

    def read(self) -> bytes:
        return self._email.as_bytes()


@dataclass
class MbxFolder:
    """The one folder."""

    _messages: list[MbxMessage]
    path: str = "Inbox"
    unread_count: int = 0

    @property
    def message_count(self) -> int:
        return len(self._messages)

    @cached_property
    def size(self) -> int:
        return sum(message.size for message in self._messages)

    def messages(self) -> Iterator[MbxMessage]:
        newest_first = sorted(self._messages, key=lambda each: each.received or datetime.min.replace(tzinfo=UTC))
        return reversed(newest_first)


@dataclass
class MbxMailbox:
    """An open file."""

    address: str
    store: mailboxes.mbox
    dry_run: bool = False

    @property
    def display_name(self) -> str:
        return self.address

    def folders(self) -> list[Folder]:
        return [MbxFolder([MbxMessage(each) for each in self.store])]


@dataclass
class MbxSession:
    """Opens files; there is nothing to connect to."""

    _directory: Path
    _slot: Slot
    dry_run: bool = field(default=False)

    def check(self, address: str = "") -> None:
        """Nobody is refused."""

    @contextmanager
    def open(self, address: str) -> Iterator[Mailbox]:
        self._slot[BEATS] += 1
        path = self._directory / f"{address}.mbox"
        if not path.is_file():
            raise MailboxError(f"there is no file {path}", Cause.MISSING)
        store = mailboxes.mbox(path, create=False)
        try:
            yield MbxMailbox(address, store, self.dry_run)
        finally:
            store.close()

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        assert addresses is not None  # the server has no numbers
        for slot[AT], address in zip(ordinals, addresses, strict=True):
            with self.open(address) as opened:
                yield opened

    def watched(
        self,
        job: Callable[[Mailbox], object],
        on_leak: OnLeak,  # noqa: ARG002 - nothing can be left
        report: Callable[[list[Leak]], None],  # noqa: ARG002
    ) -> Callable[[Mailbox], object]:
        return job

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class MbxServer:
    """A directory of files."""

    _directory: Path
    capacity: None = None
    arithmetic: str = "mbx: files have no ceiling"
    source: str = "the .mbox files of a directory"
    unlisted: str = ""
    numbered: None = None

    def address(self, ordinal: int) -> str:
        raise IndexError(ordinal)  # nothing is numbered

    def addresses(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._directory.glob("*.mbox")))

    def session(self, slot: Slot) -> MbxSession:
        return MbxSession(self._directory, slot)


def _server(url: str, *, separate_connections: bool) -> Any:  # noqa: ANN401, ARG001 - a Server; files have no connections
    directory = Path(url.removeprefix("mbx:"))
    if not directory.is_dir():
        raise ServerUrlError(f"{url!r}: mbx: takes a directory with .mbox files, as in mbx:mail")
    return MbxServer(directory)


SCHEME = Scheme(_server)
