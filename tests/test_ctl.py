"""`fanout ctl`, as a user has it: a run in one process, orders from another one."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from fanout import control, orders
from fanout.runfile import RunFile
from tests.test_cli import fanout
from tests.test_cli_resume import running

pytestmark = pytest.mark.spawns

#: Says at which mailbox it is, and stays there until a file says that it may go on.
GATE = """
from pathlib import Path
from threading import Event

def job(mailbox):
    Path("at").touch()
    while not Path("open").exists():
        Event().wait(0.005)
    return 1
"""

RUN = ("run", "gate.py:job", "--server", "null:40", "-w", "1", "--run-file", "r.fanout", "-v")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gate.py").write_text(GATE)
    return tmp_path


@pytest.fixture
def gated(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose one worker is at its first mailbox."""
    with running(folder, *RUN) as process:
        while not (folder / "at").exists():
            assert process.poll() is None
        yield process


def ending(process: subprocess.Popen[bytes]) -> list[str]:
    """What a run said on stderr, when it has ended."""
    _, said = process.communicate(timeout=60)
    return said.decode().splitlines()


def test_a_paused_run_waits_until_it_is_continued_and_then_has_the_workers_that_were_ordered(
    folder: Path, gated: subprocess.Popen[bytes]
) -> None:
    paused = fanout(folder, "ctl", "r.fanout", "pause")
    (folder / "open").touch()
    resized = fanout(folder, "ctl", "r.fanout", "workers", "3")
    continued = fanout(folder, "ctl", "r.fanout", "continue")
    said = ending(gated)

    assert (paused.returncode, paused.stdout) == (0, "paused: 1 mailbox under way ends first\n")
    assert resized.stdout.startswith("up to 3 workers instead of 1, when it is continued: ")
    assert continued.stdout == "continued, with up to 3 workers\n"
    assert gated.returncode == 0
    assert said[-1] == "40 done, 0 failed, of 40"
    assert [line.partition("): ")[2] for line in said if line.startswith("fanout ctl, by ")] == [
        paused.stdout.rstrip(),
        resized.stdout.rstrip(),
        continued.stdout.rstrip(),
    ]


def test_a_run_that_was_stopped_says_by_whom_and_can_be_gone_on_with(
    folder: Path, gated: subprocess.Popen[bytes]
) -> None:
    stopped = fanout(folder, "ctl", "r.fanout", "stop")
    again = fanout(folder, "ctl", "r.fanout", "stop")
    refused = fanout(folder, "ctl", "r.fanout", "pause")
    (folder / "open").touch()
    said = ending(gated)

    assert stopped.stdout == "stopping: 1 mailbox under way ends first\n"
    assert again.stdout == "it is ending already: 1 mailbox under way ends first\n"
    assert (refused.returncode, refused.stderr) == (
        2,
        "fanout: it is ending already: 1 mailbox under way ends first\n",
    )
    assert gated.returncode == 3
    assert said[-1] == "1 done, 0 failed, of 40"
    (early,) = [line for line in said if line.startswith("stopped early: ")]
    assert early.startswith("stopped early: fanout ctl stop, by ")
    assert fanout(folder, "resume", "r.fanout").stderr.splitlines()[-1] == "40 done, 0 failed, of 40"


def test_a_run_that_is_paused_can_be_interrupted(folder: Path, gated: subprocess.Popen[bytes]) -> None:
    fanout(folder, "ctl", "r.fanout", "pause")
    gated.send_signal(signal.SIGTERM)
    (folder / "open").touch()

    assert ending(gated)[-1] == "1 done, 0 failed, of 40"
    assert gated.returncode == 143
    assert pause_of(folder) is not None
    assert fanout(folder, "resume", "r.fanout").returncode == 0
    assert pause_of(folder) is None


def pause_of(folder: Path) -> float | None:
    """Since when the run file says that its run is paused."""
    with RunFile.open(folder / "r.fanout") as file:
        return file.paused_since()


def test_more_workers_than_the_machine_has_room_for_are_refused_and_the_run_goes_on(
    folder: Path, gated: subprocess.Popen[bytes]
) -> None:
    resource.prlimit(gated.pid, resource.RLIMIT_NOFILE, (300, 300))
    refused = fanout(folder, "ctl", "r.fanout", "workers", "4096")
    (folder / "open").touch()

    assert refused.returncode == 2
    assert refused.stderr.startswith("fanout: 4,096 workers need ")
    assert ending(gated)[-1] == "40 done, 0 failed, of 40"


def test_nobody_can_be_steered_who_was_killed_and_the_way_on_is_named(
    folder: Path, gated: subprocess.Popen[bytes]
) -> None:
    gated.kill()
    gated.wait()

    done = fanout(folder, "ctl", "r.fanout", "pause")

    assert done.returncode == 2
    assert done.stderr == "fanout: nobody works on r.fanout; to go on with it: fanout resume r.fanout\n"


def test_a_run_that_has_ended_is_not_to_be_steered(folder: Path) -> None:
    fanout(folder, "run", "logon", "--server", "null:3", "-w", "1", "--run-file", "r.fanout")

    done = fanout(folder, "ctl", "r.fanout", "continue")

    assert done.returncode == 2
    assert done.stderr == ("fanout: nobody works on r.fanout: the run has ended, and every mailbox has its outcome\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["workers"], "workers takes their number, 1 to 4,096: fanout ctl RUN workers 4"),
        (["workers", "0"], "workers 0: a run has a whole number of them, 1 to 4,096"),
        (["workers", "many"], "workers many: a run has a whole number of them, 1 to 4,096"),
        (["workers", "4097"], "workers 4097: a run has a whole number of them, 1 to 4,096"),
        (["workers", "²"], "workers ²: a run has a whole number of them, 1 to 4,096"),
        (["pause", "3"], "pause takes no number, so '3' is one word too many"),
        (["stop"], "no run file can be read here: none.fanout: No such file or directory"),
    ],
)
def test_a_wrong_order_costs_one_sentence(folder: Path, words: list[str], said: str) -> None:
    done = fanout(folder, "ctl", "none.fanout", *words)

    assert done.returncode == 2
    assert done.stderr == f"fanout: {said}\n"


def test_an_order_that_there_is_not_names_those_that_there_are(folder: Path) -> None:
    done = fanout(folder, "ctl", "none.fanout", "dance")

    assert done.returncode == 2
    assert "'dance' is not one of 'pause', 'continue', 'stop', 'workers'" in done.stderr


def test_what_was_ordered_stands_in_the_run_file(folder: Path, gated: subprocess.Popen[bytes]) -> None:
    fanout(folder, "ctl", "r.fanout", "stop")
    (folder / "open").touch()
    ending(gated)

    with closing(sqlite3.connect(folder / "r.fanout")) as plain:
        [(stopped_by,)] = plain.execute("SELECT stopped_by FROM sittings")
    assert stopped_by.startswith("fanout ctl stop, by ")


def test_a_run_that_was_stopped_by_ctrl_z_is_paused_from_when_it_heeds_the_order(
    folder: Path, gated: subprocess.Popen[bytes]
) -> None:
    gated.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, gated.pid, os.WSTOPPED | os.WNOWAIT)
    with closing(control._datagrams("")) as own:
        own.connect(control._address(folder / "r.fanout"))
        own.send(msgspec.json.encode(orders.Pause()))
        stopped_until = datetime.now(UTC).timestamp()
        gated.send_signal(signal.SIGCONT)
        control._receive(own)
    (folder / "open").touch()
    since = None
    while since is None:
        with RunFile.open(folder / "r.fanout") as file:
            since = file.paused_since()

    assert since >= stopped_until
