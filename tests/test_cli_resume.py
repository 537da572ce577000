"""Runs that are killed, interrupted or stopped, and gone on with, as a user does it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fanout.crew import MOST_WAITING
from tests.test_cli import ENVIRONMENT, fanout, records

pytestmark = pytest.mark.spawns

#: Waits at one mailbox for ever, the first time that this one is visited, once it has said that it is there.
WAITS = """
from pathlib import Path
from threading import Event

def job(mailbox):
    if mailbox.address.endswith("00000025") and not Path("waited").exists():
        Path("waited").touch()
        Event().wait()
    return {"seen": 1}
"""

#: Fails at two mailboxes, while a file says so; one of them gives what is no JSON, the other one raises.
FAILS = """
from pathlib import Path

def job(mailbox):
    number = int(mailbox.address[-8:])
    if Path("broken").exists() and number in (3, 7):
        return object() if number == 3 else {}["number"]
    return number
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_jobs(tmp_path)


def with_jobs(folder: Path) -> Path:
    (folder / "waits.py").write_text(WAITS)
    (folder / "fails.py").write_text(FAILS)
    return folder


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on until it is ended from here, with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fanout", *words], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def done_in(path: Path) -> int:
    """How many mailboxes are done, seen from outside."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=10)) as plain:
        if not plain.execute("SELECT count(*) FROM sqlite_master WHERE name = 'done'").fetchone()[0]:
            return 0
        return int(plain.execute("SELECT coalesce(sum(count), 0) FROM done").fetchone()[0])


def await_done(process: subprocess.Popen[bytes], path: Path) -> None:
    """Look into a run file until all is done that is sure to be: one worker waits, and may have some mailboxes more."""
    while done_in(path) < 40 - 1 - MOST_WAITING:
        assert process.poll() is None


RUN = ("run", "waits.py:job", "--server", "null:40", "-w", "2", "--chunk-size", "1", "--run-file", "r.fanout")


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a run that was killed when most of its 40 mailboxes were committed, and a copy of it."""
    folder = with_jobs(tmp_path_factory.mktemp("killed"))
    with running(folder, *RUN, "-o", "r.jsonl") as process:
        await_done(process, folder / "r.fanout")
        process.send_signal(signal.SIGKILL)
    assert Path(folder / "r.fanout-wal").exists()
    return folder, Path(shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "copy"))


@pytest.fixture
def killed(killed_once: tuple[Path, Path]) -> Path:
    """The folder as it was when the run was killed: a run file knows by its path where its run was begun."""
    folder, copy = killed_once
    shutil.rmtree(folder)
    return Path(shutil.copytree(copy, folder))


def mailboxes(folder: Path) -> Counter[str]:
    return Counter(str(record["mailbox"]) for record in records((folder / "r.jsonl").read_text()))


ONCE = Counter(f"null-{n:08}" for n in range(40))


def test_a_run_that_was_killed_and_resumed_has_one_line_a_mailbox_and_the_totals_of_the_whole(killed: Path) -> None:
    with (killed / "r.jsonl").open("a") as sink:
        sink.write('{"mailbox": "null-00000025", "ha')

    done = fanout(killed, "resume", "r.fanout")

    assert done.returncode == 0, done.stderr
    assert re.search(r"\b[1-9] of 40 mailboxes are left", done.stderr)
    assert done.stderr.splitlines()[-2:] == ["totals    40 seen", "40 done, 0 failed, of 40"]
    assert mailboxes(killed) == ONCE
    assert sorted(path.name for path in killed.glob("r.*")) == ["r.fanout", "r.jsonl"]


@pytest.mark.parametrize("harm", ["gone", "short", "changed"])
def test_a_sink_that_was_harmed_is_whole_again_after_a_resume(killed: Path, harm: str) -> None:
    sink = killed / "r.jsonl"
    match harm:
        case "gone":
            sink.unlink()
        case "short":
            sink.write_bytes(sink.read_bytes()[:100])
        case _:
            sink.write_bytes(sink.read_bytes().replace(b"null-00000001", b"null-99999999"))

    assert fanout(killed, "resume", "r.fanout", "-q", "-w", "1").returncode == 0
    assert mailboxes(killed) == ONCE


def test_a_killed_run_is_shown_as_such_and_both_sittings_after_its_resume(killed: Path) -> None:
    shown = fanout(killed, "show", "r.fanout").stdout.splitlines()
    assert "  killed, or the power failed" in shown
    assert shown[-2] == "to go on with it: fanout resume r.fanout"
    assert re.fullmatch("3[1-9] done, 0 failed, of 40", shown[-1])

    fanout(killed, "resume", "r.fanout")

    shown = fanout(killed, "show", "r.fanout").stdout.splitlines()
    assert len([line for line in shown if line.startswith("sitting ")]) == 2
    assert shown[-1] == "40 done, 0 failed, of 40"


