"""The job `senders`."""

from __future__ import annotations

from collections import Counter
from email.utils import parseaddr
from typing import TYPE_CHECKING

from workers.jobs.mail import check_limit, messages

if TYPE_CHECKING:
    from datetime import date

    from workers.mailbox import Mailbox

#: Senders told of for one mailbox, unless it is said otherwise.
LIMIT = 1000

#: What a message without a sender's address counts for.
NOBODY = "(nobody)"


def senders(
    mailbox: Mailbox, *, limit: int = LIMIT, since: date | None = None, before: date | None = None
) -> dict[str, int]:
    """Counts messages by the sender's address; the totals are those of all mailboxes together.

    Messages delivered on the day `since` or later, and before the day `before`. The addresses are in small letters, the
    most frequent first, at most `limit` a mailbox: with more than so many senders in one, the rarest are missing from the
    totals. These are held in memory, some 100 bytes a sender.

    Example: fanout run senders --server sim:20 -a since=2025-12-01
    Result: {"ann@x.example": 12, "(nobody)": 1}
    """
    found = Counter(_address(message.sender) for _, message in messages(mailbox, since, before))
    return dict(found.most_common(limit))


def _address(sender: str) -> str:
    """The address alone, as it is compared."""
    return (parseaddr(sender)[1] or NOBODY).lower()


def check(*, limit: int = LIMIT, **_: object) -> None:
    """Raise ValueError for options that can't be meant."""
    check_limit(limit)
