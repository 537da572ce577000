"""What a run over several servers came to on each of them: a row of a table each, with its course. Pure.

A course is drawn to a scale of its own: what it shows is when its server was gone through, and when that ended, not how it
compares with others, for which there are the numbers beside it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from fanout.report.heading import Settled, parts, rate
from fanout.report.units import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanout.by_server import OnServer
    from fanout.outcomes import Outcome
    from fanout.report.axis import Axis
    from fanout.report.heading import Part
    from workers.causes import Cause

#: Pixels of a course from top to bottom, and those that what is there has at the least.
HEIGHT, _SEEN = 26, 1


class Course(NamedTuple):
    """Outcomes over time as two areas: paths of SVG over so many buckets across. What failed stands on what is done."""

    buckets: int
    settled: str
    done: str


class Row(NamedTuple):
    """One server."""

    server: str
    #: None where nobody could list its mailboxes: then there is nothing else to be told.
    settled: Settled | None
    rate: str
    time: str
    #: `2 missing, 1 denied`; may be empty.
    causes: str
    parts: list[Part]
    course: Course | None


class Servers:
    """Takes the outcomes of all servers, those of one at a time."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._done: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._settled: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._causes: defaultdict[str, Counter[Cause]] = defaultdict(Counter)

    def add(self, at: float, outcomes: Sequence[Outcome]) -> None:
        """Outcomes that were told of together; those of a run over one server are left alone."""
        server, bucket = outcomes[0].server, self._axis.bucket(at)
        if server is None:
            return
        self._done[server][bucket] += sum(outcome.ok for outcome in outcomes)
        self._settled[server][bucket] += len(outcomes)
        self._causes[server].update(outcome.error.cause for outcome in outcomes if outcome.error)

    def rows(self, servers: Sequence[OnServer], worked: Mapping[str, float]) -> list[Row]:
        """`worked`: by server, the seconds from its first worker's start to its last one's end."""
        return [self._row(each, worked.get(each.server, 0.0)) for each in servers]

    def _row(self, on: OnServer, worked: float) -> Row:
        if on.count is None:
            return Row(on.server, None, "", "", "", [], None)
        settled = Settled(on.done, on.failed, on.count)
        causes = self._causes[on.server].most_common()
        return Row(
            server=on.server,
            settled=settled,
            rate=" ".join(filter(None, rate(on.done + on.failed, worked))),
            time=seconds(worked) if worked else "",
            causes=", ".join(f"{count:,} {cause}" for cause, count in causes),
            parts=parts(settled),
            course=self._course(on.server) if on.done + on.failed else None,
        )

    def _course(self, server: str) -> Course:
        buckets = range(self._axis.buckets)
        done, settled = ([counts[server][bucket] for bucket in buckets] for counts in (self._done, self._settled))
        most = max(settled)
        return Course(len(buckets), _area(settled, most), _area(done, most))


def _area(counts: Sequence[int], most: int) -> str:
    """What lies below steps of these heights, as a path: `M0 26V13H4V26Z`."""
    path, place = f"M0 {HEIGHT}", 0
    for count, alike in groupby(counts):
        place += len(list(alike))
        height = max(HEIGHT * count / most, _SEEN) if count else 0
        path += f"V{HEIGHT - height:.3g}H{place}"
    return f"{path}V{HEIGHT}Z"
