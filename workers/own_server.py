"""Which of several servers this worker is for: two of them may have mailboxes of one name.

A job that leaves something outside of mailboxes keeps it apart by this. It knows neither the other servers nor how many
there are.
"""

from __future__ import annotations


class _Own:
    """What this process was told."""

    server: str | None = None


def work_for(server: str | None) -> None:
    """Say which server this worker is for; None in a run over one."""
    _Own.server = server


def own_server() -> str | None:
    """The URL of the server that this worker is for, as records name it; None in a run over one."""
    return _Own.server
