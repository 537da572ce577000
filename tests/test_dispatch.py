"""Dispatch, as events in and commands out: no process, no pipe, no clock."""

from __future__ import annotations

import pytest

from fanout.crew import HUNG_UP, MOST_WAITING
from fanout.dispatch import Dispatch
from fanout.endings import DEATHS_IN_VAIN, GONE
from fanout.events import (
    Babbled,
    Begun,
    Command,
    DumpStacks,
    Ended,
    Event,
    Heard,
    Interrupted,
    Keep,
    KillWorker,
    Looked,
    Note,
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
from fanout.fate import BUSY_PATIENCE, ENOUGH_TO_JUDGE, OUTSIDE_DEATHS
from fanout.partition import Fixed
from fanout.policy import ORDINARY, Limits, MaxFailures, Policy
from fanout.work import Todo
from workers.causes import Cause
from workers.messages import Announced, Chunk, Error, Failed, Found, Leaving, Listed, Printed, Ready, Unable

DENIED = Error("MapiError", "no", Cause.DENIED)
CUT = Error("MapiError", "cut off", Cause.UNREACHABLE, retryable=True)
BUSY = Error("MapiError", "later", Cause.BUSY, retryable=True)


def found(chunk: int, first: int, count: int) -> Found:
    return Found(chunk, first, count, b"1\n" * count, b"1")


def after(dispatch: Dispatch, *events: Event) -> list[Command]:
    """The commands for the last of some events."""
    commands: list[Command] = []
    for event in events:
        commands = dispatch.handle(event, 0.0)
    return commands


def begun(count: int, size: int, workers: int, policy: Policy = ORDINARY) -> Dispatch:
    """A run whose workers are ready."""
    dispatch = Dispatch(count, Fixed(size), workers, policy)
    after(dispatch, Begun(), *(Heard(number, Ready()) for number in range(workers)))
    return dispatch


def test_a_run_begins_with_no_more_workers_than_there_are_chunks() -> None:
    dispatch = Dispatch(10, Fixed(4), workers=8)

    assert dispatch.handle(Begun(), 0.0) == [StartWorker(0), StartWorker(1), StartWorker(2)]


def test_a_ready_worker_gets_one_chunk_to_work_on_and_one_that_waits() -> None:
    dispatch = Dispatch(100, Fixed(10), workers=2)

    commands = after(dispatch, Begun(), Heard(0, Ready()))

    assert commands == [Send(0, Chunk(1, 0, 10)), Send(0, Chunk(2, 10, 10))]


def test_what_is_found_is_kept_and_the_chunk_goes_on() -> None:
    dispatch = begun(100, 10, 1)

    assert after(dispatch, Heard(0, found(1, 0, 4))) == [Keep(0, found(1, 0, 4), 1, 1)]
    assert dispatch.settled == 4


def test_a_finished_chunk_is_followed_by_the_next() -> None:
    dispatch = begun(100, 10, 1)

    commands = after(dispatch, Heard(0, found(1, 0, 10)))

    assert commands == [Keep(0, found(1, 0, 10), 1, 1), Send(0, Chunk(3, 20, 10))]


def test_more_chunks_wait_where_they_are_done_before_the_pipe_brings_another() -> None:
    """Thirty chunks of 0.1 ms: so many wait as are done within a millisecond. Then one takes a second: one waits."""
    dispatch = begun(10_000, 10, 1)
    quick = [Heard(0, found(number + 1, number * 10, 10)) for number in range(30)]

    sent = sum(len(dispatch.handle(event, 0.0001 * place)) - 1 for place, event in enumerate(quick, start=1))
    slow = dispatch.handle(Heard(0, found(31, 300, 10)), 1.0)

    assert sent - len(quick) == MOST_WAITING - 1  # beside the two of the beginning
    assert slow == [Keep(0, found(31, 300, 10), 1, 1)]


def test_a_failed_mailbox_is_settled_with_its_error() -> None:
    dispatch = begun(100, 10, 1)

    commands = after(dispatch, Heard(0, found(1, 0, 3)), Heard(0, Failed(1, 3, 0.5, DENIED)))

    assert commands == [Settle(0, 3, 1, 0.5, DENIED)]
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

    blamed, restarted = after(dispatch, Heard(0, found(1, 0, 4)), Ended(0, "SIGSEGV", (6,)))
    assert isinstance(blamed, Retry)
    assert (blamed.ordinal, blamed.attempt, restarted) == (6, 1, StartWorker(0))
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(2, 6, 1, attempt=2))]
    assert after(dispatch, Heard(0, found(2, 6, 1))) == [
        Keep(0, found(2, 6, 1), 2, 1),
        Send(0, Chunk(3, 4, 2)),
        Send(0, Chunk(4, 7, 3)),
    ]


