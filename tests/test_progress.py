from __future__ import annotations

from itertools import pairwise

import pytest

from fanout.progress import DRAINING, FIRST, LONGEST, Going, Lines, Silent
from fanout.staff import Standing


def shown(times: list[float], count: int, *, a_second: int, failed: int = 0) -> list[str]:
    """What is said to somebody who is shown a run of so many mailboxes a second at these times."""
    said: list[str] = []
    progress = Lines(said.append)
    for now in times:
        progress.show(now, int((now - times[0]) * a_second), failed, count)
    return said


def test_a_short_run_is_silent() -> None:
    assert shown([100.0, 101.0, 100.0 + FIRST - 0.1], 1000, a_second=10) == []


def test_a_line_says_how_many_how_fast_and_how_long_it_will_take() -> None:
    said = shown([100.0, 105.0], 10_000, a_second=200, failed=3)

    assert said == ["1,000 of 10,000 mailboxes, 3 failed, 200 a second, 45 s left"]


def test_the_clock_starts_with_the_first_look_wherever_it_stands() -> None:
    assert shown([5_000_000.0, 5_000_001.0], 10, a_second=1) == []


def test_a_run_that_has_done_nothing_promises_nothing() -> None:
    assert shown([0.0, 5.0], 10_000, a_second=0) == ["0 of 10,000 mailboxes, 0 failed, 0 a second"]


def test_what_earlier_sittings_did_is_no_speed_of_this_one() -> None:
    said: list[str] = []
    progress = Lines(said.append)
    progress.show(0.0, 9_000, 0, 10_000)
    progress.show(5.0, 9_500, 0, 10_000)

    assert said == ["9,500 of 10,000 mailboxes, 0 failed, 100 a second, 5 s left"]


def test_the_count_grows_where_another_server_has_joined() -> None:
    said: list[str] = []
    progress = Lines(said.append)
    progress.show(0.0, 0, 0, 30)
    progress.show(5.0, 20, 0, 50)

    assert said == ["20 of 50 mailboxes, 0 failed, 4 a second, 8 s left"]


def test_where_all_that_is_known_is_settled_no_time_is_left_to_be_told() -> None:
    said: list[str] = []
    progress = Lines(said.append)
    progress.show(0.0, 0, 0, 30)
    progress.show(5.0, 30, 0, 30)

    assert said == ["30 of 30 mailboxes, 0 failed, 6 a second"]


def test_intervals_grow_by_half_up_to_the_longest() -> None:
    spoken: list[float] = []
    progress = Lines(lambda _: spoken.append(now))
    for tenth in range(40_000):
        now = tenth / 10
        progress.show(now, 1, 0, 10)

    intervals = [later - earlier for earlier, later in pairwise([0.0, *spoken])]

    assert intervals[:3] == pytest.approx([FIRST, 1.5 * FIRST, 2.25 * FIRST], abs=0.1)
    assert all(shorter <= longer + 0.1 for shorter, longer in pairwise(intervals))
    assert intervals[-1] == pytest.approx(LONGEST, abs=0.1)


def test_a_long_silence_of_the_run_is_one_line_and_not_many() -> None:
    assert len(shown([0.0, 1000.0, 1001.0], 10_000, a_second=1)) == 1


def test_silent_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Silent().show(1000.0, 5, 0, 10)

    assert capfd.readouterr() == ("", "")


def going(*steps: tuple[float, int, Going]) -> list[str]:
    """What is said of a run of 1,000 mailboxes that is seen at these times, with so many settled, and goes so from then on."""
    said: list[str] = []
    progress = Lines(said.append)
    for now, settled, how in steps:
        progress.show(now, settled, 0, 1000)
        progress.goes(how)
    return said


def test_a_run_that_is_paused_is_said_to_be_and_promises_nothing() -> None:
    said = going((0.0, 0, Going.ON), (2.0, 100, Going.PAUSED), (FIRST, 100, Going.PAUSED))

    assert said == ["100 of 1,000 mailboxes, 0 failed, paused"]


def test_a_run_that_is_paused_from_the_start_is_said_to_be() -> None:
    assert going((0.0, 0, Going.PAUSED), (FIRST, 0, Going.PAUSED)) == ["0 of 1,000 mailboxes, 0 failed, paused"]


def test_a_pause_is_no_part_of_the_rate_of_a_run_that_goes_on() -> None:
    said = going((0.0, 0, Going.ON), (2.0, 100, Going.PAUSED), (4.0, 100, Going.ON), (FIRST + 1.0, 200, Going.ON))

    assert said == ["200 of 1,000 mailboxes, 0 failed, 50 a second, 16 s left"]


def test_a_run_that_is_to_end_promises_nothing() -> None:
    assert going((0.0, 0, Going.ENDING), (FIRST, 100, Going.ENDING)) == ["100 of 1,000 mailboxes, 0 failed, ending"]


def test_a_run_that_drains_is_to_end() -> None:
    said: list[str] = []
    progress = Lines(said.append)
    progress.show(0.0, 0, 0, 1000)
    progress.draining()
    progress.show(FIRST, 1, 0, 1000)

    assert said == [DRAINING, "1 of 1,000 mailboxes, 0 failed, ending"]


@pytest.mark.parametrize(
    ("standing", "how"),
    [
        (Standing(2, 1), Going.ON),
        (Standing(2, 1, paused=True), Going.PAUSED),
        (Standing(2, 1, closing=True), Going.ENDING),
    ],
)
def test_how_a_run_goes_follows_from_where_it_stands(standing: Standing, how: Going) -> None:
    assert standing.going is how
