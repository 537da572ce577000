"""What is told of a run over several servers: when each is done, and what that rests on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from fanout.forecast import picture, study
from fanout.forecast.model import Setting
from fanout.forecast.report import report
from fanout.forecast.study import Study
from tests.forecast.samples import PART, SERVER, SUBJECT, forecast, over
from tests.forecast.test_report import texts
from workers.simulated.options import Delay

#: Half the mailboxes of the other one, each of which takes four times as long, and more of them fail.
SLOW = replace(
    PART, url="sim:1000?latency=400ms", server=replace(SERVER, waits=Delay(0.4, 0.5)), count=1000, source="another test"
)

FOUND = forecast(over(PART, SLOW))


def test_a_forecast_over_one_server_tells_of_no_servers() -> None:
    assert "servers" not in msgspec.to_builtins(forecast())


def test_the_end_is_that_of_the_server_that_is_done_last() -> None:
    one, slow = FOUND.servers

    assert (one.server, slow.server) == ("sim:2000", "sim:1000?latency=400ms")
    assert one.seconds.median < 0.6 * slow.seconds.median
    assert FOUND.given.seconds.median == pytest.approx(slow.seconds.median, rel=0.01)
    assert FOUND.outage.server == slow.server
    assert FOUND.mailboxes == 3000


def test_a_server_is_done_when_it_would_be_by_itself() -> None:
    for server, part in zip(FOUND.servers, (PART, SLOW), strict=True):
        assert server.seconds.median == pytest.approx(forecast(over(part)).given.seconds.median, rel=0.05)


def test_workers_are_at_work_for_the_share_of_the_time_until_their_server_is_done() -> None:
    assert all(0.5 < server.busy <= 1 for server in FOUND.servers)
    assert FOUND.workers.mean == pytest.approx(
        8 * sum(server.busy * server.seconds.median for server in FOUND.servers) / FOUND.given.seconds.median, rel=0.1
    )


def test_mailboxes_fail_on_the_server_where_they_do() -> None:
    assert [server.failed for server in FOUND.servers] == pytest.approx([40, 20], rel=0.4)
    assert FOUND.failed == pytest.approx(sum(server.failed for server in FOUND.servers), abs=5)


def test_sessions_are_those_that_all_servers_allow() -> None:
    assert FOUND.sessions_allowed == 40
    assert [row.workers for row in FOUND.workforces] == [2, 4, 8, 16, 20]
    assert over(PART, replace(PART, server=replace(SERVER, sessions=None))).sessions is None


def test_chunks_are_of_a_size_that_a_session_of_each_server_holds() -> None:
    small = forecast(over(PART, replace(SLOW, capacity=60)), Setting(8, 50))

    assert [row.chunk_size for row in small.chunk_sizes] == [10, 25, 50, "auto"]


def test_an_outage_of_the_last_server_costs_the_run_about_its_length() -> None:
    assert 540 <= FOUND.outage.costs <= 720


def test_servers_that_are_left_out_a_part_of_are_done_as_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "EACH_OF_SEVERAL", 5_000)
    both = over(replace(PART, count=60_000), replace(SLOW, count=20_000))

    whole = Study(both, 0).run(Setting(8, 100), 0, chunks=10**6)
    part = Study(both, 0).run(Setting(8, 100), 0, chunks=300)

    assert (whole.gone_through, part.gone_through) == (80_000, 22_500 + 12_800)
    assert part.seconds == pytest.approx(whole.seconds, rel=0.03)
    for cut, full in zip(part.servers, whole.servers, strict=True):
        assert cut.seconds == pytest.approx(full.seconds, rel=0.03)


def test_servers_that_are_alike_have_mailboxes_of_their_own() -> None:
    found = forecast(over(PART, PART, PART))

    assert len({server.seconds for server in found.servers}) == 3
    assert found.source == "a test"


# --- in words ---------------------------------------------------------------------------------------------------------


def test_a_report_says_which_server_is_the_last() -> None:
    lines = list(report(FOUND, None))

    assert lines[0] == "3,000 mailboxes of 2 servers, each with 8 workers, chunks of 100"
    assert lines[1] == "mailbox   what is known of each server"
    assert re.fullmatch(
        r"last      sim:1000\?latency=400ms after .*; the first to be done: sim:2000 after .*", lines[3]
    )
    assert re.fullmatch(r"workers   \d+\.\d of 16 at work on average, \d+%", lines[5])
    assert re.fullmatch(r"sessions  \d+\.\d of 40 open on average, \d+%", lines[6])
    assert lines[7].startswith(
        "outage    10 min of sim:1000?latency=400ms, the last one to be done, in the middle of the run costs "
    )


def test_each_server_has_a_row_and_the_last_one_is_the_first_of_them() -> None:
    lines = list(report(FOUND, None))[11:13]

    rows = [re.split(r" {2,}", line) for line in lines]
    assert [row[:2] for row in rows] == [["sim:1000?latency=400ms", "1,000"], ["sim:2000", "2,000"]]
    assert [row[-1] for row in rows] == ["another test", "a test"]
    assert [row[-3].endswith("%") for row in rows] == [True, True]


def test_a_picture_says_when_each_server_is_done(tmp_path: Path) -> None:
    picture.draw(FOUND, tmp_path / "forecast.svg")

    found = texts(tmp_path / "forecast.svg")
    assert "each with 8 workers, chunks of 100" in found
    assert "seconds until each server is done" in found
    assert any(re.fullmatch(r" sim:1000\?latency=400ms: workers at work \d+%", text) for text in found)


def test_of_many_servers_those_are_drawn_that_are_done_last(tmp_path: Path) -> None:
    found = forecast(over(*[replace(PART, url=f"sim:{number}", count=100 + number) for number in range(14)]))

    picture.draw(found, tmp_path / "forecast.svg")

    assert "seconds until the 12 of 14 servers that are done last are done" in texts(tmp_path / "forecast.svg")


def test_long_names_are_cut_to_where_they_differ(tmp_path: Path) -> None:
    names = [f"imaps://{'a' * 100}{letter}{'b' * 100}" for letter in "xy"]
    servers = [msgspec.structs.replace(server, server=name) for server, name in zip(FOUND.servers, names, strict=True)]

    picture.draw(msgspec.structs.replace(FOUND, servers=tuple(servers)), tmp_path / "forecast.svg")

    found = texts(tmp_path / "forecast.svg")
    for letter in "xy":
        short = f" ...{'a' * 24}{letter}{'b' * 17}...: workers at work"
        assert any(text.startswith(short) for text in found)
    assert max(map(len, found)) < 160


def test_the_machine_is_the_same_for_all() -> None:
    assert FOUND.cores == SUBJECT.machine.cores
