"""A census over MAPI over HTTP, by mailboxes that are opened together. `python -m benchmarks.web`

One session, against the simulated server behind HTTP in a process of its own. CPU milliseconds a mailbox are the client's; round
trips are those that carry ROPs.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from typing import Any

import click

from benchmarks.measure import machine
from workers.access import Access
from workers.jobs.census import census
from workers.linux import die_with
from workers.servers import server_at
from workers.simulated.server import simulated_server
from workers.simulated.web import WebServer
from workers.slots import BEATS, private_slot

ACCESS = Access(user="admin@sim.example", password="any")


def served(url: str) -> tuple[int, str]:
    """A process that serves, and where."""
    server = WebServer(simulated_server(url))
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the parent decides
        server.serve_forever()
    server.socket.close()
    return pid, server.url


def visit(url: str, count: int) -> tuple[float, float, float]:
    """CPU milliseconds and round trips a mailbox, and mailboxes a second."""
    slot = private_slot()
    server: Any = server_at(url, access=ACCESS)
    names = list(server.addresses())[:count]
    session = server.session(slot)
    session.check()
    beats, cpu, wall = slot[BEATS], time.process_time(), time.perf_counter()
    for mailbox in session.mailboxes(range(count), names, slot):
        census(mailbox)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    trips = slot[BEATS] - beats
    session.close()
    return 1000 * cpu / count, trips / count, count / wall


@click.command()
@click.option("--mailboxes", default=1000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(mailboxes: int, rounds: int) -> None:
    """Compare numbers of mailboxes that are opened together, round by round."""
    print(machine())
    works = [f"?prefetch={number}" for number in (1, 4, 8, 16)]
    pid, url = served(f"sim:{mailboxes}")
    try:
        measured = [[visit(url + words, mailboxes) for words in works] for _ in range(rounds)]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(
        "| opened together | CPU ms a mailbox | round trips a mailbox | mailboxes/s | CPU, times 1 |\n|---|---|---|---|---|"
    )
    for place, words in enumerate(works):
        ratio = statistics.median(each[place][0] / each[0][0] for each in measured)
        cpu, trips, rate = (
            statistics.median(column) for column in zip(*(each[place] for each in measured), strict=True)
        )
        print(f"| {words.rpartition('=')[2]} | {cpu:.2f} | {trips:.2f} | {rate:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
