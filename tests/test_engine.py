"""The engine of processes: who starts, who dies, who is left. Everything here is real."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from fanout.engines.processes import ProcessEngine
from fanout.events import Ended, Event, Heard
from tests.processes import below
from workers.messages import Begin, Chunk, Found, ModuleJob, Ready, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.spawns

#: Seconds after which a test gives up on an event that should have come.
LIMIT = 30.0


def begin(function: str, server: str = "null:100") -> Begin:
    return Begin(server, False, Recording.RESULTS, ModuleJob("tests.poison", function))  # noqa: FBT003 - a message's field


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine(4) as engine:
        yield engine


def until(engine: ProcessEngine, kind: type[Event]) -> list[Event]:
    """The events up to and with the first one of a kind."""
    events: list[Event] = []
    while not any(isinstance(event, kind) for event in events):
        news = engine.wait(LIMIT)
        assert news, f"no {kind.__name__} came, only {events}"
        events += news
    return events


def test_a_worker_says_that_it_is_ready_and_what_it_found(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.send(0, Chunk(1, 5, 2))

    events: list[Event] = []
    while len(events) < 2:
        events += until(engine, Heard)

    assert events == [Heard(0, Ready()), Heard(0, Found(1, 5, 2, b"5\n6\n", b"11"))]


def test_a_worker_that_is_retired_ends_well(engine: ProcessEngine) -> None:
    engine.start(3, begin("number"))
    engine.retire(3)

    assert until(engine, Ended)[-1] == Ended(3, "exit code 0", None)


def test_the_slot_of_a_dead_worker_names_the_mailbox_that_it_was_at(engine: ProcessEngine) -> None:
    engine.start(0, begin("exit_at_seven"))
    engine.send(0, Chunk(1, 0, 100))

    assert until(engine, Ended)[-1] == Ended(0, "exit code 7", 7)


def test_a_worker_that_is_killed_before_it_was_seen_to_run_dies_all_the_same(engine: ProcessEngine) -> None:
    engine.start(0, begin("hang"))
    engine.kill(0)

    assert until(engine, Ended)[-1] == Ended(0, "SIGKILL", None)


def test_a_stopped_worker_can_be_killed(engine: ProcessEngine) -> None:
    engine.start(0, begin("stop_itself"))
    engine.send(0, Chunk(1, 0, 1))
    until(engine, Heard)

    engine.kill(0)

    (ended,) = (event for event in until(engine, Ended) if isinstance(event, Ended))
    assert ended.how == "SIGKILL"


def test_more_is_sent_than_a_pipe_holds_without_waiting_for_the_worker(engine: ProcessEngine) -> None:
    """The worker hangs in the first chunk and reads no more; a parent that waited for it would hang, too."""
    engine.start(0, begin("hang"))
    names = ["x" * 1000] * 200
    for number in range(10):
        engine.send(0, Chunk(number, number * 200, 200, addresses=names))

    engine.kill(0)

    assert until(engine, Ended)


def test_when_the_template_dies_its_workers_are_gone_and_another_one_takes_its_place(engine: ProcessEngine) -> None:
    engine.start(0, begin("hang"))
    until(engine, Heard)
    template, worker = below()

    template.kill()

    assert until(engine, Ended)[-1] == Ended(0, "the template process ended", None)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    engine.start(0, begin("number"))
    engine.send(0, Chunk(1, 5, 1))
    assert Heard(0, Ready()) in until(engine, Heard)


def test_leaving_the_engine_leaves_no_process() -> None:
    with ProcessEngine(2) as engine:
        engine.start(0, begin("hang"))
        engine.start(1, begin("leave_child"))
        engine.send(1, Chunk(1, 0, 3))
        until(engine, Heard)
        assert below()

    assert below() == []


PARENT = """
import sys
from fanout.engines.processes import ProcessEngine
from fanout.events import Heard
from tests.test_engine import begin
from workers.messages import Chunk, Found
engine = ProcessEngine(2, sys.argv[1])
engine.start(0, begin("leave_child"))
engine.start(1, begin("hang"))
engine.send(0, Chunk(1, 0, 1))
engine.send(1, Chunk(2, 1, 1))
heard = []
while len(heard) < 3:
    heard += engine.wait(None)
print("up", flush=True)
engine.wait(None)
"""


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_nobody_is_left_when_the_parent_is_killed(start_method: str) -> None:
    """A worker that hangs, one that waits, and what a job has started in a session of its own."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, start_method], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    ends = [os.pidfd_open(process.pid) for process in family]
    assert len(family) >= 4

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    for end in ends:
        ready, _, _ = select.select([end], [], [], LIMIT)
        os.close(end)
        assert ready, "a process outlived the parent"
