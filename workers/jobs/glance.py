"""The job `glance`: what `fanout doctor` does at one mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox


def glance(mailbox: Mailbox) -> dict[str, object]:
    """Lists the folders, and reads one message: what any job may do, once."""
    folders = list(mailbox.folders())
    messages = (message for folder in folders if folder.message_count for message in folder.messages())
    first = next(messages, None)
    size = f"a message of {len(first.read()):,} bytes was read" if first else "no message to read"
    return {"folders": len(folders), "message": size}
