from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers import messages
from workers.causes import Cause
from workers.messages import (
    HEADER,
    MAX_MESSAGE,
    Announced,
    Answered,
    Begin,
    Call,
    Chunk,
    Error,
    Failed,
    FileJob,
    Found,
    FrameError,
    FrameReader,
    Held,
    Hold,
    Job,
    Leak,
    Leaked,
    Leaving,
    Listed,
    ListMailboxes,
    Message,
    ModuleJob,
    Names,
    PickledJob,
    Printed,
    Ready,
    Recording,
    Refused,
    Teach,
    ToParent,
    ToWorker,
    Unable,
    frame,
)

ERROR = Error("MailboxError", "no such mailbox: zoë", Cause.MISSING, code="0x8004010F")


def begin(job: Job, options: dict[str, object]) -> Begin:
    return Begin(
        "sim:5", separate_connections=True, recording=Recording.RECORDS, job=job, options=options, max_result=9
    )


SAID_BY_THE_PARENT: list[Message] = [
    Begin("null:5", separate_connections=False, recording=Recording.RESULTS),
    begin(ModuleJob("a.b", "c"), {"newest": True, "deep": {"x": [1, 2.5, None]}}),
    begin(FileJob("/tmp/a b.py", "c"), {}),
    begin(PickledJob("<lambda>", bytes(range(256))), {}),
    Chunk(number=1, first=0, count=250),
    Chunk(number=2**40, first=9_999_999, count=2, attempt=3, addresses=["zoë@example.org", ""]),
    *[ListMailboxes(names) for names in Names],
    Hold(first=254, count=2, addresses=["zoë@example.org", ""]),
    Teach(3, ModuleJob("a.b", "c")),
    Call(7, 3, 255, {"deep": [1, None]}),
]

SAID_BY_A_WORKER: list[Message] = [
    Ready(),
    Found(chunk=1, first=250, count=2, lines=b'{"a":1}\n{"a":2}\n', total=b'{"a":3}'),
    Failed(chunk=1, ordinal=252, seconds=0.25, error=ERROR),
    Printed(ordinal=253, text="half of it\n"),
    Leaked(ordinal=253, leaks=[Leak("IMAPITable", 2, "job.py", 7, "job", 0)]),
    Leaving("asked to"),
    Refused(ordinal=253, error=ERROR),
    Held(),
    Answered(7, b'{"a":1}', printed="half of it\n"),
    Answered(8, None, ERROR),
    Announced(capacity=254, arithmetic="255 - 1", numbered=None, source="the address list"),
    Announced(capacity=None, arithmetic="", numbered=10_000_000, source=""),
    Listed(["anna", "berta"]),
    Listed([]),
    Unable(Error("JobError", "no function", Cause.JOB, traceback="Traceback ...", retryable=False)),
]


@pytest.mark.parametrize("message", SAID_BY_THE_PARENT, ids=repr)
def test_a_worker_hears_what_the_parent_said(message: Message) -> None:
    reader: FrameReader[Message] = FrameReader(ToWorker)

    assert reader.feed(frame(message)) == [message]


@pytest.mark.parametrize("message", SAID_BY_A_WORKER, ids=repr)
def test_the_parent_hears_what_a_worker_said(message: Message) -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)

    assert reader.feed(frame(message)) == [message]


def test_every_kind_of_message_is_tried_here() -> None:
    tried = {type(message) for message in SAID_BY_A_WORKER + SAID_BY_THE_PARENT}

    assert tried == set(ToParent.__args__) | set(ToWorker.__args__)


def test_a_chunk_knows_its_ordinals() -> None:
    assert Chunk(number=1, first=250, count=3).ordinals == range(250, 253)


def test_a_worker_is_not_taken_for_a_parent() -> None:
    reader: FrameReader[Message] = FrameReader(ToWorker)

    with pytest.raises(FrameError):
        reader.feed(frame(Ready()))


@settings(derandomize=True, deadline=None)
@given(said=st.lists(st.sampled_from(SAID_BY_A_WORKER), max_size=8), cuts=st.lists(st.integers(0, 800), max_size=12))
def test_bytes_may_be_cut_anywhere(said: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(frame, said))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader: FrameReader[Message] = FrameReader(ToParent)

    heard = [message for start, stop in pairwise(places) for message in reader.feed(stream[start:stop])]

    assert heard == said
    reader.end()


def test_a_message_is_heard_with_its_last_byte_and_not_before() -> None:
    stream = frame(SAID_BY_A_WORKER[1])
    reader: FrameReader[Message] = FrameReader(ToParent)

    heard = [reader.feed(stream[at : at + 1]) for at in range(len(stream))]

    assert heard == [[]] * (len(stream) - 1) + [[SAID_BY_A_WORKER[1]]]


def test_a_length_beyond_the_largest_is_refused_before_anything_else_arrives() -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)

    with pytest.raises(FrameError, match="268,435,457 bytes is announced; the largest has 268,435,456"):
        reader.feed(HEADER.pack(MAX_MESSAGE + 1))


def test_text_is_no_message() -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)

    with pytest.raises(FrameError, match="is announced"):
        reader.feed(b"Segmentation fault\n")


def test_the_largest_length_is_waited_for_without_taking_memory() -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)

    tracemalloc.start()
    try:
        heard = reader.feed(HEADER.pack(MAX_MESSAGE) + b"\x92")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert heard == []
    assert peak < 2**16


@pytest.mark.parametrize("end", [b"", b"\x92\xa6Listed", b"\x92\xa6Listed\x93\xa1a"])
def test_a_body_that_ends_too_early_is_refused(end: bytes) -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)

    with pytest.raises(FrameError, match="says nothing"):
        reader.feed(HEADER.pack(len(end)) + end)


@pytest.mark.parametrize("cut", [1, HEADER.size, HEADER.size + 3])
def test_a_pipe_that_ends_within_a_message_is_said(cut: int) -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)
    reader.feed(frame(Ready()) + frame(Printed(1, "text"))[:cut])

    with pytest.raises(FrameError, match=f"within a message, {cut} bytes into it"):
        reader.end()


def test_a_pipe_may_end_between_two_messages() -> None:
    reader: FrameReader[Message] = FrameReader(ToParent)
    reader.feed(frame(Ready()))

    reader.end()


def test_a_message_larger_than_the_largest_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_MESSAGE", 100)

    with pytest.raises(FrameError, match="the largest has 100"):
        frame(Printed(1, "x" * 100))
