from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import msgspec
import pytest

from fanout.forecast import study
from fanout.forecast.model import Setting
from fanout.forecast.study import Row, Spread, Study
from fanout.forecast.timeline import SPANS
from tests.forecast.samples import SERVER, SUBJECT, forecast, of
from workers.simulated.options import Delay

FOUND = forecast()


def test_the_same_seed_gives_the_same_forecast() -> None:
    assert forecast() == FOUND


def test_a_forecast_tells_of_the_given_setting_among_others() -> None:
    assert FOUND.given in FOUND.workforces
    assert FOUND.given in FOUND.chunk_sizes
    assert [row.chunk_size for row in FOUND.chunk_sizes] == [10, 25, 50, 100, 250, "auto"]
    assert FOUND.given.seconds.low < FOUND.given.seconds.median < FOUND.given.seconds.high


def test_more_workers_than_the_server_has_sessions_for_are_not_looked_at() -> None:
    assert [row.workers for row in FOUND.workforces] == [2, 4, 8, 16, 20]


def test_more_workers_are_slower_by_no_more_than_their_start() -> None:
    start = SUBJECT.machine.start + SUBJECT.machine.end

    for few, many in pairwise(FOUND.workforces):
        assert many.seconds.median <= few.seconds.median + start * (many.workers - few.workers)


def test_the_recommended_setting_is_about_as_fast_as_any() -> None:
    fastest = min(row.seconds.median for row in [*FOUND.workforces, *FOUND.chunk_sizes])

    assert FOUND.recommended.seconds.median <= study.WORTH_IT * fastest


def test_fewer_workers_are_recommended_where_more_are_of_no_use() -> None:
    computes = forecast(of(2000, replace(SERVER, waits=Delay(0.0), cpu=0.1, sessions=None)))

    assert computes.recommended.workers == 2


def test_the_outage_costs_about_its_length() -> None:
    assert FOUND.outage.lasts == 600
    assert 540 <= FOUND.outage.costs <= 720


def test_as_many_fail_as_are_refused() -> None:
    assert FOUND.failed == pytest.approx(40, rel=0.3)


def test_a_large_roster_is_extended_in_the_middle() -> None:
    whole = Study(of(60_000), 0).run(Setting(8, 100), 0, chunks=10**6)

    part = Study(of(60_000), 0).run(Setting(8, 100), 0, chunks=300)

    assert (whole.gone_through, part.gone_through) == (60_000, 30_000)
    assert part.seconds == pytest.approx(whole.seconds, rel=0.02)


def test_a_forecast_of_ten_million_is_no_larger_than_one_of_some_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "CHUNKS", 500)
    monkeypatch.setattr(study, "CHUNKS_BESIDE", 100)

    found = forecast(of(10_000_000), Setting(8, 250))

    assert len(found.workers.numbers) <= SPANS
    assert len(msgspec.json.encode(found)) < 20_000


def test_the_interval_holds_nine_of_ten_runs() -> None:
    assert Spread.of([float(number) for number in range(101)]) == Spread(50.0, 5.0, 95.0)
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0)


def row(size: int | Literal["auto"], low: float, median: float, high: float) -> Row:
    return Row(4, size, Spread(median, low, high))


@pytest.mark.parametrize(("together", "workers"), [(21.0, 8), (23.0, 16)])
def test_what_is_best_by_itself_is_not_recommended_where_it_is_worse_together(together: float, workers: int) -> None:
    rows = [Row(16, 250, Spread(20.0, 20.0, 20.0)), Row(8, "auto", Spread(30.0, 30.0, 30.0))]
    both = Row(8, 250, Spread(together, together, together))

    assert study._recommended(both, rows).workers == workers


def test_guided_chunks_are_recommended_unless_another_size_is_better_beyond_doubt() -> None:
    clearly = [row(10, 1.0, 2.0, 3.0), row("auto", 3.5, 4.0, 5.0)]
    perhaps = [row(10, 1.0, 2.0, 3.0), row("auto", 2.5, 4.0, 5.0)]
    hardly = [row(10, 2.0, 2.0, 2.0), row("auto", 2.01, 2.01, 2.01)]

    assert [study._best_size(rows) for rows in (clearly, perhaps, hardly)] == [10, None, None]


def test_all_settings_are_run_over_the_same_mailboxes() -> None:
    one = Study(SUBJECT, 0)

    assert one.run(Setting(8, 100), 0, 1000) == one.run(Setting(8, 100), 0, 1000)
    assert one.run(Setting(8, 100), 0, 1000) != one.run(Setting(8, 100), 1, 1000)
