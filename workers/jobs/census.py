"""The job `census`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from workers.mailbox import Folder, Mailbox


def census(mailbox: Mailbox, *, newest: bool = False) -> dict[str, int | str | None]:
    """Counts the folders that hold mail, their messages, bytes and unread messages.

    `newest` adds the date of the newest message (ISO 8601, UTC; null where nothing was ever delivered),
    at the cost of a look into each of these folders.

    Example: fanout run census --server sim:20 -a newest=true
    Result: {"folders": 4, "messages": 80, "bytes": 1311232, "unread": 12, "newest": "2026-01-31T09:00:00+00:00"}
    """
    held = [folder for folder in mailbox.folders() if folder.message_count]
    counted: dict[str, int | str | None] = {
        "folders": len(held),
        "messages": sum([folder.message_count for folder in held]),
        "bytes": sum([folder.size for folder in held]),
        "unread": sum([folder.unread_count for folder in held]),
    }
    if newest:
        date = _newest(held)
        counted["newest"] = date.isoformat() if date else None
    return counted


def _newest(folders: Iterable[Folder]) -> datetime | None:
    """Messages come newest first, so the first of each folder is enough."""
    first = (next(folder.messages(), None) for folder in folders)
    return max((message.received for message in first if message and message.received), default=None)
