from __future__ import annotations

import msgspec

from fanout.crew import State
from fanout.events import Babbled, Ended, Looked, Reading, Spot
from fanout.lives import RUN_ENDED, Life, Lives, Stamp, Standing

MIB = 2**20


def reading(worker: int, *at: int | None, rss: int = MIB, pid: int = 100) -> Reading:
    return Reading(worker, tuple(Spot(each, 7) for each in at), rss, pid=pid)


def test_lives_are_numbered_behind_those_of_earlier_sittings() -> None:
    lives = Lives(sitting=2, before=5)
    lives.begin(0, 10.0)
    lives.begin(1, 11.0)

    assert lives.changed() == [Life(6, 2, 0, 10.0), Life(7, 2, 1, 11.0)]


def test_what_a_worker_tells_comes_from_its_latest_life() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    first = lives.stamp(0, 11.0)
    lives.notice(Ended(0, "SIGSEGV", ()), 12.0)
    of_the_dead = lives.stamp(0, 12.0)
    lives.begin(0, 12.0)

    assert (first, of_the_dead, lives.stamp(0, 13.0)) == (Stamp(1, 11.0), Stamp(1, 12.0), Stamp(2, 13.0))


def test_a_life_has_its_end_in_words_and_the_number_of_its_process() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Ended(0, "exit code 3", (), pid=4711), 12.5)

    assert lives.changed() == [Life(1, 0, 0, 10.0, 4711, 12.5, "exit code 3")]


def test_a_process_that_was_never_known_to_run_has_no_number() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Ended(0, "the template process ended", ()), 10.5)

    assert lives.changed() == [Life(1, 0, 0, 10.0, None, 10.5, "the template process ended")]


def test_a_process_that_can_not_be_seen_has_the_number_that_its_end_tells() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Looked([Reading(0, (Spot(7, 1),), MIB)]), 11.0)
    [standing] = lives.standings([State.READY], 11.0)
    lives.notice(Ended(0, "SIGKILL", (), pid=4711), 12.0)

    assert (standing.pid, [life.pid for life in lives.changed()]) == (None, [4711])


def test_only_what_has_changed_is_told_again() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.begin(1, 10.0)
    lives.changed()
    lives.notice(Looked([reading(1, None, pid=42)]), 11.0)
    known = [msgspec.structs.replace(life) for life in lives.changed()]
    lives.notice(Looked([reading(1, None, pid=42)]), 12.0)

    assert (known, lives.changed()) == ([Life(2, 0, 1, 10.0, 42)], [])


def test_whoever_lives_when_the_run_ends_ends_with_it() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.begin(1, 10.0)
    lives.notice(Looked([reading(1, 5)]), 11.0)
    lives.notice(Ended(0, "SIGKILL", ()), 12.0)
    lives.end(20.0)

    assert [(life.ended, life.how) for life in lives.changed()] == [(12.0, "SIGKILL"), (20.0, RUN_ENDED)]
    assert list(lives.standings([State.GONE, State.READY], 20.0)) == []


def test_a_worker_stands_at_the_mailbox_that_it_was_first_seen_at() -> None:
    lives = Lives()
    lives.begin(3, 10.0)
    lives.notice(Looked([reading(3, 7)]), 11.0)
    lives.notice(Looked([reading(3, 8, rss=2 * MIB)]), 12.0)
    lives.notice(Looked([reading(3, 8, rss=3 * MIB)]), 13.0)
    states = [State.GONE, State.GONE, State.GONE, State.READY]

    assert list(lives.standings(states, 13.5)) == [Standing(3, 1, 100, "ready", 1, 3 * MIB, 8, 12.0, 13.5)]


def test_of_several_mailboxes_the_one_that_takes_longest_is_named() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Looked([reading(0, 1, 2, None)]), 11.0)
    lives.notice(Looked([reading(0, 3, 2, None)]), 12.0)
    [standing] = lives.standings([State.LEAVING], 12.0)

    assert (standing.state, standing.open, standing.ordinal, standing.since) == ("leaving", 2, 2, 11.0)


def test_mailboxes_that_were_opened_ahead_are_open_too() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Looked([Reading(0, (Spot(7, 1, ahead=6), Spot(None, 0), Spot(20, 1)), MIB)]), 11.0)
    [standing] = lives.standings([State.READY], 12.0)

    assert standing.open == 8


def test_a_worker_that_nobody_has_seen_stands_at_nothing() -> None:
    lives = Lives()
    lives.begin(0, 10.0)

    assert list(lives.standings([State.STARTING], 10.5)) == [
        Standing(0, 1, None, "starting", 0, 0, None, None, 10.5),
    ]


def test_a_worker_that_begins_anew_has_left_what_it_was_at() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.notice(Looked([reading(0, 7)]), 11.0)
    lives.notice(Ended(0, "SIGKILL", (7,)), 12.0)
    lives.begin(0, 12.0)
    lives.notice(Looked([reading(0, 7, pid=101)]), 13.0)
    [standing] = lives.standings([State.READY], 13.0)

    assert (standing.life, standing.pid, standing.since) == (2, 101, 13.0)


def test_nonsense_of_a_worker_is_no_end_of_it() -> None:
    lives = Lives()
    lives.begin(0, 10.0)
    lives.changed()
    lives.notice(Babbled(0, "no message"), 11.0)

    assert lives.changed() == []
