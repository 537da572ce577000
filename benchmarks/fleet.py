"""A fleet that keeps every mailbox open. `python -m benchmarks.fleet`

Time until all are open; memory that a worker has for itself (Private_* of smaps_rollup, median over the workers) and that of
the parent; the round trip of a call, to mailboxes by chance and to one, after each worker was called once; all mailboxes
called through `map`; and the time until all are open again after some workers were killed.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
import psutil

import fanout
from benchmarks.measure import machine

if TYPE_CHECKING:
    from workers.mailbox import Mailbox


def name(mailbox: Mailbox) -> str:
    return mailbox.address


def private(pid: int) -> float:
    """MiB that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def resident() -> float:
    """MiB that this process has resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def round_trips(fleet: fanout.Fleet, names: list[str]) -> list[float]:
    """Microseconds of a call to each, in ascending order."""
    took = []
    for each in names:
        begun = time.perf_counter()
        fleet.call(name, each)
        took.append(1e6 * (time.perf_counter() - begun))
    return sorted(took)


def row(what: str, figure: float, unit: str, digits: int = 0) -> None:
    print(f"| {what} | {figure:,.{digits}f} {unit} |", flush=True)


@click.command()
@click.option("--count", default=100_000, show_default=True, help="Simulated mailboxes.")
@click.option("--workers", default=400, show_default=True, help="Worker processes: 250 mailboxes each.")
@click.option("--calls", default=5000, show_default=True, help="Calls whose round trip is taken.")
@click.option("--kills", default=50, show_default=True, help="Workers that are killed.")
def main(count: int, workers: int, calls: int, kills: int) -> None:
    """Open all, call some, kill some."""
    print(f"{machine()}\n\n| sim:{count} | |\n| --- | --- |")
    random, begun = Random(1), time.monotonic()
    with fanout.open_all(server=f"sim:{count}", workers=workers) as fleet:
        row("workers", fleet.workers, "")
        row("all open after", time.monotonic() - begun, "s", 1)
        first_of_each = fleet.mailboxes[:: -(-count // fleet.workers)]
        row("parent's memory", resident(), "MiB")
        [template] = psutil.Process().children()
        pids = [worker.pid for worker in template.children()]
        row("a worker's own memory, all open", statistics.median(map(private, pids)), "MiB", 2)
        for each in first_of_each:
            fleet.call(name, each)
        row("a worker's own memory, called once", statistics.median(map(private, pids)), "MiB", 2)
        for what, names in (
            ("a call, mailboxes by chance", random.choices(fleet.mailboxes, k=calls)),
            ("a call, one mailbox", fleet.mailboxes[:1] * calls),
        ):
            took = round_trips(fleet, names)
            row(f"{what}: median", took[len(took) // 2], "us")
            row(f"{what}: p99", took[len(took) * 99 // 100], "us")
        begun = time.monotonic()
        answers = sum(outcome.ok for outcome in fleet.map(name))
        row(f"map over {answers:,}", time.monotonic() - begun, "s", 1)
        begun = time.monotonic()
        for pid in random.sample(pids, min(kills, len(pids))):
            os.kill(pid, signal.SIGKILL)
        healed = sum(outcome.ok for outcome in fleet.map(name, first_of_each, retry=True))
        row(
            f"{min(kills, len(pids))} workers killed; all {healed} workers answer again after",
            time.monotonic() - begun,
            "s",
            2,
        )
        fleet.wait_until_open()
        begun = time.monotonic()
    row("closed after", time.monotonic() - begun, "s", 1)


if __name__ == "__main__":
    main()
