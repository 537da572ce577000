"""How many lanes may be at work, by what the server answers."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout.pace import Pace
from workers.causes import Cause

#: What a mailbox comes to: None for done.
CAUSES = st.none() | st.sampled_from([Cause.BUSY, Cause.BUSY, Cause.DENIED, Cause.UNREACHABLE])


def hear(pace: Pace, *causes: Cause | None) -> int:
    """Have the pace hear of mailboxes; how many lanes more it let be at work."""
    return sum([pace.done(1) if cause is None else pace.failed(cause) for cause in causes])


def visited(pace: Pace, answers: int, share: float) -> float:
    """The lanes on average, when that share of the answers is busy, by chance."""
    random = Random(0)
    windows = []
    for _ in range(answers):
        hear(pace, Cause.BUSY if random.random() < share else None)
        windows.append(pace.window)
    return math.fsum(windows) / answers


def test_a_round_of_busy_answers_halves_the_lanes() -> None:
    pace = Pace(32, rate=None)

    hear(pace, *[Cause.BUSY] * 32)

    assert pace.window == 16.0
    assert (pace.room(15), pace.room(16)) == (1, 0)


def test_a_single_busy_answer_has_one_lane_rest_for_less_than_a_round() -> None:
    pace = Pace(32, rate=None)

    hear(pace, Cause.BUSY)

    assert pace.room(0) == 31
    assert hear(pace, *[None] * 31) == 1
    assert pace.unhindered


def test_a_server_that_only_says_that_it_is_busy_is_asked_by_one_lane() -> None:
    pace = Pace(32, rate=None)

    hear(pace, *[Cause.BUSY] * 100)

    assert pace.window == 1.0


def test_a_lane_comes_back_for_each_round_of_those_that_are_at_work() -> None:
    pace = Pace(100, rate=None)
    hear(pace, *[Cause.BUSY] * 180)
    before = pace.window

    more = hear(pace, *[None] * 11)

    assert (before, more) == (10.0, 1)
    assert pace.window == pytest.approx(11.0, abs=0.1)


@pytest.mark.parametrize("portion", [1, 10, 250])
def test_mailboxes_count_alike_in_portions_of_any_size(portion: int) -> None:
    pace = Pace(1000, rate=None)
    hear(pace, *[Cause.BUSY] * 2000)

    more = sum([pace.done(portion) for _ in range(1000 // portion)])

    assert pace.window == pytest.approx(math.sqrt(1 + 2 * 1000))
    assert more == int(pace.window) - 1


def test_a_server_that_refuses_a_mailbox_for_another_reason_is_not_busy_and_one_that_is_not_reached_says_nothing() -> (
    None
):
    pace = Pace(8, rate=None)
    hear(pace, *[Cause.BUSY] * 14)

    unreached = hear(pace, *[Cause.UNREACHABLE] * 100)
    denied = hear(pace, *[Cause.DENIED] * 2)

    assert (unreached, denied) == (0, 1)


@pytest.mark.parametrize(("share", "lanes"), [(0.01, 198), (0.05, 38), (0.2, 8)])
def test_where_mailboxes_are_busy_by_chance_the_lanes_balance_at_two_by_their_share(share: float, lanes: int) -> None:
    many, few = Pace(3 * lanes // 2, rate=None), Pace(lanes // 4, rate=None)

    assert visited(many, 300_000, share) == pytest.approx(lanes, rel=0.15)
    assert visited(few, 10_000, share) > 0.85 * (lanes // 4)


def test_a_server_with_room_for_some_lanes_is_asked_by_hardly_more() -> None:
    pace, refused, rounds = Pace(64, rate=None), 0, 1000
    for _ in range(rounds):
        asking = pace.room(0)
        refused += max(0, asking - 8)
        hear(pace, *[Cause.BUSY] * max(0, asking - 8), *[None] * min(8, asking))

    assert pace.window == pytest.approx(8, abs=3)
    assert refused <= 2.1 * rounds


@given(st.integers(1, 50), st.lists(CAUSES, max_size=200))
def test_there_is_always_a_lane_and_never_more_than_there_are(lanes: int, causes: list[Cause | None]) -> None:
    pace = Pace(lanes, rate=None)
    room = lanes

    for cause in causes:
        more = hear(pace, cause)
        assert pace.room(0) == room + more if cause is not Cause.BUSY else room >= pace.room(0) >= max(1, room - 1)
        room = pace.room(0)
        assert 1 <= room <= lanes
        assert pace.unhindered == (pace.window == lanes)
