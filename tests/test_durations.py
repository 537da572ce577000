from __future__ import annotations

import pytest

from fanout.durations import duration, rough


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"),
        (0.00012, "0.12 ms"),
        (0.0052, "5.2 ms"),
        (0.48, "480 ms"),
        (0.9996, "1 s"),
        (1.44, "1.4 s"),
        (59.4, "59 s"),
        (59.7, "1 min"),
        (192, "3 min 12 s"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
        (360_000, "4 d 4 h"),
    ],
)
def test_a_duration_is_told_to_two_digits_or_in_two_units(value: float, text: str) -> None:
    assert duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 s"),
        (8.4, "8 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (3600.0, "60 min"),
        (9000.0, "2.5 h"),
        (36_000.0, "10 h"),
        (2 * 86_400.0, "2 days"),
    ],
)
def test_a_guess_is_told_in_one_unit(value: float, text: str) -> None:
    assert rough(value) == text
