"""A disk that is full in the middle of a run stops it; what was done is kept, and a resume does the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.outside import assert_every_mailbox_has_one_outcome, assert_sink_follows
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


@pytest.mark.parametrize("size", [60_000, 150_000, 250_000])
def test_a_full_disk_stops_the_run_and_a_resume_does_the_rest(tmp_path: Path, size: int) -> None:
    words = ["run", "census", "--server", "sim:3000", "-w", "2", "--run-file", "r.fanout", "-o", "r.jsonl"]
    full = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 3, full.stderr
    assert "can't be written" in full.stderr
    assert "Traceback" not in full.stderr

    code, said = Running(tmp_path, *(["resume", "r.fanout"] if (tmp_path / "r.fanout").exists() else words)).finish()

    assert code == 0, said
    assert_every_mailbox_has_one_outcome(tmp_path / "r.fanout", 3000)
    assert_sink_follows(tmp_path / "r.jsonl", tmp_path / "r.fanout")
