"""The simulated session: a census of mailboxes with 10 folders. `python -m benchmarks.census`

    session     open, census, close, over one session in one process: client, codec and simulated server
    memory      `fanout.run`, merged in memory
    run file    as `fanout run` does it, whole records into a run file, no sink

CPU seconds of all processes; mailboxes a second and core are mailboxes divided by these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import fanout
from benchmarks.engine import run_file_total
from benchmarks.measure import interleaved, machine, median
from workers import totals
from workers.jobs.census import census
from workers.messages import ModuleJob
from workers.servers import server_at
from workers.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable


def session(url: str) -> object:
    """One process, no engine."""
    server = server_at(url)
    assert server.numbered
    slots = Slots.create(1)
    slot = slots.writer(0)
    walk = server.session(slot).mailboxes(range(server.numbered), None, slot)
    return totals.fold([census(mailbox)["folders"] for mailbox in walk])


def in_memory(url: str, workers: int) -> object:
    found = fanout.run("census", server=url, workers=workers)
    assert isinstance(found.totals, dict)
    return found.totals["folders"]


def through_run_file(url: str, workers: int) -> object:
    total = run_file_total(url, workers, None, ModuleJob("workers.jobs.census", "census"))
    assert isinstance(total, dict)
    return total["folders"]


def checked(work: Callable[..., object], expected: int, *more: object) -> Callable[[], None]:
    def run() -> None:
        folders = work(*more)
        if folders != expected:
            raise RuntimeError(f"{work} found {folders} folders, not {expected}")

    return run


@click.command()
@click.option("--count", default=20_000, show_default=True, help="Mailboxes.")
@click.option("--workers", default=2, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(count: int, workers: int, rounds: int) -> None:
    """Take a census, alone and fanned out."""
    url, folders = f"sim:{count}", 10 * count
    costs = interleaved(
        {
            "session": checked(session, folders, url),
            "memory": checked(in_memory, folders, url, workers),
            "run file": checked(through_run_file, folders, url, workers),
        },
        rounds,
    )
    print(f"census of {url}, 10 folders a mailbox, {workers} workers, {rounds} rounds\n{machine()}\n")
    print("| | CPU, s | mailboxes a second and core | wall, s |\n| --- | --- | --- | --- |")
    for name, rows in costs.items():
        cpu = median(rows, "cpu")
        print(f"| {name} | {cpu:.2f} | {count / cpu:,.0f} | {median(rows, 'wall'):.2f} |")


if __name__ == "__main__":
    main()
