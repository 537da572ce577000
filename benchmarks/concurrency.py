"""What `--concurrency` gains where a server is slow. `python -m benchmarks.concurrency`

A census of a simulated server with a latency, one mailbox at a time and many, over separate connections and over a shared
one, interleaved. The rosters differ in length so that each run takes some seconds: what is compared is mailboxes a second.
"""

from __future__ import annotations

import statistics
import time

import click

import fanout
from benchmarks.measure import machine


def rate(server: str, workers: int, concurrency: int, mailboxes: int, *, separate: bool) -> float:
    """Mailboxes a second, the start of the workers included."""
    begun = time.perf_counter()
    found = fanout.run(
        "census",
        server=server,
        workers=workers,
        concurrency=concurrency,
        separate_connections=separate,
        limit=mailboxes,
    )
    found.raise_for_failures()
    return mailboxes / (time.perf_counter() - begun)


@click.command()
@click.option("--latency", default="5ms", show_default=True, help="Of a round trip.")
@click.option("--workers", default=2, show_default=True)
@click.option("--concurrency", default=100, show_default=True)
@click.option("--count", default=20_000, show_default=True, help="Mailboxes of the quickest run.")
@click.option("--rounds", default=3, show_default=True)
def main(latency: str, workers: int, concurrency: int, count: int, rounds: int) -> None:
    """Compare one mailbox at a time with many."""
    server = f"sim:{count}?latency={latency}"
    runs = {
        "one at a time, separate connections": (1, count // 50, True),
        f"{concurrency} at a time, separate connections": (concurrency, count, True),
        "one at a time, shared connection": (1, count // 50, False),
        f"{concurrency} at a time, shared connection": (concurrency, count // 50, False),
    }
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (at_once, mailboxes, separate) in runs.items():
            rates[name].append(rate(server, workers, at_once, mailboxes, separate=separate))
    print(f"census of {server}, {workers} workers, {rounds} rounds\n{machine()}\n")
    print("| | mailboxes a second | times one at a time |\n| --- | --- | --- |")
    names = list(runs)
    for name in names:
        one = names[0] if "separate" in name else names[2]
        gain = statistics.median(many / few for many, few in zip(rates[name], rates[one], strict=True))
        print(f"| {name} | {statistics.median(rates[name]):,.0f} | {gain:.1f} |")


if __name__ == "__main__":
    main()
