"""The engine of processes: who starts, who dies, who is left. Everything here is real."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import multiprocess.process
import psutil
import pytest

from fanout.engines.processes import ProcessEngine
from fanout.engines.worker import MAX_WORDS
from fanout.events import Ended, Event, Heard, Spot
from tests.processes import below
from workers.messages import Begin, Chunk, FileJob, Found, Leaving, ModuleJob, Ready, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.loop import Engine

pytestmark = pytest.mark.spawns

#: Seconds after which a test gives up on an event that should have come.
LIMIT = 30.0


#: The mailbox at which a job does its harm, where it does so at one.
SEVENTH = "null-00000007"


def begin(function: str, server: str = "null:100", **options: object) -> Begin:
    job = ModuleJob("tests.poison", function)
    return Begin(server, separate_connections=False, recording=Recording.RESULTS, job=job, options=options)


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine(4) as engine:
        yield engine


def until(engine: Engine, kind: type[Event]) -> list[Event]:
    """The events up to and with the first one of a kind, whatever the numbers of processes."""
    events: list[Event] = []
    while not any(isinstance(event, kind) for event in events):
        news = engine.wait(LIMIT)
        assert news, f"no {kind.__name__} came, only {events}"
        events += [msgspec.structs.replace(event, pid=None) if isinstance(event, Ended) else event for event in news]
    return events


@contextmanager
def full_machine() -> Iterator[None]:
    """One that has no room for another process."""

    def refuse(_: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocess.process.BaseProcess, "start", refuse)
        yield


def have_ended(ends: list[int]) -> bool:
    """Whether all these processes end before the test gives up. Takes their descriptors."""
    ready = [bool(select.select([end], [], [], LIMIT)[0]) for end in ends]
    for end in ends:
        os.close(end)
    return all(ready)


def test_a_worker_says_that_it_is_ready_and_what_it_found(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.send(0, Chunk(1, 5, 2))

    events: list[Event] = []
    while len(events) < 2:
        events += until(engine, Heard)

    assert events == [Heard(0, Ready()), Heard(0, Found(1, 5, 2, b"5\n6\n", b"11"))]


def test_what_is_posted_goes_out_with_the_next_wait(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.post(0, Chunk(1, 5, 2))
    engine.post(0, Chunk(2, 7, 1))

    heard: list[Event] = []
    while len(heard) < 3:
        heard += until(engine, Heard)

    assert heard[1:] == [Heard(0, Found(1, 5, 2, b"5\n6\n", b"11")), Heard(0, Found(2, 7, 1, b"7\n", b"7"))]


def test_a_machine_without_room_for_the_template_is_tried_again(engine: ProcessEngine) -> None:
    with full_machine(), pytest.raises(BlockingIOError):
        engine.start(0, begin("number"))

    engine.start(0, begin("number"))

    assert until(engine, Heard)[-1] == Heard(0, Ready())


def test_a_worker_that_is_retired_ends_well(engine: ProcessEngine) -> None:
    engine.start(3, begin("number"))
    engine.retire(3)

    assert until(engine, Ended)[-1] == Ended(3, "exit code 0", ())


def test_what_is_seen_and_what_is_said_of_the_end_name_the_process(engine: ProcessEngine) -> None:
    engine.start(0, begin("hang"))
    until(engine, Heard)
    [worker] = (process for process in below() if not process.children())
    [reading] = engine.look()
    engine.kill(0)

    [ended] = engine.wait(LIMIT)

    assert isinstance(ended, Ended)
    assert (reading.pid, ended.pid) == (worker.pid, worker.pid)


def test_the_slot_of_a_dead_worker_names_the_mailbox_that_it_was_at(engine: ProcessEngine) -> None:
    engine.start(0, begin("exit_at", at=SEVENTH))
    engine.send(0, Chunk(1, 0, 100))

    assert until(engine, Ended)[-1] == Ended(0, "exit code 9", (7,))


def test_a_worker_that_is_killed_before_it_was_seen_to_run_dies_all_the_same(engine: ProcessEngine) -> None:
    engine.start(0, begin("hang"))
    engine.kill(0)

    assert until(engine, Ended)[-1] == Ended(0, "SIGKILL", ())


def test_a_stopped_worker_can_be_killed(engine: ProcessEngine) -> None:
    visit(engine, begin("stop_at", at=SEVENTH))

    engine.terminate(0)
    engine.kill(0)

    assert the_end(engine) == Ended(0, "SIGKILL", (7,))


def test_a_worker_that_closed_its_pipe_is_killed_for_it(engine: ProcessEngine) -> None:
    engine.start(0, begin("close_at", at=SEVENTH))
    engine.send(0, Chunk(1, 7, 5))

    assert the_end(engine).how == "closed its pipe"


def test_a_worker_that_was_killed_from_outside_closed_nothing(engine: ProcessEngine) -> None:
    engine.start(0, begin("kill_at", at=SEVENTH))
    engine.send(0, Chunk(1, 7, 5))

    assert the_end(engine) == Ended(0, "SIGKILL", (7,))


def test_what_is_asked_of_a_worker_whose_end_is_not_heard_of_yet_is_not_done(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.retire(0)
    until(engine, Ended)

    engine.send(0, Chunk(1, 0, 1))
    for command in (engine.stop, engine.dump, engine.terminate, engine.kill, engine.retire):
        command(0)

    assert (engine.look(), engine.wait(0.0)) == ([], [])


def the_end(engine: Engine) -> Ended:
    """How the only worker ends."""
    (ended,) = (event for event in until(engine, Ended) if isinstance(event, Ended))
    return ended


def visit(engine: Engine, beginning: Begin) -> None:
    """Have worker 0 at mailbox 7. Nothing tells of it but its slot."""
    engine.start(0, beginning)
    engine.send(0, Chunk(1, 7, 5))
    while [reading.spots[0].at for reading in engine.look()] != [7]:
        engine.wait(0.01)


@pytest.mark.parametrize("poison", ["hang_at", "hang_in_c_at", "hang_deaf_at"])
def test_the_stacks_of_a_worker_that_hangs_are_among_its_last_words(engine: ProcessEngine, poison: str) -> None:
    visit(engine, begin(poison, at=SEVENTH))

    while f"in {poison}" not in engine.words(0):
        engine.dump(0)
        engine.wait(0.01)
    engine.kill(0)

    end = the_end(engine)
    assert (end.how, end.at) == ("SIGKILL", (7,))
    assert f"in {poison}" in end.words


@pytest.mark.parametrize("poison", ["hang_at", "hang_in_c_at"])
def test_a_worker_that_hangs_is_ended_by_sigterm(engine: ProcessEngine, poison: str) -> None:
    visit(engine, begin(poison, at=SEVENTH))

    engine.terminate(0)

    assert the_end(engine) == Ended(0, "SIGTERM", (7,))


def test_a_worker_that_takes_no_notice_of_sigterm_is_killed(engine: ProcessEngine) -> None:
    visit(engine, begin("hang_deaf_at", at=SEVENTH))
    while "in hang_deaf_at" not in engine.words(0):
        engine.dump(0)
        engine.wait(0.01)

    engine.terminate(0)
    engine.kill(0)

    assert the_end(engine).how == "SIGKILL"


def test_a_segfault_tells_where_it_was(engine: ProcessEngine) -> None:
    engine.start(0, begin("segfault_at", at=SEVENTH))
    engine.send(0, Chunk(1, 0, 100))

    end = the_end(engine)
    assert (end.how, end.at) == ("SIGSEGV", (7,))
    assert "in segfault_at" in end.words


def test_the_end_of_what_a_worker_wrote_is_kept_and_nothing_of_it_holds_the_worker_up(engine: ProcessEngine) -> None:
    engine.start(0, begin("flood_at", at=SEVENTH))
    engine.send(0, Chunk(1, 7, 1))
    until(engine, Heard)
    until(engine, Heard)
    engine.kill(0)

    words = the_end(engine).words
    assert len(words) == MAX_WORDS
    assert words.endswith("noise noise ")


def test_what_the_import_of_a_job_prints_is_shown_once(
    engine: ProcessEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.py"
    path.write_text("print('imported')\ndef job(mailbox): return 1")
    beginning = msgspec.structs.replace(begin("number"), job=FileJob(str(path), "job"))
    for number in (0, 1):
        engine.start(number, beginning)
        engine.retire(number)
        assert until(engine, Ended)[-1] == Ended(number, "exit code 0", (), words="")

    assert capsys.readouterr().err == "imported\n"


def test_the_words_of_a_worker_that_dies_in_the_import_of_its_job_are_its_last(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    path = tmp_path / "job.py"
    path.write_text("import os\nprint('so far')\nos._exit(3)")
    engine.start(0, msgspec.structs.replace(begin("number"), job=FileJob(str(path), "job")))

    assert the_end(engine) == Ended(0, "exit code 3", (), words="so far\n")


def test_a_look_tells_where_each_worker_is_how_far_and_how_large(engine: ProcessEngine) -> None:
    engine.start(3, begin("number"))
    until(engine, Heard)
    engine.start(0, begin("hang_at", "sim:100", at="u00000007@sim.example"))
    engine.send(0, Chunk(1, 7, 5))
    while len(engine.look()) < 2 or "in hang_at" not in engine.words(0):
        engine.dump(0)
        engine.wait(0.01)

    idle, busy = engine.look()

    assert (idle.worker, idle.spots) == (3, (Spot(None, 0),))
    assert (busy.worker, busy.spots) == (0, (Spot(7, 2),))  # to connect, and to log on
    assert all(2**22 < reading.rss < 2**30 for reading in (idle, busy))


def test_a_worker_that_was_never_seen_to_run_is_not_looked_at(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))

    assert engine.look() == []


def test_a_worker_that_is_stopped_says_so_and_leaves(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.stop(0)
    engine.send(0, Chunk(1, 0, 5))

    events = until(engine, Ended)

    assert events[1:] == [Heard(0, Leaving("it was asked to")), Ended(0, "exit code 0", ())]


def test_who_takes_the_place_of_a_stopped_worker_is_not_asked_to_leave(engine: ProcessEngine) -> None:
    engine.start(0, begin("number"))
    engine.stop(0)
    engine.retire(0)
    until(engine, Ended)

    engine.start(0, begin("number"))
    engine.send(0, Chunk(1, 5, 1))
    engine.retire(0)

    assert Heard(0, Found(1, 5, 1, b"5\n", b"5")) in until(engine, Ended)


def test_a_worker_whose_memory_has_grown_leaves_between_two_mailboxes(engine: ProcessEngine) -> None:
    most = 2**27
    engine.start(0, msgspec.structs.replace(begin("leak", size=2**20), max_rss=most))
    engine.send(0, Chunk(1, 0, 100_000))

    events = until(engine, Ended)

    assert events[-1] == Ended(0, "exit code 0", ())
    (leaving,) = (event.message for event in events if isinstance(event, Heard) and isinstance(event.message, Leaving))
    assert "its memory has grown to" in leaving.why


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

    assert until(engine, Ended)[-1] == Ended(0, "the template process ended", ())
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    engine.start(0, begin("number"))
    engine.send(0, Chunk(1, 5, 1))
    assert Heard(0, Ready()) in until(engine, Heard)


def test_when_the_template_is_killed_what_jobs_have_left_is_ended_all_the_same(engine: ProcessEngine) -> None:
    """One of them runs another program, the other one was forked."""
    engine.start(0, begin("leave_child"))
    engine.start(1, begin("orphans"))
    engine.send(0, Chunk(1, 0, 1))
    engine.send(1, Chunk(2, 1, 1))
    heard = 0
    while heard < 4:
        heard += len(engine.wait(LIMIT))
    family = below()
    ends = [os.pidfd_open(process.pid) for process in family]
    assert len(family) >= 5

    family[0].kill()
    until(engine, Ended)

    assert have_ended(ends)


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
from fanout.events import Heard, Spot
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

    assert have_ended(ends)
