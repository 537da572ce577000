"""How fast a run goes, and when it will have ended: from how many mailboxes were settled when. Pure.

Time is cut into intervals, the last of which are remembered. The rate is that of all of them together. What it may turn out
to be follows from how much they differ: were mailboxes settled as regularly as a clock ticks, the future would be known;
the more one interval differs from the other, the less is known of the mean over those that were seen, and of the mean over
those that are left. The spread is two standard deviations of both together, in which nineteen of twenty endings lie as long
as the run goes on as it did.
"""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from fanout.durations import rough

#: Seconds of an interval at the beginning. When there are too many they are joined by twos, so that a run of hours is
#: judged by its last half hour and one of seconds by all of it; longer than the longest they do not become.
FIRST, LONGEST = 1.0, 32.0

#: Intervals that are remembered at the most.
MOST = 60

#: Intervals without which nothing is said of the spread.
FEWEST = 5

#: Standard deviations on either side.
WIDE = 2.0


class Estimate(msgspec.Struct, frozen=True):
    """What can be said of a run's pace."""

    #: Mailboxes a second.
    rate: float
    #: Seconds that are left; None where nothing is known, as where nothing is done.
    left: float | None = None
    #: The least and the most that it may be; None where nothing is known of that.
    soonest: float | None = None
    latest: float | None = None


class Rates:
    """The last intervals of a run."""

    def __init__(self) -> None:
        self._step = FIRST
        #: When an interval ended, the next begins; and how many mailboxes were settled then.
        self._marks: list[tuple[float, int]] = []

    def note(self, now: float, settled: int) -> None:
        """So many mailboxes are settled now."""
        if self._marks and now < self._marks[-1][0] + self._step:
            return
        self._marks.append((now, settled))
        if len(self._marks) > MOST:
            if self._step < LONGEST:
                self._step *= 2
                self._marks = self._marks[::-2][::-1]
            else:
                del self._marks[0]

    def each(self) -> list[float]:
        """Mailboxes a second in each interval, the oldest first."""
        return [(after - before) / (end - begin) for (begin, before), (end, after) in pairwise(self._marks)]

    def estimate(self, left: int) -> Estimate:
        """What follows for a run that has so many mailboxes left."""
        if len(self._marks) < 2:
            return Estimate(0.0)
        (begin, before), (end, after) = self._marks[0], self._marks[-1]
        rate = (after - before) / (end - begin)
        if rate <= 0:
            return Estimate(0.0, None if left else 0.0)
        seconds = left / rate
        if len(self._marks) <= FEWEST or not left:
            return Estimate(rate, seconds)
        deviation = math.sqrt(self._variance(rate) * (1 / (end - begin) + 1 / seconds))
        slowest = rate - WIDE * deviation
        return Estimate(rate, seconds, left / (rate + WIDE * deviation), left / slowest if slowest > 0 else math.inf)

    def _variance(self, rate: float) -> float:
        """Of what is settled in a second: by how much the intervals, which may be of different lengths, differ from the mean."""
        steps = [(end - begin, after - before) for (begin, before), (end, after) in pairwise(self._marks)]
        return sum((count - rate * seconds) ** 2 / seconds for seconds, count in steps) / (len(steps) - 1)


def in_words(estimate: Estimate) -> str:
    """The time that is left, with its spread: `4 min left (3 to 6 min)`; empty where nothing is known."""
    if estimate.left is None:
        return ""
    left = f"{rough(estimate.left)} left"
    if estimate.soonest is None or estimate.latest is None:
        return left
    if estimate.latest == math.inf:
        return f"{left} ({rough(estimate.soonest)} or more)"
    soonest, latest = rough(estimate.soonest), rough(estimate.latest)
    if soonest == latest:
        return left
    number, _, unit = soonest.partition(" ")
    return f"{left} ({number if latest.endswith(f' {unit}') else soonest} to {latest})"
