"""The benchmark of scale: what it compares, and that the run that it counts is a whole one."""

from __future__ import annotations

from benchmarks.decisions import decide
from benchmarks.scale import Line, Measured, Point, points


def test_the_start_stands_for_itself() -> None:
    point = Point("null", "mailboxes", few=500, more=10_000, workers=2)

    measured = point.each(lambda count: 0.05 + count * 2e-6)

    assert round(measured.start, 12) == 0.051
    assert round(measured.each, 12) == 2e-6


def test_a_line_has_the_median_between_the_quartiles() -> None:
    point = Point("sim", "workers", few=50, more=1000, workers=2)

    line = Line(point, [Measured(1.0, 3.0), Measured(2.0, 1.0), Measured(4.0, 2.0)])

    assert (line.point.at, line.start(), line.each()) == (2, 2.0, [1.5, 2.0, 2.5])
    assert Line(point, [Measured(1.0, 3.0)]).each() == [3.0, 3.0, 3.0]


def test_mailboxes_grow_by_decades_and_workers_by_doubling() -> None:
    found = points({"null": 1_000_000, "sim": 10_000})

    assert [point.at for point in found if (point.of, point.along) == ("null", "mailboxes")] == [10**4, 10**5, 10**6]
    assert [point.at for point in found if (point.of, point.along) == ("sim", "mailboxes")] == [10**4]
    assert [point.at for point in found if (point.of, point.along) == ("sim", "workers")] == [2**n for n in range(9)]


def test_decisions_without_processes_go_through_a_whole_run() -> None:
    assert decide(10_100, 7) == 10_100
    assert decide(100, 7) == 100
