"""One run, measured: a real one, in processes of its own."""

from __future__ import annotations

import os
import signal

import pytest

from fanout.bench.measuring import Work
from fanout.bench.settings import AUTO, Setting
from fanout.conduct import Mailboxes, Task
from fanout.errors import StoppedError, UsageError
from fanout.jobs import named
from tests.processes import below

pytestmark = pytest.mark.spawns

CENSUS = Work(Mailboxes("sim:30?folders=1"), Task(named("census")))


def test_a_run_has_its_figures() -> None:
    sample = CENSUS.first(10).measure(Setting(AUTO, 2, "spawn"))

    assert (sample.mailboxes, sample.failed) == (10, 0)
    assert 0 < sample.first <= sample.wall
    assert below() == []


def test_what_a_run_refuses_is_said_as_the_run_says_it() -> None:
    with pytest.raises(UsageError, match="has no function 'nothing'"):
        Work(CENSUS.mailboxes, Task(named("tests.bench.samples:nothing"))).measure(Setting(AUTO, 1, "spawn"))


def test_a_run_whose_leader_is_killed_stops_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Work, "_run", lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    with pytest.raises(StoppedError, match="was killed before the run had ended"):
        CENSUS.measure(Setting(AUTO, 1, "spawn"))
