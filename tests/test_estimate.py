from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.estimate import LONGEST, MOST, Estimate, Rates, in_words
from tests.fakes import FakeClock


def run(counts: list[int], seconds: float = 1.0) -> Rates:
    """What is remembered of a run in which so many mailboxes were settled in each interval."""
    clock, rates, settled = FakeClock(), Rates(), 0
    rates.note(clock(), settled)
    for count in counts:
        clock.advance(seconds)
        settled += count
        rates.note(clock(), settled)
    return rates


def test_a_run_that_has_just_begun_promises_nothing() -> None:
    assert run([]).estimate(100) == Estimate(0.0)


def test_a_run_that_has_done_nothing_promises_nothing() -> None:
    assert run([0, 0, 0]).estimate(100) == Estimate(0.0)


def test_the_rate_is_that_of_all_intervals_together() -> None:
    rates = run([10, 20])

    assert (rates.each(), rates.estimate(300)) == ([10.0, 20.0], Estimate(15.0, 20.0))


def test_what_was_settled_before_it_was_observed_is_no_speed() -> None:
    rates = Rates()
    rates.note(1000.0, 5000)
    rates.note(1002.0, 5020)

    assert rates.estimate(100).rate == 10.0


def test_looks_within_one_interval_are_one() -> None:
    clock, rates = FakeClock(), Rates()
    for settled in range(9):
        rates.note(clock(), settled)
        clock.advance(0.25)

    assert rates.each() == [4.0, 4.0]


def test_a_run_as_regular_as_a_clock_has_no_spread() -> None:
    estimate = run([10] * 20).estimate(500)

    assert estimate == Estimate(10.0, 50.0, 50.0, 50.0)


def test_the_more_the_intervals_differ_the_wider_is_the_spread() -> None:
    calm, wild = run([9, 11] * 10).estimate(500), run([5, 15] * 10).estimate(500)

    assert calm.left == wild.left == 50.0
    assert calm.soonest is not None
    assert calm.latest is not None
    assert wild.soonest is not None
    assert wild.latest is not None
    assert wild.soonest < calm.soonest < 50.0 < calm.latest < wild.latest


def test_the_spread_is_two_standard_deviations_of_what_was_seen_and_of_what_is_to_come() -> None:
    """20 intervals of 1 s, each 5 above or below 10: a variance of 500 / 19 a second, over 20 s and the 50 s that are left."""
    estimate = run([5, 15] * 10).estimate(500)

    deviation = math.sqrt(500 / 19 * (1 / 20 + 1 / 50))
    assert estimate.soonest == pytest.approx(500 / (10 + 2 * deviation))
    assert estimate.latest == pytest.approx(500 / (10 - 2 * deviation))


def test_a_run_that_may_as_well_stand_still_has_no_latest_end() -> None:
    assert run([0] * 9 + [100]).estimate(500).latest == math.inf


def test_nothing_is_left_of_a_run_that_is_done() -> None:
    assert run([10] * 20).estimate(0) == Estimate(10.0, 0.0)


def test_intervals_become_longer_as_the_run_goes_on_up_to_the_longest() -> None:
    clock, rates = FakeClock(), Rates()
    lengths = []
    for second in range(8 * 3600):
        rates.note(clock(), 10 * second)
        lengths.append(len(rates.each()))
        clock.advance(1.0)

    assert max(lengths) < MOST
    assert min(lengths[MOST:]) >= MOST // 2 - 1
    assert rates._step == LONGEST
    assert rates.estimate(100).rate == 10.0


def test_a_long_run_is_judged_by_its_last_half_hour() -> None:
    clock, rates, settled = FakeClock(), Rates(), 0
    for second in range(3 * 3600):
        rates.note(clock(), settled)
        settled += 100 if second < 2 * 3600 else 10
        clock.advance(1.0)

    assert rates.estimate(1000).rate == 10.0


@settings(derandomize=True, deadline=None)
@given(
    counts=st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 10**6)), max_size=200), left=st.integers(0, 10**8)
)
def test_what_is_left_lies_within_its_spread(counts: list[tuple[float, int]], left: int) -> None:
    clock, rates, settled = FakeClock(), Rates(), 0
    for seconds, count in counts:
        rates.note(clock(), settled)
        clock.advance(seconds)
        settled += count

    estimate = rates.estimate(left)

    assert all(rate >= 0 for rate in rates.each())
    if estimate.soonest is not None and estimate.latest is not None and estimate.left is not None:
        assert 0 <= estimate.soonest <= estimate.left <= estimate.latest


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(0.0), ""),
        (Estimate(5.0, 8.0), "8 s left"),
        (Estimate(5.0, 8.0, 7.8, 8.2), "8 s left"),
        (Estimate(5.0, 8.0, 7.0, 10.0), "8 s left (7 to 10 s)"),
        (Estimate(5.0, 100.0, 90.0, 130.0), "2 min left (90 s to 2 min)"),
        (Estimate(5.0, 8.0, 7.0, math.inf), "8 s left (7 s or more)"),
    ],
)
def test_the_time_that_is_left_is_said_with_its_spread(estimate: Estimate, words: str) -> None:
    assert in_words(estimate) == words
