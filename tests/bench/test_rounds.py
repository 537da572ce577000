from __future__ import annotations

from collections.abc import Callable

import pytest

from fanout.bench.rounds import Budget, Ending, Rounds
from fanout.bench.settings import Setting
from fanout.bench.verdict import Sample
from fanout.errors import StoppedError, UsageError
from tests.bench.samples import sample

SETTINGS = [Setting(25, 2), Setting(100, 2)]
QUICK, SLOW = SETTINGS


class Laboratory:
    """Runs that take what they are told to, on a clock that only they move."""

    def __init__(self, seconds: Callable[[Setting, int], float]) -> None:
        self.now = 0.0
        self.runs: list[Setting] = []
        self.said: list[str] = []
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    def measure(self, setting: Setting) -> Sample:
        self.runs.append(setting)
        seconds = self._seconds(setting, len(self.runs))
        self.now += seconds
        return sample(seconds)

    def rounds(self, budget: Budget) -> Rounds:
        rounds = Rounds(SETTINGS, self.measure, budget, 0, self.clock)
        rounds.go(self.said.append)
        return rounds


def clear(setting: Setting, _: int) -> float:
    return 1.0 if setting == QUICK else 2.0


def unclear(_: Setting, run: int) -> float:
    return 1.0 + run % 3


def test_the_first_round_warms_up_and_does_not_count() -> None:
    laboratory = Laboratory(lambda _, run: 60.0 if run <= 2 else 1.0)
    rounds = laboratory.rounds(Budget(rounds=2))

    assert len(laboratory.runs) == 6
    assert rounds.rounds == [{0: sample(1.0), 1: sample(1.0)}] * 2
    assert rounds.ending is Ending.ROUNDS
    assert laboratory.said[0] == "warm-up, which does not count: 2 min"


def test_rounds_end_when_the_answer_is_clear_twice_running() -> None:
    rounds = Laboratory(clear).rounds(Budget(seconds=3600))

    assert (len(rounds.rounds), rounds.ending) == (6, Ending.CLEAR)
    assert rounds.verdict.best == 0


def test_no_round_is_begun_that_would_end_too_late() -> None:
    laboratory = Laboratory(unclear)
    rounds = laboratory.rounds(Budget(seconds=30))

    assert rounds.ending is Ending.TIME
    assert 24 < laboratory.now <= 30


def test_as_many_rounds_as_were_asked_for_are_measured_though_the_answer_is_clear() -> None:
    assert len(Laboratory(clear).rounds(Budget(rounds=9)).rounds) == 9


def test_each_round_is_told_with_the_setting_that_leads() -> None:
    laboratory = Laboratory(clear)
    laboratory.rounds(Budget(rounds=2))

    assert laboratory.said[1:] == [
        "round 1 of 2, after 6 s; best so far: chunks of 25",
        "round 2 of 2, after 9 s; best so far: chunks of 25",
    ]


def test_ctrl_c_ends_the_rounds_and_leaves_what_was_measured() -> None:
    def interrupted(setting: Setting, run: int) -> float:
        if run == 6:
            raise KeyboardInterrupt
        return clear(setting, run)

    rounds = Laboratory(interrupted).rounds(Budget(rounds=9))

    assert rounds.ending is Ending.INTERRUPTED
    assert [len(samples) for samples in rounds.rounds] == [2, 1]


def test_a_server_that_is_gone_ends_the_rounds_and_leaves_what_was_measured() -> None:
    def gone(setting: Setting, run: int) -> float:
        if run == 5:
            raise StoppedError("the server is gone")
        return clear(setting, run)

    rounds = Laboratory(gone).rounds(Budget(rounds=9))

    assert (rounds.ending, str(rounds.stopped_by)) == (Ending.STOPPED, "the server is gone")
    assert len(rounds.rounds) == 1


def test_where_every_mailbox_fails_there_is_nothing_to_measure() -> None:
    rounds = Rounds(SETTINGS, lambda _: sample(1.0, failed=100), Budget(rounds=1), 0, lambda: 0.0)

    with pytest.raises(UsageError, match="every mailbox failed, with every setting"):
        rounds.go(str)
