"""Two servers in one run, of which one stops answering, in the middle or before: when the other one's mailboxes are done.

    python -m benchmarks.two_servers [--rounds N]

The first server is simulated in the workers; the second is `fanout serve` on this machine, which is stopped by SIGSTOP: its
port takes connections, and nothing answers. Each round takes the first server alone; then both, of which the second stops in the middle;
then both, of which the second has stopped before the run begins. Times are those of the run file: from the start of the first worker, or
of the command, until the last mailbox of the first server had its outcome. Round trips take their time, so that the work of the second
server takes little of the CPU that the first one needs.
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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.measure import machine

#: Mailboxes of the first server.
MAILBOXES = 400

FIRST = f"sim:{MAILBOXES}?messages=5&latency=40ms"
SECOND = "sim:5000?messages=5&latency=100ms"

#: Workers of each server.
WORKERS = 4

#: Seconds after which the second server stops: the first one is in the middle then.
STOPS = 4.0

#: Seconds between two looks into a run file.
LOOK = 0.05

ENVIRONMENT = {**os.environ, "FANOUT_PASSWORD": "secret"}

_DONE = "SELECT max(at), (SELECT min(begun) FROM lives), sum(count) FROM done WHERE first < ?"


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    """Measure, and print a table."""
    print(f"{machine()}, {WORKERS} workers a server\n")
    print("| round | alone | one stops | ratio | given up after | alone, from the start | one is silent | later by |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    ratios, delays = [], []
    for number in range(1, rounds + 1):
        alone = first_done([FIRST])
        with served() as (url, server):
            beside = first_done([FIRST, f"{url}?timeout=1"], partial(stop_later, server))
        with served() as (url, server):
            server.send_signal(signal.SIGSTOP)
            silent = first_done([FIRST, f"{url}?timeout=12"])
        ratios.append(beside.seconds / alone.seconds)
        delays.append(silent.since_start - alone.since_start)
        print(
            f"| {number} | {alone.seconds:.2f} s | {beside.seconds:.2f} s | {ratios[-1]:.3f} | {beside.given_up:.1f} s "
            f"| {alone.since_start:.2f} s | {silent.since_start:.2f} s | {delays[-1]:.2f} s |",
            flush=True,
        )
    print(f"\nmedian of the ratios: {statistics.median(ratios):.3f}, of the delays: {statistics.median(delays):.2f} s")


class Took(NamedTuple):
    """Seconds until all of the first server was done, from the first worker and from the command's start; and from when the other
    one was stopped until the run ended."""

    seconds: float
    since_start: float
    given_up: float


def first_done(servers: list[str], meanwhile: Callable[[Path], object] = lambda _: None) -> Took:
    """Run over some servers; `meanwhile` something is done about them, which is told the run file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.fanout"
        words = [word for server in servers for word in ("--server", server)]
        account = ["--user", "anybody"] if len(servers) > 1 else []
        command = [sys.executable, "-m", "fanout", "run", "census", *words, *account, "-w", str(WORKERS), "-q"]
        begun = datetime.now(UTC).timestamp()
        with subprocess.Popen(
            [*command, "--retries", "0", "--run-file", str(path)], env=ENVIRONMENT, stderr=subprocess.DEVNULL
        ) as run:
            meanwhile(path)
            stopped = time.monotonic()
        ended = time.monotonic()
        with closing(sqlite3.connect(path)) as connection:
            last, first, count = connection.execute(_DONE, (MAILBOXES,)).fetchone()
        assert count == MAILBOXES
        assert run.returncode == (3 if len(servers) > 1 else 0)
        return Took(last - first, last - begun, ended - stopped)


def stop_later(server: subprocess.Popen[str], path: Path) -> None:
    """Stop a server when the run is in the middle."""
    wait_for_rows(path)
    select.select([], [], [], STOPS)
    server.send_signal(signal.SIGSTOP)


def wait_for_rows(path: Path) -> None:
    """Until the first mailboxes are committed."""
    while True:
        select.select([], [], [], LOOK)
        if path.exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                try:
                    if connection.execute("SELECT count(*) FROM done").fetchone()[0]:
                        return
                except sqlite3.OperationalError:  # its tables are being made
                    pass


@contextmanager
def served() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The second server, on a port of its own."""
    command = [sys.executable, "-m", "fanout", "serve", SECOND]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            yield server.stderr.readline().split()[0], server
        finally:
            server.kill()


if __name__ == "__main__":
    main()
