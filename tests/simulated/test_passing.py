"""Faults of `sim:` that pass: once for all workers, though each has a server of its own."""

from __future__ import annotations

import time

import pytest

from workers.jobs.census import census
from workers.messages import Chunk, Failed, Found, ToParent
from workers.output import Output
from workers.simulated.service import SimulatedService
from workers.slots import private_slot
from workers.visit import RecordsRecorder, Terms, Visitor

URL = "sim:3?folders=1&messages=1&drop=100%"
BUSY = "sim:3?folders=1&messages=1&busy=100%&backoff=2"


def visitor(url: str = URL) -> Visitor:
    """One of several workers, each of which has a server of its own."""
    slot = private_slot()
    session = SimulatedService(url).session(slot)
    return Visitor(session, RecordsRecorder(census, time.monotonic), slot, Output(slot), Terms())


def kinds(worker: Visitor, chunk: Chunk) -> list[type[ToParent]]:
    return [type(message) for told in worker.visit(chunk) for message in told]


def test_every_worker_cuts_the_connection_of_a_first_attempt() -> None:
    assert kinds(visitor(), Chunk(1, first=0, count=2)) == [Failed, Failed]


@pytest.mark.parametrize("attempt", [2, 3])
def test_a_later_attempt_that_goes_to_another_worker_is_not_cut(attempt: int) -> None:
    assert kinds(visitor(), Chunk(1, first=0, count=1, attempt=attempt)) == [Found]


def test_a_worker_that_cut_a_connection_cuts_those_of_other_mailboxes_still() -> None:
    worker = visitor()

    assert kinds(worker, Chunk(1, first=0, count=1)) == [Failed]
    assert kinds(worker, Chunk(2, first=0, count=1, attempt=2)) == [Found]
    assert kinds(worker, Chunk(3, first=1, count=1)) == [Failed]


def test_a_busy_mailbox_is_busy_so_often_for_all_workers_together() -> None:
    first, second, third = visitor(BUSY), visitor(BUSY), visitor(BUSY)

    assert kinds(first, Chunk(1, first=0, count=1)) == [Failed]
    assert kinds(second, Chunk(1, first=0, count=1, put_off=1)) == [Failed]
    assert kinds(third, Chunk(1, first=0, count=1, put_off=2)) == [Found]


def test_whoever_does_not_say_how_often_it_was_put_off_is_counted() -> None:
    alone = visitor(BUSY)

    assert [kinds(alone, Chunk(number, first=0, count=1)) for number in (1, 2, 3)] == [[Failed], [Failed], [Found]]
