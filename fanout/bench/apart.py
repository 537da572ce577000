"""What a piece of work costs: it runs in a process of its own, which is waited for with all that it leaves behind.

    this process --fork--> keeper --fork--> the work --> what the work starts

The keeper adopts what the work does not wait for (a tracker of `multiprocess`, what a job forked), and ends when nothing of
it is left. So CPU seconds are those of every process there was, as the kernel adds them up: nothing is sampled, and what
died early counts. Whoever interrupts this process, or kills it, ends them all.
"""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import psutil

from workers.linux import become_subreaper, die_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work cost."""

    cpu: float  # seconds, user and system, of all processes
    wall: float  # seconds, until nothing was left of it
    peak: float  # MiB resident at the most in the process that did it, those that it started not included


class WorkFailedError(Exception):
    """The work raised an exception, whose traceback is on stderr, or was killed."""


def apart(work: Callable[[], bytes]) -> tuple[Cost, bytes]:
    """Run the work in a process of its own; what it cost, and what it returned. Raises WorkFailedError.

    When this raises, KeyboardInterrupt among the reasons, no process of the work is left.
    """
    reading, writing = os.pipe()
    begun, ours = time.perf_counter(), os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the keeper is known, or ignores it
    keeper = os.fork()
    if keeper == 0:
        _Keeper(ours, writing, before).keep(work)
    os.close(writing)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with open(reading, "rb") as pipe:
            told = pipe.read()
        _, status, usage = os.wait4(keeper, 0)
    except BaseException:
        _end(keeper)
        raise
    if status or not told:
        raise WorkFailedError
    peak, answer = msgspec.msgpack.decode(told, type=tuple[float, bytes])
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, peak), answer


def _end(keeper: int) -> None:
    """End all that it keeps, however often somebody presses Ctrl-C meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.kill(keeper, signal.SIGTERM)
    os.waitpid(keeper, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Keeper:
    """The process that waits for all others. Lives in a fork, and never returns to whoever forked it."""

    def __init__(self, parent: int, writing: int, mask: set[int]) -> None:
        self._parent = parent
        self._writing = writing
        self._mask = mask
        self._worker = 0
        self._ended = False

    def keep(self, work: Callable[[], bytes]) -> NoReturn:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the first process decides
            signal.signal(signal.SIGTERM, self._end)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            die_with(self._parent)
            become_subreaper()
            self._start(work)
            code = self._reap()
        finally:
            os._exit(code)

    def _start(self, work: Callable[[], bytes]) -> None:
        keeper = os.getpid()
        self._worker = os.fork()
        if self._worker == 0:
            _do(work, self._writing, keeper)
        os.close(self._writing)

    def _reap(self) -> int:
        """Wait until nothing is left; 0 if the work's own process ended well."""
        code = 1
        with suppress(ChildProcessError):
            while True:
                pid, status = os.wait()
                if self._ended:  # what it had started may have started more before it was killed itself
                    _kill_below()
                if pid == self._worker and status == 0:
                    code = 0
        return code

    def _end(self, *_: object) -> None:
        """Kill the work and all that has come of it: whoever loses its parent becomes a child of the keeper."""
        self._ended = True
        _kill_below()


def _kill_below() -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _do(work: Callable[[], bytes], writing: int, keeper: int) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with(keeper)
        answer = work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with open(writing, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode((peak, answer)))
        code = 0
    except BaseException:  # noqa: BLE001 - it must not come back into whoever forked this process
        traceback.print_exc()
    finally:
        os._exit(code)
