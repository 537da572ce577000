"""The axis of working time: the sittings of a run one behind the other, without the hours between them. Pure.

Times are seconds since the epoch; places on the axis go from 0 at its beginning to 1 at its end, which is that of its last bucket.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from fanout.report.units import MOST_TICKS, step_of_time

if TYPE_CHECKING:
    from collections.abc import Sequence


#: Buckets of time at the most; and of a run so short that outcomes, which come a tenth of a second apart, would leave gaps.
MOST_BUCKETS = 96
_FEW_BUCKETS, _SHORT = 20, 2.0


class Span(NamedTuple):
    """Time that was worked, from the first to the last that is known of it."""

    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class Axis:
    """Places and times of one axis."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """Spans in their order, at least one; they do not overlap."""
        self.spans = spans
        #: Working time, in seconds.
        self.seconds = sum(span.seconds for span in spans)
        #: Seconds of a bucket, and how many there are.
        self.step = step_of_time(self.seconds, MOST_BUCKETS if self.seconds >= _SHORT else _FEW_BUCKETS)
        self.buckets = max(1, math.ceil(self.seconds / self.step - 1e-9))
        #: Seconds of the whole axis: its last bucket may end after the work.
        self.whole = self.buckets * self.step

    def elapsed(self, at: float) -> float:
        """Seconds of work until then. What lies between two spans is at the seam."""
        return sum(min(max(at - span.begun, 0.0), span.seconds) for span in self.spans)

    def place(self, at: float) -> float:
        return self.elapsed(at) / self.whole

    def bucket(self, at: float) -> int:
        return min(int(self.elapsed(at) / self.step), self.buckets - 1)

    def at(self, elapsed: float) -> float:
        """When so many seconds had been worked."""
        for span in self.spans:
            if elapsed <= span.seconds:
                return span.begun + elapsed
            elapsed -= span.seconds
        return self.spans[-1].ended

    def end_of_span(self, at: float) -> float:
        """When the work ended that went on then."""
        return next((span.ended for span in self.spans if at <= span.ended), at)

    def seams(self) -> list[Span]:
        """The gaps between spans."""
        return [Span(before.ended, after.begun) for before, after in pairwise(self.spans)]

    def ticks(self) -> list[float]:
        """Round numbers of seconds of work that the axis names."""
        apart = step_of_time(self.seconds, MOST_TICKS)
        return [number * apart for number in range(int(self.seconds / apart + 1e-9) + 1)]


def spans_of(known: Sequence[Span]) -> list[Span]:
    """Spans in their order: clocks that were set between two sittings could have them overlap, and then they are one."""
    spans: list[Span] = []
    for begun, ended in sorted(known):
        if spans and begun <= spans[-1].ended:
            spans[-1] = Span(spans[-1].begun, max(spans[-1].ended, ended))
        else:
            spans.append(Span(begun, max(begun, ended)))
    return spans
