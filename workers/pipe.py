"""A worker's conversation with its parent: what it hears on one pipe, and tells on another.

What is told is written at once; what is held waits for that, or until there is nothing more to be heard: so quick chunks,
of which several came in one piece, are told of in one piece.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from workers.messages import FrameReader, ToParent, ToWorker, add_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Bytes asked of a pipe at a time; a pipe holds 64 KiB unless told otherwise.
READ_BYTES = 2**16

#: Bytes that are held at the most.
HELD_BYTES = 2**16


class Pipe:
    """Both ends of the conversation with the parent."""

    def __init__(self, inbox: int, outbox: int, reader: FrameReader[ToWorker]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._identity = os.fstat(outbox)
        self._reader = reader
        self._held = bytearray()

    def messages(self) -> Iterator[ToWorker]:
        """What the parent says, until it ends the pipe. What is held is told before it is waited for more."""
        while data := os.read(self._inbox, READ_BYTES):
            yield from self._reader.feed(data)
            if self._held:
                self.tell([])

    def hold(self, messages: Iterable[ToParent]) -> None:
        """Tell the messages with the next ones, which follow soon."""
        for message in messages:
            add_frame(self._held, message)
        if len(self._held) >= HELD_BYTES:
            self.tell([])

    def tell(self, messages: Iterable[ToParent]) -> None:
        """Write the messages in one piece. Blocks while the parent does not read: so a slow sink slows the workers."""
        for message in messages:
            add_frame(self._held, message)
        data, self._held = memoryview(self._held), bytearray()
        while data:
            data = data[os.write(self._outbox, data) :]

    def is_whole(self) -> bool:
        """Whether the descriptor still is the pipe to the parent: a job may have closed it, and opened something else."""
        try:
            return os.path.samestat(os.fstat(self._outbox), self._identity)
        except OSError:
            return False
