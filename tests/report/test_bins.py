from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout.report.bins import MOST, Kind, bins_of
from fanout.report.tally import Tally, to_three_digits
from fanout.report.units import BYTES, COUNT, SECONDS, Unit

numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1234, 1234), (123_456, 123_000), (0.0123456, 0.0123), (10**400, 1e100), (-(10**400), -1e100), (5e-324, 0.0)],
)
def test_numbers_are_kept_to_three_digits_and_small_whole_ones_as_they_are(value: float, kept: float) -> None:
    assert to_three_digits(value) == kept


def test_a_quantile_is_one_of_the_numbers() -> None:
    tally = Tally([5, 1, 3, 2, 4])

    assert [tally.quantile(share) for share in (0, 0.5, 0.8, 0.95, 1)] == [1, 3, 4, 5, 5]
    with pytest.raises(ValueError, match="there are no numbers"):
        Tally().quantile(0.5)


def test_a_hundred_thousand_numbers_have_some_thousand_counts() -> None:
    tally = Tally(number * 1.37 for number in range(100_000))

    assert tally.total == 100_000
    assert len(tally.counts) < 5_000


def test_few_whole_numbers_have_a_column_each() -> None:
    bins = bins_of(Tally([8, 9, 9, 19]), COUNT)

    assert bins.kind is Kind.EACH
    assert list(bins.names()) == [str(number) for number in range(8, 20)]
    assert bins.counts(Tally([8, 9, 9, 19])) == [1, 2, *[0] * 9, 1]


def test_a_single_number_stands_in_the_middle_of_a_scale_with_room() -> None:
    bins = bins_of(Tally([10]), COUNT)

    assert list(bins.names()) == [str(number) for number in range(5, 16)]
    assert bins.place(10) == 0.5


def test_what_can_not_be_below_zero_has_no_column_there() -> None:
    assert bins_of(Tally([0, 1]), COUNT).edges[0] == 0


def test_many_orders_of_magnitude_have_logarithmic_columns_and_zero_one_of_its_own() -> None:
    tally = Tally([0, 1, 50, 1_000_000])
    bins = bins_of(tally, COUNT)

    assert bins.kind is Kind.LOGARITHMIC
    assert list(bins.names())[:5] == ["0", "1", "2", "3", "4 to 6"]
    assert bins.counts(tally)[:2] == [1, 1]
    assert [bins.place(value) for value in (0, 10, 100)] == pytest.approx([0, 6 / 32, 11 / 32])


def test_numbers_of_one_order_of_magnitude_have_linear_columns() -> None:
    bins = bins_of(Tally([100, 150, 220]), COUNT)

    assert bins.kind is Kind.LINEAR
    assert list(bins.names())[:2] == ["100 to 104", "105 to 109"]


def test_bytes_have_columns_by_powers_of_two_and_seconds_always_logarithmic_ones() -> None:
    assert bins_of(Tally([2**10, 2**30]), BYTES).edges[:3] == [2**10, 2**11, 2**12]
    assert bins_of(Tally([0.1, 0.11]), SECONDS).kind is Kind.LOGARITHMIC


@given(values=st.lists(numbers, min_size=1), unit=st.sampled_from([COUNT, BYTES, SECONDS]))
def test_whatever_the_numbers_every_one_is_in_a_column_and_the_columns_are_few(values: list[float], unit: Unit) -> None:
    tally = Tally(values)
    bins = bins_of(tally, unit)

    assert sum(bins.counts(tally)) == len(values)
    assert 1 <= len(bins) <= MOST + 2
    assert len(list(bins.names())) == len(bins)
    assert all(low < high for low, high in zip(bins.edges, bins.edges[1:], strict=False))
    places = [bins.place(value) for value in sorted(tally.counts)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    slack = 1e-9 * max(map(abs, bins.edges))
    assert all(bins.edges[0] - slack <= tick <= bins.edges[-1] + slack for tick in bins.ticks())
