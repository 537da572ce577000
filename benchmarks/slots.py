"""What the slots cost: a store of the ordinal for each mailbox. `python -m benchmarks.slots`

The walk of a null session with the store, and the same walk without it, both with the call of a job that returns an int;
the difference is set against a whole run (`memory` of benchmarks.engine). CPU seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from benchmarks.engine import checked, in_memory, one
from benchmarks.measure import interleaved, machine, median
from fanout import Recording
from workers.null import NullMailbox, NullSession
from workers.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Generator


def with_slots(count: int) -> None:
    slot = Slots.create(1).writer(0)
    session = NullSession()
    for _ in map(one, session.mailboxes(range(count), None, slot)):
        pass


def without_slots(count: int) -> None:
    for _ in map(one, _mailboxes(range(count))):
        pass


def _mailboxes(ordinals: range) -> Generator[NullMailbox, None, None]:
    mailbox = NullMailbox("null")
    for _ in ordinals:
        yield mailbox


@click.command()
@click.option("--count", default=1_000_000, show_default=True, help="Mailboxes.")
@click.option("--rounds", default=9, show_default=True)
def main(count: int, rounds: int) -> None:
    """Compare a walk with and without slots, and with a whole run."""
    costs = interleaved(
        {
            "walk with slots": lambda: with_slots(count),
            "walk without": lambda: without_slots(count),
            "run": checked(in_memory, count, 250, Recording.RESULTS),
        },
        rounds,
    )
    print(f"{count:,} null mailboxes, {rounds} rounds\n{machine()}\n\n| | CPU, s |\n| --- | --- |")
    for name, rows in costs.items():
        print(f"| {name} | {median(rows, 'cpu'):.3f} |")
    store = median(costs["walk with slots"], "cpu") - median(costs["walk without"], "cpu")
    print(
        f"\nthe slots are {100 * store / median(costs['run'], 'cpu'):.1f} % of a run, {1e9 * store / count:.0f} ns a mailbox"
    )


if __name__ == "__main__":
    main()
