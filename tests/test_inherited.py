"""What a worker inherits of the program that starts it, and must not use: its open files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LOGS = """
import logging

import fanout

logging.basicConfig(filename="program.log", level=logging.INFO)
audit = logging.getLogger("audit")
for number in range(30):  # as many numbers of descriptors as a worker may come by
    audit.addHandler(logging.FileHandler(f"audit-{number}.log"))


def say(mailbox):
    audit.info("seen")
    return 1


if __name__ == "__main__":
    audit.info("begun")
    print(fanout.run(say, server="sim:300", workers=2, chunk_size=10).totals)
    audit.info("ended")
"""


@pytest.mark.spawns
def test_a_worker_neither_writes_to_nor_closes_what_took_the_place_of_a_log_file(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(LOGS)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("300\n", "", 0)
    assert {log.read_text() for log in tmp_path.glob("audit-*.log")} == {"begun\nended\n"}
    assert (tmp_path / "program.log").read_text() == "INFO:audit:begun\nINFO:audit:ended\n"
