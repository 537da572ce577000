"""The engine of a Dask cluster: workers on Dask workers, and what is told of them here. Everything here is real."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from fanout.conduct import Workforce
from fanout.crew import LOST
from fanout.engines.berth import Manner
from fanout.engines.cluster import Certificates, Cluster
from fanout.engines.dask import NO_BERTH, DaskEngine
from fanout.events import Babbled, Ended, Event, Heard, Spot
from tests.dask import clusters
from tests.test_engine import LIMIT, SEVENTH, begin, have_ended, the_end, until, visit
from workers.messages import Chunk, FileJob, Found, Leaving, Ready, Unable

pytestmark = pytest.mark.spawns


@pytest.fixture
def cluster(dask: clusters.Cluster) -> Iterator[Cluster]:
    with Cluster.at(dask.scheduler, Certificates(), "a test") as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: Cluster) -> Iterator[DaskEngine]:
    engine = cluster.engine(Workforce(2))
    yield engine
    engine.close()


def found_by(engine: DaskEngine, count: int = 1) -> list[Found]:
    """The next so many pieces that were found."""
    found: list[Found] = []
    while len(found) < count:
        heard = [event for event in until(engine, Heard) if isinstance(event, Heard)]
        found += [event.message for event in heard if isinstance(event.message, Found)]
    return found


def test_a_worker_says_that_it_is_ready_and_what_it_found(engine: DaskEngine) -> None:
    engine.start(1, begin("number"))
    engine.send(1, Chunk(1, 5, 2))

    events: list[Event] = []
    while len(events) < 2:
        events += until(engine, Heard)

    assert events == [Heard(1, Ready()), Heard(1, Found(1, 5, 2, b"5\n6\n", b"11"))]


def test_a_worker_that_is_retired_ends_well_and_the_next_one_takes_its_berth(engine: DaskEngine) -> None:
    pids, parents = [], []
    for _ in range(2):
        engine.start(0, begin("tell_pid"))
        engine.send(0, Chunk(1, 5, 1))
        pids.append(found_by(engine)[0].lines)
        parents.append([psutil.Process(int(pids[-1])).ppid()])
        engine.retire(0)
        assert the_end(engine) == Ended(0, "exit code 0", ())

    assert pids[0] != pids[1]
    assert parents[0] == parents[1]


@pytest.mark.parametrize(
    ("poison", "how"), [("exit_at", "exit code 9"), ("kill_at", "SIGKILL"), ("segfault_at", "SIGSEGV")]
)
def test_a_worker_that_dies_is_told_of_as_at_home(engine: DaskEngine, poison: str, how: str) -> None:
    engine.start(0, begin(poison, at=SEVENTH))
    engine.send(0, Chunk(1, 0, 100))

    end = the_end(engine)
    assert (end.worker, end.how, end.at) == (0, how, (7,))
    assert ("in segfault_at" in end.words) == (poison == "segfault_at")


def test_a_worker_that_hangs_is_seen_where_it_is_and_ended(engine: DaskEngine) -> None:
    visit(engine, begin("hang_in_c_at", at=SEVENTH))

    (reading,) = engine.look()
    engine.terminate(0)

    assert (reading.worker, reading.spots) == (0, (Spot(7, 0),))
    assert 2**22 < reading.rss < 2**30
    assert the_end(engine) == Ended(0, "SIGTERM", (7,))


def test_a_worker_that_hangs_can_be_killed(engine: DaskEngine) -> None:
    visit(engine, begin("hang_at", at=SEVENTH))

    engine.kill(0)

    assert the_end(engine) == Ended(0, "SIGKILL", (7,))


def test_a_worker_that_is_stopped_says_so_and_leaves(engine: DaskEngine) -> None:
    engine.start(0, begin("number"))
    engine.stop(0)
    engine.send(0, Chunk(1, 0, 5))

    assert until(engine, Ended)[-2:] == [Heard(0, Leaving("it was asked to")), Ended(0, "exit code 0", ())]


def test_a_worker_that_talks_nonsense_is_understood_by_nobody(engine: DaskEngine) -> None:
    engine.start(0, begin("babble_at", at=SEVENTH))
    engine.send(0, Chunk(1, 7, 1))

    events = until(engine, Babbled)
    engine.kill(0)  # unless it has ended by then: nobody reads what it writes
    if not any(isinstance(event, Ended) for event in events):
        until(engine, Ended)

    assert [event.worker for event in events if isinstance(event, Babbled)] == [0]


def test_what_is_asked_of_a_worker_that_has_ended_is_not_done(engine: DaskEngine) -> None:
    engine.start(0, begin("number"))
    until(engine, Heard)
    engine.retire(0)
    until(engine, Ended)

    engine.send(0, Chunk(1, 0, 1))
    for command in (engine.stop, engine.dump, engine.terminate, engine.kill, engine.retire):
        command(0)

    assert (engine.look(), engine.wait(0.0)) == ([], [])


def test_a_file_that_is_not_there_goes_along_with_what_its_job_prints(
    engine: DaskEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("print('imported')\ndef job(mailbox):\n    return __file__")
    for number in (0, 1):
        engine.start(number, msgspec.structs.replace(begin("number"), job=FileJob(str(path), "job")))
        engine.send(number, Chunk(1, 0, 1))
    path.unlink()

    files = [found.lines for found in found_by(engine, 2)]

    assert all(file.endswith(b'/mine.py"\n') and str(tmp_path).encode() not in file for file in files)
    assert capsys.readouterr().err == "imported\n"
    engine.finish()
    assert not list(tmp_path.parent.glob("**/mine.py"))


def test_a_file_that_is_there_is_used_where_it_is(engine: DaskEngine, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def job(mailbox):\n    return __file__")
    engine.start(0, msgspec.structs.replace(begin("number"), job=FileJob(str(path), "job")))
    engine.send(0, Chunk(1, 0, 1))

    (found,) = found_by(engine)
    assert found.lines == f'"{path}"\n'.encode()


def test_a_job_that_is_not_there_is_said_to_be_missing(engine: DaskEngine) -> None:
    engine.start(0, msgspec.structs.replace(begin("number"), job=FileJob("/nowhere/mine.py", "job")))

    (unable,) = (event.message for event in until(engine, Ended) if isinstance(event, Heard))
    assert isinstance(unable, Unable)
    assert "'/nowhere/mine.py' is no Python file" in unable.error.message


def test_a_task_that_fails_tells_why(cluster: Cluster) -> None:
    engine = DaskEngine(cluster, Manner(lanes=0), "a test")
    engine.start(0, begin("number"))

    end = the_end(engine)
    engine.close()

    assert (end.how, end.at) == (NO_BERTH, ())
    assert end.words.startswith("its task failed: ValueError('cannot mmap an empty file')")


def test_tasks_have_names_that_can_be_read(engine: DaskEngine, cluster: Cluster) -> None:
    for number in (0, 1):
        engine.start(number, begin("hang"))
        until(engine, Heard)

    tasks = cluster._client.processing()
    names = sorted(str(name).rpartition("-")[0] for names in tasks.values() for name in names)
    assert names == ["fanout worker 0 of a test", "fanout worker 1 of a test"]
    assert [len(names) for names in tasks.values()] == [1, 1]


def test_closing_the_engine_leaves_no_process_and_no_task(cluster: Cluster, dask: clusters.Cluster) -> None:
    engine = cluster.engine(Workforce(2))
    engine.start(0, begin("hang"))
    engine.start(1, begin("leave_child"))
    engine.send(1, Chunk(1, 0, 1))
    until(engine, Heard)
    engine.wait(LIMIT)

    engine.close()

    assert [process for process in dask.own() if not clusters.is_tracker(process)] == []
    assert not any(cluster._client.processing().values())


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[clusters.Cluster]:
    """A Dask worker of two sessions, which may be killed."""
    with clusters.Cluster(tmp_path, nannies=1, sessions=2) as cluster:
        yield cluster


def test_a_dask_worker_that_is_killed_takes_its_workers_along_and_the_next_has_others(lonely: clusters.Cluster) -> None:
    with Cluster.at(lonely.scheduler, Certificates(), "a test") as cluster:
        engine = cluster.engine(Workforce(2))
        for number in (0, 1):
            engine.start(number, begin("hang"))
            until(engine, Heard)
        own = [process for process in lonely.own() if not clusters.is_tracker(process)]
        ends = [os.pidfd_open(process.pid) for process in own]

        lonely.dask_workers()[0].kill()

        ended: list[Event] = []
        while len(ended) < 2:
            ended += until(engine, Ended)
        words = f"its line has ended ({lonely.workers[0]})"
        assert sorted(ended, key=str) == [Ended(0, LOST, (), words), Ended(1, LOST, (), words)]
        assert len(own) == 4
        assert have_ended(ends)
        for number in (0, 1):
            engine.start(number, begin("number"))
            engine.send(number, Chunk(1, number, 1))
        assert sorted(found.lines for found in found_by(engine, 2)) == [b"0\n", b"1\n"]
        engine.close()


@pytest.mark.long
def test_a_frozen_dask_worker_is_lost_when_a_worker_is_killed(
    lonely: clusters.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout.engines.line.PATIENCE", 0.1)
    with Cluster.at(lonely.scheduler, Certificates(), "a test") as cluster:
        engine = cluster.engine(Workforce(1))
        visit(engine, begin("hang_at", at=SEVENTH))
        (frozen,) = lonely.dask_workers()

        frozen.suspend()
        engine.kill(0)

        assert the_end(engine).how == LOST
        frozen.resume()
        engine.close()


def test_when_the_scheduler_is_lost_and_does_not_come_back_workers_are_unable(
    lonely: clusters.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout.engines.cluster.CONNECT", 1.0)
    with Cluster.at(lonely.scheduler, Certificates(), "a test") as cluster:
        engine = cluster.engine(Workforce(1))
        engine.start(0, begin("hang"))
        until(engine, Heard)

        lonely.kill_scheduler()

        assert the_end(engine).how == LOST
        engine.start(0, begin("hang"))
        (unable, _) = until(engine, Ended)
        assert isinstance(unable, Heard)
        assert isinstance(unable.message, Unable)
        assert unable.message.error.message == "the connection to the Dask scheduler is lost"
        assert not unable.message.error.retryable
        engine.close()


PARENT = """
import sys
from fanout.conduct import Workforce
from fanout.engines.cluster import Certificates, Cluster
from tests.test_engine import LIMIT, SEVENTH, begin, have_ended, the_end, until, visit
from workers.messages import Chunk
if __name__ == "__main__":
    engine = Cluster.at(sys.argv[1], Certificates(), "a test").engine(Workforce(1))
    engine.start(0, begin("leave_child"))
    engine.send(0, Chunk(1, 0, 1))
    heard = []
    while len(heard) < 2:
        heard += engine.wait(None)
    print("up", flush=True)
    engine.wait(None)
"""


def test_nobody_is_left_when_the_parent_is_killed(dask: clusters.Cluster) -> None:
    parent = clusters.program(PARENT, dask.scheduler)
    own = [process for process in dask.own() if not clusters.is_tracker(process)]
    ends = [os.pidfd_open(process.pid) for process in own]
    assert len(own) >= 3

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert have_ended(ends)
    assert psutil.pid_exists(dask.dask_workers()[0].pid)
