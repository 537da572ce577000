"""The job `senders`."""

from __future__ import annotations

from collections import Counter
from email.utils import parseaddr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox

#: Senders told of for one mailbox, unless it is said otherwise.
LIMIT = 1000

#: What a message without a sender's address counts for.
NOBODY = "(nobody)"


def senders(mailbox: Mailbox, *, limit: int = LIMIT) -> dict[str, int]:
    """Counts messages by the sender's address; the totals are those of all mailboxes together.

    The addresses are in small letters, the most frequent first, at most `limit` a mailbox: with more than so many senders in
    one, the rarest are missing from the totals. The totals are held in memory, some 100 bytes a sender.
    """
    found = Counter(
        _address(message.sender)
        for folder in mailbox.folders()
        if folder.message_count
        for message in folder.messages()
    )
    return dict(found.most_common(limit))


def _address(sender: str) -> str:
    """The address alone, as it is compared."""
    return (parseaddr(sender)[1] or NOBODY).lower()


def check(*, limit: int = LIMIT) -> None:
    """Raise ValueError for options that can't be meant."""
    if limit < 1:
        raise ValueError(f"limit={limit}: it is at least 1")
