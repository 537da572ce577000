"""What durability costs, and how soon a run goes on. `python -m benchmarks.durable resume|kills|hangs`

    resume   `null:10000000` through the run file, killed (SIGKILL) at 90 %: seconds until a resumed run has new outcomes
             committed, which it does once a second, and the peak of its parent's memory
    kills    a census with a latency, workers killed one after the other, against the same census in peace
    hangs    jobs that hang: how long after their begin the worker was dead, as a multiple of the limit

Commands are run as a user runs them, as processes of their own. What the run file adds to a census is a row of
`python -m benchmarks.census`.
"""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
import psutil

from benchmarks.measure import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds between two looks into a run file, or for a worker.
LOOK = 0.02

#: A job that tells when it was begun, and by whom, and never returns.
HANGS = """
import os, pathlib, time
def job(mailbox, *, folder):
    path = pathlib.Path(folder, mailbox.address)
    path.with_suffix(".new").write_text(f"{os.getpid()} {time.monotonic()}")
    path.with_suffix(".new").rename(path)
    time.sleep(1e6)
"""


class Command:
    """`fanout` with some words, in a folder; its records go nowhere."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.begun = time.monotonic()
        root = Path(__file__).parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fanout", *words, "-q"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(root)},
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        self._end = os.pidfd_open(self.pid)

    def goes_on(self) -> bool:
        """Wait for a moment; whether it has not ended by then."""
        return not select.select([self._end], [], [], LOOK)[0]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self.finish()

    def finish(self) -> tuple[float, float, float]:
        """Wait for its end: wall seconds, CPU seconds of all its processes, peak of its own memory in MiB."""
        _, status, usage = os.wait4(self.pid, 0)
        wall = time.monotonic() - self.begun
        self._process.returncode = os.waitstatus_to_exitcode(status)
        os.close(self._end)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def workers(self) -> list[psutil.Process]:
        try:
            return [worker for template in psutil.Process(self.pid).children() for worker in template.children()]
        except psutil.NoSuchProcess:
            return []


def done_in(path: Path) -> int:
    """Mailboxes whose outcome is committed."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as plain:
            return int(plain.execute("SELECT coalesce(sum(count), 0) FROM done").fetchone()[0])
    except sqlite3.OperationalError:  # it is not there yet
        return 0


@click.group()
def main() -> None:
    """Measure the durable run."""


@main.command()
@click.option("--count", default=10_000_000, show_default=True, help="Null mailboxes.")
@click.option("--share", default=0.9, show_default=True, help="What is done when the run is killed.")
def resume(count: int, share: float) -> None:
    """How soon a run goes on that was killed near its end."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.fanout"
        first = Command(Path(folder), "run", "logon", "--server", f"null:{count}", "--run-file", file.name)
        while done_in(file) < share * count:
            if not first.goes_on():
                sys.exit("the run ended before it could be killed")
        first.kill()
        before = done_in(file)
        second = Command(Path(folder), "resume", file.name)
        while done_in(file) == before and second.goes_on():
            pass
        soon = time.monotonic() - second.begun
        wall, cpu, peak = second.finish()
        if done_in(file) != count:
            sys.exit("mailboxes were lost")
    print(f"{machine()}\n\n| mailboxes | done when killed | first new commit, s | to the end, s | CPU, s | peak, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| {count:,} | {before:,} | {soon:.2f} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |")


@main.command()
@click.option("--count", default=10_000, show_default=True, help="Simulated mailboxes.")
@click.option("--workers", default=8, show_default=True)
@click.option("--kills", default=200, show_default=True, help="Workers that are killed.")
@click.option("--every", default=0.05, show_default=True, help="Seconds between two kills.")
@click.option("--rounds", default=3, show_default=True)
def kills(count: int, workers: int, kills: int, every: float, rounds: int) -> None:
    """What a killed worker costs."""
    lost = []
    print(f"{machine()}\n\n| quiet, wall s | CPU s | killed | wall s | CPU s | lost a kill, wall ms | CPU ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            words = ("run", "census", "--server", f"sim:{count}?latency=2ms", "-w", str(workers), "--run-file")
            quiet = Command(Path(folder), *words, "quiet.fanout").finish()
            command = Command(Path(folder), *words, "killed.fanout")
            killed = _kill(command, kills, every)
            loud = command.finish()
            if done_in(Path(folder) / "killed.fanout") != count:
                sys.exit("mailboxes were lost")
        wall, cpu = (1000 * (b - a) / killed for a, b in zip(quiet[:2], loud[:2], strict=True))
        lost.append((wall, cpu))
        print(
            f"| {quiet[0]:.1f} | {quiet[1]:.1f} | {killed} | {loud[0]:.1f} | {loud[1]:.1f} | {wall:.0f} | {cpu:.0f} |"
        )
    wall, cpu = (statistics.median(figures) for figures in zip(*lost, strict=True))
    print(f"\nlost a kill, median: {wall:.0f} ms of the run, {cpu:.0f} ms of CPU")


def _kill(command: Command, most: int, every: float) -> int:
    """Kill workers by chance until enough are dead, or the run has ended; how many."""
    random, killed, due = Random(1), 0, command.begun
    while killed < most and command.goes_on():
        living = command.workers()
        if living and time.monotonic() >= due:
            random.choice(living).kill()
            killed, due = killed + 1, max(due, time.monotonic() - every) + every
    return killed


@main.command()
@click.option("--limits", default="0.5,1,2,5", show_default=True, help="Values of --timeout, seconds.")
@click.option("--count", default=10, show_default=True, help="Mailboxes that hang, for each limit.")
@click.option("--engine", default="processes", show_default=True, help="Or dask: a cluster on this machine.")
def hangs(limits: str, count: int, engine: str) -> None:
    """How soon a hang ends."""
    print(f"{machine()}\n\n| limit, s | ended after, s, median | most | median / limit | most / limit |")
    print("| --- | --- | --- | --- | --- |")
    for limit in limits.split(","):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "hangs.py").write_text(HANGS)
            seen = Path(folder) / "seen"
            seen.mkdir()
            words = (
                "--server",
                f"null:{count}",
                "-w",
                "2",
                "--timeout",
                limit,
                "--retries",
                "0",
                "--engine",
                engine,
                "-a",
                f"folder={seen}",
            )
            command = Command(Path(folder), "run", "hangs.py:job", *words)
            took = sorted(_ends(command, seen))
            command.finish()
        middle, most, bound = statistics.median(took), took[-1], float(limit)
        print(f"| {limit} | {middle:.2f} | {most:.2f} | {middle / bound:.2f} | {most / bound:.2f} |", flush=True)


def _ends(command: Command, folder: Path) -> Iterator[float]:
    """Seconds from the begin of each hanging mailbox to the end of its worker."""
    waiting: dict[int, float] = {}
    known: set[str] = set()
    while command.goes_on() or waiting:
        for path in folder.iterdir():
            if path.suffix != ".new" and path.name not in known:
                pid, begun = path.read_text().split()
                known.add(path.name)
                waiting[os.pidfd_open(int(pid))] = float(begun)
        for end in select.select(list(waiting), [], [], 0)[0]:
            yield time.monotonic() - waiting.pop(end)
            os.close(end)


if __name__ == "__main__":
    main()
