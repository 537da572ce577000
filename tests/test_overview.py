from __future__ import annotations

import pytest

from fanout.overview import Crowd, Overview, Place, bars, size, that_fit

MIB = 2**20


def place(number: int, seconds: float | None = 0.5) -> Place:
    return Place(number, 100 + number, "ready", 2, 10 * MIB, None if seconds is None else f"user-{number}", seconds)


def test_what_is_left_has_no_outcome() -> None:
    assert Overview("census", "sim:10", 10, 6, 1, 0).left == 3


def test_workers_for_whom_there_is_room_are_all_shown() -> None:
    workers = [place(number) for number in range(4)]

    assert that_fit(workers, 4) == (workers, None)


def test_of_too_many_workers_the_first_are_shown_and_the_others_summed_up_in_a_line() -> None:
    workers = [place(0), place(1, 90.0), place(2, 3.0), place(3, 7.0), place(4, None)]

    assert that_fit(workers, 3) == ([place(0), place(1, 90.0)], Crowd(3, 6, 30 * MIB, place(3, 7.0)))


def test_where_there_is_room_for_a_line_it_sums_up_all_of_them() -> None:
    assert that_fit([place(0, None), place(1, None)], 1) == ([], Crowd(2, 4, 20 * MIB, None))


def test_the_last_numbers_are_bars_by_their_size() -> None:
    assert bars([99.0, 0.0, 3.5, 7.0], 3) == "▁▅█"


@pytest.mark.parametrize("numbers", [[], [0.0, 0.0]])
def test_where_nothing_has_happened_there_are_no_bars(numbers: list[float]) -> None:
    assert bars(numbers, 5) == ""


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (43 * MIB, "43 MiB"),
        (int(1.25 * 2**30), "1.2 GiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_bytes_are_said_as_people_say_them(count: int, said: str) -> None:
    assert size(count) == said
