"""The course of a run: mailboxes done and failed as time went by. Pure.

Time is working time, see `axis`. When a mailbox was done is when its frame was accepted: a tenth of a second after it at the most.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fanout.report.charts import WIDE, Chart, Series, flags, labels, numbers, stacked
from fanout.report.times import clock, moment
from fanout.report.units import seconds

if TYPE_CHECKING:
    from fanout.report.axis import Axis
    from fanout.report.charts import Label

#: Seams that are named; of a run that was gone on with a hundred times, the first.
_MOST_SEAMS = 5


class Progress:
    """Mailboxes done and failed by time."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._done: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()

    def add(self, at: float, done: int, failed: int) -> None:
        bucket = self._axis.bucket(at)
        self._done[bucket] += done
        self._failed[bucket] += failed

    def chart(self) -> Chart:
        axis, buckets = self._axis, range(self._axis.buckets)
        series = [
            Series(kind, [counts[bucket] for bucket in buckets])
            for kind, counts in (("done", self._done), ("failed", self._failed))
            if counts.total()
        ]
        names = [self._name(bucket) for bucket in buckets]
        columns, levels = stacked(series, names)
        return Chart(
            title="Outcomes over time",
            summary=f"Mailboxes with their outcome in each {seconds(axis.step)} of {seconds(axis.seconds)} of work.",
            columns=columns,
            levels=levels,
            ticks=time_ticks(axis),
            flags=flags(seams(axis)),
            counted=f"mailboxes in each {seconds(axis.step)} of work",
            table=numbers(["UTC", *(each.kind for each in series)], names, series),
            legend=[each.kind for each in series] if len(series) > 1 else [],
        )

    def _name(self, bucket: int) -> str:
        begun, ended = (self._axis.at(number * self._axis.step) for number in (bucket, bucket + 1))
        return f"{clock(begun)} to {clock(ended)}"


def time_ticks(axis: Axis) -> list[Label]:
    """The times that the axis names."""
    return labels([(at / axis.whole, seconds(at) if at else "0") for at in axis.ticks()], WIDE)


def seams(axis: Axis) -> list[tuple[float, str]]:
    """Where the run was gone on with; the first ones."""
    return [(axis.place(gap.ended), f"resumed {moment(gap.ended)}") for gap in axis.seams()[:_MOST_SEAMS]]
