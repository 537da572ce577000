from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanout.lives import RUN_ENDED, Life, Standing
from fanout.runfile import RunFile

ROOT = Path(__file__).parent.parent

FIRST = Life(1, 1, 0, 10.0, 4711)
SECOND = Life(2, 1, 1, 10.5)

READY = Standing(0, 1, 4711, "ready", 1, 2**24, 7, 11.0, 12.0)
STARTING = Standing(1, 2, None, "starting", 0, 0, None, None, 12.0)

#: A job that takes its worker with it at one mailbox.
CRASHES = """
import os, signal
def crash(mailbox):
    if mailbox.address.startswith("null-00000007"):
        os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "census.fanout") as file:
        yield file


def test_lives_are_told_of_in_the_order_in_which_they_began(file: RunFile) -> None:
    file.muster([SECOND, FIRST], [])

    assert list(file.musters.lives()) == [FIRST, SECOND]


def test_a_life_that_has_ended_takes_the_place_of_what_was_told_of_it(file: RunFile) -> None:
    ended = Life(1, 1, 0, 10.0, 4711, 13.0, "SIGSEGV")
    file.muster([FIRST], [])
    file.muster([ended], [])

    assert list(file.musters.lives()) == [ended]


def test_only_those_stand_that_stood_last(file: RunFile) -> None:
    file.muster([], [READY, STARTING])
    file.muster([], [STARTING])

    assert file.musters.standings() == [STARTING]


def test_the_lives_of_a_new_sitting_follow_those_that_are_there(file: RunFile) -> None:
    file.muster([FIRST, SECOND], [])

    assert file.before().lives == 2


def rows(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as plain:
        return plain.execute(statement).fetchall()


def run(folder: Path, *words: str) -> int:
    command = [sys.executable, "-m", "fanout", "run", *words, "--run-file", "a.fanout", "-q"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


@pytest.mark.spawns
def test_a_run_tells_which_process_told_of_each_mailbox_and_how_each_ended(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(CRASHES)
    code = run(tmp_path, "job.py:crash", "--server", "null:20", "-w", "1", "--chunk-size", "20", "--retries", "0")

    with RunFile.open(tmp_path / "a.fanout") as file:
        crashed, last = file.musters.lives()
        assert file.musters.standings() == []
    told = rows(tmp_path / "a.fanout", "SELECT first, life, at FROM done UNION SELECT ordinal, life, at FROM failed")
    by_life = {first: life for first, life, _ in told}
    assert code == 1
    assert (crashed.how, last.how) == (signal.Signals.SIGSEGV.name, RUN_ENDED)
    assert (crashed.worker, crashed.sitting, last.sitting) == (0, 1, 1)
    assert None not in {crashed.pid, last.pid}
    assert (by_life[7], by_life[8]) == (1, 2)
    assert all(crashed.begun <= at <= (last.ended or 0.0) for _, _, at in told)
