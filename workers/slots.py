"""Slots: a few bytes of shared memory in which each worker says which mailbox it is at, and the parent that it is to leave.

A store into a slot costs less than a message, and it outlives the worker: when one dies, its slot names the mailbox that
it was at. The memory is an anonymous file (memfd) that parent and workers map; `shared_memory` would bring its tracker.
One writer an element and eight aligned bytes a store: no lock is needed. A worker that visits several mailboxes at a time
has a slot for each thread that does so.
"""

from __future__ import annotations

import mmap
import os
import threading
from typing import Protocol

#: Bytes a slot: a cache line, so that two workers do not write to the same one.
SLOT_BYTES = 64

_ELEMENTS = SLOT_BYTES // 8

#: The elements of a slot: the ordinal of the mailbox that the worker is at, how many round trips its session has made
#: (modulo 2**64), written by the parent whether it is to leave (0 or 1), how many mailboxes it has opened ahead of that one,
#: which attempt at them this is, counted from 1 (0 where nobody counts), and how often the server was busy for them before.
AT, BEATS, STOP, AHEAD, ATTEMPT, PUT_OFF = 0, 1, 2, 3, 4, 5

#: What element AT holds while its worker is at no mailbox. No ordinal is as large.
NOWHERE = 2**64 - 1


class Slot(Protocol):
    """The elements AT, BEATS, STOP, AHEAD, ATTEMPT and PUT_OFF, by their places. Raises ValueError in what a worker forked."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, value: int, /) -> None: ...


def private_slot() -> memoryview:
    """A slot that nobody else sees, at no mailbox."""
    slot = memoryview(bytearray(SLOT_BYTES)).cast("Q")
    slot[AT] = NOWHERE
    return slot


class OwnSlot(threading.local):
    """The slot of whichever thread asks: for what the threads of a worker share, its session and its output."""

    def __init__(self, others: memoryview) -> None:
        """`others`: what threads have that visit no mailboxes."""
        self.slot = others

    def __getitem__(self, place: int) -> int:
        number: int = self.slot[place]
        return number

    def __setitem__(self, place: int, value: int) -> None:
        self.slot[place] = value


class Slots:
    """The shared memory of all workers of a run."""

    def __init__(self, descriptor: int, count: int) -> None:
        self.descriptor = descriptor
        self.count = count
        self._memory = mmap.mmap(descriptor, count * SLOT_BYTES)
        self._elements = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls, count: int) -> Slots:
        """Make the memory of `count` slots, every one nowhere."""
        descriptor = os.memfd_create("fanout-slots", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, count * SLOT_BYTES)
        slots = cls(descriptor, count)
        for number in range(count):
            slots.clear(number)
        return slots

    def grow(self, count: int) -> None:
        """Have so many slots, which are more. What others have mapped of the memory stays the same memory."""
        os.ftruncate(self.descriptor, count * SLOT_BYTES)
        self._elements.release()
        self._memory.close()
        self._memory = mmap.mmap(self.descriptor, count * SLOT_BYTES)
        self._elements = memoryview(self._memory).cast("Q")
        new, self.count = range(self.count, count), count
        for number in new:
            self.clear(number)

    def writer(self, number: int) -> memoryview:
        """The slot as whoever visits sees it."""
        return self._elements[number * _ELEMENTS : (number + 1) * _ELEMENTS]

    def at(self, number: int) -> int | None:
        """The ordinal of the mailbox that is visited, or was when the worker died; None for nowhere."""
        ordinal = self._elements[number * _ELEMENTS + AT]
        return None if ordinal == NOWHERE else ordinal

    def beats(self, number: int) -> int:
        """Round trips that were made, modulo 2**64."""
        return self._elements[number * _ELEMENTS + BEATS]

    def ahead(self, number: int) -> int:
        """Mailboxes that are open ahead of the one that is visited."""
        return self._elements[number * _ELEMENTS + AHEAD]

    def stop(self, number: int) -> None:
        """Ask for no other mailbox to be begun."""
        self._elements[number * _ELEMENTS + STOP] = 1

    def clear(self, number: int) -> None:
        """Make the slot ready for a new worker: nowhere, no round trip, not asked to leave, and at no attempt."""
        slot = number * _ELEMENTS
        self._elements[slot + AT] = NOWHERE
        for place in (BEATS, STOP, AHEAD, ATTEMPT, PUT_OFF):
            self._elements[slot + place] = 0

    def close(self) -> None:
        self._elements.release()
        self._memory.close()
        os.close(self.descriptor)
