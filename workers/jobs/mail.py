"""The messages of a mailbox, as several jobs go through them and tell of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.mailbox import Mailbox, Message


def messages(mailbox: Mailbox, since: date | None = None, before: date | None = None) -> Iterator[tuple[str, Message]]:
    """The folder's path and the message, of all that were delivered on the day `since` or later, and before the day `before`.

    Days are those of UTC. A message that was never delivered is in no such time, and left out unless all are wanted.
    """
    first, end = _midnight(since), _midnight(before)
    for folder in mailbox.folders():
        for message in folder.messages() if folder.message_count else ():
            if (first or end) and message.received is None:
                continue
            if first and message.received and message.received < first:
                break  # the newest come first
            if not (end and message.received and message.received >= end):
                yield folder.path, message


def row(path: str, message: Message) -> dict[str, Any]:
    """Where a message is, and what its folder's table says of it."""
    return {
        "folder": path,
        "subject": message.subject,
        "sender": message.sender,
        "received": message.received,
        "size": message.size,
        "message_id": message.message_id,
    }


def check_limit(limit: int) -> None:
    """Raise ValueError for a limit of nothing."""
    if limit < 1:
        raise ValueError(f"limit={limit}: it is at least 1")


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day else None
