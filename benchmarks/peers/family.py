"""A trial in a process of its own, and all that comes of it: their CPU, their memory, and who is left.

The benchmark is the subreaper of all of them, so that what any contender leaves behind becomes its child, is waited for and
counted: CPU seconds are the kernel's own sums, nothing is sampled. It must have no other children while it does so. Unlike what
`fanout.bench` measures, a trial is a program of its own, as contenders expect that import it anew, and may never end.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec
import psutil

from benchmarks.measure import Cost
from benchmarks.peers.trials import Notes, Row

if TYPE_CHECKING:
    from benchmarks.peers.trials import Trial

#: The part of a core below which nobody is said to work: those who hang still look around now and then.
IDLE = 0.02


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a trial has."""

    #: To its end.
    end: float
    #: While nobody works.
    idle: float
    #: For its processes to end, when it has ended.
    grace: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What a trial came to."""

    #: From the call of the contender to its return.
    cost: Cost
    notes: Notes
    #: What is to be said of it; empty when it ended well.
    trouble: str = ""


def processes() -> list[psutil.Process]:
    """All descendants that live."""
    return [each for each in psutil.Process().children(recursive=True) if _lives(each)]


def memory() -> float:
    """MiB of this process and all descendants; what several share is counted once."""
    return sum(map(_proportional, [psutil.Process(), *processes()])) / 2**20


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # a zombie has no memory to look at
        return 0


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _worked(process: psutil.Process) -> float:
    """CPU seconds of a process, and of those that it has waited for."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


class Stage:
    """The process in which a trial runs, at the head of a session of its own, so that Ctrl-C reaches it alone."""

    def __init__(self, trial: Trial) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the stage
        self._notes, write = os.pipe()
        words = [msgspec.json.encode(trial).decode(), str(write)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.stage", *words],
            pass_fds=[write],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        os.close(write)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._unread = b""
        self.notes: Notes = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever was raised, Ctrl-C among it, nothing is left."""
        _kill(processes())
        self._errors.close()
        os.close(self._pidfd)
        os.close(self._notes)

    def hear(self, word: str, patience: Patience) -> str:
        """Wait until the stage says this word, and note all that it says; what is to be said if it does not."""
        deadline, worked = time.monotonic() + patience.end, 0.0
        while word not in self.notes:
            ready, _, _ = select.select([self._notes, self._pidfd], [], [], patience.idle)
            if self._notes in ready:
                self._read()
            elif ready:
                return f"failed: {self.last_words()}"
            elif (work := sum(map(_worked, processes()))) - worked < IDLE * patience.idle:
                return "hangs"
            else:
                worked = work
            if time.monotonic() > deadline:
                return f"no end within {patience.end:.0f} s"
        return ""

    def ends(self, seconds: float) -> bool:
        """Whether it ends in time."""
        return bool(select.select([self._pidfd], [], [], seconds)[0])

    def interrupt(self) -> None:
        """What Ctrl-C does: a signal to everybody in the foreground."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()

    def last_words(self) -> str:
        """The last line that anybody wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]

    def sweep(self) -> float:
        """End whatever is left; CPU seconds of all processes."""
        _kill(processes())
        cpu = 0.0
        while True:
            try:
                _, _, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            cpu += usage.ru_utime + usage.ru_stime
            _kill(processes())  # what was started meanwhile has lost its parent by now
        self._process.returncode = 0  # it was waited for behind its back
        return cpu

    def _read(self) -> None:
        lines = (self._unread + os.read(self._notes, 65536)).split(b"\n")
        self._unread = lines.pop()
        for line in lines:
            self.notes |= msgspec.json.decode(line)


def tried(trial: Trial, patience: Patience) -> Finding:
    """Run a trial to its end, or to that of the patience. What ends by itself behind it is waited for."""
    with Stage(trial) as stage:
        trouble = stage.hear("wall", patience)
        if not trouble and not stage.ends(patience.grace):
            trouble = "did not exit"
        if not trouble:
            _wait(processes(), patience.grace)
        cpu, notes = stage.sweep(), stage.notes
    if not trouble and not notes["right"]:
        trouble = "wrong results"
    cost = Cost(cpu - notes.get("cpu before", 0.0), notes.get("wall", 0.0), notes.get("peak", 0.0))
    return Finding(cost, notes, trouble)


def ended_early(trial: Trial, patience: Patience) -> Finding:
    """Put an end to a trial that is at work; who is left after some seconds."""
    with Stage(trial) as stage:
        trouble = stage.hear("at work", patience)
        those = processes()
        begun = time.monotonic()
        if trial.row is Row.KILLED:
            stage.kill()
        else:
            stage.interrupt()
        _wait(those, patience.grace)
        wall, left = time.monotonic() - begun, len(processes())
        stage.sweep()
    return Finding(Cost(0.0, wall, 0.0), {"left": left, "of": len(those)}, trouble)


def _kill(those: list[psutil.Process]) -> None:
    for process in those:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _wait(those: list[psutil.Process], seconds: float) -> None:
    """Until they have ended, but no longer."""
    deadline = time.monotonic() + seconds
    for process in those:
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        os.close(descriptor)
