"""A server that joins a run over several: what is decided, event by event, without a process."""

from __future__ import annotations

import pytest

from fanout.dispatch import Dispatch
from fanout.events import (
    Begun,
    Closed,
    Command,
    Continued,
    Ended,
    Heard,
    Interrupted,
    Joined,
    Looked,
    Paused,
    Reading,
    Resized,
    Send,
    StartWorker,
    StopWorker,
)
from fanout.legs import Awaited, Legs
from fanout.partition import Fixed
from fanout.staff import Standing
from workers.causes import Cause
from workers.messages import Chunk, Error, Found, Ready, Unable

GONE_AWAY = Error("StoppedError", "the mailboxes can't be listed: no answer", Cause.UNREACHABLE)

WORKERS = 1
LATE = Joined(1, first=5, count=3, how=Fixed(5))


def dispatch(joined: Joined) -> Dispatch:
    leg = Dispatch(joined.count or 0, joined.how or Fixed(1), WORKERS, first=joined.first)
    leg.stopped_by = joined.why
    return leg


def legs_of(awaited: Awaited) -> Legs:
    """`a:` with five mailboxes, and `b:`, which is awaited."""
    unlisted = [] if awaited.count else [1]
    legs = Legs(["a:", "b:"], [Dispatch(5, Fixed(5), WORKERS), awaited], dispatch, unlisted)
    assert legs.handle(Begun(), 0.0) == [StartWorker(0, 0)]
    return legs


def done(legs: Legs, worker: int, first: int, count: int) -> list[Command]:
    """What a worker asks for that begins, and is done with its one chunk."""
    legs.handle(Heard(worker, Ready()), 1.0)
    return legs.handle(Heard(worker, Found(1, first, count, b"1\n" * count, b"1")), 1.0)


def test_a_server_that_has_said_what_it_has_begins_beside_the_others() -> None:
    legs = legs_of(Awaited(WORKERS))
    counts = [legs.count]

    joined = legs.handle(LATE, 2.0)

    assert joined == [StartWorker(1, 1)]
    assert [*counts, legs.count] == [5, 8]
    assert legs.handle(Heard(1, Ready()), 2.0) == [Send(1, Chunk(1, 5, 3))]


def test_the_run_waits_for_a_server_when_all_others_are_done() -> None:
    legs = legs_of(Awaited(WORKERS))
    done(legs, 0, 0, 5)
    waited = (legs.finished, legs.stopped_by, legs.wake_at(9.0))

    legs.handle(LATE, 2.0)
    done(legs, 1, 5, 3)

    assert waited == (False, None, float("inf"))
    assert (legs.finished, legs.stopped_by, legs.settled) == (True, None, 8)


def test_a_server_that_cannot_be_asked_after_all_is_given_up_alone() -> None:
    legs = legs_of(Awaited(WORKERS))

    assert legs.handle(Joined(1, 0, None, None, GONE_AWAY), 2.0) == []
    done(legs, 0, 0, 5)

    assert (legs.finished, legs.settled) == (True, 5)
    assert legs.stopped_by == Error(
        "ServersGivenUp", f"1 of 2 servers given up: b: (not listed): {GONE_AWAY.message}", Cause.SERVER
    )


def test_a_server_that_has_no_mailbox_is_not_missed_when_it_is_down() -> None:
    legs = Legs(["a:", "b:"], [Dispatch(5, Fixed(5), WORKERS), dispatch(Joined(1, 5, 0, None, GONE_AWAY))], dispatch)
    legs.handle(Begun(), 0.0)

    done(legs, 0, 0, 5)

    assert (legs.finished, legs.stopped_by) == (True, None)


def test_a_mistake_in_the_job_waits_for_no_server_that_is_silent() -> None:
    no_job = Error("JobError", "mine.py has no function 'nof'", Cause.JOB)
    legs = legs_of(Awaited(WORKERS))

    legs.handle(Heard(0, Unable(no_job)), 1.0)

    assert (legs.finished, legs.stopped_by) == (True, no_job)


def test_a_server_whose_mailboxes_are_known_counts_before_it_has_answered() -> None:
    legs = legs_of(Awaited(WORKERS, count=3, settled=1))

    assert (legs.count, legs.settled) == (8, 1)


@pytest.mark.parametrize("asked", [Interrupted(2), Closed("the window")])
def test_a_run_that_is_asked_to_end_waits_for_nobody(asked: Interrupted | Closed) -> None:
    legs = legs_of(Awaited(WORKERS))

    released = legs.handle(asked, 1.0)
    ended = legs.handle(Ended(0, "exit code 0", ()), 1.0)
    late = legs.handle(LATE, 2.0)

    assert (released, ended, late) == ([StopWorker(0)], [], [])
    assert (legs.finished, legs.stopped_by) == (True, asked)


def test_a_server_that_joins_a_paused_run_begins_when_that_goes_on() -> None:
    legs = legs_of(Awaited(WORKERS))
    legs.handle(Paused(), 1.0)
    legs.handle(Ended(0, "exit code 0", ()), 1.0)

    joined = legs.handle(LATE, 2.0)

    assert joined == []
    assert legs.standing == Standing(1, 0, paused=True, servers=2)
    assert legs.handle(Continued(), 3.0) == [StartWorker(0, 0), StartWorker(1, 1)]


def test_a_run_is_paused_and_continued_while_nothing_but_an_awaited_server_is_left() -> None:
    legs = legs_of(Awaited(WORKERS))
    done(legs, 0, 0, 5)

    legs.handle(Paused(), 2.0)
    paused = legs.standing.paused
    legs.handle(Continued(), 3.0)

    assert (paused, legs.standing.paused) == (True, False)
    assert legs.handle(LATE, 4.0) == [StartWorker(1, 1)]


def test_a_server_that_joins_has_as_many_workers_as_were_asked_for_meanwhile() -> None:
    legs = legs_of(Awaited(WORKERS))
    legs.handle(Resized(2), 1.0)

    joined = legs.handle(Joined(1, first=5, count=3, how=Fixed(1)), 2.0)

    assert joined == [StartWorker(1, 1), StartWorker(3, 1)]
    assert legs.standing.workers == 2


def test_a_server_that_joins_a_run_that_was_resized_and_paused_begins_with_as_many_workers() -> None:
    legs = legs_of(Awaited(WORKERS))
    legs.handle(Resized(2), 1.0)
    legs.handle(Paused(), 1.0)
    legs.handle(Ended(0, "exit code 0", ()), 1.0)

    joined = legs.handle(Joined(1, first=5, count=3, how=Fixed(1)), 2.0)

    assert joined == []
    assert legs.handle(Continued(), 3.0)[-2:] == [StartWorker(1, 1), StartWorker(3, 1)]


def test_a_server_without_a_mailbox_joins_and_is_done() -> None:
    legs = legs_of(Awaited(WORKERS))
    done(legs, 0, 0, 5)

    assert legs.handle(Joined(1, first=5, count=0, how=Fixed(5)), 2.0) == []
    assert (legs.finished, legs.stopped_by) == (True, None)


def test_a_look_at_a_roster_worker_concerns_nobody() -> None:
    legs = legs_of(Awaited(WORKERS))

    assert legs.handle(Looked([Reading(1, (), 1000)]), 1.0) == []
    assert [state.value for state in legs.states] == ["starting", "gone"]


def test_no_other_server_can_join_a_run_over_one() -> None:
    with pytest.raises(RuntimeError, match="decides for itself alone"):
        Dispatch(5, Fixed(5), WORKERS).handle(LATE, 1.0)