def test_nonsense_blames_a_mailbox_only_when_its_worker_had_no_other() -> None:
    """It may have been said at the mailbox before."""
    dispatch = begun(3, 1, 1, Policy(retries=0))  # it has 0 and 1, and is at 1

    assert after(dispatch, Babbled(0, "noise"), Ended(0, "SIGKILL", (1,))) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(3, 0, 1))]
    assert after(dispatch, Heard(0, found(3, 0, 1)))[1:] == [Send(0, Chunk(4, 1, 1))]
    settled, _ = after(dispatch, Babbled(0, "noise"), Ended(0, "SIGKILL", (1,)))
    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (1, Cause.CRASH)


@pytest.mark.parametrize("how", ["SIGKILL", HUNG_UP])
def test_whoever_was_begun_and_not_told_of_may_have_said_the_nonsense_or_closed_the_pipe(how: str) -> None:
    """The worker had told of 0 and 1 and was at 4: 2, 3 and 4 are suspects, 5 to 9 are innocent."""
    dispatch = begun(10, 5, 1)
    nonsense = [Babbled(0, "noise")] if how == "SIGKILL" else []

    assert after(dispatch, Heard(0, found(1, 0, 2)), *nonsense, Ended(0, how, (4,))) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(3, 2, 1))]
    assert after(dispatch, Heard(0, found(3, 2, 1)))[1:] == [Send(0, Chunk(4, 3, 1)), Send(0, Chunk(5, 4, 1))]
    assert after(dispatch, Heard(0, found(4, 3, 1)), Heard(0, found(5, 4, 1)))[1:] == [Send(0, Chunk(6, 5, 5))]


def test_nonsense_that_is_heard_when_its_worker_is_at_none_any_more_is_traced_to_its_mailbox() -> None:
    """A quick worker is at the end of all that it has before the first noise of it is read."""
    dispatch = begun(100, 50, 1, Policy(retries=0))
    has = [Chunk(1, 0, 50), Chunk(2, 50, 50)]
    failed: list[tuple[int, Cause]] = []
    while not dispatch.finished:
        if not has:
            commands = after(dispatch, Heard(0, Ready()))
        elif any(42 in chunk.ordinals for chunk in has):
            has = []
            commands = after(dispatch, Babbled(0, "noise"), Ended(0, "SIGKILL", ()))
        else:
            chunk = has.pop(0)
            commands = after(dispatch, Heard(0, found(chunk.number, chunk.first, chunk.count)))
        for command in commands:
            match command:
                case Send(chunk=chunk):
                    has.append(chunk)
                case Settle(ordinal=ordinal, error=error):
                    failed.append((ordinal, error.cause))

    assert (failed, dispatch.settled, dispatch.stopped_by) == ([(42, Cause.CRASH)], 100, None)


