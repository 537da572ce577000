"""The job `logon`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.mailbox import Mailbox


def logon(mailbox: Mailbox) -> dict[str, int]:
    """Opens the mailbox, checks the right to read it, and closes it.

    A logon that succeeds proves little: some servers grant it to anyone and refuse what comes after. The
    folder list is the cheapest thing that only a reader gets, so its length is the result.

    Example: fanout run logon --server sim:20
    Result: {"folders": 6}
    """
    return {"folders": len(mailbox.folders())}
