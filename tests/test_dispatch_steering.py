"""What a run does when somebody steers it: pause, continue, another number of workers, an end."""

from __future__ import annotations

from fanout.dispatch import Dispatch
from fanout.events import (
    Begun,
    Closed,
    Command,
    Continued,
    DumpStacks,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    Looked,
    Paused,
    Reading,
    Resized,
    Send,
    Spot,
    StartWorker,
    StopWorker,
)
from fanout.partition import Fixed, Guided
from fanout.policy import ORDINARY, Limits, Policy
from fanout.staff import Standing
from workers.causes import Cause
from workers.messages import Chunk, Error, Failed, Found, Leaving, Ready

CLOSED = Closed("the window has closed")
LEFT = "exit code 0"


def begun(count: int, size: int, workers: int, policy: Policy = ORDINARY) -> Dispatch:
    """A run whose workers are ready, and have chunks."""
    dispatch = Dispatch(count, Fixed(size), workers, policy)
    after(dispatch, Begun(), *(Heard(number, Ready()) for number in range(workers)))
    return dispatch


def after(dispatch: Dispatch, *events: Event, now: float = 0.0) -> list[Command]:
    """The commands for the last of some events."""
    commands: list[Command] = []
    for event in events:
        commands = dispatch.handle(event, now)
    return commands


def found(chunk: int, first: int, count: int) -> Found:
    return Found(chunk, first, count, b"1\n" * count, b"1")


def at(ordinal: int) -> Looked:
    """Worker 0 is seen at a mailbox, and has made no round trip."""
    return Looked([Reading(0, (Spot(ordinal, 0),), 0)])


def test_a_pause_lets_everyone_leave_after_the_mailbox_that_they_are_at() -> None:
    dispatch = begun(100, 10, workers=2)

    assert after(dispatch, Paused()) == [StopWorker(0), StopWorker(1)]
    assert dispatch.standing == Standing(workers=2, under_way=2, paused=True)
    assert after(dispatch, Heard(0, found(1, 0, 1)), Heard(0, Leaving("asked to")), Ended(0, LEFT, ())) == []
    assert after(dispatch, Looked([]), now=1000.0) == []
    assert not dispatch.finished


def test_a_run_that_is_continued_begins_with_what_was_handed_back() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, Paused(), Heard(0, found(1, 0, 3)), Heard(0, Leaving("asked to")), Ended(0, LEFT, ()))

    assert after(dispatch, Continued()) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready()))[0] == Send(0, Chunk(3, 3, 7))


def test_one_that_was_at_work_still_when_the_run_was_continued_is_started_again_when_it_has_left() -> None:
    dispatch = begun(100, 10, workers=1)

    assert after(dispatch, Paused(), Continued()) == []
    assert after(dispatch, Heard(0, Leaving("asked to")), Ended(0, LEFT, ())) == [StartWorker(0)]


def test_a_pause_that_is_paused_again_or_continued_twice_is_as_it_was() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, Paused())

    assert after(dispatch, Paused()) == []
    assert dispatch.standing.paused
    assert after(dispatch, Continued(), Continued()) == []
    assert not dispatch.standing.paused


def test_time_in_a_pause_counts_for_nobody() -> None:
    dispatch = begun(100, 10, workers=1, policy=Policy(Limits(stall_timeout=10.0)))
    for second in range(1, 6):  # four of which count
        after(dispatch, at(0), now=float(second))
    after(dispatch, Paused(), now=5.0)
    assert [after(dispatch, at(0), now=float(second)) for second in range(6, 500)] == [[]] * 494
    after(dispatch, Continued(), now=499.0)

    assert [after(dispatch, at(0), now=float(second)) for second in range(500, 505)] == [[]] * 5
    assert after(dispatch, at(0), now=505.0) == [DumpStacks(0)]


def test_workers_that_are_let_go_before_they_did_anything_do_not_end_in_vain() -> None:
    dispatch = Dispatch(100, Fixed(10), workers=1)
    after(dispatch, Begun())
    for _ in range(20):
        after(dispatch, Paused(), Ended(0, LEFT, ()))
        assert after(dispatch, Continued()) == [StartWorker(0)]

    assert dispatch.stopped_by is None


def test_what_was_put_off_waits_for_the_end_of_the_pause() -> None:
    dispatch = begun(1, 1, workers=1)
    busy = Error("E", "later", Cause.BUSY, retryable=True)
    after(dispatch, Heard(0, Failed(1, 0, 0.1, busy)), Paused(), Ended(0, LEFT, ()))

    assert after(dispatch, Looked([]), now=100.0) == []
    assert after(dispatch, Continued(), now=100.0) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready()), now=100.0) == [Send(0, Chunk(2, 0, 1, put_off=1))]


