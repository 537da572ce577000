"""The job `largest`."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.mailbox import Mailbox, Message

#: Messages told of for one mailbox, unless it is said otherwise.
LIMIT = 10


def largest(mailbox: Mailbox, *, limit: int = LIMIT, above: int = 0) -> list[dict[str, Any]]:
    """Finds the largest messages of each mailbox, the largest first; at most `limit`, and none of `above` bytes or less.

    Looks at every message, reads none, and keeps `limit` of them in memory.
    """
    large = (each for each in _messages(mailbox) if each[1].size > above)
    found = heapq.nlargest(limit, large, key=lambda each: each[1].size)
    return [
        {
            "folder": path,
            "size": message.size,
            "subject": message.subject,
            "sender": message.sender,
            "received": message.received,
            "message_id": message.message_id,
        }
        for path, message in found
    ]


def _messages(mailbox: Mailbox) -> Iterator[tuple[str, Message]]:
    for folder in mailbox.folders():
        if folder.message_count:
            yield from ((folder.path, message) for message in folder.messages())


def check(*, limit: int = LIMIT, above: int = 0) -> None:
    """Raise ValueError for options that can't be meant."""
    if limit < 1:
        raise ValueError(f"limit={limit}: it is at least 1")
    if above < 0:
        raise ValueError(f"above={above}: bytes, 0 or more")
