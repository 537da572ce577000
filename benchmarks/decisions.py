"""What the parent decides and merges, without a process: `python -m benchmarks.decisions MAILBOXES WORKERS`

Each worker answers at once that all mailboxes of its chunk are done. Nothing here depends on the machine or on the time, so
that what it takes can be counted in instructions: benchmarks/scale.py does so.
"""

from __future__ import annotations

from collections import deque

import click

from fanout.dispatch import Dispatch
from fanout.events import Begun, Command, Event, Heard, Keep, Send, StartWorker
from fanout.ledger import TemporaryLedger
from fanout.lives import Stamp
from fanout.merge import Merge
from fanout.partition import Fixed
from fanout.roster import Roster
from workers.messages import Found, Ready, Recording

CHUNK = 250

#: All is told at once, and by one life.
STAMP = Stamp(1, 0.0)


def decide(mailboxes: int, workers: int) -> int:
    """Go through a run; how many mailboxes are done."""
    dispatch = Dispatch(mailboxes, Fixed(CHUNK), workers)
    roster = Roster(mailboxes, "", lambda ordinals: list(map(str, ordinals)), numbered=True)
    merge = Merge(TemporaryLedger(Recording.RESULTS), roster, None)
    events: deque[Event] = deque([Begun()])
    while events:
        for command in dispatch.handle(events.popleft(), 0.0):
            if isinstance(command, Keep):
                merge.accept(command, STAMP)
            elif answer := _answer(command):
                events.append(answer)
    return merge.succeeded


def _answer(command: Command) -> Event | None:
    match command:
        case StartWorker(worker):
            return Heard(worker, Ready())
        case Send(worker, chunk):
            done = Found(chunk.number, chunk.first, chunk.count, b"1\n" * chunk.count, b"%d" % chunk.count)
            return Heard(worker, done)
        case _:
            return None


@click.command()
@click.argument("mailboxes", type=int)
@click.argument("workers", type=int)
def main(mailboxes: int, workers: int) -> None:
    """Decide about so many mailboxes."""
    if decide(mailboxes, workers) != mailboxes:
        raise RuntimeError("some were not done")


if __name__ == "__main__":
    main()
