"""The worker's end of the conversation, over pipes of the test's own."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Iterator

import pytest

from workers.messages import Chunk, Found, FrameReader, Ready, ToParent, ToWorker, frame
from workers.pipe import HELD_BYTES, Pipe

FOUND = Found(1, 0, 1, b"1\n", b"1")


class Parent:
    """The other ends of the pipes."""

    def __init__(self, say: int, hear: int) -> None:
        self.say = say
        self._hear = hear
        self._reader: FrameReader[ToParent] = FrameReader(ToParent)

    def heard(self) -> list[ToParent]:
        """What has come, without waiting for more."""
        messages: list[ToParent] = []
        while select.select([self._hear], [], [], 0)[0]:
            messages += self._reader.feed(os.read(self._hear, 2**16))
        return messages


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, Parent]]:
    inbox, say = os.pipe()
    hear, outbox = os.pipe()
    fcntl.fcntl(outbox, fcntl.F_SETPIPE_SZ, 4 * HELD_BYTES)  # nothing that is written here blocks
    yield Pipe(inbox, outbox, FrameReader(ToWorker)), Parent(say, hear)
    for descriptor in (inbox, say, hear, outbox):
        os.close(descriptor)


def test_what_is_told_is_written_at_once(ends: tuple[Pipe, Parent]) -> None:
    pipe, parent = ends
    pipe.tell([Ready(), FOUND])

    assert parent.heard() == [Ready(), FOUND]


def test_what_is_held_is_told_before_more_is_waited_for(ends: tuple[Pipe, Parent]) -> None:
    """Two chunks come in one piece, and what was found in both is written in one piece behind the second."""
    pipe, parent = ends
    os.write(parent.say, frame(Chunk(1, 0, 1)) + frame(Chunk(2, 1, 1)))
    messages = pipe.messages()
    next(messages)
    pipe.hold([FOUND])
    next(messages)
    pipe.hold([FOUND])
    before = parent.heard()
    os.write(parent.say, frame(Chunk(3, 2, 1)))
    next(messages)

    assert (before, parent.heard()) == ([], [FOUND, FOUND])


def test_what_is_held_goes_ahead_of_what_is_told(ends: tuple[Pipe, Parent]) -> None:
    pipe, parent = ends
    pipe.hold([FOUND])
    pipe.tell([Ready()])

    assert parent.heard() == [FOUND, Ready()]


def test_no_more_is_held_than_a_frame_has(ends: tuple[Pipe, Parent]) -> None:
    pipe, parent = ends
    large = Found(1, 0, 1, b"1" * (HELD_BYTES // 2 - 1000), b"1")
    pipe.hold([large, large])
    before = parent.heard()
    pipe.hold([large])

    assert (before, parent.heard()) == ([], [large, large, large])
