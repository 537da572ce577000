"""Dispatch, as events in and commands out: no process, no pipe, no clock."""

from __future__ import annotations

import pytest

from fanout.dispatch import CREDIT, DEATHS_IN_VAIN, TRIES, Dispatch
from fanout.events import (
    Babbled,
    Begun,
    Command,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    KillWorker,
    Note,
    Send,
    Settle,
    StartWorker,
)
from fanout.partition import Fixed
from workers.causes import Cause
from workers.messages import Announced, Chunk, Error, Failed, Found, Listed, Printed, Ready, Unable

DENIED = Error("MapiError", "no", Cause.DENIED)


def found(chunk: int, first: int, count: int) -> Found:
    return Found(chunk, first, count, b"1\n" * count, b"1")


def after(dispatch: Dispatch, *events: Event) -> list[Command]:
    """The commands for the last of some events."""
    commands: list[Command] = []
    for event in events:
        commands = dispatch.handle(event, 0.0)
    return commands


def begun(count: int, size: int, workers: int) -> Dispatch:
    """A run whose workers are ready."""
    dispatch = Dispatch(count, Fixed(size), workers)
    after(dispatch, Begun(), *(Heard(number, Ready()) for number in range(workers)))
    return dispatch


def test_a_run_begins_with_no_more_workers_than_there_are_chunks() -> None:
    dispatch = Dispatch(10, Fixed(4), workers=8)

    assert dispatch.handle(Begun(), 0.0) == [StartWorker(0), StartWorker(1), StartWorker(2)]


def test_a_ready_worker_gets_one_chunk_to_work_on_and_one_that_waits() -> None:
    dispatch = Dispatch(100, Fixed(10), workers=2)

    commands = after(dispatch, Begun(), Heard(0, Ready()))

    assert commands == [Send(0, Chunk(1, 0, 10)), Send(0, Chunk(2, 10, 10))]
    assert len(commands) == CREDIT


def test_what_is_found_is_kept_and_the_chunk_goes_on() -> None:
    dispatch = begun(100, 10, 1)

    assert after(dispatch, Heard(0, found(1, 0, 4))) == [Keep(0, found(1, 0, 4), 1, 1)]
    assert dispatch.settled == 4


def test_a_finished_chunk_is_followed_by_the_next() -> None:
    dispatch = begun(100, 10, 1)

    commands = after(dispatch, Heard(0, found(1, 0, 10)))

    assert commands == [Keep(0, found(1, 0, 10), 1, 1), Send(0, Chunk(3, 20, 10))]


def test_a_failed_mailbox_is_settled_with_its_error() -> None:
    dispatch = begun(100, 10, 1)

    commands = after(dispatch, Heard(0, found(1, 0, 3)), Heard(0, Failed(1, 3, 0.5, DENIED)))

    assert commands == [Settle(3, 1, 0.5, DENIED)]
    assert (dispatch.settled, dispatch.failed) == (4, 1)


def test_a_run_is_finished_when_every_mailbox_is_settled() -> None:
    dispatch = begun(3, 10, 1)

    after(dispatch, Heard(0, found(1, 0, 2)))
    before = dispatch.finished
    after(dispatch, Heard(0, Failed(1, 2, 0.0, DENIED)))

    assert (before, dispatch.finished) == (False, True)


def test_what_a_job_prints_is_kept_with_its_mailbox() -> None:
    dispatch = begun(3, 10, 1)

    assert after(dispatch, Heard(0, Printed(1, "hello"))) == [Note(Printed(1, "hello"))]


def test_a_dead_worker_is_replaced_and_its_suspect_goes_out_alone() -> None:
    """The worker had told of 0 to 3 and was at 6: 4 and 5 were done or not, 6 is the suspect, 7 to 9 are innocent."""
    dispatch = begun(10, 10, 1)

    assert after(dispatch, Heard(0, found(1, 0, 4)), Ended(0, "SIGSEGV", 6)) == [StartWorker(0)]
    first_two = after(dispatch, Heard(0, Ready()))
    assert first_two == [Send(0, Chunk(2, 4, 2)), Send(0, Chunk(3, 7, 3))]
    assert after(dispatch, Heard(0, found(2, 4, 2))) == [
        Keep(0, found(2, 4, 2), 1, 1),
        Send(0, Chunk(4, 6, 1, attempt=2)),
    ]