def test_a_worker_that_pauses_within_a_message_is_killed_and_one_that_goes_on_is_not() -> None:
    dispatch = begun(6, 3, 2, Policy(Limits(timeout=8.0)))  # worker 0 has all of them, and is at none

    def look(now: int) -> list[Command]:
        halves = [Reading(0, (Spot(None, 0),), 0, half=4), Reading(1, (Spot(None, 0),), 0, half=1 + now)]
        return dispatch.handle(Looked(halves), float(now))

    assert [look(now) for now in range(10)] == [[]] * 10
    assert look(10) == [KillWorker(0)]


def test_a_mailbox_that_takes_its_worker_with_it_again_and_again_is_settled_as_a_crash() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=1))
    first = after(dispatch, Ended(0, "SIGSEGV", (0,)))
    after(dispatch, Heard(0, Ready()))

    (settled,) = after(dispatch, Ended(0, "exit code 3", (0,), "boom"))

    assert [type(command) for command in first] == [Retry, StartWorker]
    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.attempts, settled.error.cause) == (0, 2, Cause.CRASH)
    assert settled.error.message == "the worker died at this mailbox, by exit code 3; its last words: boom"
    assert dispatch.finished


def test_a_kill_from_outside_counts_no_attempt_until_it_happens_again_and_again() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=0))
    for _ in range(OUTSIDE_DEATHS - 1):
        assert after(dispatch, Ended(0, "SIGKILL", (0,))) == [StartWorker(0)]
        (sent,) = after(dispatch, Heard(0, Ready()))
        assert isinstance(sent, Send)
        assert sent.chunk.attempt == 1

    (settled,) = after(dispatch, Ended(0, "SIGKILL", (0,)))

    assert isinstance(settled, Settle)
    assert settled.error.cause is Cause.CRASH


def test_a_death_for_want_of_memory_is_the_mailboxs_own() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=0))

    (settled,) = after(dispatch, Ended(0, "SIGKILL by the kernel, for want of memory", (0,)))

    assert isinstance(settled, Settle)
    assert settled.error.cause is Cause.MEMORY


def test_a_mailbox_that_may_have_been_written_to_is_never_visited_again_by_itself() -> None:
    dispatch = Dispatch(2, Fixed(2), workers=1)
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)))

    settled, restarted = after(dispatch, Ended(0, "SIGKILL", (0,)))

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.UNCERTAIN)
    assert restarted == StartWorker(0)
    assert after(dispatch, Heard(0, Ready(uncertain=True))) == [Risk(1), Send(0, Chunk(2, 1, 1))]


def test_an_uncertain_worker_gets_one_mailbox_at_a_time_each_behind_its_risk() -> None:
    dispatch = Dispatch(100, Fixed(10), workers=2)
    ready = Ready(uncertain=True)

    assert after(dispatch, Begun(), Heard(0, ready)) == [Risk(0), Send(0, Chunk(1, 0, 1))]
    assert after(dispatch, Heard(1, ready)) == [Risk(1), Send(1, Chunk(2, 1, 1))]
    assert after(dispatch, Looked([])) == []
    assert after(dispatch, Heard(0, found(1, 0, 1))) == [
        Keep(0, found(1, 0, 1), 1, 1),
        Risk(2),
        Send(0, Chunk(3, 2, 1)),
    ]


def test_a_mailbox_that_an_uncertain_worker_had_not_begun_is_safe_and_given_out_again() -> None:
    dispatch = Dispatch(2, Fixed(2), workers=1)
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)), Interrupted(2), Heard(0, Leaving("asked to")))

    assert after(dispatch, Ended(0, "exit code 0", ())) == [Safe(0)]
    assert dispatch.stopped_by == Interrupted(2)

    killed = Dispatch(2, Fixed(2), workers=1)
    after(killed, Begun(), Heard(0, Ready(uncertain=True)))

    assert after(killed, Ended(0, "SIGKILL", ())) == [Safe(0), StartWorker(0)]
    assert after(killed, Heard(0, Ready(uncertain=True))) == [Risk(0), Send(0, Chunk(2, 0, 1))]


