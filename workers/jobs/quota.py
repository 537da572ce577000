"""The job `quota`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox

#: Bytes of a mailbox, unless it is said otherwise.
LIMIT = 2**30


def quota(mailbox: Mailbox, *, limit: int = LIMIT) -> dict[str, int]:
    """Compares each mailbox with a size, `limit` bytes; `over` counts the mailboxes that are larger.

    The totals say how many are over it, and by how many bytes together. One look at the folders, none at a message.
    """
    size = sum(folder.size for folder in mailbox.folders())
    return {"bytes": size, "over": int(size > limit), "bytes_over": max(0, size - limit)}


def check(*, limit: int = LIMIT) -> None:
    """Raise ValueError for options that can't be meant."""
    if limit < 0:
        raise ValueError(f"limit={limit}: bytes, 0 or more")
