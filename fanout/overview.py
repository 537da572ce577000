"""Where a run stands, at one moment: the numbers and words that a view shows. Pure; how they are drawn is `liveview`'s."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanout.by_server import OnServer
from fanout.estimate import Estimate

#: The letters of a small picture of numbers, from the least to the most.
BARS = "▁▂▃▄▅▆▇█"

#: Sizes of memory, each 1,024 of the one before.
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Place(msgspec.Struct, frozen=True):
    """One worker."""

    number: int
    pid: int | None
    #: The state of its life: starting, ready, leaving, dying.
    state: str
    #: Mailboxes that it has open.
    open: int
    #: Bytes of memory that are resident.
    rss: int
    #: The mailbox that it has been at for longest, and for how many seconds; None where it is at none.
    mailbox: str | None
    seconds: float | None
    #: None for a run over one.
    server: str | None = None


class Trouble(msgspec.Struct, frozen=True):
    """A mailbox that failed."""

    mailbox: str
    cause: str
    message: str
    #: None for a run over one.
    server: str | None = None


class Overview(msgspec.Struct, frozen=True):
    """A run at one moment."""

    #: What is run, and where.
    job: str
    server: str
    #: Mailboxes of the roster, those of them that are done and that failed, and attempts that were followed by another.
    count: int
    done: int
    failed: int
    retried: int
    #: Mailboxes that a session can hold; None for no ceiling.
    capacity: int | None = None
    estimate: Estimate = Estimate(0.0)
    #: Mailboxes a second in the last intervals, the oldest first.
    rates: Sequence[float] = ()
    workers: Sequence[Place] = ()
    #: The last failures, the latest first.
    failures: Sequence[Trouble] = ()
    #: When all this was so, as far as it is told of workers; None where there is none.
    at: float | None = None
    #: Since when it is paused; None while it is not.
    paused_since: float | None = None
    #: What else there is to say.
    note: str = ""
    #: Where it stands on each of several servers.
    servers: Sequence[OnServer] = ()

    @property
    def left(self) -> int:
        return self.count - self.done - self.failed


def servers_that_fit(servers: Sequence[OnServer], room: int) -> tuple[Sequence[OnServer], OnServer | None]:
    """The first servers, as many as there is room for, and what the others come to together, in one line."""
    if len(servers) <= room:
        return servers, None
    shown, others = servers[: max(0, room - 1)], servers[max(0, room - 1) :]
    known = [each for each in others if each.count is not None]
    return shown, OnServer(
        f"and {len(others):,} more",
        sum(each.count or 0 for each in known) if known else None,
        sum(each.done for each in known),
        sum(each.failed for each in known),
    )


class Crowd(msgspec.Struct, frozen=True):
    """Workers for which a view has no room, summed up."""

    count: int
    open: int
    rss: int
    #: The one that has been at its mailbox for longest; None where all are at none.
    longest: Place | None


def that_fit(workers: Sequence[Place], room: int) -> tuple[Sequence[Place], Crowd | None]:
    """The first workers, as many as there is room for, and the others in one line.

    They are always the same ones, so that a line tells of one worker, and does not jump.
    """
    if len(workers) <= room:
        return workers, None
    shown, others = workers[: max(0, room - 1)], workers[max(0, room - 1) :]
    at_work = [worker for worker in others if worker.seconds is not None]
    longest = max(at_work, key=lambda worker: worker.seconds or 0.0, default=None)
    return shown, Crowd(len(others), sum(each.open for each in others), sum(each.rss for each in others), longest)


def bars(numbers: Sequence[float], width: int) -> str:
    """The last of these numbers, none of them negative, as a row of bars."""
    shown = numbers[-width:]
    most = max(shown, default=0.0)
    if not most:
        return ""
    return "".join(BARS[round(number / most * (len(BARS) - 1))] for number in shown)


def size(count: int) -> str:
    """Bytes as people say them: `43 MiB`, `1.2 GiB`."""
    number, unit = float(count), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if number < 9.95 and unit else f"{number:.0f} {_UNITS[unit]}"