def test_an_uncertain_worker_that_was_killed_for_nonsense_may_be_done_with_its_mailbox() -> None:
    """What it said behind the nonsense was not heard, so a slot at no mailbox proves nothing."""
    dispatch = Dispatch(2, Fixed(2), workers=1)
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)), Babbled(0, "noise"))

    settled, restarted = after(dispatch, Ended(0, "SIGKILL", ()))

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause) == (0, Cause.UNCERTAIN)
    assert restarted == StartWorker(0)


def test_an_uncertain_mailbox_that_failed_and_is_tried_again_is_at_risk_again() -> None:
    dispatch = Dispatch(1, Fixed(1), workers=1, policy=Policy(retries=1, backoff=1.0))
    after(dispatch, Begun(), Heard(0, Ready(uncertain=True)))

    assert after(dispatch, Heard(0, Failed(1, 0, 0.5, CUT))) == [Retry(0, 1, 0.5, CUT)]
    assert dispatch.handle(Looked([]), 1.0) == [Risk(0), Send(0, Chunk(2, 0, 1, attempt=2))]


def test_a_failure_that_can_pass_is_followed_by_a_second_attempt_after_a_wait() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=1, backoff=10.0))

    assert after(dispatch, Heard(0, Failed(1, 0, 0.5, CUT))) == [Retry(0, 1, 0.5, CUT)]
    now, sent = 0.0, list[Command]()
    while not sent:
        now = dispatch.wake_at(now)
        sent = dispatch.handle(Looked([]), now)
    assert 5.0 <= now <= 10.0
    assert sent == [Send(0, Chunk(2, 0, 1, attempt=2))]
    assert after(dispatch, Heard(0, Failed(2, 0, 0.5, CUT))) == [Settle(0, 0, 2, 0.5, CUT)]


def test_a_failure_that_cannot_pass_is_settled_at_once() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=5))

    assert after(dispatch, Heard(0, Failed(1, 0, 0.5, DENIED))) == [Settle(0, 0, 1, 0.5, DENIED)]


def test_a_busy_answer_that_must_not_be_followed_by_another_attempt_is_settled() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=5))
    final = Error("MapiError", "busy in the middle of a job that writes", Cause.BUSY)

    assert after(dispatch, Heard(0, Failed(1, 0, 0.5, final))) == [Settle(0, 0, 1, 0.5, final)]


def test_a_busy_server_is_asked_again_with_no_attempt_counted() -> None:
    dispatch = begun(1, 1, 1, Policy(retries=0, backoff=1.0, longest_backoff=1.0))
    now = 0.0
    for chunk in range(1, BUSY_PATIENCE + 1):
        assert dispatch.handle(Heard(0, Failed(chunk, 0, 0.5, BUSY)), now) == [Retry(0, 1, 0.5, BUSY)]
        now += 1.0
        assert dispatch.handle(Looked([]), now) == [Send(0, Chunk(chunk + 1, 0, 1, put_off=chunk))]

    assert dispatch.handle(Heard(0, Failed(BUSY_PATIENCE + 1, 0, 0.5, BUSY)), now) == [Settle(0, 0, 1, 0.5, BUSY)]


def test_a_worker_gets_no_chunk_while_more_are_at_work_than_a_busy_server_bears() -> None:
    dispatch = begun(
        100, 2, 4, Policy(backoff=1e6, longest_backoff=1e6)
    )  # worker 0 has chunks 1 and 2, worker 1 3 and 4
    after(dispatch, Heard(0, Failed(1, 0, 0.1, BUSY)), Heard(0, Failed(1, 1, 0.1, BUSY)))

    commands = after(dispatch, Heard(0, found(2, 2, 2)))

    assert [type(command) for command in commands] == [Keep]


