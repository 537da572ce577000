"""The poisons themselves: each does to its worker, or to its mailbox, what the tests that use it rely on."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from fanout.engines.processes import ProcessEngine
from fanout.events import Babbled, Ended, Event, Heard
from tests.poison import POISONS
from tests.test_engine import LIMIT
from workers.causes import Cause
from workers.messages import Begin, Chunk, Failed, Found, ModuleJob, Recording

pytestmark = pytest.mark.spawns

#: How a worker ends that meets it.
DEADLY = {
    "exit": "exit code 9",
    "kill": "SIGKILL",
    "segfault": "SIGSEGV",
    "close": "closed its pipe",
}

#: What holds a worker until it is killed.
ENDLESS = {"hang", "hang_in_c", "hang_deaf", "stop", "bomb"}

#: Why the mailbox fails; its worker goes on.
FAILING = {
    "raise": Cause.JOB,
    "sys_exit": Cause.JOB,
    "interrupt": Cause.JOB,
    "unpicklable": Cause.JOB,
    "recur": Cause.JOB,
    "huge": Cause.RESULT,
    "unencodable": Cause.RESULT,
    "nested": Cause.RESULT,
}

#: What harms nobody.
HARMLESS = {"print", "flood", "fork", "fork_and_return", "thread"}


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine(1) as engine:
        yield engine


def visit(engine: ProcessEngine, kind: str) -> None:
    """Give the worker three mailboxes, the poisoned one in the middle, and nothing more."""
    job = ModuleJob("tests.poison", "poisoned")
    options = {"kinds": {"null-00000001": kind}}
    beginning = Begin("null:3", separate_connections=False, recording=Recording.RESULTS, job=job, options=options)
    engine.start(0, msgspec.structs.replace(beginning, max_result=2**20))
    engine.send(0, Chunk(1, 0, 3))


def events_of(engine: ProcessEngine) -> list[Event]:
    """All that happens until the worker has ended."""
    events: list[Event] = []
    while not any(isinstance(event, Ended) for event in events):
        news = engine.wait(LIMIT)
        assert news
        events += news
    return events


def messages(events: list[Event]) -> list[object]:
    return [event.message for event in events if isinstance(event, Heard)]


def test_every_poison_is_tested() -> None:
    assert set(POISONS) == {*DEADLY, *ENDLESS, *FAILING, *HARMLESS, "babble", "trail_off"}


@pytest.mark.parametrize("kind", DEADLY)
def test_a_deadly_one_ends_the_worker_at_its_mailbox(engine: ProcessEngine, kind: str) -> None:
    visit(engine, kind)

    last = events_of(engine)[-1]

    assert isinstance(last, Ended)
    assert last.how == DEADLY[kind]
    assert last.at in (
        {(1,), (2,)} if kind == "close" else {(1,)}
    )  # who closes its pipe goes on to the end of the stride


@pytest.mark.parametrize("kind", sorted(ENDLESS))
def test_an_endless_one_stays_at_its_mailbox_until_it_is_killed(engine: ProcessEngine, kind: str) -> None:
    visit(engine, kind)
    while [reading.spots[0].at for reading in engine.look()] != [1]:
        engine.wait(0.01)

    engine.kill(0)

    last = events_of(engine)[-1]
    assert isinstance(last, Ended)
    assert (last.how, last.at) == ("SIGKILL", (1,))


@pytest.mark.parametrize("kind", FAILING)
def test_a_failing_one_costs_its_mailbox_alone(engine: ProcessEngine, kind: str) -> None:
    visit(engine, kind)
    engine.retire(0)

    _ready, before, failed, after = messages(events_of(engine))

    assert (before, after) == (Found(1, 0, 1, b"1\n", b"1"), Found(1, 2, 1, b"1\n", b"1"))
    assert isinstance(failed, Failed)
    assert failed.error.cause is FAILING[kind]


@pytest.mark.parametrize("kind", sorted(HARMLESS))
def test_a_harmless_one_changes_nothing(engine: ProcessEngine, kind: str) -> None:
    visit(engine, kind)
    engine.retire(0)

    events = events_of(engine)

    assert messages(events)[1:] == [Found(1, 0, 3, b"1\n1\n1\n", b"3")]
    assert isinstance(events[-1], Ended)
    assert events[-1].how == "exit code 0"


def test_a_babbling_one_is_understood_by_nobody(engine: ProcessEngine) -> None:
    visit(engine, "babble")
    engine.retire(0)

    assert any(isinstance(event, Babbled) for event in events_of(engine))


def test_one_that_says_half_a_message_is_seen_to_wait_with_the_rest(engine: ProcessEngine) -> None:
    visit(engine, "trail_off")
    while not [reading for reading in engine.look() if reading.half]:
        engine.wait(0.01)

    engine.kill(0)

    assert messages(events_of(engine)) == []
