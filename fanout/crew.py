"""What dispatch knows of its workers: the life of each, and the chunks that it has. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum

import msgspec

from workers.messages import Chunk, Found

#: Chunks that a worker has at a time: the one it works on, and one that waits so that it never does.
CREDIT = 2

_decode = msgspec.json.Decoder().decode


class State(Enum):
    """The life of a worker."""

    #: Its process was asked for and has not said Ready.
    STARTING = "starting"
    #: It takes chunks.
    READY = "ready"
    #: It was told to leave, or said that it will; what it says until then is heard, and it gets no more chunks.
    LEAVING = "leaving"
    #: It was told to die; whatever it still says is not heard.
    DYING = "dying"
    #: It has no process.
    GONE = "gone"


class Flight(msgspec.Struct):
    """A chunk that a worker has."""

    chunk: Chunk
    #: The ordinal of the next mailbox that the worker has to tell of.
    next: int

    @property
    def stop(self) -> int:
        return self.chunk.first + self.chunk.count


class Worker(msgspec.Struct):
    state: State = State.GONE
    #: The chunks it has, in the order in which it was given them.
    flights: deque[Flight] = msgspec.field(default_factory=deque)
    #: Mailboxes that its process has told of.
    told: int = 0
    #: Whether a mailbox under way may not simply be visited again.
    uncertain: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.flights) >= (1 if self.uncertain else CREDIT)

    def suspect(self, at: int | None) -> int | None:
        """The mailbox that has to answer for the worker's end, which its slot says was `at` one.

        What a worker said that is killed for nonsense was not heard. So where its job must not be called for a mailbox
        twice, it may be done with the one that it had.
        """
        if self.uncertain and self.state is State.DYING and self.flights:
            return self.flights[0].next
        return at


class Fold(msgspec.Struct):
    """A fold that could be read."""

    value: object


def fold_of(found: Found) -> Fold | None:
    """The fold of what was found; None where it can't be read, or the lines are not as many as the mailboxes."""
    lines = found.lines
    if lines.count(b"\n") != found.count or not lines.endswith(b"\n") or b"\n\n" in lines:
        return None
    try:
        return Fold(_decode(found.total))
    except msgspec.DecodeError:
        return None