def test_more_workers_are_started_as_long_as_there_is_something_for_them() -> None:
    dispatch = begun(60, 10, workers=1)  # of six chunks it has two

    assert after(dispatch, Resized(9)) == [StartWorker(number) for number in range(1, 5)]
    assert dispatch.standing.workers == 9


def test_fewer_workers_are_had_by_letting_some_leave_who_hand_back_what_they_have() -> None:
    dispatch = begun(100, 10, workers=3)

    assert after(dispatch, Resized(1)) == [StopWorker(1), StopWorker(2)]
    assert after(dispatch, Heard(2, found(5, 40, 1)), Heard(2, Leaving("asked to")), Ended(2, LEFT, ())) == []
    kept, sent = after(dispatch, Heard(0, found(1, 0, 10)))
    assert isinstance(kept, Keep)
    assert sent == Send(0, Chunk(7, 41, 9))


def test_a_worker_that_dies_is_replaced_by_no_more_than_there_may_be() -> None:
    dispatch = begun(100, 10, workers=3)
    after(dispatch, Resized(1), Ended(1, LEFT, ()), Ended(2, LEFT, ()))

    restarted = after(dispatch, Ended(0, "SIGKILL", ()))

    assert restarted == [StartWorker(0)]


def test_a_run_that_shrank_grows_again_with_the_same_numbers() -> None:
    dispatch = begun(100, 10, workers=3)
    after(dispatch, Resized(1), Ended(1, LEFT, ()), Ended(2, LEFT, ()))

    assert after(dispatch, Resized(2)) == [StartWorker(1)]


def test_what_is_left_is_cut_for_the_workers_that_there_are() -> None:
    dispatch = Dispatch(800, Guided(1, 250), workers=1)
    given = [command for command in after(dispatch, Begun(), Heard(0, Ready())) if isinstance(command, Send)]
    after(dispatch, Resized(5))

    first = given[-1].chunk.ordinals.stop
    size = Guided(5, 250).size(800 - first)
    assert after(dispatch, Heard(1, Ready()))[0] == Send(1, Chunk(len(given) + 1, first, size))
    assert size < Guided(1, 250).size(800 - first)


def test_a_paused_run_can_be_resized_and_starts_nobody_before_it_is_continued() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, Paused(), Ended(0, LEFT, ()))

    assert after(dispatch, Resized(2)) == []
    assert after(dispatch, Continued()) == [StartWorker(0), StartWorker(1)]


def test_a_server_that_was_busy_is_not_asked_by_more_lanes_because_there_are_more() -> None:
    dispatch = begun(400, 1, workers=4)
    busy = Error("E", "later", Cause.BUSY, retryable=True)
    after(dispatch, Heard(0, Failed(1, 0, 0.1, busy)))
    after(dispatch, Resized(6))

    assert after(dispatch, Heard(4, Ready())) == []


def test_a_run_that_is_closed_ends_when_everyone_has_left() -> None:
    dispatch = begun(100, 10, workers=2)

    assert after(dispatch, CLOSED) == [StopWorker(0), StopWorker(1)]
    assert after(dispatch, Ended(1, LEFT, ())) == []
    assert dispatch.stopped_by is None
    after(dispatch, Ended(0, LEFT, ()))
    assert dispatch.stopped_by == CLOSED


def test_an_interrupt_ends_at_once_a_run_that_is_closing() -> None:
    dispatch = begun(100, 10, workers=2)

    after(dispatch, CLOSED, Closed("again"), Interrupted(2))

    assert dispatch.stopped_by == Interrupted(2)


def test_an_order_to_stop_changes_nothing_where_an_interrupt_came_first() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, Interrupted(15), CLOSED, Ended(0, LEFT, ()))

    assert dispatch.stopped_by == Interrupted(15)


def test_a_paused_run_can_be_closed_and_ends_at_once_where_nobody_is_at_work() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, Paused(), Ended(0, LEFT, ()))

    assert after(dispatch, CLOSED) == []
    assert dispatch.stopped_by == CLOSED


def test_a_run_that_ends_can_be_neither_paused_nor_continued_nor_enlarged() -> None:
    dispatch = begun(100, 10, workers=1)
    after(dispatch, CLOSED)

    assert [after(dispatch, event) for event in (Paused(), Continued(), Resized(5))] == [[], [], []]
    assert dispatch.standing == Standing(workers=5, under_way=1, closing=True)
    after(dispatch, Ended(0, LEFT, ()))
    assert dispatch.finished


def test_limits_hold_again_when_a_paused_run_is_closed() -> None:
    dispatch = begun(100, 10, workers=1, policy=Policy(Limits(stall_timeout=10.0)))
    after(dispatch, at(0), now=1.0)
    after(dispatch, Paused(), at(0), now=1.0)
    after(dispatch, CLOSED, now=2.0)
    commands = [command for later in range(2, 14) for command in after(dispatch, at(0), now=float(later))]

    assert commands[0] == DumpStacks(0)
