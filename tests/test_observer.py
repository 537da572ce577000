from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fanout.estimate import Estimate
from fanout.lives import Stamp, Standing
from fanout.observer import FAILURES, Observer
from fanout.outcomes import failure_line
from fanout.overview import Place, Trouble
from fanout.roster import Roster
from fanout.runfile import RunFile
from workers.causes import Cause
from workers.messages import Error, Found

ROSTER = Roster(100, "a test", lambda ordinals: [f"user-{n}" for n in ordinals], numbered=True)

BUSY = Error("MailboxError", "later", Cause.BUSY)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "census.fanout") as file:
        file.tell(job="census", server="sim:100", capacity=255)
        yield file


def test_a_look_tells_what_is_run_and_where_it_stands(file: RunFile) -> None:
    file.retried(7, 1, failure_line("user-7", BUSY, 1, 0.5))
    overview = Observer(file.facts()).look(file, ROSTER, 1000.0, (40, 2))

    assert (overview.job, overview.server, overview.capacity) == ("census", "sim:100", 255)
    assert (overview.count, overview.done, overview.failed, overview.retried) == (100, 40, 2, 1)
    assert (overview.workers, overview.failures, overview.at) == ([], [], None)


def test_workers_are_told_of_as_of_the_last_commit(file: RunFile) -> None:
    at_work = Standing(0, 1, 4711, "ready", 3, 2**24, 17, 995.0, 999.5)
    starting = Standing(1, 2, None, "starting", 0, 0, None, None, 999.5)
    file.muster([], [at_work, starting])
    overview = Observer(file.facts()).look(file, ROSTER, 1000.0, (0, 0))

    assert overview.workers == [
        Place(0, 4711, "ready", 3, 2**24, "user-17", 4.5),
        Place(1, None, "starting", 0, 0, None, None),
    ]
    assert overview.at == 999.5


def test_the_last_failures_are_named_the_latest_first(file: RunFile) -> None:
    for ordinal in range(9):
        file.settle(ordinal, failure_line(f"user-{ordinal}", BUSY, 1, 0.5), Stamp(1, 1000.0 - ordinal))
    overview = Observer(file.facts()).look(file, ROSTER, 1001.0, (0, 9))

    assert overview.failures == [Trouble(f"user-{n}", "busy", "later") for n in range(FAILURES)]


def test_the_pace_is_that_which_was_seen(file: RunFile) -> None:
    observer = Observer(file.facts())
    observer.look(file, ROSTER, 1000.0, (50, 0))
    observer.look(file, ROSTER, 1001.0, (55, 1))
    overview = observer.look(file, ROSTER, 1002.0, (60, 2))

    assert (overview.rates, overview.estimate) == ([6.0, 6.0], Estimate(6.0, 38 / 6))


def test_how_fast_the_run_went_before_it_was_observed_is_recalled(file: RunFile) -> None:
    """A mailbox long ago; then 2, 4 and 3 in a second each, and one that failed; and 1 in the second that is not over."""
    first = 0
    for at, count in ((900.0, 1), (997.1, 1), (997.9, 1), (998.5, 4), (999.2, 3), (1000.2, 1)):
        file.keep(Found(1, first, count, b"{}\n" * count, b"0"), 1, Stamp(1, at))
        first += count
    file.settle(first, failure_line("user", BUSY, 1, 0.5), Stamp(1, 999.9))
    observer = Observer(file.facts())
    observer.recall(file, 1000.5)
    overview = observer.look(file, ROSTER, 1001.0, (15, 1))

    assert overview.rates == [2.0, 4.0, 4.0, 5.0]


def test_of_a_run_that_did_nothing_lately_nothing_is_recalled(file: RunFile) -> None:
    file.keep(Found(1, 0, 1, b"{}\n", b"0"), 1, Stamp(1, 900.0))
    observer = Observer(file.facts())
    observer.recall(file, 1000.0)

    assert observer.look(file, ROSTER, 1000.0, (1, 0)).estimate == Estimate(0.0)


def test_a_name_is_asked_for_once_as_long_as_a_worker_stays_at_its_mailbox(file: RunFile) -> None:
    asked: list[int] = []

    def names(ordinals: range) -> list[str]:
        asked.extend(ordinals)
        return [f"user-{n}" for n in ordinals]

    roster = Roster(100, "a test", names, numbered=False)
    observer = Observer(file.facts())
    for ordinal in (17, 17, 18):
        standing = Standing(0, 1, 4711, "ready", 1, 2**24, ordinal, 995.0, 999.5)
        file.muster([], [standing, msgspec.structs.replace(standing, worker=1)])
        observer.look(file, roster, 1000.0, (0, 0))

    assert asked == [17, 18]


def test_a_pause_is_told_of_with_its_length_until_the_run_goes_on(file: RunFile) -> None:
    observer = Observer(file.facts())
    notes = []
    for since in (None, 400.0, None):
        file.pause(since)
        notes.append(observer.look(file, ROSTER, 1000.0, (0, 0)).note)

    assert notes == ["", "paused for 10 min; fanout ctl RUN continue goes on with it", ""]


def test_no_rate_and_no_time_left_are_told_of_a_run_that_is_paused(file: RunFile) -> None:
    observer = Observer(file.facts())
    observer.look(file, ROSTER, 1000.0, (0, 0))
    file.pause(1005.0)

    assert observer.look(file, ROSTER, 1010.0, (50, 0)).estimate == Estimate(0.0)
