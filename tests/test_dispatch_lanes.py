"""Dispatch over workers that visit several mailboxes at a time: credit, suspects, limits, pace."""

from __future__ import annotations

from fanout.dispatch import Dispatch
from fanout.events import (
    Begun,
    Command,
    DumpStacks,
    Ended,
    Event,
    Heard,
    KillWorker,
    Looked,
    Reading,
    Retry,
    Risk,
    Safe,
    Send,
    Settle,
    Spot,
    StartWorker,
    StopWorker,
    TerminateWorker,
)
from fanout.partition import Fixed
from fanout.policy import Limits, Policy
from workers.causes import Cause
from workers.messages import Chunk, Error, Failed, Found, Leaving, Ready

BUSY = Error("MapiError", "busy", Cause.BUSY, retryable=True)


def after(dispatch: Dispatch, *events: Event) -> list[Command]:
    """What the last of these events asks for."""
    commands: list[Command] = []
    for event in events:
        commands = dispatch.handle(event, 0.0)
    return commands


def begun(count: int, chunk_size: int, lanes: int, policy: Policy | None = None) -> Dispatch:
    """A run with one worker, which is ready."""
    dispatch = Dispatch(count, Fixed(chunk_size), 1, policy or Policy(), lanes=lanes)
    after(dispatch, Begun(), Heard(0, Ready()))
    return dispatch


def found(chunk: int, ordinal: int, count: int = 1) -> Heard:
    return Heard(0, Found(chunk, ordinal, count, b"1\n" * count, b"1"))


def sent(commands: list[Command]) -> list[tuple[int, int]]:
    """First ordinals and counts of the chunks among the commands."""
    return [(command.chunk.first, command.chunk.count) for command in commands if isinstance(command, Send)]


def reading(*at: int | None, beats: int = 0, rss: int = 0) -> Looked:
    return Looked([Reading(0, tuple(Spot(each, beats) for each in at), rss)])


def looks(dispatch: Dispatch, looked: Looked, first: int, last: int) -> None:
    """Have somebody look every second, and find nothing to do."""
    for second in range(first, last + 1):
        assert dispatch.handle(looked, float(second)) == []


def test_a_worker_gets_work_for_every_lane_and_one_chunk_that_waits() -> None:
    dispatch = Dispatch(100, Fixed(2), workers=1, lanes=5)

    assert sent(after(dispatch, Begun(), Heard(0, Ready()))) == [(0, 2), (2, 2), (4, 2), (6, 2)]


def test_the_next_chunk_comes_when_the_lanes_begin_to_eat_into_the_one_that_waits() -> None:
    dispatch = begun(100, 10, lanes=3)  # has 0-9 and 10-19

    assert sent([*after(dispatch, *(found(1, ordinal) for ordinal in range(7)))]) == []
    assert sent(after(dispatch, found(1, 9))) == [(20, 10)]


def test_mailboxes_may_be_told_of_in_any_order_and_each_once() -> None:
    dispatch = begun(4, 4, lanes=2)
    after(dispatch, found(1, 1), found(1, 3), found(1, 0), found(1, 2))

    assert dispatch.finished
    assert dispatch.settled == 4


def test_a_mailbox_that_is_told_of_twice_ends_its_worker() -> None:
    dispatch = begun(4, 4, lanes=2)

    assert after(dispatch, found(1, 1), found(1, 1)) == [KillWorker(0)]
    assert after(begun(4, 4, lanes=2), found(1, 2), found(1, 1, count=2)) == [KillWorker(0)]
    assert dispatch.settled == 1


def test_those_that_were_under_way_when_a_worker_died_go_out_again_in_two_halves_apart() -> None:
    dispatch = begun(100, 10, lanes=4)

    assert after(dispatch, found(1, 1), Ended(0, "SIGSEGV", (0, 2, 3, 4))) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(3, 0, 1)), Send(0, Chunk(4, 2, 1))]
    assert sent(after(dispatch, found(3, 0))) == []  # nothing beside the suspects
    assert after(dispatch, found(4, 2))[1:] == [Send(0, Chunk(5, 3, 1)), Send(0, Chunk(6, 4, 1))]


