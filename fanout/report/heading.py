"""The heading of the page: when the run was, how it stands, its key figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanout.report.times import day, time_of_day
from fanout.report.units import count, seconds, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.report.axis import Axis
    from fanout.report.tally import Tally

#: Percent of the bar for mailboxes of which nobody knows how many there are.
_UNKNOWN = 15

#: Seconds by which a slow rate is told.
_RATES = ((1.0, "a second"), (60.0, "a minute"), (3600.0, "an hour"))


class Tile(NamedTuple):
    """A key figure."""

    name: str
    value: str
    note: str = ""
    #: Whether it tells of something amiss.
    bad: bool = False


class State(NamedTuple):
    """How the run stands: in words, and `good`, `warn` or `bad`; and why, where it was stopped."""

    text: str
    kind: str
    why: str = ""


class Settled(NamedTuple):
    """Mailboxes that are done, that failed, and that there are as far as they are known."""

    done: int
    failed: int
    whole: int
    #: Servers whose mailboxes could not be listed: there are more than the whole.
    unlisted: int = 0

    @property
    def left(self) -> int:
        """Those that are known, and have no outcome."""
        return self.whole - self.done - self.failed


class Workforce(NamedTuple):
    """Workers, mailboxes that each visits at a time, and servers that each have so many workers."""

    workers: int
    at_a_time: int
    servers: int = 1


class Part(NamedTuple):
    """A part of the whole roster."""

    kind: str
    percent: float
    title: str


def when(axis: Axis) -> str:
    """`Wednesday, 25 November 2026, 14:03 to 14:05 UTC`; of a run of several days the first and the last."""
    first, last = axis.spans[0].begun, axis.spans[-1].ended
    if not last:
        return "no worker was started"
    if day(first) == day(last):
        until = f" to {time_of_day(last)}" if time_of_day(first) != time_of_day(last) else ""
        return f"{day(first)}, {time_of_day(first)}{until} UTC"
    return f"{day(first)}, {time_of_day(first)} to {day(last)}, {time_of_day(last)} UTC"


def state(said: str, failed: int) -> State:
    """How the run stands; `said` is what the list of runs says of it."""
    if said == "finished":
        return State("Finished, some failed", "warn") if failed else State("Finished, every mailbox done", "good")
    text, _, why = said.partition(": ")
    return State(text.capitalize(), "" if said == "at work" else "bad", why)


def verdict(said: str, settled: Settled, servers: int) -> str:
    """What was done of how many, as it is `said` of every run; and of how many servers nobody knows how many they have."""
    if not settled.unlisted:
        return said
    return f"{said} that are known; those of {settled.unlisted:,} of {servers:,} servers are not"


def parts(settled: Settled) -> list[Part]:
    """Shares of the whole roster that are done, and that failed. What nobody knows has a part that is never filled."""
    known = 100 - (_UNKNOWN if settled.unlisted else 0)
    shares = [("done", settled.done), ("failed", settled.failed)]
    drawn = [
        Part(kind, round(known * number / settled.whole, 2), f"{number:,} {kind}, {_share(number, settled)}")
        for kind, number in shares
        if number
    ]
    if not settled.unlisted:
        return drawn
    return [
        *drawn,
        Part("unknown", _UNKNOWN, f"{_servers(settled.unlisted)} not listed: nobody knows how many mailboxes"),
    ]


def tiles(settled: Settled, retried: int, taken: Tally, axis: Axis, force: Workforce) -> list[Tile]:
    """The key figures."""
    sittings = len(axis.spans)
    value, unit = rate(settled.done + settled.failed, axis.seconds)
    return [
        Tile("done", f"{settled.done:,}", _share(settled.done, settled)),
        Tile("failed", f"{settled.failed:,}", _share(settled.failed, settled), bad=bool(settled.failed)),
        Tile("retried", f"{retried:,}", {0: "", 1: "attempt"}.get(retried, "attempts")),
        Tile("rate", value, unit),
        *_spent(taken),
        Tile("time", seconds(axis.seconds), f"in {sittings} sittings" if sittings > 1 else ""),
        Tile("workers", f"{force.workers:,}", ", ".join(_of_each(force))),
    ]


def _share(number: int, settled: Settled) -> str:
    return f"{share(number, settled.whole)}{' of those known' if settled.unlisted else ''}"


def _servers(number: int) -> str:
    return f"{number:,} server{'s' if number > 1 else ''}"


def _of_each(force: Workforce) -> Iterator[str]:
    if force.servers > 1:
        yield "for each server"
    if force.at_a_time > 1:
        yield f"{force.at_a_time} mailboxes at a time"


def rate(settled: int, worked: float) -> tuple[str, str]:
    """`7.5`, `a second`: mailboxes by the second, or by the least time in which there is one."""
    if not worked or not settled:
        return "none", ""
    rates = [(settled / worked * each, words) for each, words in _RATES]
    number, words = next((each for each in rates if each[0] >= 1), rates[-1])
    return count(float(f"{number:.3g}")), words


def _spent(taken: Tally) -> list[Tile]:
    if not taken.total:
        return []
    return [
        Tile("median", seconds(taken.quantile(0.5)), "a mailbox"),
        Tile("95 % within", seconds(taken.quantile(0.95)), "a mailbox"),
    ]
