"""How a process ended, in words for people."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deaths:
    """Tells the kernel's SIGKILL for want of memory from all others: nothing in an exit status does.

    The kernel counts such kills. One more than there were accounts for one process; that it was this one is likely, not
    certain, where others of the group are killed at the same time.
    """

    def __init__(self, oom_kills: Callable[[], int]) -> None:
        self._oom_kills = oom_kills
        self._accounted = oom_kills()

    def how(self, code: int) -> str:
        """How a process ended that nobody here has killed; `code`: its exit code, or minus the signal."""
        if code == -signal.SIGKILL and self._oom_kills() > self._accounted:
            self._accounted += 1
            return "SIGKILL by the kernel, for want of memory"
        return in_words(code)


def in_words(code: int) -> str:
    """`exit code 3`, `SIGSEGV`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