def test_the_one_that_ends_its_worker_alone_has_to_answer_for_it_and_no_other() -> None:
    dispatch = begun(4, 4, lanes=4, policy=Policy(retries=0))
    after(dispatch, Ended(0, "SIGSEGV", (0, 1, 2, 3)), Heard(0, Ready()))  # 0 and 1 are apart
    after(dispatch, Ended(0, "SIGSEGV", (0, 1)), Heard(0, Ready()))  # 2 and 3
    after(dispatch, found(4, 2), found(5, 3))  # and 0 alone
    settled, restarted = after(dispatch, Ended(0, "SIGSEGV", (0,)))

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.attempts, settled.error.cause) == (0, 1, Cause.CRASH)
    assert restarted == StartWorker(0)
    assert sent(after(dispatch, Heard(0, Ready()))) == [(1, 1)]
    assert after(dispatch, found(7, 1)) != []
    assert (dispatch.finished, dispatch.failed) == (True, 1)


def test_a_kill_from_outside_counts_against_nobody_while_several_were_under_way() -> None:
    dispatch = begun(3, 3, lanes=3, policy=Policy(retries=0))
    commands = after(dispatch, Ended(0, "SIGKILL", (0, 1, 2)))

    assert commands == [StartWorker(0)]
    assert dispatch.failed == 0


def test_one_that_hangs_is_drained_around_before_its_worker_is_asked_to_end() -> None:
    dispatch = begun(100, 10, lanes=3, policy=Policy(Limits(timeout=10.0, grace=5.0)))
    dispatch.handle(reading(0, 1, 2), 0.0)
    after(dispatch, found(1, 1), found(1, 2))
    looks(dispatch, reading(0, 3, 4), 1, 9)

    assert dispatch.handle(reading(0, 3, 4), 10.0) == [StopWorker(0)]
    assert dispatch.handle(found(1, 3), 11.0)[1:] == []  # it gets nothing more
    assert dispatch.handle(reading(0, None, 4), 12.0) == []
    assert dispatch.handle(reading(0, None, None), 13.0) == [DumpStacks(0)]
    assert dispatch.handle(reading(0, None, None), 14.0) == [TerminateWorker(0)]
    retried, _ = dispatch.handle(Ended(0, "SIGTERM", (0,)), 15.0)
    assert isinstance(retried, Retry)
    assert (retried.ordinal, retried.error.cause) == (0, Cause.TIMEOUT)


def test_when_the_drain_has_lasted_as_long_as_the_limit_all_that_are_left_are_suspects() -> None:
    dispatch = begun(3, 3, lanes=3, policy=Policy(Limits(timeout=10.0), retries=0))
    dispatch.handle(reading(0, 1, 2), 0.0)
    dispatch.handle(found(1, 1), 1.0)
    looks(dispatch, reading(0, None, 2), 1, 9)

    assert dispatch.handle(reading(0, None, 2), 10.0) == [StopWorker(0)]
    looks(dispatch, reading(0, None, 2), 11, 19)
    assert dispatch.handle(reading(0, None, 2), 20.0) == [DumpStacks(0)]
    assert dispatch.handle(Ended(0, "SIGTERM", (0, 2)), 20.5) == [StartWorker(0)]
    assert dispatch.handle(Heard(0, Ready()), 21.0) == [Send(0, Chunk(2, 0, 1))]
    looks(dispatch, reading(0, None, None), 21, 30)
    assert dispatch.handle(reading(0, None, None), 31.0) == [DumpStacks(0)]
    settled, restarted = dispatch.handle(Ended(0, "SIGTERM", (0,)), 31.5)
    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.TIMEOUT)
    assert restarted == StartWorker(0)
    assert dispatch.handle(Heard(0, Ready()), 32.0) == [Send(0, Chunk(3, 2, 1))]


