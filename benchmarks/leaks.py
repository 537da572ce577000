"""What the look for leaks costs where there are none. `python -m benchmarks.leaks`

A census over one session in one process, each mailbox with the look and without it, by turns; the median of the CPU
seconds of many short turns says more than two long ones on a machine that others use, too.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import click

from benchmarks.measure import machine
from workers.jobs.census import census
from workers.messages import OnLeak
from workers.servers import server_at
from workers.slots import private_slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mailbox import Mailbox
    from workers.servers import Session

#: Mailboxes of one turn.
TURN = 200


def seconds(session: Session, job: Callable[[Mailbox], object], first: int) -> float:
    """CPU seconds of one turn."""
    begun = time.process_time()
    for _ in map(job, session.mailboxes(range(first, first + TURN), None, private_slot())):
        pass
    return time.process_time() - begun


@click.command()
@click.option("--turns", default=200, show_default=True, help="Turns of each kind.")
def main(turns: int) -> None:
    """Compare a census with and without the look for leaks."""
    session = server_at(f"sim:{turns * TURN}").session(private_slot())
    watched = session.watched(census, OnLeak.RECLAIM, lambda _: None)
    bare, looked = [], []
    for turn in range(turns):
        bare.append(seconds(session, census, turn * TURN))
        looked.append(seconds(session, watched, turn * TURN))
    ratio = statistics.median(b / a for a, b in zip(bare, looked, strict=True))
    print(f"{turns} turns of {TURN} mailboxes\n{machine()}\n\n| | CPU, us a mailbox |\n| --- | --- |")
    print(f"| census | {1e6 * statistics.median(bare) / TURN:.1f} |")
    print(f"| with the look for leaks | {1e6 * statistics.median(looked) / TURN:.1f} |")
    print(f"\nthe look costs {100 * (ratio - 1):+.2f} % (median of the ratios)")


if __name__ == "__main__":
    main()
