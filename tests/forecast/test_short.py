"""Forecasts of which there is little to tell: from a run that measured nothing yet, and of one that is over at once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fanout.errors import UsageError
from fanout.forecast import picture, sources
from fanout.forecast.report import outage, report
from fanout.forecast.study import Forecast, Spread
from fanout.runfile import RunFile
from tests.forecast.samples import forecast
from tests.forecast.test_report import texts
from tests.forecast.test_sources import run_file
from tests.report.several import both_done


def at_work(path: Path, seconds: list[float]) -> RunFile:
    """A run that somebody works on."""
    run_file(path, seconds, []).close()
    return RunFile.resume(path)


def lasting(seconds: float) -> Forecast:
    found = forecast()
    given = msgspec.structs.replace(found.given, seconds=Spread(seconds, seconds, seconds))
    return msgspec.structs.replace(found, given=given)


def test_a_run_that_never_began_has_measured_nothing(tmp_path: Path) -> None:
    RunFile.create(tmp_path / "r.fanout").close()

    with (
        RunFile.open(tmp_path / "r.fanout") as file,
        pytest.raises(UsageError, match=r"--from .*r\.fanout: the run never began, or is just beginning"),
    ):
        sources.measured(file, separate=False)


def test_a_run_that_goes_on_has_measured_something_so_far(tmp_path: Path) -> None:
    path = tmp_path / "r.fanout"
    with at_work(path, [0.1, 0.3]), RunFile.open(path) as file:
        words = sources.measured(file, separate=False).words

    assert words.startswith(f"{path}, which goes on, so far: 2 mailboxes done, 0 failed")


def test_a_run_over_several_servers_is_taken_for_one_and_that_is_said(tmp_path: Path) -> None:
    path = both_done(tmp_path / "r.fanout")
    with RunFile.open(path) as file:
        words = sources.measured(file, separate=False).words

    assert words.startswith(f"{path}, its 2 servers together: 58 mailboxes done, 2 failed")


def test_one_that_goes_on_and_has_done_nothing_yet_is_to_be_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "r.fanout"
    with (
        at_work(path, []),
        RunFile.open(path) as file,
        pytest.raises(UsageError, match="whose seconds are known, and goes on: wait until it has some"),
    ):
        sources.measured(file, separate=False)


@pytest.mark.parametrize(("seconds", "told"), [(0.033, "under 100 ms"), (0.4, "400 ms")])
def test_an_outage_is_nothing_to_reckon_with_in_a_run_that_is_over_at_once(seconds: float, told: str) -> None:
    lines = list(report(lasting(seconds), None))

    assert lines[2].startswith(f"finish    {told}")
    assert lines[6] == f"outage    nothing to reckon with in a run that takes {told}"


def test_an_outage_is_told_of_a_run_that_is_long_enough_for_one(tmp_path: Path) -> None:
    found, short = lasting(1.0), lasting(0.4)
    picture.draw(short, tmp_path / "short.svg")

    assert outage(found).startswith("10 min in the middle of the run costs ")
    assert "an outage: nothing to reckon with in a run that takes 400 ms" in texts(tmp_path / "short.svg")


def test_an_outage_that_nobody_asked_for_is_not_told_of_a_short_run_either() -> None:
    short = lasting(0.4)
    none = msgspec.structs.replace(short.outage, lasts=0.0)

    assert outage(msgspec.structs.replace(short, outage=none)) == "none was looked at"
