"""A user's own module `workers` does not come between fanout and its package of that name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.spawns

ROOT = Path(__file__).parent.parent


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory with a user's own `workers.py`."""
    (tmp_path / "workers.py").write_text("STAFF = ['anna', 'berta']\n")
    return tmp_path


def python(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory, which it puts before everything else that it imports from."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_works_beside_a_foreign_workers(theirs: Path) -> None:
    done = python(theirs, "-m", "fanout", "--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fanout, version ")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_whole_run_works_beside_a_foreign_workers(theirs: Path, method: str) -> None:
    done = python(
        theirs, "-m", "fanout", "run", "logon", "--server", "null:3", "-w", "1", "--start-method", method, "-q"
    )

    assert done.stderr.splitlines()[-1] == "3 done, 0 failed, of 3"
    assert done.returncode == 0


def test_a_script_that_imports_fanout_first_gets_ours(theirs: Path) -> None:
    done = python(theirs, "-c", "import fanout, workers, workers.messages; print(workers.__file__)")

    assert (done.stdout.strip(), done.stderr) == (str(ROOT / "workers" / "__init__.py"), "")


def test_a_script_that_imports_its_own_first_is_told_what_to_do(theirs: Path) -> None:
    done = python(theirs, "-c", "import workers, fanout")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: fanout has a package `workers`, and {theirs / 'workers.py'} was imported under that name before it; "
        "import fanout first, or give that module another name"
    )


def test_our_own_workers_may_be_imported_before_fanout(tmp_path: Path) -> None:
    done = python(tmp_path, "-c", "import workers.messages, fanout; print(workers.messages is not None)")

    assert (done.stdout, done.stderr) == ("True\n", "")
