from __future__ import annotations

import pytest

from fanout.report.axis import MOST_BUCKETS, Axis, Span, spans_of

#: Ten seconds, and five more after an hour.
TWO = Axis([Span(100.0, 110.0), Span(3710.0, 3715.0)])


def test_time_in_which_nobody_worked_is_not_on_the_axis() -> None:
    assert TWO.seconds == 15
    assert [TWO.elapsed(at) for at in (90, 100, 105, 110, 2000, 3710, 3712, 9999)] == [0, 0, 5, 10, 10, 10, 12, 15]
    assert TWO.seams() == [Span(110.0, 3710.0)]


def test_a_place_on_the_axis_is_a_time_again() -> None:
    assert [TWO.at(elapsed) for elapsed in (0, 5, 12, 99)] == [100, 105, 3712, 3715]


def test_what_began_in_a_span_ended_with_it() -> None:
    assert [TWO.end_of_span(at) for at in (100, 105, 3711, 9999)] == [110, 110, 3715, 9999]


@pytest.mark.parametrize("seconds", [0.05, 1.5, 2.0, 59, 3601, 86400 * 10])
def test_buckets_are_few_and_cover_the_whole_axis(seconds: float) -> None:
    axis = Axis([Span(0.0, seconds)])

    assert 1 <= axis.buckets <= MOST_BUCKETS
    assert axis.whole >= seconds
    assert axis.bucket(seconds) == axis.buckets - 1
    assert all(0 <= tick <= seconds for tick in axis.ticks())


def test_sittings_that_overlap_by_their_clocks_are_one_span() -> None:
    assert spans_of([Span(50, 60), Span(10, 20), Span(15, 12), Span(19, 25)]) == [Span(10, 25), Span(50, 60)]


def test_a_run_that_took_no_time_has_an_axis() -> None:
    axis = Axis([Span(5.0, 5.0)])

    assert (axis.seconds, axis.buckets, axis.place(5.0), axis.bucket(7.0)) == (0, 1, 0, 0)
