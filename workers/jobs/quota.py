"""The job `quota`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox
    from workers.options import Size

#: Bytes of a mailbox, unless it is said otherwise.
LIMIT = 2**30


def quota(mailbox: Mailbox, *, limit: Size = LIMIT) -> dict[str, int]:
    """Compares each mailbox with a size; the totals say how many are over it, and by how much.

    `over` is 1 for a mailbox that is larger than `limit`. One look at the folders, none at a message.

    Example: fanout run quota --server sim:20 -a limit=400K
    Result: {"bytes": 1311232, "over": 1, "bytes_over": 901632}
    """
    size = sum(folder.size for folder in mailbox.folders())
    return {"bytes": size, "over": int(size > limit), "bytes_over": max(0, size - limit)}
