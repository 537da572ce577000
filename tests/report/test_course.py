"""The course of a run and the lanes of its workers, on plain values."""

from __future__ import annotations

from fanout.lives import RUN_ENDED, Life
from fanout.report.axis import Axis, Span
from fanout.report.course import Progress
from fanout.report.lanes import MOST_LANES, MOST_LIVES, PARTS, Strip, Workers

#: Forty seconds: a bucket takes half a second, a part of a lane a quarter.
AXIS = Axis([Span(0.0, 40.0)])

RESUMED = Axis([Span(0.0, 20.0), Span(1000.0, 1020.0)])


def lived(number: int, worker: int, begun: float, ended: float | None, how: str | None = "exit code 0") -> Life:
    return Life(number, 1, worker, begun, 100 + number, ended, how)


def test_outcomes_are_counted_by_time_and_the_numbers_stand_behind_the_columns() -> None:
    progress = Progress(AXIS)
    progress.add(0.2, 3, 1)
    progress.add(0.4, 2, 0)
    progress.add(40.0, 1, 0)
    chart = progress.chart()

    assert AXIS.step == 0.5
    assert [column.title for column in chart.columns] == [
        "00:00:00.0 to 00:00:00.5: 5 done, 1 failed",
        "00:00:39.5 to 00:00:40.0: 1 done",
    ]
    assert chart.table.head == ["UTC", "done", "failed"]
    assert chart.table.rows == [("00:00:00.0 to 00:00:00.5", "5", "1"), ("00:00:39.5 to 00:00:40.0", "1", "0")]
    assert chart.legend == ["done", "failed"]


def test_a_kind_that_there_is_none_of_needs_no_legend() -> None:
    progress = Progress(AXIS)
    progress.add(1.0, 3, 0)

    assert progress.chart().legend == []


def test_where_a_run_was_gone_on_with_is_marked() -> None:
    progress = Progress(RESUMED)
    progress.add(1010.0, 3, 0)
    (flag,) = progress.chart().flags

    assert (flag.at, flag.text) == (50, "resumed 1 Jan 00:16")


def test_a_lane_is_as_dark_as_its_worker_was_busy() -> None:
    workers = Workers(AXIS, at_a_time=1)
    workers.add(0, at=1.0, spent=0.9, done=9, failed=0)
    (lane,) = workers.draw([lived(1, 0, 0.0, 40.0)]).lanes

    part = 100 / PARTS
    assert lane.work == [Strip(0, round(part, 2), "shade3"), Strip(round(part, 2), round(3 * part, 2), "shade4")]


def test_mailboxes_that_were_visited_at_a_time_took_their_seconds_at_a_time() -> None:
    workers = Workers(AXIS, at_a_time=4)
    workers.add(0, at=1.0, spent=1.0, done=4, failed=0)
    (lane,) = workers.draw([lived(1, 0, 0.0, 40.0)]).lanes

    assert lane.work == [Strip(1.88, 0.62, "shade4")]


def test_each_process_is_a_strip_and_one_that_died_is_crossed_out() -> None:
    workers = Workers(AXIS, at_a_time=1)
    workers.add(1, at=9.9, spent=0.1, done=0, failed=1)
    first, second = workers.draw(
        [lived(1, 0, 0.0, 40.0, RUN_ENDED), lived(2, 1, 0.0, 10.0, "SIGSEGV"), lived(3, 1, 10.0, None, None)]
    ).lanes

    assert first.lives == [Strip(0, 100, "life", "worker 1, process 101: 00:00:00.0 to 00:00:40.0, the run ended")]
    assert first.deaths == []
    assert second.lives == [
        Strip(0, 25, "life", "worker 2, process 102: 00:00:00.0 to 00:00:10.0, SIGSEGV"),
        Strip(25, 75, "life", "worker 2, process 103: 00:00:10.0 its end is not known"),
    ]
    assert second.deaths == [Strip(25, 0, "died", "00:00:10.0: worker 2, process 102, ended by SIGSEGV")]
    assert [strip.x for strip in second.failures] == [round(39 / PARTS * 100, 2)]


def test_the_numbers_behind_the_lanes_are_those_of_each_worker() -> None:
    workers = Workers(AXIS, at_a_time=1)
    workers.add(0, at=1.0, spent=0.5, done=1000, failed=2)
    drawn = workers.draw([lived(1, 0, 0.0, 10.0, "SIGKILL"), lived(2, 0, 10.0, 40.0)])

    assert drawn.table.head == ("worker", "done", "failed", "processes", "died")
    assert drawn.table.rows == [("1", "1,000", "2", "2", "1")]


def test_of_many_workers_and_lives_some_are_drawn_and_that_is_said() -> None:
    workers = Workers(AXIS, at_a_time=1)
    lives = [lived(number, number % 100, number / 1000, number / 1000 + 0.01) for number in range(20_000)]
    lives[-1] = lived(20_000, 39, 39.0, 39.001, "SIGSEGV")
    drawn = workers.draw(lives)

    assert len(drawn.lanes) == MOST_LANES
    assert [lane.name for lane in drawn.lanes if lane.name] == ["1", "5", "10", "15", "20", "25", "30", "35", "40"]
    assert sum(len(lane.lives) for lane in drawn.lanes) <= MOST_LIVES
    assert len(drawn.lanes[39].deaths) == 1
    assert drawn.notes == [
        f"The first {MOST_LANES} of 100 workers are shown.",
        f"Of 20,000 processes {MOST_LIVES} are drawn, those that died before those that lasted longest.",
    ]
