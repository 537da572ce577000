"""Progress: plain lines at growing intervals, so that a long run is not silent and its log not long."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from fanout.durations import rough

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds from the start to the first line; each further interval is longer by half, up to the longest.
FIRST = 5.0
GROWTH = 1.5
LONGEST = 300.0

#: What is said of a run that was interrupted, and is ending.
INTERRUPTED = "interrupted: the mailboxes under way are finished"
DRAINING = f"{INTERRUPTED}; interrupt once more to stop at once"


class Going(StrEnum):
    """How a run goes."""

    ON = "on"
    #: It was told to wait, and nobody begins a mailbox.
    PAUSED = "paused"
    #: It was asked to end, or its window has closed: the mailboxes under way are finished.
    ENDING = "ending"


class Figures(msgspec.Struct, frozen=True):
    """Where a run stands."""

    settled: int
    count: int
    failed: int
    #: Mailboxes a second, in this sitting, its pauses left out.
    rate: float
    going: Going = Going.ON

    @property
    def seconds_left(self) -> float | None:
        """None while nothing can be said of it: also where all that is known is settled, and another server is awaited."""
        goes_on = self.rate and self.going is Going.ON and self.settled < self.count
        return round((self.count - self.settled) / self.rate, 1) if goes_on else None

    @property
    def words(self) -> str:
        return f"{self.settled:,} of {self.count:,} mailboxes, {self.failed:,} failed, {self._pace}"

    @property
    def _pace(self) -> str:
        if self.going is not Going.ON:
            return self.going
        left = "" if self.seconds_left is None else f", {rough((self.count - self.settled) / self.rate)} left"
        return f"{self.rate:,.0f} a second{left}"


class Occasions:
    """Times to say something, with the figures to be said."""

    def __init__(self, first: float = FIRST, growth: float = GROWTH) -> None:
        """`first`: seconds until the first one; each further interval is `growth` times as long, up to the longest."""
        self._interval = first
        self._growth = growth
        self._begun: float | None = None
        self._before = 0  # what was settled when it began, by whoever worked on the run earlier
        self._next = self._seen = 0.0
        self.going = Going.ON

    def due(self, now: float, settled: int, failed: int, count: int) -> Figures | None:
        """The figures, when it is time; else None."""
        if self._begun is None:
            self._begun, self._next, self._before = now, now + self._interval, settled
        elif self.going is Going.PAUSED:
            self._begun += now - self._seen
        self._seen = now
        if now < self._next:
            return None
        self._interval = min(self._interval * self._growth, LONGEST)
        self._next = now + self._interval
        seconds = now - self._begun
        rate = (settled - self._before) / seconds if seconds else 0.0
        return Figures(settled, count, failed, rate, self.going)


class Progress(Protocol):
    """Is shown where a run stands, often."""

    def show(self, now: float, settled: int, failed: int, count: int) -> None:
        """`now`: seconds since the epoch, monotonic. `settled`: mailboxes that have their outcome, `failed` of them failed.

        `count`: how many there are, which may grow where there are several servers.
        """
        ...

    def goes(self, how: Going) -> None:
        """How the run goes from now on; told at least when that has changed."""
        ...

    def draining(self) -> None:
        """The run was interrupted, and only finishes the mailboxes under way."""
        ...


class Silent:
    """Says nothing."""

    def goes(self, how: Going) -> None:
        """Nothing to be seen."""

    def show(self, now: float, settled: int, failed: int, count: int) -> None:
        """Nothing to be seen."""

    def draining(self) -> None:
        """Nothing to be seen."""


class Lines:
    """Says a line when it is time."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._occasions = Occasions()
        self._say = say

    def show(self, now: float, settled: int, failed: int, count: int) -> None:
        if figures := self._occasions.due(now, settled, failed, count):
            self._say(figures.words)

    def goes(self, how: Going) -> None:
        self._occasions.going = how

    def draining(self) -> None:
        self.goes(Going.ENDING)
        self._say(DRAINING)
