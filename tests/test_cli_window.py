"""`--window`, as a user has it. What time it is, the test does not choose: so it chooses the window."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fanout import facts
from fanout.runfile import RunFile
from tests.test_cli import fanout

pytestmark = pytest.mark.spawns


def window(first: int, last: int) -> str:
    """A window from so many hours ahead of now to so many."""
    now = datetime.now(UTC).astimezone()
    return "-".join(f"{now + timedelta(hours=hours):%H:%M}" for hours in (first, last))


RUN = ("run", "logon", "--server", "null:5", "-w", "1", "--run-file", "r.fanout", "--continue", "--window")


def test_a_run_that_is_begun_while_the_window_is_closed_says_when_it_opens_and_makes_nothing(tmp_path: Path) -> None:
    shut = window(3, 6)
    done = fanout(tmp_path, *RUN, shut, "--on-finish", "touch noted")

    assert done.returncode == 3
    assert re.fullmatch(
        rf"fanout: the window {shut} is closed now; it opens at {shut[:5]}, in (2 h 5\d min|3 h)\n", done.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_within_its_window_is_a_run_and_its_file_knows_the_window(tmp_path: Path) -> None:
    now_open = window(-2, 3)

    assert fanout(tmp_path, *RUN, now_open).returncode == 0
    with RunFile.open(tmp_path / "r.fanout") as file:
        assert str(facts.intent_of(file.facts()).window) == now_open


def test_a_resume_keeps_the_window_until_it_is_lifted(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("def job(mailbox):\n    return mailbox.nothing\n")
    now_open, shut = window(-2, 3), window(3, 6)
    fanout(
        tmp_path, "run", "job.py:job", "--server", "null:5", "-w", "1", "--run-file", "r.fanout", "--window", now_open
    )
    resume = ("resume", "r.fanout", "--only-failed", "--accept-changes")
    (tmp_path / "job.py").write_text("def job(mailbox):\n    return 1\n")

    refused = fanout(tmp_path, *resume, "--window", shut, "--on-finish", "touch noted")
    done = fanout(tmp_path, *resume, "--window", "none")

    assert refused.returncode == 3
    assert not (tmp_path / "noted").exists()
    assert f"the window {shut} is closed now" in refused.stderr
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "5 done, 0 failed, of 5"


def test_a_window_that_makes_no_sense_costs_one_sentence(tmp_path: Path) -> None:
    done = fanout(tmp_path, *RUN, "22:00-22:00")

    assert done.returncode == 2
    assert "Invalid value for '--window': '22:00-22:00': it opens and closes at the same time" in done.stderr
