"""The begin of the command line: modules are imported, and a Ctrl-C may come at any of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fanout

ROOT = Path(__file__).parent.parent

#: What Python does first: send itself a SIGINT when a module is looked for.
INTERRUPTING = """
import importlib.abc, os, signal, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""

IGNORING = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"

MODULE = "import runpy; runpy.run_module('fanout', run_name='__main__')"

#: What the console script does.
SCRIPT = "from {} import {} as script; script()".format(
    *tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["fanout"].split(":")
)


def interrupted(at: str, code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "INTERRUPT_AT": at}
    return subprocess.run(
        [sys.executable, "-c", code, "--version"], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.spawns
@pytest.mark.parametrize("start", [MODULE, SCRIPT], ids=["module", "script"])
@pytest.mark.parametrize("at", ["fanout.cli", "click", "workers.template", "fanout.runfile", "fanout.cli.finishing"])
def test_a_ctrl_c_while_modules_are_imported_ends_it_without_a_word(start: str, at: str) -> None:
    done = interrupted(at, INTERRUPTING + start)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


#: Modules of commands that are there when one of them was asked for its help.
LOADED = """
import sys
from fanout.cli import cli
cli(["run", "--help"], standalone_mode=False)
print("loaded:", *sorted(name for name in sys.modules if name.endswith("ing") and name.startswith("fanout.cli.")))
"""


@pytest.mark.spawns
def test_a_command_is_not_begun_later_for_the_others() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = ["completing", "finishing", "running", "telling", "watching"]
    assert done.stdout.splitlines()[-1].split()[1:] == [f"fanout.cli.{name}" for name in loaded]


@pytest.mark.spawns
def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As it is by what a shell starts behind `&`."""
    done = interrupted("click", IGNORING + INTERRUPTING + SCRIPT)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fanout, version ")


def test_all_that_is_offered_is_there() -> None:
    assert [name for name in fanout.__all__ if not hasattr(fanout, name)] == []
    assert set(fanout.__all__) <= set(dir(fanout))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fanout.nonsense  # type: ignore[attr-defined]  # noqa: B018 - that it is not there is what is tested
