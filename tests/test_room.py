"""Room for more workers than a run began with, and somebody else's descriptor that is waited for, too."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator

import pytest

from fanout.engines.processes import ProcessEngine
from fanout.errors import UsageError
from fanout.events import Ended, Heard
from fanout.partition import Fixed, Guided
from tests.test_engine import begin, until
from workers.messages import Chunk, Found
from workers.slots import Slots


def test_slots_that_grow_keep_what_they_had_and_whoever_mapped_them_before_writes_to_the_same_ones() -> None:
    slots = Slots.create(2)
    worker = Slots(os.dup(slots.descriptor), 2)
    with worker.writer(1) as slot:
        slot[0] = 7
        slots.grow(4)
        before = [slots.at(number) for number in range(4)]
        slot[0] = 8

    assert before == [None, 7, None, None]
    assert slots.at(1) == 8
    worker.close()
    slots.close()


@pytest.mark.parametrize(
    ("how", "other"), [(Fixed(7), Fixed(7)), (Guided(2, 250), Guided(5, 250))], ids=["fixed", "guided"]
)
def test_a_partition_is_made_for_another_number_of_workers(how: Fixed | Guided, other: Fixed | Guided) -> None:
    assert how.among(5) == other


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine(1, lanes=2) as engine:
        yield engine


@pytest.mark.spawns
def test_an_engine_with_room_for_more_has_workers_of_higher_numbers_beside_those_it_had(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    until(engine, Heard)
    engine.make_room(4)
    engine.start(3, begin("exit_at", at="null-00000007"))
    engine.send(3, Chunk(1, 7, 1))
    ended = until(engine, Ended)[-1]
    engine.send(0, Chunk(2, 5, 1))

    assert isinstance(ended, Ended)
    assert (ended.worker, ended.at) == (3, (7,))
    assert until(engine, Heard) == [Heard(0, Found(2, 5, 1, b"5\n", b"5"))]


def test_room_that_is_there_is_not_looked_for(engine: ProcessEngine) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        engine.make_room(1)

        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_workers_than_there_can_be_processes_are_refused(engine: ProcessEngine) -> None:
    with pytest.raises(UsageError, match=r"workers need .* and .* are to be had; raise the limit, or do with fewer"):
        engine.make_room(10_000_000)


def test_an_engine_that_attends_to_a_descriptor_stops_waiting_when_it_can_be_read_and_reads_nothing(
    engine: ProcessEngine,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, engine.attending(ours.fileno()):
        theirs.send(b"order")

        assert engine.wait(None) == []
        assert ours.recv(100) == b"order"
        assert engine.wait(0.0) == []
