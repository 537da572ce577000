"""Jobs that write, in runs that are killed: no mailbox is written to twice unless somebody asks for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.test_cli import ENVIRONMENT, ROOT, fanout, records
from tests.test_cli_resume import running

pytestmark = pytest.mark.spawns

SIGN = (f"{ROOT}/tests/poison.py:sign_and_hang", "--allow-writes", "-a", "book=book")
KEPT = ("--run-file", "r.fanout", "-o", "r.jsonl")


def await_name(process: subprocess.Popen[bytes], book: Path, name: str) -> None:
    """Wait until the job has written the name, and so hangs."""
    while not (book.exists() and name in book.read_text().split()):
        assert process.poll() is None


def signed(folder: Path) -> Counter[str]:
    return Counter((folder / "book").read_text().split())


def causes(folder: Path) -> dict[str, str]:
    """The cause of each mailbox that failed, as the records have it."""
    told = records((folder / "r.jsonl").read_text())
    return {str(line["mailbox"]): dict(line["error"])["cause"] for line in told if not line["ok"]}  # type: ignore[call-overload]


@pytest.fixture(
    params=[("null:30", "null-00000012"), ("sim:30?messages=3", "u00000012@sim.example")], ids=lambda param: param[0]
)
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """The folder of a run whose parent was killed while the job hung at a mailbox to which it had written; its name."""
    server, name = request.param
    words = ("run", *SIGN, "-a", f"at={name}", "--server", server, "-w", "1", *KEPT)
    with running(tmp_path, *words) as process:
        await_name(process, tmp_path / "book", name)
        process.send_signal(signal.SIGKILL)
    return tmp_path, name


def test_a_mailbox_that_a_writing_job_was_at_when_the_run_was_killed_is_not_written_to_again(
    killed: tuple[Path, str],
) -> None:
    folder, name = killed

    done = fanout(folder, "resume", "r.fanout")

    assert done.returncode == 1, done.stderr
    assert "1 under way when the run was killed, of a job that writes: failed as uncertain" in done.stderr
    assert done.stderr.splitlines()[-1] == "29 done, 1 failed, of 30"
    assert (len(signed(folder)), set(signed(folder).values())) == (30, {1})
    assert causes(folder) == {name: "uncertain"}
    assert len(records((folder / "r.jsonl").read_text())) == 30
    assert "it may have written there" in fanout(folder, "show", "r.fanout", "--failed").stdout


def test_an_uncertain_mailbox_is_written_to_again_when_somebody_asks_for_it(killed: tuple[Path, str]) -> None:
    folder, name = killed
    (folder / "book").rename(folder / "first book")
    with running(folder, "resume", "r.fanout", "--only-failed=uncertain") as process:
        await_name(process, folder / "book", name)

    assert signed(folder) == Counter([name])
    assert fanout(folder, "resume", "r.fanout", "--only-failed=crash").returncode == 3
    assert signed(folder) == Counter([name])
    assert causes(folder) == {name: "uncertain"}


def test_a_last_mailbox_that_is_uncertain_leaves_nothing_to_do_and_is_in_the_records(tmp_path: Path) -> None:
    words = ("run", *SIGN, "-a", "at=null-00000002", "--server", "null:3", "-w", "1", *KEPT)
    with running(tmp_path, *words) as process:
        await_name(process, tmp_path / "book", "null-00000002")
        process.send_signal(signal.SIGKILL)

    done = fanout(tmp_path, "resume", "r.fanout")

    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == "2 done, 1 failed, of 3"
    assert causes(tmp_path) == {"null-00000002": "uncertain"}
    assert set(signed(tmp_path).values()) == {1}


def test_all_that_is_killed_at_once_writes_no_name_twice(tmp_path: Path) -> None:
    """The parent and its workers, by their process group, some names into the run."""
    job = f"{ROOT}/tests/poison.py:sign"
    words = ("run", job, "--allow-writes", "-a", "book=book", "--server", "null:200", "-w", "3", *KEPT)
    process = subprocess.Popen(
        [sys.executable, "-m", "fanout", *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    await_name(process, tmp_path / "book", "null-00000040")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    done = fanout(tmp_path, "resume", "r.fanout")

    assert done.returncode in {0, 1}, done.stderr
    assert set(signed(tmp_path).values()) == {1}
    assert set(causes(tmp_path).values()) <= {"uncertain"}
    told = [str(line["mailbox"]) for line in records((tmp_path / "r.jsonl").read_text())]
    assert Counter(told) == Counter(f"null-{n:08}" for n in range(200))
