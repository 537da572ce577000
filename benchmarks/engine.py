"""The engine alone: null mailboxes, a function that returns an int. `python -m benchmarks.engine`

    limit       the yardstick, benchmarks/limit.py
    memory      fanout, results merged in memory, slots and accounting on, in chunks that it chooses (`auto`)
    fixed       the same, in chunks of the same size as the yardstick's
    records     fanout, whole records, merged in memory
    run file    fanout, whole records, into a run file
    executor    concurrent.futures.ProcessPoolExecutor.map, the same chunk size

CPU seconds of all processes are the column that counts; ratios are medians over interleaved rounds.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

import fanout
from benchmarks.limit import batches
from benchmarks.measure import Cost, interleaved, machine, median, ratio
from fanout import Recording, facts
from fanout.conduct import Conductor, Mailboxes, Outlet, Task, Workforce
from fanout.jobs import carried
from fanout.progress import Silent
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.messages import Job

WORKERS = 2


def one(mailbox: object) -> int:  # noqa: ARG001 - the smallest job there is
    return 1


def limit(count: int, chunk: int) -> int:
    return sum(map(sum, batches(one, count, WORKERS, chunk)))


def executor(count: int, chunk: int) -> int:
    with ProcessPoolExecutor(WORKERS) as pool:
        return sum(pool.map(one, range(count), chunksize=chunk))


def in_memory(count: int, chunk: int | None, recording: Recording) -> object:
    found = fanout.run(one, server=f"null:{count}", workers=WORKERS, chunk_size=chunk, recording=recording)
    return found.totals


def through_run_file(count: int, chunk: int) -> object:
    return run_file_total(f"null:{count}", WORKERS, chunk, carried(one))


def run_file_total(url: str, workers: int, chunk: int | None, job: Job) -> object:
    """The totals of a run as the command line does it, but for a sink."""
    with tempfile.TemporaryDirectory() as folder, RunFile.create(Path(folder) / "bench.fanout") as file:
        mailboxes, workforce, task = Mailboxes(url), Workforce(workers, chunk), Task(job)
        with Conductor(mailboxes, workforce, file) as conductor:
            roster, how = conductor.survey()
            facts.begin(file, facts.Intent(mailboxes, workforce, task), roster)
            report = conductor.run(task, roster, how, Outlet(Silent()))
            facts.end(file, report)
        return report.merge.total


def checked(work: Callable[..., object], count: int, *more: object) -> Callable[[], None]:
    """The work, which must have called the function `count` times."""

    def run() -> None:
        total = work(count, *more)
        if total != count:
            raise RuntimeError(f"{work} lost some: {total} of {count}")

    return run


@click.command()
@click.option("--count", default=1_000_000, show_default=True, help="Mailboxes.")
@click.option("--chunk-size", default=250, show_default=True)
@click.option("--rounds", default=7, show_default=True)
def main(count: int, chunk_size: int, rounds: int) -> None:
    """Compare what a million no-op calls cost."""
    costs = interleaved(
        {
            "limit": checked(limit, count, chunk_size),
            "memory": checked(in_memory, count, None, Recording.RESULTS),
            "fixed": checked(in_memory, count, chunk_size, Recording.RESULTS),
            "records": checked(in_memory, count, chunk_size, Recording.RECORDS),
            "run file": checked(through_run_file, count, chunk_size),
            "executor": checked(executor, count, chunk_size),
        },
        rounds,
    )
    print(f"{count:,} no-ops, {WORKERS} workers, chunks of {chunk_size}, {rounds} rounds\n{machine()}\n")
    print("| | CPU, s | CPU / limit | wall, s | wall, executor / this | parent's peak, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rows in costs.items():
        print(_row(name, rows, costs))


def _row(name: str, rows: list[Cost], costs: dict[str, list[Cost]]) -> str:
    faster = median(costs["executor"], "wall") / median(rows, "wall")
    return (
        f"| {name} | {median(rows, 'cpu'):.2f} | {ratio(rows, costs['limit']):.2f} | {median(rows, 'wall'):.2f} "
        f"| {faster:.1f} | {median(rows, 'peak'):.0f} |"
    )


if __name__ == "__main__":
    main()
