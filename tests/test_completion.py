"""Shell completion, asked through click's own way to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from fanout import facts
from fanout.cli import cli
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.facts import Intent
from fanout.roster import Roster
from fanout.runfile import RunFile
from tests.test_options import SOURCE
from workers.jobs import BUILT_IN
from workers.messages import ModuleJob

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*words: str) -> list[str]:
    """What is offered for the last word, behind the others."""
    *before, incomplete = words
    complete = ShellComplete(cli, {}, "fanout", "_FANOUT_COMPLETE")
    return [item.value for item in complete.get_completions(before, incomplete) if item.type == "plain"]


def test_commands_are_offered() -> None:
    assert offered("re") == sorted(name for name in cli.commands if name.startswith("re"))


@pytest.mark.parametrize("command", ["run", "bench", "jobs"])
def test_jobs_are_offered_by_their_names(command: str) -> None:
    assert offered(command, "") == list(BUILT_IN)
    assert offered(command, "se") == ["search", "senders"]


def test_the_functions_of_a_file_are_offered_behind_its_colon(folder: Path) -> None:
    (folder / "their_job.py").write_text(SOURCE)

    assert offered("run", "their_job.py:p") == ["their_job.py:paint"]
    assert offered("run", "their_") == []


def test_options_of_the_job_are_offered() -> None:
    assert offered("run", "search", "-a", "s") == ["subject=", "sender=", "since="]
    assert offered("run", "search", "-a", "subject=x") == []
    assert offered("run", "nothing-like-it", "-a", "") == []


def a_run(path: Path, names: list[str]) -> None:
    intent = Intent(Mailboxes("sim:2", names=names, names_from="names"), Workforce(), Task(ModuleJob("m", "job")))
    with RunFile.create(path) as file:
        file.add_names(names)
        facts.begin(file, intent, Roster(len(names), "names", file.names, numbered=False))


@pytest.mark.parametrize("command", [["resume"], ["show"], ["export"], ["diff"], ["diff", "a.fanout"]])
def test_run_files_are_offered(folder: Path, command: list[str]) -> None:
    for name in ("b.fanout", "a.fanout", "c.txt"):
        (folder / name).write_text("")

    assert offered(*command, "") == ["a.fanout", "b.fanout"]
    assert offered(*command, "b") == ["b.fanout"]


def test_the_mailboxes_of_a_run_are_offered(folder: Path) -> None:
    a_run(folder / "r.fanout", ["anna", "bert", "berta"])

    assert offered("show", "r.fanout", "be") == ["bert", "berta"]
    assert offered("show", "none.fanout", "be") == []


@pytest.mark.spawns
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_console_script_gives_a_shell_its_completion(shell: str) -> None:
    script = f"import sys; sys.argv = ['fanout']; sys.path.insert(0, {str(ROOT)!r}); from fanout.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "_FANOUT_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert f"_FANOUT_COMPLETE={shell}_complete" in done.stdout
    assert done.returncode == 0, done.stderr
