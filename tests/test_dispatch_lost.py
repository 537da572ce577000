"""What dispatch makes of workers that are lost with their machine: nobody can say where they were."""

from __future__ import annotations

import pytest

from fanout.crew import LOST, NO_ROOM, State
from fanout.dispatch import Dispatch
from fanout.endings import DEATHS_IN_VAIN
from fanout.events import Begun, Ended, Heard, Looked, Reading, Send, Settle, Spot, StartWorker
from fanout.fate import OUTSIDE_DEATHS
from fanout.partition import Fixed
from fanout.policy import Limits, Policy
from tests.test_dispatch import after, begun, found
from workers.causes import Cause
from workers.messages import Chunk, Error, Ready

GONE = Ended(0, LOST, (), "its line has ended")


def test_all_that_a_lost_worker_had_not_told_of_goes_out_again_as_it_was_before_anything_else() -> None:
    dispatch = begun(8, 2, 1)
    after(dispatch, Heard(0, found(1, 0, 1)))

    assert after(dispatch, GONE) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(3, 1, 1)), Send(0, Chunk(4, 2, 2))]


def test_what_is_lost_a_second_time_goes_out_in_two_halves_and_none_is_blamed() -> None:
    dispatch = begun(4, 2, 1)
    after(dispatch, Heard(0, found(1, 0, 1)), GONE, Heard(0, Ready()))

    assert after(dispatch, GONE) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(5, 1, 1))]
    assert after(dispatch, Heard(0, found(5, 1, 1)))[1:] == [Send(0, Chunk(6, 2, 1)), Send(0, Chunk(7, 3, 1))]


def test_who_is_lost_with_another_worker_is_not_suspected_of_it_for_the_first_time() -> None:
    dispatch = begun(4, 1, 1)
    after(dispatch, GONE, Heard(0, Ready()), Heard(0, found(3, 0, 1)))  # has 1, which was lost, and 2, which was not

    assert after(dispatch, GONE, Heard(0, Ready())) == [Send(0, Chunk(6, 1, 1))]
    assert after(dispatch, Heard(0, found(6, 1, 1)))[1:] == [Send(0, Chunk(7, 2, 1)), Send(0, Chunk(8, 3, 1))]


def test_a_mailbox_that_takes_its_machine_along_again_and_again_has_to_answer_for_it() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=0))
    for _ in range(OUTSIDE_DEATHS):
        assert after(dispatch, GONE) == [StartWorker(0)]
        after(dispatch, Heard(0, Ready()))

    (settled,) = after(dispatch, GONE)

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.CRASH)
    assert settled.error.message == (
        "the worker died at this mailbox, by the loss of its Dask worker; its last words: its line has ended"
    )
    assert (dispatch.finished, dispatch.stopped_by) == (True, None)


def test_a_mailbox_that_took_too_long_has_to_answer_for_it_also_where_its_worker_was_lost_at_last() -> None:
    dispatch = begun(2, 2, 1, Policy(Limits(timeout=1.0, grace=1.0), retries=0))
    there = Looked([Reading(0, (Spot(0, 0),), 0)])
    for now in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0):
        dispatch.handle(there, now)

    settled, *_ = dispatch.handle(GONE, 6.0)

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.TIMEOUT)


def test_what_a_lost_worker_may_have_written_to_is_not_visited_again() -> None:
    dispatch = Dispatch(2, Fixed(2), 1, Policy(retries=5))
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)))

    settled, restarted = after(dispatch, GONE)

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.UNCERTAIN)
    assert restarted == StartWorker(0)


def test_many_that_are_lost_at_once_before_they_did_anything_do_not_end_the_run() -> None:
    dispatch = Dispatch(100, Fixed(1), 2 * DEATHS_IN_VAIN)
    after(dispatch, Begun())

    for number in range(2 * DEATHS_IN_VAIN):
        assert after(dispatch, Ended(number, LOST, ())) == [StartWorker(number)]

    assert dispatch.stopped_by is None


FULL = Ended(0, NO_ROOM, (), "far: no space left on device")


def ends(dispatch: Dispatch, end: Ended, times: int) -> None:
    """Worker 0 ends so often before it is ready, each time as soon as it may be started again."""
    now = 0.0
    for _ in range(times):
        dispatch.handle(end, now)
        while dispatch.stopped_by is None and dispatch.states[0] is State.GONE:
            now = dispatch.wake_at(now)
            dispatch.handle(Looked([]), now)


@pytest.mark.parametrize("end", [GONE, FULL], ids=["lost", "full"])
def test_a_machine_where_no_worker_comes_to_anything_ends_the_run(end: Ended) -> None:
    dispatch = Dispatch(1, Fixed(1), 1)
    after(dispatch, Begun())

    ends(dispatch, end, DEATHS_IN_VAIN)

    assert isinstance(dispatch.stopped_by, Error)
    assert dispatch.stopped_by.message == (
        f"5 workers in a row ended before they did anything, the last by {end.how}; its last words: {end.words}"
    )


@pytest.mark.parametrize("end", [GONE, FULL], ids=["lost", "full"])
def test_while_others_work_such_a_machine_does_not_end_the_run(end: Ended) -> None:
    dispatch = Dispatch(10, Fixed(1), 2)
    after(dispatch, Begun(), Heard(1, Ready()))

    ends(dispatch, end, 2 * DEATHS_IN_VAIN)

    assert dispatch.stopped_by is None
