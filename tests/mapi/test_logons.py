from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.mapi.logons import MAX_LOGONS, LogonIndexTable, LogonTableFull, capacity


def test_the_lowest_free_index_is_issued_first() -> None:
    table = LogonIndexTable()

    assert [table.acquire() for _ in range(4)] == [0, 1, 2, 3]


def test_a_released_index_is_the_next_to_be_issued() -> None:
    table = LogonIndexTable()
    for _ in range(10):
        table.acquire()
    table.release(4)
    table.release(2)

    assert [table.acquire() for _ in range(3)] == [2, 4, 10]


def test_the_last_value_of_the_byte_is_never_issued() -> None:
    table = LogonIndexTable()

    issued = [table.acquire() for _ in range(MAX_LOGONS)]

    assert issued == list(range(MAX_LOGONS))
    assert 0xFF not in issued


def test_a_full_table_refuses() -> None:
    table = LogonIndexTable()
    for _ in range(MAX_LOGONS):
        table.acquire()

    with pytest.raises(LogonTableFull):
        table.acquire()


def test_a_reserved_index_is_never_issued() -> None:
    table = LogonIndexTable(frozenset({0, 3}))

    assert [table.acquire() for _ in range(3)] == [1, 2, 4]


def test_reserving_what_is_never_issued_takes_nothing_away() -> None:
    assert capacity(frozenset({-1, MAX_LOGONS, 1000})) == MAX_LOGONS


@pytest.mark.parametrize("index", [-1, 0, 7, MAX_LOGONS])
def test_an_index_that_is_not_in_use_cannot_be_released(index: int) -> None:
    table = LogonIndexTable(frozenset({7}))

    with pytest.raises(ValueError, match="not in use"):
        table.release(index)
    assert table.acquire() == 0


def test_a_cleared_table_has_every_index_free_but_the_reserved() -> None:
    table = LogonIndexTable(frozenset({0}))
    for _ in range(3):
        table.acquire()
    table.clear()

    assert list(table) == []
    assert table.acquire() == 1


def test_capacity_is_what_is_neither_reserved_nor_kept_open() -> None:
    assert capacity(frozenset()) == MAX_LOGONS
    assert capacity(frozenset({0, 1, 254}), kept=1) == MAX_LOGONS - 4
    assert capacity(frozenset(range(MAX_LOGONS)), kept=1) == 0


@given(st.frozensets(st.integers(0, MAX_LOGONS - 1)), st.lists(st.integers(0, MAX_LOGONS)))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_the_table_behaves_as_a_set_of_free_indexes(reserved: frozenset[int], steps: list[int]) -> None:
    table = LogonIndexTable(reserved)
    free = set(range(MAX_LOGONS)) - reserved
    taken: list[int] = []
    for step in steps:
        if taken and step % 3 == 0:
            free.add(taken[step % len(taken)])
            table.release(taken.pop(step % len(taken)))
        elif free:
            taken.append(table.acquire())

            assert taken[-1] == min(free)
            free.discard(taken[-1])
    assert list(table) == sorted(taken)
