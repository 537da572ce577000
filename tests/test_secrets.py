"""A password stays in the memory of fanout's own processes: no file, no log, no traceback, no list of processes has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mapi.http.webs import web
from workers.simulated.web import Account

SECRET = "correct-horse-battery"
USER = "admin@sim.example"

#: A job that tells all that it can see, and fails where its local variables might be told.
SPY = """
import logging
import os
import subprocess
from pathlib import Path


def spy(mailbox):
    print(mailbox, mailbox.store, dict(os.environ))
    logging.getLogger().setLevel(logging.DEBUG)
    mailbox.folders()
    seen = [subprocess.run(["env"], capture_output=True, text=True).stdout]
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                seen.append((process / name).read_bytes().decode("latin-1"))
            except OSError:
                pass
    if mailbox.address.startswith("u00000001"):
        raise RuntimeError(repr(mailbox))
    return seen
"""


@pytest.mark.spawns
@pytest.mark.parametrize("way", ["environment", "file", "command"])
def test_a_run_leaves_its_password_nowhere(tmp_path: Path, way: str) -> None:
    (tmp_path / "job.py").write_text(SPY)
    private = tmp_path.parent / f"{tmp_path.name}-password"
    private.write_text(f"{SECRET}\n")
    private.chmod(0o600)
    words = {
        "environment": [],
        "file": ["--password-file", str(private)],
        "command": ["--password-command", f"cat {private}"],
    }[way]
    environment = os.environ | ({"FANOUT_PASSWORD": SECRET} if way == "environment" else {})
    with web("sim:3", account=Account(USER, SECRET)) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from fanout.cli import main; main()",
                "run",
                "job.py:spy",
                "--server",
                server.url,
                "--user",
                USER,
                *words,
                "-w",
                "2",
                "-o",
                "found.jsonl",
                "--run-file",
                "r.fanout",
            ],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.stderr.splitlines()[-1] == "2 done, 1 failed, of 3"
    assert SECRET not in done.stdout + done.stderr
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {path.name for path in written} >= {"found.jsonl", "r.fanout"}
    assert [path.name for path in written if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.spawns
def test_a_password_that_is_refused_is_told_of_without_it(tmp_path: Path) -> None:
    with web("sim:3", account=Account(USER, "another")) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from fanout.cli import main; main()",
                "run",
                "census",
                "--server",
                server.url,
                "--user",
                USER,
                "--run-file",
                "r.fanout",
            ],
            cwd=tmp_path,
            env=os.environ | {"FANOUT_PASSWORD": SECRET, "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 77
    assert "refuses the account" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
