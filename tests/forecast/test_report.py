from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from fanout.errors import StoppedError
from fanout.forecast import picture
from fanout.forecast.model import Setting
from fanout.forecast.report import in_words, report, setting
from fanout.forecast.study import OutageCost, Row, Spread
from tests.forecast.samples import SERVER, forecast, of

FOUND = forecast()


def test_a_report_says_what_is_to_be_expected_and_what_it_rests_on() -> None:
    lines = list(report(FOUND, None))

    assert lines[0] == "2,000 mailboxes of sim:2000, 8 workers, chunks of 100"
    assert [line.split()[0] for line in lines[1:7]] == ["mailbox", "finish", "basis", "workers", "sessions", "outage"]
    assert re.fullmatch(r"finish    \d+ s \(\d+ s to \d+ s\), \d+ mailboxes a second, \d+ fail", lines[2])
    assert lines[3] == "basis     21 runs in virtual time, 90 % of them within the interval; 2 cores"
    assert re.fullmatch(r"workers   \d\.\d of 8 at work on average, \d+%", lines[4])
    assert re.fullmatch(r"sessions  \d\.\d of 20 open on average, \d+%", lines[5])
    assert lines[6].startswith("outage    10 min in the middle of the run costs ")
    assert re.fullmatch(r"recommended: -w \d+ --chunk-size \w+, \d+ s.*", lines[-1])


def test_the_table_has_a_row_for_each_setting_and_marks_the_given_one() -> None:
    rows = [line.split() for line in list(report(FOUND, None))[10:-2]]

    assert [row[:2] for row in rows] == [
        ["2", "100"],
        ["4", "100"],
        ["8", "10"],
        ["8", "25"],
        ["8", "50"],
        ["8", "100"],
        ["8", "250"],
        ["8", "auto"],
        ["16", "100"],
        ["20", "100"],
    ]
    assert [row[:2] for row in rows if row[-1] == "given"] == [["8", "100"]]


def test_a_server_without_a_limit_of_sessions_says_so() -> None:
    found = forecast(of(2000, replace(SERVER, sessions=None)))

    assert any(line.startswith("sessions") and line.endswith("8 at the most; no limit") for line in report(found, None))


def test_an_outage_that_ends_the_run_says_what_to_do() -> None:
    assert in_words(OutageCost(600.0, 610.0, 0, stops=True)) == (
        "10 min in the middle of the run costs 10 min 10 s, with a `fanout resume` when the server is back: "
        "the run gives up before that"
    )
    assert in_words(OutageCost(60.0, 59.0, 7, stops=False)) == (
        "1 min in the middle of the run costs 59 s; mailboxes that are not reached, and visited again behind the run: 7"
    )
    assert in_words(OutageCost(60.0, 59.0, 0, stops=False)).endswith("every mailbox is reached in the end")
    assert in_words(OutageCost(0.0, 0.0, 0, stops=False)) == "none was looked at"


def test_a_setting_is_said_in_words() -> None:
    assert setting(Row(1, "auto", Spread(1, 1, 1)), 1) == "1 worker, guided chunks (auto)"
    assert setting(Row(1000, 25, Spread(1, 1, 1)), 8) == "1,000 workers, chunks of 25, 8 at a time in each"


def test_a_forecast_that_was_extended_says_so() -> None:
    part = msgspec.structs.replace(FOUND, gone_through=500)

    assert "over 500 of the mailboxes, and as many more in the middle as are left" in "\n".join(report(part, None))


def texts(path: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_a_picture_says_in_text_what_is_to_be_expected(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "forecast.svg")

    found = texts(tmp_path / "forecast.svg")
    for text in (
        "8 workers, chunks of 100",
        "workers at work",
        "sessions open",
        "sessions allowed",
        "seconds since the run began",
        "seconds to finish",
        "workers, with chunks of 100",
        "chunk size, with 8 workers",
        "auto",
        "21 runs in virtual time, 90 % of them within the interval; 2 cores",
    ):
        assert text in found
    assert "2,000 mailboxes of sim:2000" in found
    assert any(text.startswith("recommended (ring): -w ") for text in found)


def test_a_long_url_leaves_the_picture_its_frame(tmp_path: Path) -> None:
    picture.draw(msgspec.structs.replace(FOUND, server="sim:2000?" + "x" * 200), tmp_path / "forecast.svg")

    longest = max(texts(tmp_path / "forecast.svg"), key=len)
    assert "2,000 mailboxes of sim:2000?" + "x" * (picture.ROOM - 3 - 28) + "..." in texts(tmp_path / "forecast.svg")
    assert len(longest) < 150


def test_the_same_forecast_gives_the_same_picture(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "one.svg")
    picture.draw(FOUND, tmp_path / "two.svg")

    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()


def test_long_runs_are_drawn_in_hours(tmp_path: Path) -> None:
    found = forecast(of(2000, replace(SERVER, waits=replace(SERVER.waits, median=60.0))), Setting(4, 25))  # type: ignore[type-var]  # a Delay

    picture.draw(found, tmp_path / "forecast.svg")

    assert "hours to finish" in texts(tmp_path / "forecast.svg")


def test_a_picture_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="can't be written"):
        picture.draw(FOUND, tmp_path / "nowhere" / "forecast.svg")
