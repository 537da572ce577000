"""The job `spam`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox


def spam(mailbox: Mailbox, *, word: str = "lottery", most: int = 10) -> dict[str, int]:
    """Counts the messages whose subject has a word.

    Example: fanout run spam --server mbx:mail -a word=lunch
    Result: {"spam": 2}
    """
    subjects = (message.subject for folder in mailbox.folders() for message in folder.messages())
    return {"spam": min(most, sum(word in subject for subject in subjects))}
