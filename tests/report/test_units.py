from __future__ import annotations

import pytest

from fanout.report.units import count, octets, round_values, share, short, step, step_of_time


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (812, "812 bytes"),
        (1023.6, "1 KiB"),
        (4.2 * 2**20, "4.2 MiB"),
        (2**60, "1,020 PiB"),
    ],
)
def test_bytes_are_told_by_powers_of_1024(value: float, text: str) -> None:
    assert octets(value) == text


@pytest.mark.parametrize(
    ("value", "text", "on_a_scale"),
    [
        (1234, "1,234", "1,234"),
        (10_000, "10,000", "10k"),
        (2_500_000, "2,500,000", "2.5M"),
        (0.25, "0.25", "0.25"),
        (12.54, "12.5", "12.5"),
        (-3, "-3", "-3"),
        (1e100, "1e+100", "1e+100"),
    ],
)
def test_numbers_have_three_digits_and_fewer_characters_on_a_scale(value: float, text: str, on_a_scale: str) -> None:
    assert (count(value), short(value)) == (text, on_a_scale)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 %"),
        (1, 2, "50 %"),
        (1, 3, "33.3 %"),
        (1, 10_000, "under 0.1 %"),
        (9_999, 10_000, "over 99.9 %"),
        (3, 3, "100 %"),
    ],
)
def test_a_share_is_never_none_of_what_there_is_nor_all_of_what_is_not(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


@pytest.mark.parametrize(
    ("span", "most", "base", "found"), [(97, 5, 10, 20), (1, 4, 10, 0.5), (0, 5, 10, 1), (900, 4, 2, 256)]
)
def test_a_step_is_round_and_the_least_that_fits(span: float, most: int, base: int, found: float) -> None:
    assert step(span, most, base) == pytest.approx(found)


@pytest.mark.parametrize(("span", "found"), [(5, 1), (7, 2), (3600, 600), (86400 * 30, 86400 * 5)])
def test_a_step_of_time_is_what_clocks_show(span: float, found: float) -> None:
    assert step_of_time(span, 6) == found


@pytest.mark.parametrize(
    ("low", "high", "base", "found"),
    [
        (0.001, 0.1, 10, [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]),
        (1, 1000, 10, [1, 3, 10, 30, 100, 300, 1000]),
        (1, 1e6, 10, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
        (1024, 2**20, 2, [2**10, 2**12, 2**14, 2**16, 2**18, 2**20]),
    ],
)
def test_a_logarithmic_scale_names_as_many_round_values_as_fit(
    low: float, high: float, base: int, found: list[float]
) -> None:
    assert round_values(low, high, base) == pytest.approx(found)
