from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.ordinals import gaps, joined


@pytest.mark.parametrize(
    ("settled", "left"),
    [
        ([], [range(10)]),
        ([(0, 10)], []),
        ([(0, 4), (4, 6)], []),
        ([(2, 3)], [range(2), range(5, 10)]),
        ([(0, 2), (5, 1), (9, 1)], [range(2, 5), range(6, 9)]),
    ],
)
def test_gaps_are_what_nothing_covers(settled: list[tuple[int, int]], left: list[range]) -> None:
    assert list(gaps(settled, 10)) == left


def test_no_mailbox_leaves_no_gap() -> None:
    assert list(gaps([], 0)) == []


@settings(derandomize=True, deadline=None, max_examples=60)
@given(ordinals=st.sets(st.integers(0, 30)))
def test_joined_ordinals_are_the_same_in_as_few_ranges_as_there_can_be(ordinals: set[int]) -> None:
    ranges = list(joined(sorted(ordinals)))

    assert [ordinal for each in ranges for ordinal in each] == sorted(ordinals)
    assert len(ranges) == sum(ordinal - 1 not in ordinals for ordinal in ordinals)
