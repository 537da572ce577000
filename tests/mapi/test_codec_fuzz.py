"""Mutated buffers give a result or a CodecError: no other exception, no hang, no memory that the wire did not send."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from workers.mapi import rops
from workers.mapi.buffers import (
    CodecError,
    decode_request_buffer,
    decode_response_buffer,
    encode_request_buffer,
    encode_response_buffer,
)
from workers.mapi.properties import PropertyError, PropertyType, TypedValue, row_codec
from workers.mapi.rows import RowCodec

#: A reply is at most 32 KB; what is read from one may take this much at a time, in bytes.
MOST_MEMORY = 8 << 20

VALUES: dict[int, Any] = {
    PropertyType.UNSPECIFIED: TypedValue(PropertyType.STRING, "typed"),
    PropertyType.INTEGER16: -2,
    PropertyType.INTEGER32: -3,
    PropertyType.FLOATING32: 0.5,
    PropertyType.FLOATING64: 0.1,
    PropertyType.CURRENCY: 10_000,
    PropertyType.FLOATING_TIME: 5.25,
    PropertyType.ERROR_CODE: 0x8004010F,
    PropertyType.BOOLEAN: True,
    PropertyType.INTEGER64: 1 << 60,
    PropertyType.STRING8: "eight",
    PropertyType.STRING: "Größe 添付 \U0001f4e7",
    PropertyType.TIME: 134_000_000_000_000_000,
    PropertyType.GUID: b"g" * 16,
    PropertyType.SERVER_ID: b"server",
    PropertyType.BINARY: b"\0binary\0",
    PropertyType.MULTIPLE_INTEGER16: (1, 2),
    PropertyType.MULTIPLE_INTEGER32: (1, 2, 3),
    PropertyType.MULTIPLE_FLOATING32: (0.5,),
    PropertyType.MULTIPLE_FLOATING64: (),
    PropertyType.MULTIPLE_CURRENCY: (1,),
    PropertyType.MULTIPLE_FLOATING_TIME: (1.5,),
    PropertyType.MULTIPLE_INTEGER64: (1, 2),
    PropertyType.MULTIPLE_STRING8: ("one", ""),
    PropertyType.MULTIPLE_STRING: ("one", "", "three"),
    PropertyType.MULTIPLE_TIME: (1, 2),
    PropertyType.MULTIPLE_GUID: (b"h" * 16,),
    PropertyType.MULTIPLE_BINARY: (b"", b"x"),
}


class Subject(NamedTuple):
    """A buffer to mutate, and what reads it."""

    buffer: bytes
    read: Callable[[bytes], object]


def reading_responses(requests: list[rops.Request], rows: RowCodec | None) -> Callable[[bytes], object]:
    def read(buffer: bytes) -> object:
        responses, _ = decode_response_buffer(buffer, requests, rows)
        return [recipients_of(each) for each in responses if isinstance(each, rops.OpenMessageResponse)]

    return read


def recipients_of(message: rops.OpenMessageResponse) -> object:
    return [row.recipient(message.recipient_columns) for row in message.recipient_rows]


def recorded() -> Iterator[Subject]:
    for path in sorted((Path(__file__).parent / "recorded").glob("*.json")):
        for exchange in json.loads(path.read_text())["exchanges"]:
            request = bytes.fromhex(exchange["request"])
            yield Subject(request, decode_request_buffer)
            if "response" in exchange:
                rows = row_codec(tuple(exchange["columns"])) if "columns" in exchange else None
                read = reading_responses(decode_request_buffer(request)[0], rows)
                yield Subject(bytes.fromhex(exchange["response"]), read)


def generated() -> Iterator[Subject]:
    """One buffer with every type in its rows, one with every way in which an answer can end."""
    tags = tuple(0x6000 + place << 16 | kind for place, kind in enumerate(VALUES))
    codec = row_codec(tags)
    whole, holey = tuple(VALUES.values()), (*(None, PropertyError(5)) * 14,)
    requests: list[rops.Request] = [
        rops.SetColumnsRequest(0, 0, 0, tags),
        rops.SortTableRequest(0, 0, 0, 0, 0, (rops.SortOrder(3, 0x0E07, 1),) * 3),
        rops.QueryRowsRequest(0, 0, 0, forward_read=True, row_count=100),
        rops.GetPropertiesSpecificRequest(0, 1, 0, 1, tags),
        rops.GetReceiveFolderRequest(0, 1, "IPM.Note"),
        rops.ReadStreamRequest(0, 1, rops.USE_MAXIMUM_BYTE_COUNT, 65536),
        rops.LogonRequest(1, 2, 1, 0x01000008, 0, "/o=org/cn=a"),
        rops.OpenFolderRequest(0, 0, 1, 5, 0),
    ]
    answers: list[rops.Response] = [
        rops.SetColumnsResponse(0, 0),
        rops.SortTableResponse(0, 0),
        rops.QueryRowsResponse(0, rops.END, 3, codec.encode(whole) + codec.encode(holey) + codec.encode(whole)),
        rops.GetPropertiesSpecificResponse(1, codec.encode(whole)),
        rops.GetReceiveFolderResponse(1, 13, "IPM"),
        rops.ReadStreamResponse(1, b"data" * 10),
        rops.LogonRedirectResponse(2, 1, "/cn=other"),
        rops.BufferTooSmallResponse(9, requests[-1].encode()),
    ]
    yield Subject(encode_request_buffer(requests, [1, 2, 3]), decode_request_buffer)
    yield Subject(encode_response_buffer(answers, [1, 2, 3]), reading_responses(requests, None))


SUBJECTS = [*recorded(), *generated()]

#: What a length, a count, a flag or a string is most easily spoilt by.
NASTY = (b"\0", b"\xff", b"\0\0", b"\xff\xff", b"\xff\x7f", b"\1\0", b"\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80")


def flip(random: Random, buffer: bytearray) -> None:
    buffer[random.randrange(len(buffer))] ^= 1 << random.randrange(8)


def cut(random: Random, buffer: bytearray) -> None:
    start = random.randrange(len(buffer))
    del buffer[start : start + random.choice((1, 2, 4, len(buffer)))]


def insert(random: Random, buffer: bytearray) -> None:
    place = random.randrange(len(buffer))
    buffer[place:place] = random.choice((*NASTY, random.randbytes(random.randrange(1, 30))))


def overwrite(random: Random, buffer: bytearray) -> None:
    nasty = random.choice(NASTY)
    place = random.randrange(len(buffer))
    buffer[place : place + len(nasty)] = nasty


def repeat(random: Random, buffer: bytearray) -> None:
    start = random.randrange(len(buffer))
    buffer[start:start] = buffer[start : start + random.randrange(1, 60)]


def mutated(random: Random, buffer: bytes) -> bytes:
    """The buffer after one to four accidents. RopSize is put right in most, so that the ROPs are reached."""
    broken = bytearray(buffer)
    table = len(buffer) - int.from_bytes(buffer[:2], "little")
    for _ in range(random.randint(1, 4)):
        random.choice((flip, cut, insert, overwrite, repeat))(random, broken or bytearray(b"\0"))
        broken = broken or bytearray(b"\0")
    if random.random() < 0.8:
        broken[:2] = max(2, len(broken) - table).to_bytes(2, "little")
    return bytes(broken)


def survivors(seed: int, count: int) -> int:
    """Read `count` mutated buffers; how many of them could be read."""
    random = Random(seed)
    read = 0
    for _ in range(count):
        subject = random.choice(SUBJECTS)
        buffer = mutated(random, subject.buffer)
        try:
            subject.read(buffer)
        except CodecError:
            continue
        read += 1
    return read


def test_two_thousand_mutated_buffers_are_read_or_refused() -> None:
    assert 0 < survivors(seed=1, count=2_000) < 2_000


@pytest.mark.long
def test_a_hundred_thousand_mutated_buffers_are_read_or_refused() -> None:
    assert 0 < survivors(seed=2, count=100_000) < 100_000


def test_noise_is_read_or_refused() -> None:
    random = Random(3)
    requests = [
        decode_request_buffer(subject.buffer)[0] for subject in SUBJECTS if subject.read is decode_request_buffer
    ]
    for _ in range(1_000):
        noise = random.randbytes(random.randrange(60))
        buffer = (len(noise) + 2).to_bytes(2, "little") + noise
        for read in (decode_request_buffer, reading_responses(random.choice(requests), None)):
            with suppress(CodecError):
                read(buffer)


def test_a_buffer_never_takes_memory_that_it_does_not_fill() -> None:
    random = Random(4)
    tracemalloc.start()
    try:
        for subject in SUBJECTS * 3:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            with suppress(CodecError):
                subject.read(mutated(random, subject.buffer))
            assert tracemalloc.get_traced_memory()[1] - before < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_every_subject_is_read_before_it_is_mutated() -> None:
    for subject in SUBJECTS:
        subject.read(subject.buffer)


def test_the_same_seed_mutates_the_same_way() -> None:
    assert mutated(Random(5), SUBJECTS[0].buffer) == mutated(Random(5), SUBJECTS[0].buffer)