def test_a_worker_that_rests_is_given_something_as_soon_as_a_lane_more_may_be_at_work() -> None:
    dispatch = begun(100, 2, 4, Policy(backoff=1e6, longest_backoff=1e6))
    after(dispatch, Heard(0, Failed(1, 0, 0.1, BUSY)), Heard(0, Failed(1, 1, 0.1, BUSY)), Heard(0, found(2, 2, 2)))

    commands = after(dispatch, Heard(1, found(3, 4, 2)))  # four were done by three

    assert [command.worker for command in commands if isinstance(command, Send)] == [1, 0, 0]


def test_a_failure_that_is_no_busy_answer_lets_a_worker_come_back_too() -> None:
    dispatch = begun(100, 1, 2, Policy(backoff=1e6, longest_backoff=1e6))
    after(dispatch, Heard(0, Failed(1, 0, 0.1, BUSY)), Heard(0, Failed(2, 1, 0.1, BUSY)))

    commands = [after(dispatch, Heard(1, Failed(chunk, chunk - 1, 0.1, DENIED))) for chunk in (3, 4)]

    assert [[command.worker for command in each if isinstance(command, Send)] for each in commands] == [[1], [1, 0, 0]]


def test_a_suspect_goes_out_at_once_to_a_worker_that_rests_for_a_busy_server() -> None:
    dispatch = begun(100, 1, 3, Policy(backoff=1e6, longest_backoff=1e6))
    after(dispatch, *(Heard(chunk // 3, Failed(chunk, chunk - 1, 0.1, BUSY)) for chunk in (1, 2, 3, 4)))

    commands = after(dispatch, Ended(2, "SIGSEGV", (4,)))

    assert Send(0, Chunk(7, 4, 1, attempt=2)) in commands
    assert [command.worker for command in commands if isinstance(command, Send)] == [0]


def test_time_for_which_nobody_looked_counts_for_no_mailbox() -> None:
    """The whole process group was stopped and continued, or a slow reader of the output held everybody up."""
    dispatch = begun(3, 3, 1, Policy(Limits(timeout=10.0, grace=5.0)))
    looked = Looked([Reading(0, (Spot(1, 7),), 0)])
    dispatch.handle(looked, 0.0)

    assert dispatch.handle(looked, 3600.0) == []
    assert [dispatch.handle(looked, 3600.0 + second) for second in range(1, 8)] == [[]] * 7
    assert dispatch.handle(looked, 3608.0) == [DumpStacks(0)]


def test_a_worker_that_begins_nothing_though_it_has_mailboxes_is_replaced_and_none_is_to_blame() -> None:
    dispatch = begun(3, 3, 1, Policy(Limits(timeout=3.0, grace=5.0), retries=0))
    looked = Looked([Reading(0, (Spot(None, 7),), 0)])

    assert [dispatch.handle(looked, float(now)) for now in range(5)] == [
        [],
        [],
        [],
        [DumpStacks(0)],
        [TerminateWorker(0)],
    ]
    assert dispatch.handle(Ended(0, "SIGTERM", ()), 5.0) == [StartWorker(0)]
    assert dispatch.handle(Heard(0, Ready()), 5.0) == [Send(0, Chunk(2, 0, 3))]


def test_a_worker_without_mailboxes_may_wait_for_ever() -> None:
    dispatch = begun(2, 1, 2, Policy(Limits(timeout=3.0)))  # worker 0 has both
    looked = Looked([Reading(1, (Spot(None, 0),), 0)])

    assert [dispatch.handle(looked, float(now)) for now in range(20)] == [[]] * 20


def test_a_worker_gets_nothing_while_enough_others_are_at_work() -> None:
    dispatch = begun(1000, 2, 2)
    dispatch.handle(Heard(0, Failed(1, 0, 0.0, BUSY)), 10.0)
    dispatch.handle(Heard(0, found(1, 1, 1)), 10.0)

    assert dispatch.handle(Heard(0, found(3, 4, 2)), 10.0)[1:] == []
    assert dispatch.handle(Heard(1, found(2, 2, 2)), 10.0)[1:] == []


def test_a_mailbox_that_takes_too_long_is_asked_for_its_stacks_then_to_end_then_killed() -> None:
    dispatch = begun(3, 3, 1, Policy(Limits(timeout=10.0, grace=5.0), retries=0))
    looks = [dispatch.handle(Looked([Reading(0, (Spot(1, second),), 0)]), float(second)) for second in range(100, 110)]
    assert looks == [[]] * 10

    assert dispatch.handle(Looked([Reading(0, (Spot(1, 9),), 0)]), 110.0) == [DumpStacks(0)]
    assert dispatch.handle(Looked([Reading(0, (Spot(1, 9),), 0)]), 111.0) == [TerminateWorker(0)]
    assert [dispatch.handle(Looked([Reading(0, (Spot(1, 9),), 0)]), float(now)) for now in range(112, 116)] == [[]] * 4
    assert dispatch.handle(Looked([Reading(0, (Spot(1, 9),), 0)]), 116.0) == [KillWorker(0)]
    settled, _ = dispatch.handle(Ended(0, "SIGKILL", (1,), "File x.py, line 3"), 116.0)

    assert isinstance(settled, Settle)
    assert (settled.ordinal, settled.error.cause, settled.seconds) == (1, Cause.TIMEOUT, 16.0)
    assert "not done after 10.0 s" in settled.error.message
    assert "x.py, line 3" in settled.error.message


def test_a_huge_mailbox_that_makes_round_trips_does_not_stall() -> None:
    dispatch = begun(3, 3, 1, Policy(Limits(stall_timeout=10.0)))

    for second in range(100):
        assert dispatch.handle(Looked([Reading(0, (Spot(1, second // 5),), 0)]), float(second)) == []
    stalled = [dispatch.handle(Looked([Reading(0, (Spot(1, 19),), 0)]), 100.0 + second) for second in range(6)]

    assert stalled == [[], [], [], [], [], [DumpStacks(0)]]


def test_a_mailbox_that_ended_after_all_costs_the_next_one_nothing() -> None:
    dispatch = begun(3, 3, 1, Policy(Limits(timeout=10.0), retries=0))
    dispatch.handle(Looked([Reading(0, (Spot(0, 0),), 0)]), 0.0)
    dispatch.handle(Looked([Reading(0, (Spot(0, 0),), 0)]), 10.0)
    dispatch.handle(Heard(0, found(1, 0, 1)), 10.0)

    assert dispatch.handle(Ended(0, "SIGTERM", (1,)), 10.0) == [StartWorker(0)]
    assert after(dispatch, Heard(0, Ready())) == [Send(0, Chunk(2, 1, 1))]
    assert Send(0, Chunk(3, 2, 1)) in after(dispatch, Heard(0, found(2, 1, 1)))


def test_a_worker_that_grows_far_beyond_its_memory_is_ended_within_the_mailbox() -> None:
    dispatch = begun(3, 3, 1, Policy(Limits(max_rss=100), retries=0))

    assert dispatch.handle(Looked([Reading(0, (Spot(0, 0),), 150)]), 0.0) == []
    assert dispatch.handle(Looked([Reading(0, (Spot(0, 0),), 151)]), 1.0) == [DumpStacks(0)]


def test_a_worker_is_replaced_after_so_many_mailboxes() -> None:
    dispatch = begun(10, 2, 1, Policy(Limits(recycle_after=3)))
    after(dispatch, Heard(0, found(1, 0, 2)))

    assert after(dispatch, Heard(0, found(2, 2, 2)))[1:] == [StopWorker(0)]
    assert after(dispatch, Heard(0, Leaving("asked to"))) == []
    assert after(dispatch, Ended(0, "exit code 0", ())) == [StartWorker(0)]


def test_the_first_interrupt_lets_what_is_under_way_end_and_the_second_does_not() -> None:
    dispatch = begun(10, 5, 2)

    assert after(dispatch, Interrupted(2)) == [StopWorker(0), StopWorker(1)]
    assert after(dispatch, Heard(0, found(1, 0, 1)), Heard(0, Leaving("asked to"))) == []
    assert after(dispatch, Ended(0, "exit code 0", ())) == []
    assert not dispatch.finished
    after(dispatch, Ended(1, "exit code 0", ()))

    assert dispatch.stopped_by == Interrupted(2)
    assert dispatch.settled == 1

    impatient = begun(10, 5, 2)
    after(impatient, Interrupted(2), Interrupted(2))

    assert impatient.finished


def test_too_many_failures_stop_the_run() -> None:
    dispatch = begun(10, 10, 1, Policy(max_failures=MaxFailures(number=1)))

    after(dispatch, Heard(0, Failed(1, 0, 0.0, DENIED)))
    assert not dispatch.finished
    after(dispatch, Heard(0, Failed(1, 1, 0.0, DENIED)))

    assert isinstance(dispatch.stopped_by, Error)
    assert dispatch.stopped_by.type == "TooManyFailures"


def test_a_server_that_no_mailbox_reaches_any_more_stops_the_run() -> None:
    dispatch = begun(1000, 500, 1, Policy(retries=0))
    gone = Error("OSError", "connection refused", Cause.UNREACHABLE)
    for ordinal in range(GONE - 1):
        after(dispatch, Heard(0, Failed(1, ordinal, 0.0, gone)))
    before = dispatch.finished
    after(dispatch, Heard(0, Failed(1, GONE - 1, 0.0, gone)))

    assert not before
    assert isinstance(dispatch.stopped_by, Error)
    assert dispatch.stopped_by.type == "ServerGone"
    assert "connection refused" in dispatch.stopped_by.message


@pytest.mark.parametrize("sign", [found(1, 40, 1), Failed(1, 40, 0.0, DENIED)], ids=["done", "denied"])
def test_a_server_that_answers_anything_meanwhile_is_not_gone(sign: Found | Failed) -> None:
    dispatch = begun(1000, 500, 1, Policy(retries=0))
    gone = Error("OSError", "connection refused", Cause.UNREACHABLE)
    for ordinal in range(GONE + 20):
        after(dispatch, Heard(0, sign if ordinal == 40 else Failed(1, ordinal, 0.0, gone)))

    assert not dispatch.finished


def test_a_share_of_failures_is_judged_when_there_is_enough_to_judge() -> None:
    dispatch = begun(100, 100, 1, Policy(max_failures=MaxFailures(share=0.5)))
    for ordinal in range(ENOUGH_TO_JUDGE - 1):
        after(dispatch, Heard(0, Failed(1, ordinal, 0.0, DENIED)))
        assert not dispatch.finished

    after(dispatch, Heard(0, Failed(1, ENOUGH_TO_JUDGE - 1, 0.0, DENIED)))

    assert dispatch.finished


def test_a_share_of_failures_is_one_of_those_that_this_sitting_settled() -> None:
    policy = Policy(max_failures=MaxFailures(share=0.5))
    dispatch = Dispatch(1000, Fixed(100), 1, policy, Todo([range(900, 1000)], 100))
    after(dispatch, Begun(), Heard(0, Ready()))
    for ordinal in range(900, 900 + ENOUGH_TO_JUDGE):
        after(dispatch, Heard(0, Failed(1, ordinal, 0.0, DENIED)))

    assert isinstance(dispatch.stopped_by, Error)
    assert dispatch.stopped_by.message.startswith(f"{ENOUGH_TO_JUDGE} of {ENOUGH_TO_JUDGE} mailboxes failed")


def test_no_more_mailboxes_are_begun_than_the_rate_allows() -> None:
    dispatch = Dispatch(100, Fixed(50), workers=1, policy=Policy(rate=2.0))
    begun_at = []
    now, told = 0.0, 0
    events: list[Event] = [Begun(), Heard(0, Ready())]
    while now < 10.0:
        for event in events:
            for command in dispatch.handle(event, now):
                if isinstance(command, Send):
                    begun_at += [now] * command.chunk.count
                    told += 1
        chunk = told
        events = [Heard(0, found(chunk, len(begun_at) - 1, 1))] if len(begun_at) > dispatch.settled else [Looked([])]
        now = now if events[0] != Looked([]) else dispatch.wake_at(now)

    assert 18 <= len(begun_at) <= 22


def test_a_run_that_goes_on_visits_what_is_left_and_nothing_else() -> None:
    dispatch = Dispatch(100, Fixed(10), 1, todo=Todo([range(3, 5), range(90, 100)], 12))
    assert dispatch.settled == 88

    sent = after(dispatch, Begun(), Heard(0, Ready()))

    assert sent == [Send(0, Chunk(1, 3, 2)), Send(0, Chunk(2, 90, 10))]
    after(dispatch, Heard(0, found(1, 3, 2)), Heard(0, found(2, 90, 10)))
    assert dispatch.finished


def test_a_dead_worker_s_chunks_go_to_one_that_had_run_out_of_work() -> None:
    dispatch = begun(4, 2, 2)

    commands = after(dispatch, Ended(0, "exit code 1", ()))

    assert commands == [Send(1, Chunk(3, 0, 2)), Send(1, Chunk(4, 2, 2))]


def test_a_worker_that_died_between_mailboxes_takes_the_blame_for_none() -> None:
    dispatch = begun(10, 5, 1)

    after(dispatch, Ended(0, "SIGKILL", ()), Heard(0, Ready()))
    commands = after(dispatch, Heard(0, found(3, 0, 5)))

    assert commands == [Keep(0, found(3, 0, 5), 1, 1)]


def test_workers_that_die_before_they_do_anything_stop_the_run() -> None:
    dispatch = begun(10, 5, 1)
    now = 0.0
    for _ in range(DEATHS_IN_VAIN - 1):
        started = dispatch.handle(Ended(0, "exit code 1", ()), now)
        while not started:
            now = dispatch.wake_at(now)
            started = dispatch.handle(Looked([]), now)
        assert started == [StartWorker(0)]

    assert now >= 1 + 2 + 4
    assert after(dispatch, Ended(0, "exit code 1", ())) == []
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
        Found(1, 0, 1, b"1", b"1"),
        Found(1, 0, 1, b"\n", b"1"),
        Found(1, 0, 1, b"1\n1\n", b"1"),
        Found(1, 0, 1, b"1\n1", b"1"),
    ],
)
def test_a_worker_that_says_what_cannot_be_is_killed_and_not_believed(nonsense: Found) -> None:
    dispatch = begun(100, 10, 1)

    assert after(dispatch, Heard(0, nonsense)) == [KillWorker(0)]
    assert dispatch.settled == 0
    assert after(dispatch, Heard(0, found(1, 0, 4))) == []
    assert after(dispatch, Ended(0, "SIGKILL", ())) == [StartWorker(0)]


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


def test_credentials_that_are_refused_in_the_middle_stop_the_run_and_settle_nothing() -> None:
    dispatch = begun(10, 5, 2)
    expired = Error("MapiError", "Connect: expired", Cause.CREDENTIALS)

    assert after(dispatch, Heard(1, Unable(expired))) == []
    assert dispatch.finished
    assert (dispatch.stopped_by, dispatch.settled) == (expired, 0)


@pytest.mark.parametrize("impossible", [Heard(0, Ready()), Ended(0, "exit code 0", ())])
def test_an_event_that_cannot_be_raises_and_changes_nothing(impossible: Event) -> None:
    dispatch = Dispatch(10, Fixed(5), workers=1)

    with pytest.raises(RuntimeError, match="worker 0"):
        dispatch.handle(impossible, 0.0)

    assert dispatch.handle(Begun(), 0.0) == [StartWorker(0)]
