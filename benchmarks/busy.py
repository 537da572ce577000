"""What busy mailboxes do to a run. `flock FILE python -m benchmarks.busy`

Some mailboxes say once that they are busy, to whichever worker asks first, as those of one server for all do; each worker of a
`sim:` has a server to itself, which says so anew. The job says it instead, and leaves a mark on the disk. The runs are such that
each takes as long as the others where no mailbox is busy.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
import msgspec

import fanout
from benchmarks.measure import machine
from workers.causes import Cause, MailboxError

if TYPE_CHECKING:
    from workers.mailbox import Mailbox

#: Mailboxes, workers, chunk size.
CASES = ((500, 4, None), (2000, 16, None), (4000, 32, 10))

SHARES = (0.0, 0.01, 0.05)

#: Of a round trip; a census takes two.
LATENCY = "20ms"


class Case(msgspec.Struct, frozen=True):
    """A row of the table."""

    count: int
    workers: int
    chunk_size: int | None
    share: float

    def measured(self) -> float:
        """Seconds that the run takes."""
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            found = fanout.run(
                f"{__file__}:census",
                server=f"sim:{self.count}?latency={LATENCY}",
                workers=self.workers,
                chunk_size=self.chunk_size,
                options={"share": self.share, "marks": folder},
            )
            seconds = time.perf_counter() - begun
        found.raise_for_failures()
        return seconds


def census(mailbox: Mailbox, share: float, marks: str) -> int:
    """Count messages, unless the mailbox is among the share that is busy at first."""
    messages = sum(folder.message_count for folder in mailbox.folders())
    if Random(mailbox.address).random() < share and not (mark := Path(marks) / mailbox.address).exists():
        mark.touch()
        raise MailboxError("not now", Cause.BUSY)
    return messages


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    """Run with more and more busy mailboxes."""
    cases = [Case(count, workers, size, share) for count, workers, size in CASES for share in SHARES]
    found: dict[Case, list[float]] = {case: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            found[case].append(case.measured())
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    print(f"{machine()}\n\n| mailboxes | workers | chunk size | busy | wall, s |\n| --- |" + " --- |" * 4)
    for case, seconds in found.items():
        words = f"{case.count:,} | {case.workers} | {case.chunk_size or 'auto'} | {case.share:.0%}"
        print(f"| {words} | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
