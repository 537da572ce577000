"""What becomes of workers whose berth is late, lost, frozen or not to be had: no process, no cluster, but a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fanout.crew import LEFT, LOST
from fanout.engines.berth import Do, Give, Manner, Order, Start, encode, read_words
from fanout.engines.dask import NO_BERTH, DaskEngine
from fanout.engines.line import TRIES, NoSessionError
from fanout.events import Ended, Event, Heard, Reading, Spot
from tests.dask.fakes import FakeCluster
from tests.test_engine import begin
from workers.causes import Cause
from workers.messages import Chunk, Error, Ready, Unable

LIMIT = 30.0


@contextmanager
def engine_of(*addresses: str | Exception) -> Iterator[tuple[DaskEngine, FakeCluster]]:
    with FakeCluster(list(addresses)) as cluster:
        engine = DaskEngine(cluster, Manner(), "a test")  # type: ignore[arg-type] # it is asked for nothing else
        yield engine, cluster
        engine.close()


def next_events(engine: DaskEngine) -> list[Event]:
    events: list[Event] = []
    while not events:
        events = engine.wait(LIMIT)
    return events


def tell(cluster: FakeCluster, *news: object) -> None:
    """Have the last berth tell something."""
    cluster.loop.call_soon_threadsafe(cluster.comms[-1].heard.put_nowait, encode(list(news)))


def started(engine: DaskEngine, cluster: FakeCluster) -> None:
    """Have worker 0 be ready in its berth."""
    engine.start(0, begin("number"))
    while not cluster.comms:
        engine.wait(0.01)
    tell(cluster, Heard(0, Ready()))
    assert next_events(engine) == [Heard(0, Ready())]


def test_a_worker_that_has_no_berth_yet_can_be_retired_or_killed() -> None:
    with engine_of() as (engine, _):
        engine.start(0, begin("number"))
        engine.start(1, begin("number"))

        engine.retire(0)
        engine.kill(1)

        assert engine.wait(LIMIT) == [Ended(0, LEFT, ()), Ended(1, "SIGKILL", ())]
        assert engine.look() == []


def test_a_berth_that_can_not_be_reached_is_asked_for_elsewhere() -> None:
    with engine_of("deaf", "deaf", "here") as (engine, cluster):
        started(engine, cluster)
        notes = list(cluster.notes)

    withdrawn = "withdrawn fanout worker 0 of a test at deaf, 1 lane"
    assert notes == [withdrawn, "lost deaf", withdrawn, "lost deaf"]


def test_after_some_tries_there_is_none_and_the_worker_has_ended() -> None:
    with engine_of(*["deaf"] * TRIES) as (engine, _):
        engine.start(0, begin("number"))

        assert next_events(engine) == [Ended(0, NO_BERTH, (), "it can't be reached: no answer (deaf)")]


def test_a_task_that_fails_says_why() -> None:
    with engine_of(*["here"] * TRIES) as (engine, _):
        engine.start(9, begin("number"))

        (ended,) = next_events(engine)

    assert isinstance(ended, Ended)
    assert ended.words == "its task failed: so it is (here)"


def test_where_no_session_is_to_be_had_any_more_the_worker_is_unable_for_good() -> None:
    with engine_of(NoSessionError("none was free")) as (engine, _):
        engine.start(0, begin("number"))

        unable = Unable(Error("ClusterGone", "none was free", Cause.UNREACHABLE))
        assert next_events(engine) == [Heard(0, unable), Ended(0, NO_BERTH, (), "none was free")]


def test_a_line_that_ends_takes_its_worker_along_and_another_one_gets_another_line() -> None:
    with engine_of("here", "there") as (engine, cluster):
        started(engine, cluster)
        cluster.loop.call_soon_threadsafe(cluster.comms[0].abort)
        assert next_events(engine) == [Ended(0, LOST, (), "its line has ended (here)")]

        engine.start(0, begin("number"))
        while len(cluster.comms) < 2:
            engine.wait(0.01)
        tell(cluster, Heard(0, Ready()))

        assert next_events(engine) == [Heard(0, Ready())]


def test_a_line_over_which_nonsense_comes_is_lost() -> None:
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)
        cluster.loop.call_soon_threadsafe(cluster.comms[0].heard.put_nowait, b"\xc1")

        (ended,) = next_events(engine)

    assert isinstance(ended, Ended)
    assert ended.how == LOST
    assert ended.words.startswith("what came over its line says nothing: ")


def test_who_does_not_obey_a_kill_in_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanout.engines.line.PATIENCE", 0.01)
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)

        engine.kill(0)

        assert next_events(engine) == [Ended(0, LOST, (), "its line has ended (here)")]


def test_who_has_ended_in_time_is_not_lost_and_nor_is_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanout.engines.line.PATIENCE", 0.01)
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)
        engine.kill(0)
        tell(cluster, Ended(0, "SIGKILL", (7,)))
        assert next_events(engine) == [Ended(0, "SIGKILL", (7,))]
        engine.start(0, begin("number"))

        assert engine.wait(0.1) == []


def test_what_is_said_goes_out_with_the_next_wait_in_one_piece() -> None:
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)
        said = len(cluster.comms[0].said)
        engine.post(0, Chunk(1, 0, 5))
        engine.post(0, Chunk(2, 5, 5))
        engine.stop(0)
        engine.look()

        while len(cluster.comms[0].said) == said:
            engine.wait(0.01)

        words = [word for piece in cluster.comms[0].said for word in read_words.decode(piece)]
        assert words[:2] == [Start(begin("number")), Do(Order.TAKEN)]
        assert [word for word in words if word != Do(Order.TAKEN)][1:] == [
            Give(Chunk(1, 0, 5)),
            Give(Chunk(2, 5, 5)),
            Do(Order.STOP),
            Do(Order.LOOK),
        ]


def test_a_worker_that_is_unable_says_where() -> None:
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)
        tell(cluster, Heard(0, Unable(Error("JobNotFound", "there is no module 'mine'", Cause.JOB))))

        there = Error("JobNotFound", "there is no module 'mine' (on the Dask worker here)", Cause.JOB)
        assert next_events(engine) == [Heard(0, Unable(there))]


def test_a_look_tells_what_was_seen_at_the_one_before() -> None:
    with engine_of("here") as (engine, cluster):
        started(engine, cluster)
        assert engine.look() == []
        tell(cluster, Reading(0, (Spot(7, 3),), 2**20), Heard(0, Ready()))
        next_events(engine)

        assert engine.look() == [Reading(0, (Spot(7, 3),), 2**20)]
