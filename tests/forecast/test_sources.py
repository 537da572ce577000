from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanout import facts
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import UsageError
from fanout.forecast import sources
from fanout.forecast.model import Sample, Slowed, Trips, Trouble
from fanout.lives import Stamp
from fanout.outcomes import failure_line
from fanout.roster import Roster
from fanout.runfile import RunFile
from workers.causes import Cause
from workers.messages import Error, Found, ModuleJob
from workers.simulated.options import Delay


def test_the_options_of_the_simulated_server_say_what_a_mailbox_takes() -> None:
    url = "sim:2000?latency=2ms&connect=50ms&missing=1%&denied=2%&busy=3%&drop=4%&hang=5%&backoff=3"

    found = sources.of_server(url, 2000, separate=False)

    server = found.server
    assert isinstance(server.waits, Trips)
    assert (server.waits.each, server.waits.number) == (Delay(0.002), 2)
    assert 1e-5 < server.cpu < 0.1
    assert server.connect == pytest.approx(0.052)
    assert server.backoff == 3
    assert server.troubles == pytest.approx(
        {Trouble.REFUSED: 0.03, Trouble.BUSY: 0.03, Trouble.CUT: 0.04, Trouble.HANG: 0.05}
    )
    assert found.words.startswith("a census: 2 round trips by the options of the URL, and ")


def test_faults_by_name_are_a_share_of_the_roster() -> None:
    url = "sim:200?hang=u00000001@sim.example,u00000002@sim.example"

    assert sources.of_server(url, 200, separate=False).server.troubles == {Trouble.HANG: 0.01}


def test_slow_mailboxes_are_slower_and_not_in_trouble() -> None:
    found = sources.of_server("sim:200?slow=10%&latency=1ms", 200, separate=False).server

    assert isinstance(found.waits, Slowed)
    assert (found.waits.share, found.waits.times, found.waits.least) == (0.1, 20, 0.2)
    assert found.troubles == {}


def test_of_a_real_server_nothing_is_known() -> None:
    with pytest.raises(UsageError, match="give --seconds, as in --seconds 120ms or "):
        sources.of_server("imaps://mail.example", 1, separate=True)


def run_file(path: Path, seconds: list[float], failed: list[Cause]) -> RunFile:
    """A finished run: mailboxes that took so many seconds, and others that failed in half a second, those that
    were not reached at the second attempt."""
    count = len(seconds) + len(failed)
    roster = Roster(count, "a test", lambda ordinals: [f"u{number}" for number in ordinals], numbered=True)
    lines = b"".join(
        json.dumps({"mailbox": "u", "ok": True, "result": 1, "attempts": 1, "seconds": each}).encode() + b"\n"
        for each in seconds
    )
    task = Task(ModuleJob("workers.jobs.census", "census"))
    with RunFile.create(path) as file:
        facts.begin(file, facts.Intent(Mailboxes(f"null:{count}"), Workforce(1), task), roster)
        if seconds:
            file.keep(Found(1, 0, len(seconds), lines, b"null"), 1, Stamp(1, 0.0))
        for ordinal, cause in enumerate(failed, len(seconds)):
            if cause is Cause.UNREACHABLE:
                file.retried(ordinal, 1, failure_line(f"u{ordinal}", Error("X", "", cause), 1, 0.5))
            file.settle(ordinal, failure_line(f"u{ordinal}", Error("X", "", cause), 1, 0.5), Stamp(1, 0.0))
    return RunFile.open(path)


def test_a_run_that_was_measured_says_what_mailboxes_take_and_how_they_fail(tmp_path: Path) -> None:
    with run_file(tmp_path / "r.fanout", [0.1, 0.3], [Cause.UNREACHABLE, Cause.STALL]) as file:
        found = sources.measured(file, separate=False)

    assert found.server.waits == Sample((0.1, 0.3))
    assert found.server.refusal == 0.5
    assert found.server.troubles == {Trouble.REFUSED: 0.25, Trouble.HANG: 0.25, Trouble.CUT: 0.25}
    assert (
        f"{tmp_path / 'r.fanout'}: 2 mailboxes done, 2 failed, 1 further attempts; all of their seconds" in found.words
    )


def test_a_run_of_which_nothing_is_known_is_refused(tmp_path: Path) -> None:
    with (
        run_file(tmp_path / "r.fanout", [], [Cause.MISSING]) as file,
        pytest.raises(UsageError, match="no mailbox that is done"),
    ):
        sources.measured(file, separate=False)


def test_of_a_long_run_a_part_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "KEPT", 10)

    with run_file(tmp_path / "r.fanout", [float(number) for number in range(1000)], []) as file:
        found = sources.measured(file, separate=False)

    assert isinstance(found.server.waits, Sample)
    assert len(set(found.server.waits.measured)) == 10
    assert max(found.server.waits.measured) > 100
