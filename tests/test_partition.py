from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.partition import (
    LARGEST_GUIDED,
    LARGEST_UNBOUND,
    ChunkTooLargeError,
    Fixed,
    Guided,
    Partition,
    chunks,
    partition,
)

CAPACITIES = st.none() | st.integers(1, 255)


@st.composite
def partitions(draw: st.DrawFn) -> tuple[Partition, int | None]:
    """Any partition that can be had, with its capacity."""
    capacity = draw(CAPACITIES)
    chunk_size = draw(st.none() | st.integers(1, capacity or 1000))
    return partition(chunk_size, draw(st.integers(1, 64)), capacity), capacity


@settings(derandomize=True, deadline=None)
@given(how=partitions(), count=st.integers(0, 3000))
def test_chunks_cover_every_ordinal_once_in_order_and_none_is_above_the_capacity(
    how: tuple[Partition, int | None], count: int
) -> None:
    cut = list(chunks(how[0], count))

    assert [ordinal for chunk in cut for ordinal in chunk] == list(range(count))
    assert all(0 < len(chunk) <= (how[1] or 1000) for chunk in cut)


@settings(derandomize=True, deadline=None)
@given(workers=st.integers(1, 64), count=st.integers(1, 20_000))
def test_guided_chunks_shrink_to_one(workers: int, count: int) -> None:
    sizes = [len(chunk) for chunk in chunks(partition(None, workers, None), count)]

    assert all(earlier >= later for earlier, later in pairwise(sizes))
    assert sizes[-1] == 1
    assert sizes[0] <= LARGEST_UNBOUND


def test_fixed_chunks_are_of_one_size_but_for_the_last() -> None:
    assert [len(chunk) for chunk in chunks(partition(200, 4, 254), 999)] == [200, 200, 200, 200, 199]


def test_guided_chunks_are_eight_times_as_many_as_the_workers_that_could_take_the_rest() -> None:
    assert [len(chunk) for chunk in chunks(partition(None, 2, 100), 80)] == [5, *[4] * 3, *[3] * 6, *[2] * 7, *[1] * 31]


def test_guided_chunks_keep_below_a_small_capacity() -> None:
    assert partition(None, 1, 7) == Guided(workers=1, largest=7)


def test_guided_chunks_leave_room_below_a_large_capacity() -> None:
    assert partition(None, 3, 255) == Guided(workers=3, largest=LARGEST_GUIDED)


def test_guided_chunks_are_bounded_where_there_is_no_ceiling() -> None:
    assert partition(None, 3, None) == Guided(workers=3, largest=LARGEST_UNBOUND)


def test_a_roster_of_nobody_has_no_chunks() -> None:
    assert list(chunks(partition(None, 1, None), 0)) == []


def test_a_chunk_as_large_as_the_capacity_is_cut() -> None:
    assert partition(254, 1, 254) == Fixed(254)


def test_a_chunk_above_the_capacity_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(ChunkTooLargeError) as refused:
        partition(255, 1, 254, "255 indexes - 1 for the session's own store")

    assert str(refused.value) == (
        "a chunk of 255 mailboxes is more than the 254 that one session can hold open: "
        "255 indexes - 1 for the session's own store"
    )


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_a_chunk_has_at_least_one_mailbox(chunk_size: int) -> None:
    with pytest.raises(ValueError, match=f"a chunk of {chunk_size} mailboxes: a chunk has at least 1"):
        partition(chunk_size, 1, None)


def test_a_run_needs_at_least_one_worker() -> None:
    with pytest.raises(ValueError, match="0 workers: a run needs at least 1"):
        partition(None, 0, None)


def test_a_capacity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no mailbox can be held open: 3 indexes, 3 reserved"):
        partition(None, 1, 0, "3 indexes, 3 reserved")
