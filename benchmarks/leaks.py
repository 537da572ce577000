"""What the look for leaks costs where there are none. `python -m benchmarks.leaks`

A census over one session in one process, each mailbox with the look and without it, by turns; the median of the CPU
seconds of many short turns says more than two long ones on a machine that others use, too. With `--instructions` valgrind counts
instead: what a longer walk takes more than a shorter one, which leaves the start of the interpreter out.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
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


def walk(mailboxes: int, *, looks: bool) -> None:
    """A census of so many mailboxes, in this process."""
    session = server_at(f"sim:{mailboxes}").session(private_slot())
    job = session.watched(census, OnLeak.RECLAIM, lambda _: None) if looks else census
    for _ in map(job, session.mailboxes(range(mailboxes), None, private_slot())):
        pass


def instructions(mailboxes: int, *, looks: bool) -> int:
    """What valgrind counts for a walk and for the interpreter around it."""
    program = f"from benchmarks.leaks import walk; walk({mailboxes}, looks={looks})"
    counted = subprocess.run(
        [
            "valgrind",
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
            sys.executable,
            "-c",
            program,
        ],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    [count] = re.findall(r"I +refs: +([0-9,]+)", counted.stderr)
    return int(count.replace(",", ""))


def count_instructions() -> None:
    each = {
        looks: (instructions(3 * TURN, looks=looks) - instructions(TURN, looks=looks)) / (2 * TURN)
        for looks in (False, True)
    }
    print(f"{machine()}\n\n| | instructions a mailbox |\n| --- | --- |")
    print(f"| census | {each[False]:,.0f} |\n| with the look for leaks | {each[True]:,.0f} |")
    print(f"\nthe look costs {100 * (each[True] / each[False] - 1):+.2f} %")


@click.command()
@click.option("--turns", default=200, show_default=True, help="Turns of each kind.")
@click.option(
    "--instructions", "counted", is_flag=True, help="Count instructions with valgrind, instead of CPU seconds."
)
def main(turns: int, *, counted: bool) -> None:
    """Compare a census with and without the look for leaks."""
    if counted:
        count_instructions()
        return
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
