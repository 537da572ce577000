"""When nobody is answered any more: how long a run waits before it gives up a server."""

from __future__ import annotations

import pytest

from fanout.dispatch import Dispatch
from fanout.endings import ENOUGH
from fanout.events import Begun, Heard, Resized
from fanout.partition import Fixed
from workers.causes import Cause
from workers.messages import Error, Failed, Found, Ready

SILENT = Error("TimeoutError", "no answer within 60 s", Cause.UNREACHABLE, retryable=True)
DENIED = Error("MailboxError", "not yours", Cause.DENIED)

#: Mailboxes of a chunk: so many that none has its second attempt.
SIZE = 250


class Run:
    """A run whose workers tell of one mailbox after the other, in turn."""

    def __init__(self, workers: int, lanes: int = 1) -> None:
        self.dispatch = Dispatch(100 * SIZE, Fixed(SIZE), workers, lanes=lanes)
        self._workers = workers
        self._told = 0
        self.dispatch.handle(Begun(), 0.0)
        for number in range(workers):
            self.dispatch.handle(Heard(number, Ready()), 0.0)

    def tell(self, *errors: Error | None, seconds: float = 60.0) -> None:
        """The next mailboxes come to this; None is done."""
        for error in errors:
            place, number = divmod(self._told, self._workers)
            chunk, ordinal = 1 + 2 * number, 2 * SIZE * number + place
            done = Found(chunk, ordinal, 1, b"1\n", b"1")
            told = Failed(chunk, ordinal, seconds, error) if error else done
            self.dispatch.handle(Heard(number, told), 0.0)
            self._told += 1


def test_a_server_that_answers_nobody_is_given_up_after_fifteen_timeouts_of_each_worker() -> None:
    run = Run(workers=5)

    run.tell(*[SILENT] * 74)
    before = run.dispatch.stopped_by
    run.tell(SILENT)

    assert before is None
    assert run.dispatch.stopped_by == Error(
        "ServerGone",
        "75 attempts in a row reached no mailbox, 900 s of waiting for each worker; the last: no answer within 60 s",
        Cause.UNREACHABLE,
    )
    assert run.dispatch.settled == 0


def test_workers_that_rest_for_a_busy_server_are_not_waited_for() -> None:
    busy = Error("MailboxError", "not now", Cause.BUSY, retryable=True)
    run = Run(workers=5)
    run.tell(*[busy] * 8)

    run.tell(*[SILENT] * 14)
    before = run.dispatch.finished
    run.tell(SILENT)

    assert (before, run.dispatch.finished) == (False, True)


def test_threads_count_as_workers_do() -> None:
    run = Run(workers=1, lanes=5)

    run.tell(*[SILENT] * 74)
    before = run.dispatch.finished
    run.tell(SILENT)

    assert (before, run.dispatch.finished) == (False, True)


@pytest.mark.parametrize("answer", [None, DENIED], ids=["done", "denied"])
def test_whoever_is_answered_ends_the_silence(answer: Error | None) -> None:
    run = Run(workers=5)

    run.tell(*[SILENT] * 74, answer, *[SILENT] * 74)

    assert not run.dispatch.finished


def test_a_few_neighbours_that_nobody_can_reach_are_no_silence() -> None:
    run = Run(workers=1)

    run.tell(*[SILENT] * (ENOUGH - 1), None, *[SILENT] * (ENOUGH - 1), seconds=600.0)
    before = run.dispatch.finished
    run.tell(SILENT)

    assert (before, run.dispatch.finished) == (False, True)


def test_connections_that_are_cut_at_once_are_no_silence() -> None:
    """A server that is started again refuses whoever comes meanwhile; each mailbox has further attempts for that."""
    run = Run(workers=2)

    run.tell(*[SILENT] * 200, seconds=0.01)

    assert not run.dispatch.finished


def test_more_workers_have_to_wait_in_vain_where_more_were_asked_for() -> None:
    run = Run(workers=5)
    run.dispatch.handle(Resized(10), 0.0)

    run.tell(*[SILENT] * 149)
    before = run.dispatch.finished
    run.tell(SILENT)

    assert (before, run.dispatch.finished) == (False, True)
