from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fanout import locks
from fanout.errors import UsageError
from fanout.locks import FileLock, check_file_system, file_system
from fanout.runfile import RunFile

ROOT = Path(__file__).parent.parent

#: Tries to go on with a run, and says what it was told; or holds it until its stdin ends, once it has said so.
RESUME = """
import sys
from pathlib import Path
from fanout.errors import UsageError
from fanout.runfile import RunFile

try:
    with RunFile.resume(Path(sys.argv[1])) as file:
        print("held", flush=True)
        sys.stdin.read()
except UsageError as error:
    print(error)
"""

#: Holds the run, forks, and ends without a word; the child lives until its stdin ends.
FORKS = """
import os, sys
from pathlib import Path
from fanout.runfile import RunFile

file = RunFile.resume(Path(sys.argv[1]))
if os.fork():
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
os._exit(0)
"""

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 22 0:40 / /mnt rw shared:7 master:3 - nfs4 server:/export rw
24 23 0:41 / /mnt/my\\040disk rw - xfs /dev/vdb rw
25 22 0:42 / /shared rw - xfs /dev/vdc rw
26 22 0:43 / /shared rw - fuse.sshfs me@there:/ rw
"""


def another(path: Path, script: str = RESUME) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "census.fanout"
    RunFile.create(path).close()
    return path


# who works on it


@pytest.mark.spawns
def test_a_run_that_a_process_works_on_is_refused_with_its_pid(path: Path) -> None:
    with RunFile.resume(path) as file:
        said, _ = another(path).communicate()

        assert said.startswith(f"process {os.getpid()} is working on it: {path}")
        assert file.worked_on_by == os.getpid()


@pytest.mark.spawns
def test_a_look_at_a_run_tells_who_works_on_it(path: Path) -> None:
    worker = another(path)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "held\n"
    with RunFile.open(path) as file:
        assert file.worked_on_by == worker.pid

        worker.communicate()

        assert file.worked_on_by is None


@pytest.mark.spawns
def test_the_lock_ends_with_a_process_that_is_killed(path: Path) -> None:
    worker = another(path)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "held\n"

    worker.kill()
    worker.communicate()

    RunFile.resume(path).close()


@pytest.mark.spawns
def test_a_forked_child_that_outlives_its_parent_holds_nothing(path: Path) -> None:
    parent = another(path, FORKS)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "held\n"
    parent.wait()

    RunFile.resume(path).close()

    parent.communicate()


@pytest.mark.spawns
def test_readers_that_come_and_go_in_the_same_process_do_not_take_the_lock_away(path: Path) -> None:
    """A close of any descriptor of the file would: see the trap in the module."""
    with RunFile.resume(path):
        with RunFile.open(path) as reader:
            assert reader.counts() == (0, 0)
        with closing(sqlite3.connect(path)) as plain:
            plain.execute("SELECT * FROM run").fetchall()
        said, _ = another(path).communicate()

    assert said.startswith(f"process {os.getpid()} is working on it")


def test_the_same_process_cannot_go_on_with_a_run_twice(path: Path) -> None:
    with RunFile.resume(path), pytest.raises(UsageError, match="this process is working on it already"):
        RunFile.resume(path)

    RunFile.resume(path).close()

    RunFile.resume(path).close()


def test_a_lock_is_given_back_once(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    lock.take()
    lock.release()
    lock.release()

    assert not lock.held


def test_the_locked_byte_is_far_from_those_of_sqlite() -> None:
    assert 2**48 < locks.OFFSET < 2**63


# where locks hold


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/census.fanout", "ext4"),
        ("/mnt/census.fanout", "nfs4"),
        ("/mntx/census.fanout", "ext4"),
        ("/mnt/my disk/census.fanout", "xfs"),
        ("/shared/census.fanout", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_innermost_mount_the_last_one_there(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_nothing_is_known_without_mounts() -> None:
    assert file_system(Path("/census.fanout"), "") is None


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_file_system_where_locks_do_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(locks, "file_system", lambda *_: kind)

    with pytest.raises(UsageError, match=rf"a run file can't be kept on {kind} .*give a path on a local disk"):
        RunFile.create(tmp_path / "census.fanout")
    assert list(tmp_path.iterdir()) == []


def test_a_local_disk_is_taken(tmp_path: Path) -> None:
    check_file_system(tmp_path / "census.fanout")
