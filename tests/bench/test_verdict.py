from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.bench.verdict import FEWEST, Figure, Place, Verdict, figure, is_settled, verdict
from tests.bench.samples import rounds, sample


def places(found: Verdict) -> list[Place]:
    return [standing.place for standing in found.standings.values()]


def test_the_quickest_is_the_best_and_the_others_are_slower_by_their_ratio_within_a_round() -> None:
    found = verdict(rounds(*[(1.0, 2.0, 1.5)] * FEWEST), 3, seed=0)

    assert places(found) == [Place.BEST, Place.SLOWER, Place.SLOWER]
    assert [standing.ratio for standing in found.standings.values()] == [
        None,
        Figure(2.0, 2.0, 2.0),
        Figure(1.5, 1.5, 1.5),
    ]
    assert found.best == 0


def test_a_machine_that_slows_down_from_round_to_round_changes_no_ratio() -> None:
    found = verdict(rounds(*[(each, 1.25 * each) for each in (1.0, 2.0, 4.0, 8.0, 16.0)]), 2, seed=0)

    assert found.standings[0].wall == Figure(4.0, 1.0, 16.0)
    assert found.standings[1].ratio == Figure(1.25, 1.25, 1.25)
    assert places(found) == [Place.BEST, Place.SLOWER]


def test_a_difference_that_goes_both_ways_is_noise() -> None:
    found = verdict(rounds((1.0, 1.2), (1.0, 0.9), (1.0, 1.1), (1.0, 0.95), (1.0, 1.3)), 2, seed=0)

    assert places(found) == [Place.BEST, Place.NOISE]
    assert found.standings[1].ratio == Figure(1.1, 0.9, 1.3)
    assert found.leaders == [0, 1]
    assert not found.clear


def test_with_five_rounds_the_interval_of_a_median_spans_them_all() -> None:
    assert figure([5.0, 1.0, 4.0, 2.0, 3.0], Random(0)) == Figure(3.0, 1.0, 5.0)


@settings(max_examples=20, deadline=None)  # each draws thousands of lots
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=12), st.integers())
def test_an_interval_holds_its_median_and_follows_from_the_seed(values: list[float], seed: int) -> None:
    found = figure(values, Random(seed))

    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found == figure(values, Random(seed))


def test_a_setting_with_which_more_mailboxes_fail_is_not_the_best_however_quick() -> None:
    found = verdict([{0: sample(0.5, failed=3), 1: sample(1.0)}] * FEWEST, 2, seed=0)

    assert places(found) == [Place.FAILS, Place.BEST]
    assert found.standings[0].failed == 3


def test_mailboxes_that_fail_with_every_setting_or_once_by_chance_rule_nothing_out() -> None:
    always = verdict([{0: sample(1.0, failed=3), 1: sample(2.0, failed=3)}] * FEWEST, 2, seed=0)
    once = verdict([{0: sample(1.0, failed=1), 1: sample(2.0)}, *rounds(*[(1.0, 2.0)] * 4)], 2, seed=0)

    assert places(always) == places(once) == [Place.BEST, Place.SLOWER]
    assert once.standings[0].failed == 1


def test_a_round_that_was_broken_off_gives_figures_and_no_comparison() -> None:
    alone = verdict([{1: sample(2.0)}], 3, seed=0)
    after_one = verdict([*rounds((1.0, 2.0, 3.0)), {1: sample(8.0)}], 3, seed=0)

    assert (alone.rounds, alone.best, places(alone)) == (0, None, [Place.UNKNOWN])
    assert alone.standings[1].rate == 50.0
    assert after_one.rounds == 1
    assert after_one.standings[1].wall.median == 5.0
    assert after_one.standings[1].ratio == Figure(2.0, 2.0, 2.0)


def test_nothing_measured_is_no_verdict() -> None:
    assert verdict([], 2, seed=0) == Verdict(0, {})


def test_settings_as_good_as_the_best_leave_the_answer_clear() -> None:
    close, wide = [(1.0, 1.01), (1.0, 0.99)] * 3, [(1.0, 1.1), (1.0, 0.9)] * 3

    assert verdict(rounds(*close), 2, seed=0).clear
    assert not verdict(rounds(*wide), 2, seed=0).clear


def test_nothing_is_clear_before_the_fifth_round() -> None:
    assert [verdict(rounds(*[(1.0, 2.0)] * count), 2, seed=0).clear for count in (4, 5)] == [False, True]


def test_the_answer_has_to_be_clear_and_the_same_twice_running() -> None:
    first, second = (verdict(rounds(*[walls] * FEWEST), 2, seed=0) for walls in ((1.0, 2.0), (2.0, 1.0)))
    unclear = verdict(rounds((1.0, 2.0)), 2, seed=0)

    answers = [
        is_settled(each) for each in ([first], [first, first], [first, second], [unclear, first], [first, unclear])
    ]

    assert answers == [False, True, False, False, False]