def test_a_run_is_gone_on_with_from_any_directory(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert fanout(elsewhere, "resume", str(killed / "r.fanout")).returncode == 0
    assert mailboxes(killed) == ONCE
    assert list(elsewhere.iterdir()) == []


def test_a_run_that_a_living_process_works_on_is_refused(folder: Path) -> None:
    with running(folder, *RUN) as process:
        await_done(process, folder / "r.fanout")

        done = fanout(folder, "resume", "r.fanout")

        assert done.returncode == 2
        assert f"process {process.pid} is working on it" in done.stderr
        assert "  at work now" in fanout(folder, "show", "r.fanout").stdout.splitlines()


def test_a_job_that_has_changed_is_refused_unless_accepted_and_then_recorded(killed: Path) -> None:
    before = (killed / "r.fanout").stat().st_size
    (killed / "waits.py").write_text("def job(mailbox):\n    return {'seen': 100}\n")

    refused = fanout(killed, "resume", "r.fanout")
    assert refused.returncode == 2
    assert "the job's code" in refused.stderr
    assert "waits.py:job" in refused.stderr
    assert (killed / "r.fanout").stat().st_size >= before

    accepted = fanout(killed, "resume", "r.fanout", "--accept-changes")
    assert accepted.returncode == 0
    (left,) = re.findall(r"(\d+) of 40 mailboxes are left", accepted.stderr)
    assert f"totals    {40 + 99 * int(left)} seen" in accepted.stderr
    assert "changed, and accepted: the job's code" in fanout(killed, "show", "r.fanout").stdout
    with closing(sqlite3.connect(killed / "r.fanout")) as plain:
        assert plain.execute("SELECT job_code FROM sittings").fetchall() == [
            (None,),
            ((killed / "waits.py").read_text(),),
        ]


def test_a_roster_that_has_changed_is_refused_and_when_accepted_the_names_of_the_file_stand(folder: Path) -> None:
    """A server of real mail, one directory a mailbox; one more is there when the run is gone on with."""
    for name in ("anna", "berta"):
        (folder / "mail" / name / "cur").mkdir(parents=True)
    (folder / "broken").touch()
    (folder / "job.py").write_text(
        "from pathlib import Path\ndef job(m):\n    return object() if Path('broken').exists() else 1\n"
    )
    words = ("run", "job.py:job", "--server", "sim:mail", "-w", "1", "--run-file", "r.fanout", "-o", "r.jsonl")
    assert fanout(folder, *words).returncode == 1
    (folder / "broken").unlink()
    (folder / "mail" / "clara" / "cur").mkdir(parents=True)

    refused = fanout(folder, "resume", "r.fanout", "--only-failed")
    assert refused.returncode == 2
    assert "the roster" in refused.stderr

    assert fanout(folder, "resume", "r.fanout", "--only-failed", "--accept-changes").returncode == 0
    assert sorted(mailboxes(folder)) == ["anna", "berta"]


def test_names_from_a_file_stand_in_the_run_file_and_are_not_read_again(folder: Path) -> None:
    (folder / "names.txt").write_text("null-00000003\nnull-00000025\nnull-00000004\n")
    words = ("run", "fails.py:job", "--server", "null:40", "--mailboxes-from", "names.txt", "-o", "r.jsonl")
    (folder / "broken").touch()
    assert fanout(folder, *words, "--run-file", "r.fanout").returncode == 1
    (folder / "broken").unlink()
    (folder / "names.txt").unlink()

    assert fanout(folder, "resume", "--only-failed", "r.fanout").returncode == 0
    assert sorted(mailboxes(folder)) == ["null-00000003", "null-00000004", "null-00000025"]


# what failed, again


@pytest.fixture
def failed(folder: Path) -> Path:
    """The folder of a run in which two of 10 mailboxes failed; what broke them is gone."""
    (folder / "broken").touch()
    words = ("run", "fails.py:job", "--server", "null:10", "-w", "2", "--run-file", "r.fanout", "-o", "r.jsonl")
    assert fanout(folder, *words).returncode == 1
    (folder / "broken").unlink()
    return folder


def test_what_failed_is_visited_again_and_nothing_else(failed: Path) -> None:
    done = fanout(failed, "resume", "r.fanout", "--only-failed")

    assert done.returncode == 0, done.stderr
    assert "2 of 10 mailboxes are left" in done.stderr
    assert done.stderr.splitlines()[-2:] == ["total     45", "10 done, 0 failed, of 10"]
    lines = records((failed / "r.jsonl").read_text())
    assert sorted(str(line["mailbox"]) for line in lines) == [f"null-{n:08}" for n in range(10)]
    assert all(line["ok"] for line in lines)
    shown = fanout(failed, "show", "r.fanout", "null-00000007").stdout
    assert "KeyError: 'number'" in shown
    assert "outcome   done" in shown


def test_what_failed_by_one_cause_is_visited_again_alone(failed: Path) -> None:
    done = fanout(failed, "resume", "r.fanout", "--only-failed=result")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "9 done, 1 failed, of 10"
    assert len(records((failed / "r.jsonl").read_text())) == 10


def test_a_run_that_is_done_has_nothing_left_and_keeps_its_exit_code(failed: Path) -> None:
    plain = fanout(failed, "resume", "r.fanout")
    busy = fanout(failed, "resume", "r.fanout", "--only-failed=busy")

    for done, said in ((plain, "nothing is left to do: "), (busy, "nothing failed by busy: ")):
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == "8 done, 2 failed, of 10"
        assert done.stderr.startswith(said)


# one command for cron


def test_continue_starts_a_run_and_then_has_nothing_left_to_do(folder: Path) -> None:
    words = ("run", "logon", "--server", "null:10", "-w", "1", "--run-file", "r.fanout", "-o", "r.jsonl", "--continue")

    assert fanout(folder, *words).returncode == 0
    again = fanout(folder, *words)

    assert again.returncode == 0
    assert "nothing is left to do" in again.stderr
    assert again.stderr.splitlines()[-1] == "10 done, 0 failed, of 10"
    assert len(records((folder / "r.jsonl").read_text())) == 10


def test_continue_goes_on_with_a_run_that_was_killed(killed: Path) -> None:
    done = fanout(killed, *RUN, "-o", "r.jsonl", "--continue")

    assert done.returncode == 0, done.stderr
    assert mailboxes(killed) == ONCE


def test_continue_begins_a_run_that_was_killed_before_it_began(folder: Path) -> None:
    script = "import os; from pathlib import Path; from fanout.runfile import RunFile; RunFile.create(Path('r.fanout')); os._exit(9)"
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=ENVIRONMENT, check=False)
    (folder / "r.jsonl").touch()

    refused = fanout(folder, "resume", "r.fanout")
    assert refused.returncode == 2
    assert "killed before it began" in refused.stderr

    words = ("run", "logon", "--server", "null:10", "-w", "1", "--run-file", "r.fanout", "-o", "r.jsonl", "--continue")
    assert fanout(folder, *words).returncode == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["census", "--server", "null:10"], "job: workers.jobs.logon:logon, not workers.jobs.census:census"),
        (["logon", "--server", "null:11"], "server: null:10, not null:11"),
        (["logon", "--server", "null:10", "--limit", "3"], "choice of mailboxes: none, not --limit 3"),
        (["logon", "--server", "null:10", "-o", "s.jsonl"], "place for its records: none, not /"),
    ],
)
def test_continue_refuses_the_run_file_of_another_run(folder: Path, words: list[str], what: str) -> None:
    fanout(folder, "run", "logon", "--server", "null:10", "-w", "1", "--run-file", "r.fanout")

    done = fanout(folder, "run", *words, "--run-file", "r.fanout", "--continue")

    assert done.returncode == 2
    assert what in done.stderr


