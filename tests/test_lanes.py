"""Lanes: several mailboxes of a worker at a time, each told of once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from tests.fakes import FakeClock, FakeSession
from workers.causes import Cause, MailboxError
from workers.lanes import Lanes
from workers.mailbox import Mailbox
from workers.messages import Chunk, Failed, Found, Leaving, Printed, ToParent, Unable
from workers.output import Output
from workers.slots import AT, NOWHERE, STOP, OwnSlot, private_slot
from workers.visit import RecordsRecorder, Terms, Visitor

#: Seconds after which a test that waits for another thread has failed.
PATIENCE = 30.0


class Scene:
    """A worker of several lanes without its pipe."""

    def __init__(self, job: Callable[[Mailbox], object], lanes: int, terms: Terms | None = None) -> None:
        self.slots = [private_slot() for _ in range(lanes)]
        self.own = OwnSlot(private_slot())
        self.output = Output(self.own)
        self.session = FakeSession(FakeClock(), at_once=lanes)
        self.told: list[ToParent] = []
        visitors = [
            Visitor(self.session, RecordsRecorder(job, time.monotonic), slot, self.output, terms or Terms())
            for slot in self.slots
        ]
        self.lanes = Lanes(visitors, self.slots, self.own)

    def visit(self, *chunks: Chunk) -> None:
        self.go_through(chunks)

    def go_through(self, chunks: Iterable[Chunk]) -> None:
        for told in self.lanes.visit(chunks):
            self.told += told

    def ordinals(self) -> list[int]:
        """The mailboxes that were told of, in the order in which they were."""
        return [
            message.first if isinstance(message, Found) else message.ordinal
            for message in self.told
            if isinstance(message, Found | Failed)
        ]


def numbered(mailbox: Mailbox) -> int:
    return int(mailbox.address)


def test_as_many_mailboxes_as_there_are_lanes_are_visited_at_a_time() -> None:
    all_there = threading.Barrier(3)

    scene = Scene(lambda _: all_there.wait(PATIENCE), lanes=3)
    scene.visit(Chunk(1, 0, 6))

    assert sorted(scene.ordinals()) == [0, 1, 2, 3, 4, 5]
    assert all(isinstance(message, Found) for message in scene.told)


def test_a_lane_takes_from_the_next_chunk_while_another_is_still_in_the_last() -> None:
    next_chunk = threading.Event()

    def job(mailbox: Mailbox) -> bool:
        if mailbox.address == "2":
            next_chunk.set()
        return next_chunk.wait(PATIENCE) if mailbox.address == "0" else True

    scene = Scene(job, lanes=2)
    scene.visit(Chunk(1, 0, 2), Chunk(2, 2, 2))

    assert scene.ordinals().index(0) > scene.ordinals().index(1)
    lines = {message.first: message for message in scene.told if isinstance(message, Found)}
    assert [lines[ordinal].chunk for ordinal in range(4)] == [1, 1, 2, 2]
    assert msgspec.json.decode(lines[0].lines)["result"] is True


def test_a_mailbox_that_fails_is_told_of_as_one_of_its_own_chunk() -> None:
    def job(mailbox: Mailbox) -> int:
        if numbered(mailbox) % 3 == 0:
            raise MailboxError("gone", Cause.MISSING)
        return numbered(mailbox)

    scene = Scene(job, lanes=4)
    scene.visit(Chunk(7, 0, 10, attempt=2))

    failed = {message.ordinal: message for message in scene.told if isinstance(message, Failed)}
    assert sorted(scene.ordinals()) == list(range(10))
    assert sorted(failed) == [0, 3, 6, 9]
    assert {message.chunk for message in failed.values()} == {7}


def test_names_that_were_given_go_with_their_ordinals() -> None:
    scene = Scene(lambda mailbox: mailbox.address, lanes=2)
    scene.visit(Chunk(1, 5, 3, addresses=["anna", "bert", "cleo"]))

    said = {message.first: msgspec.json.decode(message.lines) for message in scene.told if isinstance(message, Found)}
    assert {ordinal: record["result"] for ordinal, record in said.items()} == {5: "anna", 6: "bert", 7: "cleo"}


def test_each_lane_marks_its_own_slot() -> None:
    both_there = threading.Barrier(2)
    seen: list[set[int]] = []

    def job(_: Mailbox) -> None:
        both_there.wait(PATIENCE)
        seen.append({slot[AT] for slot in scene.slots})
        both_there.wait(PATIENCE)

    scene = Scene(job, lanes=2)
    scene.visit(Chunk(1, 8, 2))

    assert seen == [{8, 9}, {8, 9}]
    assert [slot[AT] for slot in scene.slots] == [NOWHERE, NOWHERE]


def test_what_a_job_prints_is_kept_with_the_mailbox_of_its_lane() -> None:
    both_there = threading.Barrier(2)

    def job(mailbox: Mailbox) -> None:
        both_there.wait(PATIENCE)
        print(f"this is {mailbox.address}", file=scene.output)

    scene = Scene(job, lanes=2)
    scene.visit(Chunk(1, 3, 2))

    printed = {message.ordinal: message.text for message in scene.told if isinstance(message, Printed)}
    assert printed == {3: "this is 3\n", 4: "this is 4\n"}


def test_lanes_that_are_asked_to_leave_end_their_mailboxes_and_begin_no_more() -> None:
    both_there = threading.Barrier(2)

    def job(_: Mailbox) -> None:
        both_there.wait(PATIENCE)
        for slot in scene.slots:
            slot[STOP] = 1

    scene = Scene(job, lanes=2)
    scene.visit(Chunk(1, 0, 100))

    assert sorted(scene.ordinals()) == [0, 1]
    assert isinstance(scene.told[-1], Leaving)
    assert [message for message in scene.told[:-1] if isinstance(message, Leaving)] == []


def test_one_lane_that_leaves_takes_those_with_it_that_wait_for_a_mailbox() -> None:
    waits = threading.Event()

    def chunks() -> Iterator[Chunk]:
        yield Chunk(1, 0, 1)
        waits.wait()  # as a pipe does from which nothing more comes

    scene = Scene(numbered, lanes=3, terms=Terms(max_rss=1, resident=lambda: 2))
    scene.session.opening = 1.0
    for visitor, _ in scene.lanes._lanes:
        visitor._weighed = -1e9
    scene.go_through(chunks())

    assert scene.ordinals() == [0]
    assert isinstance(scene.told[-1], Leaving)
    waits.set()


def test_an_account_that_is_refused_is_told_of_rather_than_a_wish_to_leave() -> None:
    both_there = threading.Barrier(2)

    def job(mailbox: Mailbox) -> None:
        both_there.wait(PATIENCE)
        scene.slots[1][STOP] = 1
        if mailbox.address == "0":
            raise MailboxError("wrong password", Cause.CREDENTIALS)

    scene = Scene(job, lanes=2)
    scene.visit(Chunk(1, 0, 2))

    assert isinstance(scene.told[-1], Unable)
    assert [message for message in scene.told if isinstance(message, Failed)] == []


def test_one_by_one_a_lane_has_its_mailbox_told_of_before_it_begins_another() -> None:
    begun_untold: list[tuple[str, int]] = []

    def job(mailbox: Mailbox) -> None:
        ended = numbered(mailbox) - 1  # with one lane beside, the one before is told of, or the other's
        begun_untold.append((mailbox.address, len([told for told in scene.ordinals() if told <= ended])))

    scene = Scene(job, lanes=1, terms=Terms(one_by_one=True))
    scene.visit(Chunk(1, 0, 5))

    assert begun_untold == [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4)]


def test_a_bug_in_a_lane_ends_the_worker_with_it() -> None:
    scene = Scene(numbered, lanes=1)
    scene.slots[0].release()  # what no job can do to a worker: only a bug

    with pytest.raises(ValueError, match="released memoryview"):
        scene.visit(Chunk(1, 0, 100))


def test_a_bug_in_what_reads_chunks_ends_the_worker_with_it() -> None:
    def chunks() -> Iterator[Chunk]:
        yield Chunk(1, 0, 1)
        raise OSError("the pipe broke")

    scene = Scene(numbered, lanes=2)

    with pytest.raises(OSError, match="the pipe broke"):
        scene.go_through(chunks())


def test_threads_that_are_no_lanes_have_a_slot_of_their_own() -> None:
    own = OwnSlot(private_slot())
    lane = private_slot()
    lane[AT] = 4711
    own.slot = lane
    seen: list[int] = []

    other = threading.Thread(target=lambda: seen.append(own[AT]))
    other.start()
    other.join()

    assert (own[AT], seen) == (4711, [NOWHERE])
