from __future__ import annotations

import pytest

from fanout.forecast.timeline import SHORTEST, SPANS, Timeline


def test_the_average_of_a_span_counts_for_how_long_there_were_how_many() -> None:
    line = Timeline()
    line.add(0.0, 2)
    line.add(SHORTEST / 2, 2)
    line.add(1.5 * SHORTEST, -4)

    span, numbers = line.averages(2 * SHORTEST)
    assert span == SHORTEST
    assert numbers == pytest.approx([3.0, 2.0, 0.0])


def test_a_span_that_is_not_over_counts_for_what_it_has_been() -> None:
    line = Timeline()
    line.add(SHORTEST, 6)

    assert line.averages(1.5 * SHORTEST)[1] == pytest.approx([0.0, 6.0])


def test_a_long_time_has_no_more_spans_than_a_short_one() -> None:
    line = Timeline()
    line.add(0.0, 1)
    line.add(1e6, 1)

    span, numbers = line.averages(2e6)

    assert len(numbers) <= SPANS
    assert span * SPANS > 1e6
    assert numbers[0] == pytest.approx(1.0)
    assert sum(numbers[:-1]) * span <= 2e6 * 2
