"""Streams of frames with bytes changed, lost, doubled and put in: messages or a FrameError come of it, nothing else."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from tests.test_messages import SAID_BY_A_WORKER, SAID_BY_THE_PARENT
from workers.messages import HEADER, FrameError, FrameReader, Message, ToParent, ToWorker, frame

#: Bytes that a reader may hold while it looks at a stream of a few hundred.
MODEST = 2**20

#: MessagePack that announces far more than there is: an array, a map, bytes, text and an extension of 2**32 - 1.
BOASTS = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
]


def mutated(stream: bytes, chance: random.Random) -> bytes:
    """The stream with one to four things done to it."""
    changed = bytearray(stream)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(changed) + 1)
        stop = min(len(changed), start + chance.randint(1, 8))
        changed[start:stop] = chance.choice(
            [
                chance.randbytes(stop - start),
                b"",
                changed[start:stop] * 2,
                chance.choice(BOASTS),
                HEADER.pack(chance.getrandbits(chance.choice([8, 16, 29, 32]))),
            ]
        )
    return bytes(changed)


def stream_of(said: list[Message], chance: random.Random) -> bytes:
    """Three messages: their bytes mutated as they stand on the pipe, or each body alone behind a length that is right."""
    some = [frame(message) for message in chance.choices(said, k=3)]
    if chance.random() < 0.5:
        return mutated(b"".join(some), chance)
    bodies = [mutated(each[HEADER.size :], chance) for each in some]
    return b"".join(HEADER.pack(len(body)) + body for body in bodies)


def survive(said: list[Message], words: Any, rounds: int) -> tuple[int, int]:  # noqa: ANN401 - a union of types
    """Read so many mutated streams; returns how many were refused, and how many messages were heard."""
    chance = random.Random(0)
    refused = heard = 0
    for _ in range(rounds):
        stream = stream_of(said, chance)
        cut = chance.randrange(len(stream) + 1)
        reader: FrameReader[Message] = FrameReader(words)
        try:
            heard += len(reader.feed(stream[:cut]))
            heard += len(reader.feed(stream[cut:]))
            reader.end()
        except FrameError:
            refused += 1
    return refused, heard


CONVERSATIONS = pytest.mark.parametrize(
    ("said", "words"), [(SAID_BY_A_WORKER, ToParent), (SAID_BY_THE_PARENT, ToWorker)], ids=["to parent", "to worker"]
)


@CONVERSATIONS
def test_mutated_streams_give_messages_or_a_frame_error(said: list[Message], words: Any) -> None:  # noqa: ANN401
    refused, heard = survive(said, words, rounds=1_000)

    assert refused > 500
    assert heard > 50


@pytest.mark.long
@CONVERSATIONS
def test_a_hundred_thousand_mutated_streams_do(said: list[Message], words: Any) -> None:  # noqa: ANN401
    refused, heard = survive(said, words, rounds=50_000)

    assert refused > 25_000
    assert heard > 2_500


@pytest.mark.parametrize("boast", BOASTS, ids=lambda boast: boast[:1].hex())
@pytest.mark.parametrize("before", [b"", b"\x92\xa6Listed", b"\x96\xa5Begin\xa1x\xc2\xa7results\xc0\x81\xa1a"])
def test_nothing_is_allocated_for_a_length_that_is_only_announced(before: bytes, boast: bytes) -> None:
    body = before + boast
    readers: list[FrameReader[Message]] = [FrameReader(ToParent), FrameReader(ToWorker)]

    tracemalloc.start()
    try:
        for reader in readers:
            with pytest.raises(FrameError):
                reader.feed(HEADER.pack(len(body)) + body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MODEST


def test_nesting_without_end_is_refused() -> None:
    body = b"\x96\xa5Begin\xa1x\xc2\xa7results\xc0\x81\xa1a" + b"\x91" * 100_000
    reader: FrameReader[Message] = FrameReader(ToWorker)

    with pytest.raises(FrameError, match="recursion"):
        reader.feed(HEADER.pack(len(body)) + body)
