"""Every example runs: those of each `--help`, of each job's help, and every command of the README.

They are collected from the texts themselves, so that a new one can't be forgotten. What needs more than this machine is
named below with the reason, and is checked to be a command that fanout would take.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from fanout.cli import cli
from fanout.jobhelp import helps

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

#: A command of fanout anywhere in a line, up to what the shell does with it next.
_FANOUT = re.compile(r"(?:^|[\s/|;&$(])fanout ((?:--?[a-z]|[a-z])(?:'[^']*'|[^|;&#'])*)")

#: What may stand before a command: a prompt, or the time of a line for cron.
_BEFORE = re.compile(r"^\s*(?:\$ |(?:[\d*/,-]+ ){5})?")

#: First words of the commands of others.
OTHERS = ("duckdb", "mypy", "pip", "pytest", "python", "python3", "ruff", "sqlite3")

#: The run that the README speaks of, and the one before it.
RUN_FILE, RUN_FILE_BEFORE = "census-20261122-120000.fanout", "census-20261121-120000.fanout"

#: What is not run here, by how it begins or what it holds, and why.
ELSEWHERE = {
    "python3 -m venv": "installs from the network; what .ci/run and the first readers do",
    "mail.example.com": "a real server, which there is none of here",
    "fanout ctl ": "a run that goes on beside it, as those of tests/test_ctl.py do",
    "duckdb ": "a program that is not installed with the tests",
    "import polars": "a library that is not installed with the tests",
    "import pandas": "a library that is not installed with the tests",
    "pytest": "it is what runs this",
    "mypy": "what .ci/run does",
    "ruff": "what .ci/run does",
}

#: Exit codes that are as good as 0: what is looked at may be amiss on this machine.
WELL = {"doctor": {0, 1}}

#: Seconds that an example may take on a machine that is busy.
PATIENCE = 120


def commands_of(text: str) -> list[str]:
    """The lines of a text that are commands, those that go on behind a backslash joined."""
    lines = (_BEFORE.sub("", line) for line in text.replace("\\\n", " ").splitlines())
    return [
        line
        for line in lines
        if _FANOUT.search(line) or line.startswith(tuple(f"{word} " for word in OTHERS)) or line in OTHERS
    ]


def of_helps() -> Iterator[str]:
    """The examples of `fanout --help` and of every command: what stands unwrapped."""
    for command in (cli, *cli.commands.values()):
        for paragraph in (command.help or "").split("\b\n")[1:]:
            yield from commands_of(paragraph.partition("\n\n")[0])


def of_readme() -> Iterator[str]:
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        if language != "python":
            yield from commands_of(block)


def of_jobs() -> Iterator[str]:
    for help_ in helps():
        assert help_.example, help_.name
        yield help_.example


EXAMPLES = list(dict.fromkeys([*of_helps(), *of_readme(), *of_jobs()]))
HERE = [each for each in EXAMPLES if not any(words in each for words in ELSEWHERE)]
THERE = [each for each in EXAMPLES if each not in HERE]


def small(command: str) -> str:
    """The same with fewer mailboxes, messages and rounds."""
    command = re.sub(r"sim:\d{2,}(?=\s|$)", "'sim:12?messages=10'", command)
    command = re.sub(r"sim:\d{2,}", "sim:12", command)
    if "fanout bench" in command and not {"--compare", "--dry-run", "--rounds"} & set(command.split()):
        command += " --rounds 1"
    return command


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the programs and the job that examples speak of."""
    place = tmp_path_factory.mktemp("examples")
    tools = place / "bin"
    tools.mkdir()
    (tools / "fanout").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fanout "$@"\n')
    (tools / "fanout").chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    job = place / "path" / "to" / "file.py"
    job.parent.mkdir(parents=True)
    job.write_text(re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0])
    return place


#: How the files come about that examples read; each is made when it is first read.
MADE = {
    RUN_FILE: "fanout run census --server sim:12 -w 1 -q --run-file {}",
    "part-1.fanout": "fanout run census --server sim:12 -w 1 -q --shard 1/2 --run-file {}",
    "part-2.fanout": "fanout run census --server sim:12 -w 1 -q --shard 2/2 --run-file {}",
    "monday.json": "fanout bench census --server sim:12 --chunk-sizes 4,8 -w 1 --rounds 1 --json {}",
}

#: Those that are as good as another.
ALIKE = {RUN_FILE_BEFORE: RUN_FILE, "tuesday.json": "monday.json"}


def made(prepared: Path, name: str) -> Path:
    """A file that an example reads."""
    name = ALIKE.get(name, name if name in MADE else RUN_FILE)
    path = prepared / "made" / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        sh(prepared, MADE[name].format(path))
    return path


def environment(place: Path) -> dict[str, str]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def sh(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    name = next(iter(words_of(command)), "")
    assert done.returncode in WELL.get(name, {0}), f"{command}\n{done.stdout}{done.stderr}"
    return done


def words_of(command: str) -> list[str]:
    """What follows `fanout`; nothing where it is the command of another."""
    found = _FANOUT.search(command)
    return shlex.split(found[1]) if found else []


@pytest.fixture
def place(prepared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of it, with the files that the example reads."""
    here = tmp_path / "here"
    shutil.copytree(prepared, here, symlinks=True, ignore=shutil.ignore_patterns("made"))
    words = shlex.split(request.node.callspec.params["command"])
    for option, name in pairwise(words):
        if name.endswith((".fanout", ".json")) and option not in {"--json", "--picture", "--run-file", "-o"}:
            shutil.copy(made(prepared, name), here / name)
    return here


@pytest.mark.parametrize("name", ["fanout", *cli.commands])
def test_every_help_has_an_example(name: str) -> None:
    text = (cli if name == "fanout" else cli.commands[name]).help or ""

    assert "\b\n" in text
    assert commands_of(text.split("\b\n")[1])


@pytest.mark.spawns
@pytest.mark.parametrize("command", [each for each in HERE if not each.startswith("fanout serve")])
def test_an_example_runs(place: Path, command: str) -> None:
    program = command.split()[0]
    if program in OTHERS and not shutil.which(program):
        pytest.skip(f"{program} is not installed")

    sh(place, small(command))


@pytest.mark.spawns
@pytest.mark.parametrize("command", [each for each in HERE if each.startswith("fanout serve")])
def test_an_example_that_serves_until_it_is_told_to_stop(place: Path, command: str) -> None:
    command = re.sub(r" --port \d+", "", small(command))
    with subprocess.Popen(
        shlex.split(command), cwd=place, env=environment(place), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr
        said = server.stderr.readline()
        server.send_signal(signal.SIGINT)

        assert (server.wait(PATIENCE), "until Ctrl-C" in said) == (0, True)


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_a_command_that_fanout_takes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = words_of(command)
    if not words or "--compare" in words:  # of others; which is done where it is read, and needs its files
        return
    name, *rest = words

    context = cli.commands[name].make_context(name, rest)

    assert context.params


def test_a_command_that_fanout_does_not_take_would_be_noticed() -> None:
    with pytest.raises(click.NoSuchOption, match="--no-such-option"):
        cli.commands["run"].make_context("run", ["census", "--server", "sim:2", "--no-such-option"])


@pytest.mark.parametrize("words", ELSEWHERE)
def test_what_is_not_run_here_is_still_there(words: str) -> None:
    assert any(words in each for each in THERE)


def test_there_are_examples_to_look_at() -> None:
    assert len(HERE) > 30
