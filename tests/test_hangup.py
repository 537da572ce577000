"""A signal that goes to every process of a run, as a terminal sends it: the parent decides, and no worker ends of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.test_cli import ENVIRONMENT, fanout

WORDS = ["run", "census", "--server", "sim:60?latency=20ms", "-w", "2", "--run-file", "r.fanout", "-o", "all.jsonl"]


@pytest.mark.spawns
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_of_a_run_breaks_off_no_mailbox(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "fanout", *WORDS]
    records = tmp_path / "all.jsonl"
    with subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        while not records.exists() or not records.stat().st_size:
            with suppress(subprocess.TimeoutExpired):
                run.wait(0.05)
            assert run.returncode is None
        os.killpg(run.pid, number)
        assert run.stderr is not None
        said = run.stderr.read()
    again = fanout(tmp_path, "resume", "r.fanout", "-q")

    assert run.returncode == 128 + number
    assert "Traceback" not in said
    assert (again.returncode, again.stderr.splitlines()[-1]) == (0, "60 done, 0 failed, of 60")
