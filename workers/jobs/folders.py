"""The job `folders`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.mailbox import Mailbox


def folders(mailbox: Mailbox) -> Iterator[dict[str, str | int]]:
    """Lists every folder with its messages, unread messages and bytes, ordered by path.

    Example: fanout run folders --server sim:20
    Result: [{"path": "Inbox", "messages": 20, "unread": 3, "bytes": 327808}]
    """
    for folder in mailbox.folders():
        yield {
            "path": folder.path,
            "messages": folder.message_count,
            "unread": folder.unread_count,
            "bytes": folder.size,
        }
