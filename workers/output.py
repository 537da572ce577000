"""What a job prints, logs or leaves unreleased, kept with the mailbox that it was at."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

from workers.messages import Leak, Leaked, Printed
from workers.slots import AT, NOWHERE

if TYPE_CHECKING:
    from workers.slots import Slot

#: Characters kept of one mailbox. More is cut, and the cut is said.
MAX_OUTPUT = 64 * 1024

#: What a worker writes to stderr right before its first message: behind it is what was written since.
IMPORTED = b"\0"


class Output(io.TextIOBase):
    """A text stream that notes at which mailbox each piece was written; it costs nothing while nothing is written."""

    def __init__(self, slot: Slot) -> None:
        #: Of the mailbox that the worker is at. Raises ValueError in what a worker forked.
        self.slot = slot
        self._written: dict[int, list[str]] = {}
        self._leaked: list[Leaked] = []
        self._lock = threading.Lock()  # threads print while others take

    def capture(self) -> None:
        """Take the place of stdout and stderr, and of where logging goes."""
        sys.stdout = sys.stderr = self
        logging.basicConfig(
            stream=self,
            level=logging.INFO,
            format="%(levelname)s %(name)s: %(message)s",
            force=True,
        )

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        ordinal = self._at()
        if ordinal == NOWHERE:  # at no mailbox: the job's module is being imported, or a thread of it speaks late
            os.write(2, text.encode("utf-8", "backslashreplace"))
        else:
            with self._lock:
                self._written.setdefault(ordinal, []).append(text)
        return len(text)

    def _at(self) -> int:
        try:
            return self.slot[AT]
        except ValueError:  # what a job forked has no slot, and is at no mailbox
            return NOWHERE

    def leaked(self, leaks: list[Leak]) -> None:
        """Note what a job left unreleased at the mailbox under way."""
        with self._lock:
            self._leaked.append(Leaked(self.slot[AT], leaks))

    def take(self) -> list[Printed | Leaked]:
        """What there was since the last call, mailbox by mailbox."""
        if not self._written and not self._leaked:
            return []
        with self._lock:
            written, self._written = self._written, {}
            leaked, self._leaked = self._leaked, []
        return [*(Printed(ordinal, _cut("".join(parts))) for ordinal, parts in written.items()), *leaked]


def _cut(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode()  # a lone surrogate could not cross the pipe
    if len(whole) <= MAX_OUTPUT:
        return whole
    return f"{whole[:MAX_OUTPUT]}\n[cut: {len(whole) - MAX_OUTPUT:,} more characters]\n"
