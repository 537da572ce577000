"""The rows for fanout: null mailboxes, merged in memory, slots and accounting on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import fanout
from benchmarks.peers import work
from benchmarks.peers.family import memory
from benchmarks.peers.trials import SUMS, Notes, Row, Trial, arrivals, poison, span
from fanout import Recording
from fanout.conduct import Conductor, Mailboxes, Outlet, Task, Workforce
from fanout.jobs import carried
from fanout.ledger import TemporaryLedger
from fanout.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable


def take_part(trial: Trial, say: Callable[[Notes], None]) -> Notes:
    """Do the row, and tell what came of it."""
    if trial.row in SUMS:
        return _summed(trial)
    match trial.row:
        case Row.SKEWED:
            return span([outcome.result for outcome in _run(trial, work.sleep)], trial.count)
        case Row.START:
            return _start(trial)
        case Row.POISONED:
            return _poisoned(trial)
        case Row.STALLED:
            return _stalled(trial)
        case _:
            return _endless(trial, say)


def _run(trial: Trial, job: Callable[[Any], Any], recording: Recording = Recording.RESULTS) -> fanout.Found:
    return fanout.run(
        job,
        server=f"null:{trial.count}",
        workers=trial.workers,
        chunk_size=trial.chunk,
        recording=recording,
    )


def _summed(trial: Trial) -> Notes:
    """What fanout tells of a mailbox it tells of itself; the job is the bare one there."""
    if trial.row is Row.TOLD:
        found = _run(trial, work.one, Recording.RECORDS)
        return {"right": found.totals == len(found.succeeded) == trial.count}
    found = _run(trial, SUMS[trial.row].function)
    return {"right": len(found.succeeded) == trial.count}


class _First(Silent):
    """Calls back when the first mailbox is settled."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._seen = False

    def show(self, now: float, settled: int, failed: int, count: int) -> None:  # noqa: ARG002 - the shape of Progress
        if settled and not self._seen:
            self._seen = True
            self._call()


def _watched(trial: Trial, job: Callable[[Any], Any], call: Callable[[], object]) -> fanout.Found:
    """A run as `fanout.run` does it, that is seen to begin."""
    ledger = TemporaryLedger(Recording.RESULTS)
    force = Workforce(trial.workers, trial.chunk)
    with Conductor(Mailboxes(f"null:{trial.count}"), force, ledger) as conductor:
        roster, how = conductor.survey()
        task = Task(carried(job), recording=Recording.RESULTS)
        return fanout.Found(conductor.run(task, roster, how, Outlet(_First(call))), ledger)


def _start(trial: Trial) -> Notes:
    first: list[float] = []
    begun = time.monotonic()
    found = _watched(trial, work.arrive, lambda: first.append(time.monotonic()))
    return arrivals([outcome.result for outcome in found], begun, first[0], trial.count)


def _poisoned(trial: Trial) -> Notes:
    function, item = poison(trial.count)
    begun = time.monotonic()
    found = _run(trial, function)
    seconds = time.monotonic() - begun
    lost = [outcome.mailbox for outcome in found.failed]
    return {
        "delivered": len(found.succeeded),
        "seconds": seconds,
        "named": lost == [f"null-{item:08}"],
        "right": True,
    }


def _endless(trial: Trial, say: Callable[[Notes], None]) -> Notes:
    _watched(trial, work.busy, lambda: say({"at work": True}))
    return {}


def _stalled(trial: Trial) -> Notes:
    """The consumer reads records from a pipe: the command writes them to stdout."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", f"{work.__name__}:page", "--server", f"null:{trial.count}", "--workers", str(trial.workers)]
        command = [sys.executable, "-m", "fanout", *words, "-o", "-", "--run-file", f"{folder}/run.fanout", "-q"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(work.PAGE)
            before = memory()
            time.sleep(trial.stall)  # noqa: TID251 - a consumer that does something else
            drawn = memory() - before
            process.kill()
    return {"drawn": drawn, "right": True, "results": trial.count * work.PAGE / 2**20}
