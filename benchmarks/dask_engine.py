"""What a Dask cluster costs beside processes of this machine. `python -m benchmarks.dask_engine`

    census   whole records of `sim:N`, 2 workers: processes, and a cluster on this machine of 2 Dask workers with a session each
    chunks   null mailboxes in chunks of a fixed size, the same two ways: what is left is what a chunk costs

Both find the same, or it says so. CPU seconds of all processes, the scheduler, which runs in the parent, among them. The start (of
interpreters that import distributed, mostly) is measured by itself, with two mailboxes, and taken off.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click
import msgspec

import fanout
from benchmarks.measure import machine, median
from fanout.bench.apart import Cost, apart
from fanout.engines.cluster import Cluster
from fanout.workplace import THIS_MACHINE, Workplace

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 2


def processes() -> AbstractContextManager[Workplace]:
    return nullcontext(THIS_MACHINE)


def dask() -> AbstractContextManager[Workplace]:
    return Cluster.local(WORKERS, 1, "a benchmark")


WAYS = {"processes": processes, "dask": dask}


def digest(job: str, url: str, chunk_size: int | None, way: Callable[[], AbstractContextManager[Workplace]]) -> bytes:
    """Run it; the hash of every outcome, but for the seconds."""
    hashed = hashlib.sha256()
    with (
        way() as workplace,
        fanout.run(job, server=url, workers=WORKERS, chunk_size=chunk_size, workplace=workplace) as found,
    ):
        for each in found:
            hashed.update(msgspec.json.encode([each.mailbox, each.ok, each.result, each.attempts]))
    return hashed.digest()


def costs(job: str, url: str, chunk_size: int | None, rounds: int) -> dict[str, list[Cost]]:
    """What a run costs either way, one after the other in each round."""
    found: dict[str, list[Cost]] = {name: [] for name in WAYS}
    for number in range(rounds):
        answers = set()
        for name, way in WAYS.items():
            cost, answer = apart(lambda way=way: digest(job, url, chunk_size, way))  # type: ignore[misc] # a default binds
            found[name].append(cost)
            answers.add(answer)
        if len(answers) > 1:
            sys.exit(f"{url}: the two did not find the same")
        print(f"{url}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


@click.command()
@click.option("--count", default=100_000, show_default=True, help="Simulated mailboxes.")
@click.option("--chunks", default=2000, show_default=True, help="Chunks of null mailboxes.")
@click.option("--chunk-size", default=250, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(count: int, chunks: int, chunk_size: int, rounds: int) -> None:
    """Compare a run on a cluster with one on this machine."""
    print(machine())
    start = costs("logon", "null:2", None, rounds)
    census = costs("census", f"sim:{count}", None, rounds)
    null = costs("logon", f"null:{chunks * chunk_size}", chunk_size, rounds)
    print("\n| | start, CPU s | wall s | census, CPU s | wall s | null mailboxes, CPU s | wall s | a chunk, CPU us |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in WAYS:
        figures = [f"{median(rows[name], what):.2f}" for rows in (start, census, null) for what in ("cpu", "wall")]
        each = (median(null[name], "cpu") - median(start[name], "cpu")) / chunks
        print(f"| {name} | {' | '.join(figures)} | {1e6 * each:.0f} |")
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
