from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from fanout.window import Window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(time(22), time(6))
NOON = Window(time(11, 30), time(13))


def berlin(text: str) -> datetime:
    """A moment by the clock on the wall in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-06:00", NIGHT),
        ("22:00-6:00", NIGHT),
        ("11:30-13:00", NOON),
        ("20:00-24:00", Window(time(20), time(0))),
        ("0:00-0:01", Window(time(0), time(0, 1))),
    ],
)
def test_a_window_is_two_times(text: str, window: Window) -> None:
    assert Window.of(text) == window


@pytest.mark.parametrize(
    "text", ["22-6", "night", "22:00", "22:00-", "22:00-06:00-07:00", "22.00-06.00", "٢٢:00-06:00"]
)
def test_what_is_no_window_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="as in 22:00-06:00"):
        Window.of(text)


@pytest.mark.parametrize("text", ["25:00-06:00", "22:60-06:00", "24:00-06:00", "22:00-24:01"])
def test_a_time_that_no_day_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hours go from 0 to 23"):
        Window.of(text)


@pytest.mark.parametrize("text", ["22:00-22:00", "00:00-24:00"])
def test_a_window_of_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="opens and closes at the same time"):
        Window.of(text)


def test_a_window_is_written_as_it_is_read() -> None:
    assert str(Window.of("22:00-6:05")) == "22:00-06:05"


@pytest.mark.parametrize(
    ("window", "at", "is_open"),
    [
        (NIGHT, "2026-11-25T21:59:59", False),
        (NIGHT, "2026-11-25T22:00", True),
        (NIGHT, "2026-11-26T00:00", True),
        (NIGHT, "2026-11-26T05:59:59", True),
        (NIGHT, "2026-11-26T06:00", False),
        (NOON, "2026-11-26T11:29", False),
        (NOON, "2026-11-26T11:30", True),
        (NOON, "2026-11-26T13:00", False),
        (Window.of("20:00-24:00"), "2026-11-26T23:59:59", True),
        (Window.of("20:00-24:00"), "2026-11-26T00:00", False),
    ],
)
def test_a_window_is_open_from_its_first_moment_to_just_before_its_last(
    window: Window, at: str, *, is_open: bool
) -> None:
    assert window.is_open(berlin(at), BERLIN) is is_open


def test_the_clock_on_the_wall_counts_and_not_that_of_greenwich() -> None:
    at = datetime(2026, 7, 1, 20, 30, tzinfo=UTC)

    assert NIGHT.is_open(at, BERLIN)
    assert not NIGHT.is_open(at, UTC)


def test_in_summer_and_in_winter_it_opens_by_the_same_clock() -> None:
    opens = [
        NIGHT.next_opening(berlin(day), BERLIN).astimezone(UTC) for day in ("2026-07-01T12:00", "2026-12-01T12:00")
    ]

    assert [f"{each:%H:%M}" for each in opens] == ["20:00", "21:00"]


def test_a_time_that_summer_time_leaves_out_opens_when_the_clock_has_jumped_over_it() -> None:
    window = Window(time(2, 30), time(4))
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)  # 01:59 in Berlin, a minute before 03:00

    assert not window.is_open(before, BERLIN)
    assert window.next_opening(before, BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_window_within_the_hour_that_is_left_out_opens_the_next_day() -> None:
    window = Window(time(2, 10), time(2, 50))

    assert window.next_opening(berlin("2026-03-29T01:00"), BERLIN) == berlin("2026-03-30T02:10")


def test_a_window_within_the_hour_that_comes_twice_opens_twice() -> None:
    window = Window(time(2, 10), time(2, 50))
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)]

    assert [window.is_open(moment, BERLIN) for moment in moments] == [True, True, False]


def test_it_opens_next_tonight_or_tomorrow() -> None:
    assert NIGHT.next_opening(berlin("2026-11-25T06:00"), BERLIN) == berlin("2026-11-25T22:00")
    assert NOON.next_opening(berlin("2026-11-25T13:00:01"), BERLIN) == berlin("2026-11-26T11:30")
