"""The heading of the page: when the run was, how it stands, its key figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanout.report.times import day, time_of_day
from fanout.report.units import count, seconds, share

if TYPE_CHECKING:
    from fanout.report.axis import Axis
    from fanout.report.tally import Tally

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
    """How the run stands: in words, and `good`, `warn` or `bad`."""

    text: str
    kind: str


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
    return State(f"{said[:1].upper()}{said[1:]}", "" if said == "at work" else "bad")


def parts(done: int, failed: int, whole: int) -> list[Part]:
    """Shares of the whole roster that are done, and that failed."""
    shares = [("done", done), ("failed", failed)]
    return [
        Part(kind, round(100 * number / whole, 2), f"{number:,} {kind}, {share(number, whole)}")
        for kind, number in shares
        if number
    ]


def tiles(
    settled: tuple[int, int, int], retried: int, taken: Tally, axis: Axis, workforce: tuple[int, int]
) -> list[Tile]:
    """The key figures.

    `settled`: mailboxes done, failed, and of the whole roster. `workforce`: workers, and mailboxes that each visits at a time.
    """
    done, failed, whole = settled
    workers, at_a_time = workforce
    sittings = len(axis.spans)
    return [
        Tile("done", f"{done:,}", share(done, whole)),
        Tile("failed", f"{failed:,}", share(failed, whole), bad=bool(failed)),
        Tile("retried", f"{retried:,}", {0: "", 1: "attempt"}.get(retried, "attempts")),
        _rate(done + failed, axis.seconds),
        *_spent(taken),
        Tile("time", seconds(axis.seconds), f"in {sittings} sittings" if sittings > 1 else ""),
        Tile("workers", f"{workers:,}", f"{at_a_time} mailboxes at a time" if at_a_time > 1 else ""),
    ]


def _rate(settled: int, worked: float) -> Tile:
    """By the second, or by the least time in which there is one."""
    if not worked or not settled:
        return Tile("rate", "none")
    rates = [(settled / worked * each, words) for each, words in _RATES]
    rate, words = next((each for each in rates if each[0] >= 1), rates[-1])
    return Tile("rate", count(float(f"{rate:.3g}")), words)


def _spent(taken: Tally) -> list[Tile]:
    if not taken.total:
        return []
    return [
        Tile("median", seconds(taken.quantile(0.5)), "a mailbox"),
        Tile("95 % within", seconds(taken.quantile(0.95)), "a mailbox"),
    ]
