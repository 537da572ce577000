"""The job `largest`."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from workers.jobs.mail import check_limit, messages, row

if TYPE_CHECKING:
    from datetime import date

    from workers.mailbox import Mailbox
    from workers.options import Size

#: Messages told of for one mailbox, unless it is said otherwise.
LIMIT = 10


def largest(
    mailbox: Mailbox, *, limit: int = LIMIT, above: Size = 0, since: date | None = None, before: date | None = None
) -> list[dict[str, Any]]:
    """Finds the largest messages of each mailbox, and reads none.

    The largest first, at most `limit` a mailbox, none of `above` bytes or less; of those delivered on the day `since`
    or later, and before the day `before`. Keeps `limit` messages in memory.

    Example: fanout run largest --server sim:20 -a above=4K -a limit=3
    Result: [{"folder": "Inbox", "subject": "Budget", "sender": "<a@x.example>", "received": "2026-01-31T09:00:00Z", "size": 52311, "message_id": "<1@x.example>"}]
    """
    large = (each for each in messages(mailbox, since, before) if each[1].size > above)
    return [row(*each) for each in heapq.nlargest(limit, large, key=lambda each: each[1].size)]


def check(*, limit: int = LIMIT, **_: object) -> None:
    """Raise ValueError for options that can't be meant."""
    check_limit(limit)
