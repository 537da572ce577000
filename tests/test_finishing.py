"""How a command that runs a job ends, and what is started then."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from fanout.cli.finishing import concluded, exit_code
from fanout.errors import CredentialsError, FanoutError, StoppedError, ToldError, UsageError
from fanout.voices import Lines, Objects
from tests.test_cli import ENVIRONMENT, fanout
from tests.test_cli_resume import running

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)

#: Writes down what it is told, and whether it knows a password.
NOTE = 'echo "$FANOUT_RUN_FILE $FANOUT_EXIT_CODE $FANOUT_DONE $FANOUT_FAILED $FANOUT_TOTAL ${FANOUT_PASSWORD-none}" >> noted'

#: Waits for ever, once it has said that it is there.
WAITS = """
from pathlib import Path
from threading import Event

Path("at").touch()
Event().wait()

def job(mailbox):
    return 1
"""


def noted(folder: Path) -> list[str]:
    return (folder / "noted").read_text().splitlines()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 2),
        (StoppedError("no"), 3),
        (CredentialsError("no"), 77),
        (click.UsageError("no"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (ZeroDivisionError(), 70),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def test_work_that_ends_well_gives_its_exit_code(tmp_path: Path) -> None:
    said: list[str] = []

    assert concluded(lambda: 1, tmp_path / "r.fanout", None, Lines(said.append)) == 1
    assert said == []


def test_an_error_is_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ToldError) as told:
        concluded(raising(StoppedError("the disk is full")), tmp_path / "r.fanout", None, Lines(said.append))

    assert told.value.exit_code == 3
    assert said == ["fanout: the disk is full"]


def test_a_bug_is_told_once_with_its_traceback(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ToldError) as told:
        concluded(raising(ZeroDivisionError("a bug")), tmp_path / "r.fanout", None, Lines(said.append))

    assert told.value.exit_code == 70
    (shown,) = said
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.splitlines()[-3:] == [
        "ZeroDivisionError: a bug",
        "",
        "fanout: this is a bug in fanout, please report it with the lines above",
    ]


def test_in_json_a_bug_is_one_object_with_its_traceback(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ToldError) as told:
        concluded(raising(ZeroDivisionError("a bug")), tmp_path / "r.fanout", None, Objects(said.append, lambda: NOON))

    assert told.value.exit_code == 70
    (line,) = said
    assert "\n" not in line
    shown = json.loads(line)
    trace = shown.pop("traceback")
    assert (trace[:35], trace.splitlines()[-1]) == ("Traceback (most recent call last):\n", "ZeroDivisionError: a bug")
    assert shown == {
        "time": "2026-11-25T12:00:00.000+00:00",
        "event": "error",
        "message": "fanout: this is a bug in fanout, please report it with its traceback",
        "exit_code": 70,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_and_is_heeded_as_before_afterwards(tmp_path: Path, number: signal.Signals) -> None:
    said: list[str] = []

    def work() -> int:
        signal.raise_signal(number)
        return 0

    with pytest.raises(FanoutError) as told:
        concluded(work, tmp_path / "r.fanout", None, Lines(said.append))

    assert told.value.exit_code == 128 + number
    assert said == [f"fanout: interrupted by {number.name}"]
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.spawns
def test_the_command_is_told_how_the_run_ended(tmp_path: Path) -> None:
    url = "sim:20?missing=u00000003@sim.example"
    words = ["run", "census", "--server", url, "-w", "1", "--run-file", "r.fanout", "--on-finish", NOTE]

    done = fanout(tmp_path, *words)

    assert done.returncode == 1
    assert noted(tmp_path) == [f"{tmp_path / 'r.fanout'} 1 19 1 20 none"]


@pytest.mark.spawns
def test_what_the_command_prints_is_no_record_and_its_failure_changes_nothing(tmp_path: Path) -> None:
    words = ["run", "logon", "--server", "null:2", "-w", "1", "-o", "-", "--on-finish", "echo sent; exit 4"]

    done = fanout(tmp_path, *words)

    assert done.returncode == 0
    assert [json.loads(line)["ok"] for line in done.stdout.splitlines()] == [True, True]
    assert done.stderr.splitlines()[-2:] == ["sent", "--on-finish: the command ended with exit code 4"]


@pytest.mark.spawns
def test_the_command_knows_no_password(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanout", "run", "logon", "--server", "null:2", "-w", "1", "--on-finish", NOTE],
        cwd=tmp_path,
        env={**ENVIRONMENT, "FANOUT_PASSWORD": "geheim"},
        check=False,
        capture_output=True,
    )

    assert done.returncode == 0
    assert noted(tmp_path)[0].endswith(" 0 2 0 2 none")


@pytest.mark.spawns
def test_a_run_that_could_not_begin_is_told_of_without_a_run_file(tmp_path: Path) -> None:
    words = ["run", "logon", "--server", "null:5", "--include", "nobody*", "-w", "1", "--on-finish", NOTE]

    done = fanout(tmp_path, *words)

    assert done.returncode == 2
    assert noted(tmp_path) == [" 2 0 0 0 none"]
    assert not list(tmp_path.glob("*.fanout"))


@pytest.mark.spawns
def test_an_interrupted_run_starts_the_command_too(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    words = ["run", "waits.py:job", "--server", "null:5", "-w", "1", "--run-file", "r.fanout", "--on-finish", NOTE]
    with running(tmp_path, *words) as process:
        while not (tmp_path / "at").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode in {130, 143}
    assert noted(tmp_path) == [f"{tmp_path / 'r.fanout'} {process.returncode} 0 0 5 none"]


@pytest.mark.spawns
def test_in_json_every_line_on_stderr_is_an_object(tmp_path: Path) -> None:
    words = ["--server", "sim:20?missing=u00000003@sim.example", "-w", "1", "--log-format", "json", "-v"]

    done = fanout(tmp_path, "run", "census", *words)

    told = [json.loads(line) for line in done.stderr.splitlines()]
    events = [each["event"] for each in told]
    assert (events[0], events[1], events[-1]) == ("worker_started", "begun", "ended")
    assert [each["how"] for each in told if each["event"] == "worker_ended"] == ["exit code 0"]
    assert {name: told[-1][name] for name in ("done", "failed", "total", "exit_code", "message")} == {
        "done": 19,
        "failed": 1,
        "total": 20,
        "exit_code": 1,
        "message": "19 done, 1 failed, of 20",
    }
    (failed,) = [each for each in told if each["event"] == "failed"]
    assert (failed["mailbox"], failed["cause"]) == ("u00000003@sim.example", "missing")


@pytest.mark.spawns
def test_in_json_a_mistake_is_an_object_too(tmp_path: Path) -> None:
    done = fanout(tmp_path, "run", "logon", "--server", "null:5", "--include", "nobody*", "--log-format", "json")

    (told,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (told["event"], told["exit_code"], done.returncode) == ("error", 2, 2)


@pytest.mark.spawns
def test_few_words_and_many_are_not_wanted_at_once(tmp_path: Path) -> None:
    done = fanout(tmp_path, "run", "logon", "--server", "null:5", "-q", "-v")

    assert done.returncode == 2
    assert done.stderr == "fanout: -q wants fewer words and -v more: give one of them\n"