def test_what_went_to_stdout_is_not_written_there_again(folder: Path) -> None:
    with running(folder, *RUN) as process:
        await_done(process, folder / "r.fanout")
        process.send_signal(signal.SIGKILL)
    with closing(sqlite3.connect(folder / "r.fanout")) as plain, plain:
        place = json.dumps({"path": "-", "length": None, "checksum": 0})
        plain.execute("UPDATE run SET value = ? WHERE name = 'sink'", (place,))

    done = fanout(folder, "resume", "r.fanout")

    (left,) = re.findall(r"(\d+) of 40 mailboxes are left", done.stderr)
    assert len(records(done.stdout)) == int(left) < 10
    assert "not written to stdout again" in done.stderr


def test_a_full_disk_stops_a_run_which_is_then_gone_on_with(folder: Path) -> None:
    """The largest file that the process may write stands for the disk: the records fill it first."""
    (folder / "job.py").write_text("def job(mailbox):\n    return 'x' * 1000\n")
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY));"
    words = ["run", "job.py:job", "--server", "null:1000", "-w", "1", "--run-file", "r.fanout", "-o", "r.jsonl"]
    script = f"{limit} sys.argv[1:] = {words!r}; runpy.run_module('fanout', run_name='__main__')"
    stopped = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert stopped.returncode == 3, stopped.stderr
    assert "stopped early: " in stopped.stderr
    assert stopped.stderr.splitlines()[-2] == "to go on with it: fanout resume r.fanout"

    done = fanout(folder, "resume", "r.fanout")
    assert done.returncode == 0, done.stderr
    assert Counter(record["mailbox"] for record in records((folder / "r.jsonl").read_text())) == Counter(
        f"null-{n:08}" for n in range(1000)
    )