def test_a_mailbox_that_takes_its_worker_with_it_again_is_settled_as_a_crash() -> None:
    dispatch = begun(1, 1, 1)
    for number in range(1, TRIES):
        after(dispatch, Ended(0, "SIGSEGV", 0), Heard(0, Ready()))
        assert not dispatch.finished, number

    (settled,) = after(dispatch, Ended(0, "SIGKILL", 0))

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.attempts, settled.error.cause) == (0, TRIES, Cause.CRASH)
    assert "SIGKILL" in settled.error.message
    assert dispatch.finished


def test_a_dead_worker_s_chunks_go_to_one_that_had_run_out_of_work() -> None:
    dispatch = begun(4, 2, 2)

    commands = after(dispatch, Ended(0, "exit code 1", None))

    assert commands == [Send(1, Chunk(3, 0, 2)), Send(1, Chunk(4, 2, 2))]


def test_a_worker_that_died_between_mailboxes_takes_the_blame_for_none() -> None:
    dispatch = begun(10, 5, 1)

    after(dispatch, Ended(0, "SIGKILL", None), Heard(0, Ready()))
    commands = after(dispatch, Heard(0, found(3, 0, 5)))

    assert commands == [Keep(0, found(3, 0, 5), 1, 1)]


def test_workers_that_die_before_they_do_anything_stop_the_run() -> None:
    dispatch = begun(10, 5, 1)
    for _ in range(DEATHS_IN_VAIN - 1):
        assert after(dispatch, Ended(0, "exit code 1", None)) == [StartWorker(0)]

    assert after(dispatch, Ended(0, "exit code 1", None)) == []
    assert isinstance(dispatch.stopped_by, Error)
    assert "exit code 1" in dispatch.stopped_by.message


@pytest.mark.parametrize(
    "nonsense",
    [
        found(2, 10, 1),  # the chunk that waits, before the one under way
        found(1, 1, 1),  # a mailbox left out
        found(1, 0, 11),  # more than the chunk has
        found(1, 0, 0),  # nothing
        Found(1, 0, 2, b"1\n", b"1"),  # fewer lines than mailboxes
        Failed(1, 5, 0.0, DENIED),
        Failed(9, 0, 0.0, DENIED),
        Found(1, 0, 2, b"1\n2\n", b"\xff"),  # a fold that is no JSON
        Found(1, 0, 2, b"\n\nnoise", b"1"),  # newlines that end no line
        Printed(100, "hello"),  # a mailbox that no roster has
        Announced(255, "", None, ""),
        Listed(["a"]),
    ],
)
def test_a_worker_that_says_what_cannot_be_is_killed_and_not_believed(nonsense: Found) -> None:
    dispatch = begun(100, 10, 1)

    assert after(dispatch, Heard(0, nonsense)) == [KillWorker(0)]
    assert dispatch.settled == 0
    assert after(dispatch, Heard(0, found(1, 0, 4))) == []
    assert after(dispatch, Ended(0, "SIGKILL", None)) == [StartWorker(0)]


def test_a_worker_whose_bytes_are_no_messages_is_killed_once() -> None:
    dispatch = begun(100, 10, 1)

    assert after(dispatch, Babbled(0, "noise")) == [KillWorker(0)]
    assert after(dispatch, Babbled(0, "noise")) == []


def test_a_worker_that_cannot_work_at_all_stops_the_run() -> None:
    dispatch = Dispatch(10, Fixed(5), workers=1)
    error = Error("JobError", "there is no module 'x'", Cause.JOB)

    assert after(dispatch, Begun(), Heard(0, Unable(error))) == []
    assert dispatch.finished
    assert dispatch.stopped_by == error


def test_an_interrupt_stops_the_run() -> None:
    dispatch = begun(10, 5, 1)

    assert after(dispatch, Interrupted(2)) == []
    assert dispatch.stopped_by == Interrupted(2)


@pytest.mark.parametrize("impossible", [Heard(0, Ready()), Ended(0, "exit code 0", None)])
def test_an_event_that_cannot_be_raises_and_changes_nothing(impossible: Event) -> None:
    dispatch = Dispatch(10, Fixed(5), workers=1)

    with pytest.raises(RuntimeError, match="worker 0"):
        dispatch.handle(impossible, 0.0)

    assert dispatch.handle(Begun(), 0.0) == [StartWorker(0)]