def test_a_lane_stalls_though_others_make_round_trips() -> None:
    dispatch = begun(10, 10, lanes=2, policy=Policy(Limits(stall_timeout=10.0)))
    for second in range(10):
        spots = (Spot(0, 3), Spot(1, second))
        assert dispatch.handle(Looked([Reading(0, spots, 0)]), float(second)) == []

    assert dispatch.handle(Looked([Reading(0, (Spot(0, 3), Spot(1, 10)), 0)]), 10.0) == [StopWorker(0)]


def test_memory_that_any_of_several_may_have_taken_makes_them_all_suspects_at_once() -> None:
    dispatch = begun(10, 10, lanes=2, policy=Policy(Limits(max_rss=100), retries=0))

    assert dispatch.handle(reading(0, 1, rss=151), 0.0) == [DumpStacks(0)]
    assert dispatch.handle(reading(0, 1, rss=151), 1.0) == [TerminateWorker(0)]
    assert dispatch.handle(Ended(0, "SIGTERM", (0, 1)), 1.0) == [StartWorker(0)]
    assert sent(dispatch.handle(Heard(0, Ready()), 1.0)) == [(0, 1)]
    dispatch.handle(reading(0, None, rss=151), 2.0)
    dispatch.handle(reading(0, None, rss=151), 3.0)
    settled, _ = dispatch.handle(Ended(0, "SIGTERM", (0,)), 3.0)
    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.MEMORY)


def test_a_job_that_must_not_be_called_twice_gets_one_mailbox_a_lane() -> None:
    dispatch = Dispatch(10, Fixed(5), workers=1, lanes=2)

    commands = after(dispatch, Begun(), Heard(0, Ready(uncertain=True)))

    assert commands == [Risk(0), Send(0, Chunk(1, 0, 1)), Risk(1), Send(0, Chunk(2, 1, 1))]
    assert after(dispatch, found(2, 1))[1:] == [Risk(2), Send(0, Chunk(3, 2, 1))]


def test_all_that_were_under_way_are_uncertain_and_those_that_were_not_begun_are_safe() -> None:
    dispatch = Dispatch(10, Fixed(5), workers=1, policy=Policy(retries=3), lanes=3)
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)))

    commands = after(dispatch, Ended(0, "SIGKILL", (0, 2)))

    assert [command.ordinal for command in commands if isinstance(command, Settle)] == [0, 2]
    assert {command.error.cause for command in commands if isinstance(command, Settle)} == {Cause.UNCERTAIN}
    assert [command for command in commands if isinstance(command, Safe)] == [Safe(1)]


def test_lanes_rest_for_a_busy_server_and_come_back_as_it_answers() -> None:
    dispatch = begun(100, 4, lanes=4, policy=Policy(backoff=1e6, longest_backoff=1e6))  # has 0-3 and 4-7

    after(dispatch, *(Heard(0, Failed(1, ordinal, 0.1, BUSY)) for ordinal in range(4)))  # so two may be at work
    resting = [after(dispatch, found(2, 4)), after(dispatch, found(2, 5)), after(dispatch, found(2, 6))]

    assert [sent(commands) for commands in resting] == [[], [], [(8, 2)]]  # three may be, and one is


def test_what_a_lane_did_may_end_its_worker_a_moment_later() -> None:
    dispatch = begun(10, 10, lanes=2)

    assert after(dispatch, found(1, 1), Ended(0, "SIGSEGV", ())) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(2, 0, 1))]
    assert after(dispatch, found(2, 0))[1:] == [Send(0, Chunk(3, 2, 1))]
    assert sent(after(dispatch, found(3, 2))) == [(3, 7)]


def test_a_worker_that_left_in_order_leaves_no_suspect_behind() -> None:
    dispatch = begun(10, 10, lanes=2)

    assert after(dispatch, found(1, 0), Heard(0, Leaving("it was asked to")), Ended(0, "exit code 0", ())) == [
        StartWorker(0)
    ]
    assert sent(after(dispatch, Heard(0, Ready()))) == [(1, 9)]
