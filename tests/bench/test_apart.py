"""Work in processes apart: real ones, for there is nothing else to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from fanout.bench.apart import WorkFailedError, apart
from tests.processes import below

pytestmark = pytest.mark.spawns


def burn(seconds: float) -> None:
    """Take so much CPU."""
    end = os.times().user + seconds
    while os.times().user < end:
        pass


def test_what_the_work_returns_comes_back() -> None:
    assert apart(lambda: b"an answer" * 100_000)[1] == b"an answer" * 100_000


def test_processes_that_nobody_waited_for_are_counted_and_gone() -> None:
    def work() -> bytes:
        if os.fork() == 0:
            if os.fork() == 0:  # an orphan, which outlives the work
                burn(0.1)
            os._exit(0)
        return b""

    cost, _ = apart(work)

    assert cost.cpu >= 0.1
    assert below() == []


def test_the_peak_is_that_of_the_work_and_not_of_what_it_starts() -> None:
    def work() -> bytes:
        if os.fork() == 0:
            bytearray(300 * 2**20)
            os._exit(0)
        os.wait()
        bytearray(100 * 2**20)
        return b""

    assert 100 < apart(work)[0].peak < 300


def raise_an_error() -> None:
    raise ZeroDivisionError("of the work")


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(0), raise_an_error])
def test_work_that_does_not_come_to_its_end_has_failed(end: Callable[[], object]) -> None:
    def work() -> bytes:
        end()
        return b""

    with pytest.raises(WorkFailedError):
        apart(work)


def test_an_error_of_the_work_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkFailedError):
        apart(raise_an_error)  # type: ignore[arg-type]  # it returns nothing, in any sense

    assert "ZeroDivisionError: of the work" in capfd.readouterr().err


@pytest.fixture
def interruption() -> Iterator[signal.Signals]:
    """A signal that interrupts this process as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def test_an_interruption_leaves_no_process_of_the_work_and_of_what_it_started(interruption: signal.Signals) -> None:
    first = os.getpid()

    def work() -> bytes:
        if os.fork() == 0 and os.fork() == 0:
            os.kill(first, interruption)
        while True:
            signal.pause()

    with pytest.raises(KeyboardInterrupt):
        apart(work)

    assert below() == []
