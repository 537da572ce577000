"""A disk that is full, fails or is slow in the middle of a run: what was done is kept, and a resume does the rest."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.chaos.outside import assert_every_mailbox_has_one_outcome, assert_sink_follows, records
from tests.chaos.running import ENVIRONMENT, Running

pytestmark = pytest.mark.spawns

#: fanout in a process whose files may not grow beyond a size. (A signal would end it, and is ignored as shells do.)
LIMITED = """
import resource, signal, sys
from fanout.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
main()
"""


#: A namespace of mounts of one's own, which ends with its last process.
NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]

#: Run on a small disk, which is then made larger, and go on there; say both exit codes.
SMALL = """
set -u
mount -t tmpfs -o size="$1" tmpfs disk
cd disk; shift
"$@"
echo "run $?"
mount -o remount,size=64m .
"$1" -m fanout resume r.fanout
echo "resume $?"
cp r.* ..
"""

#: Each sync takes a tenth of a second longer.
SLOW = "fdatasync,fsync:delay_exit=100000"

WORDS = ("run", "census", "--server", "sim:3000", "-w", "2", "--run-file", "r.fanout", "-o", "r.jsonl")


def can_mount() -> bool:
    mounting = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(mounting, capture_output=True, check=False).returncode
    )


needs_mounts = pytest.mark.skipif(not can_mount(), reason="no mount namespace is allowed here")
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: apt-get install strace")


def traced(folder: Path, injection: str, *words: str) -> subprocess.Popen[str]:
    """`fanout` with some words; strace does something to the calls of its parent process alone."""
    calls = injection.partition(":")[0]
    strace = ["strace", "-qqq", "-o", os.devnull, f"--trace={calls}", f"--inject={injection}"]
    return subprocess.Popen(
        [*strace, sys.executable, "-m", "fanout", *words],
        cwd=folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(run_file: Path) -> int:
    """Rows of what is done, as far as it is committed."""
    try:
        with closing(sqlite3.connect(f"file:{run_file}?mode=ro", uri=True)) as plain:
            return int(plain.execute("SELECT count(*) FROM done").fetchone()[0])
    except sqlite3.OperationalError:  # it is not there yet
        return 0


@needs_mounts
@pytest.mark.parametrize("size", ["200k", "500k", "900k"])
def test_a_small_disk_that_is_made_larger_has_every_outcome_in_the_end(tmp_path: Path, size: str) -> None:
    (tmp_path / "disk").mkdir()
    both = subprocess.run(
        [*NAMESPACE, "bash", "-c", SMALL, "small", size, sys.executable, "-m", "fanout", *WORDS],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert both.stdout.split("\n")[:2] == ["run 3", "resume 0"], both.stderr
    assert "\nfanout: " not in both.stderr, "something was said behind the verdict"
    assert "Traceback" not in both.stderr
    assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", 3000)
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")


@needs_strace
def test_a_disk_that_fails_stops_the_run_and_a_resume_does_the_rest(tmp_path: Path) -> None:
    failing = traced(tmp_path, "pwrite64:error=EIO:when=60+", *WORDS)
    _, said = failing.communicate()
    assert failing.returncode == 3, said
    assert "can't be written" in said
    assert "Traceback" not in said

    code, said = Running(tmp_path, "resume", "r.fanout").finish()

    assert code == 0, said
    assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", 3000)
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")


@needs_strace
def test_on_a_disk_that_takes_its_time_nothing_is_lost(tmp_path: Path) -> None:
    slow = traced(tmp_path, SLOW, *WORDS)
    _, said = slow.communicate()

    assert slow.returncode == 0, said
    assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", 3000)
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")


@needs_strace
def test_on_a_disk_that_takes_its_time_an_interrupt_ends_the_run_without_loss(tmp_path: Path) -> None:
    endless = ("run", "census", "--server", "sim:1000000?latency=1ms", "-w", "2", "--run-file", "r.fanout")
    slow = traced(tmp_path, SLOW, *endless)
    while not done(tmp_path / "r.fanout"):
        assert slow.poll() is None
    (parent,) = psutil.Process(slow.pid).children()
    parent.send_signal(signal.SIGINT)
    _, rest = slow.communicate()

    assert slow.returncode == 130, rest
    assert "fanout resume" in rest
    assert records(tmp_path / "r.fanout")


@pytest.mark.parametrize("size", [80_000, 150_000, 250_000])
def test_a_full_disk_stops_the_run_and_a_resume_does_the_rest(tmp_path: Path, size: int) -> None:
    full = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *WORDS],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 3, full.stderr
    assert "can't be written" in full.stderr
    assert "Traceback" not in full.stderr

    code, said = Running(tmp_path, *(["resume", "r.fanout"] if (tmp_path / "r.fanout").exists() else WORDS)).finish()

    assert code == 0, said
    assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", 3000)
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")
