"""What a job sees: the same Mailbox for every server.

These are the words of a job. Which protocol lies under them is told by `mailbox.store` alone.
Nothing here marks or changes mail: reading is all that a job can do through this API. A job that writes does so through
`mailbox.store`, and says so by the mark in `workers.marks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class Message(Protocol):
    """One message; its properties come with the page of the table, its text with `read`."""

    @property
    def subject(self) -> str: ...
    @property
    def sender(self) -> str:
        """The address in angle brackets with its name before it, or as much of that as the server gives."""
        ...

    @property
    def received(self) -> datetime | None:
        """When the server took delivery, in UTC; None for a draft that was never delivered."""
        ...

    @property
    def size(self) -> int:
        """Bytes, as the server counts them; for mail from disk the file's size."""
        ...

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets; empty where the message has none."""
        ...

    def read(self) -> bytes:
        """The whole message as it stands on the server, header first."""
        ...


class Folder(Protocol):
    """One folder of a mailbox, as the folder listing told of it."""

    @property
    def path(self) -> str:
        """Names from the top of the mailbox down, joined by `/`."""
        ...

    @property
    def message_count(self) -> int: ...
    @property
    def unread_count(self) -> int: ...
    @property
    def size(self) -> int:
        """Bytes of the folder's own messages, without its subfolders."""
        ...

    def messages(self) -> Iterator[Message]:
        """The messages, newest first, read in pages while one iterates."""
        ...


class Mailbox(Protocol):
    """One open mailbox: all that a job is given."""

    @property
    def address(self) -> str:
        """The name that the roster has for it."""
        ...

    @property
    def display_name(self) -> str: ...
    @property
    def dry_run(self) -> bool:
        """Whether a job that writes is to do everything but write. False for every other job."""
        ...

    @property
    def store(self) -> Any:  # noqa: ANN401 - the protocol's own object: a MAPI MsgStore, an IMAP client
        """What lies under it. What a job takes from here is its own to release."""
        ...

    def folders(self) -> list[Folder]:
        """Every folder that can hold mail, ordered by path."""
        ...
