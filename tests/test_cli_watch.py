"""A run as it is seen on a terminal, by whoever runs it and by whoever watches it from elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pyte
import pytest
from click.testing import CliRunner

from fanout.cli import cli
from fanout.cli.watching import progress_of
from fanout.errors import FanoutError
from fanout.liveview import LiveView
from fanout.progress import Lines, Progress, Silent
from fanout.roster import Roster
from fanout.runfile import RunFile

ROOT = Path(__file__).parent.parent

#: Seconds after which a test gives up on what should be seen.
LIMIT = 60.0

#: What is told to stderr when it is imported; at one mailbox it waits to be let on.
JOB = """
import pathlib, sys, threading
sys.stderr.write("imported\\x1b[2J here\\n")
def job(mailbox):
    while mailbox.address == "null-00000007" and not pathlib.Path("go").exists():
        threading.Event().wait(0.005)
"""

RUN = ("run", "job.py:job", "--server", "null:20", "-w", "2", "--chunk-size", "5", "--run-file", "a.fanout")

ROSTER = Roster(20, "a test", lambda ordinals: [f"user-{n}" for n in ordinals], numbered=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path


@pytest.fixture
def folder_for_all() -> Iterator[Path]:
    """The same, where other accounts can enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    (path / "job.py").write_text(JOB)
    yield path
    shutil.rmtree(path)


class Seen:
    """`fanout` with some words, whose stdout and stderr are a terminal of 80 columns and 24 lines."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""
        self._end, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fanout", *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Until that stands on the terminal."""
        while text not in self.text:
            assert self._read(), f"{text!r} was never seen, only:\n{self.text}"

    def end(self) -> int:
        """Until the process has ended; its exit code."""
        with suppress(OSError):  # which is how a terminal ends that nobody holds any more
            while self._read():
                pass
        os.close(self._end)
        return self.process.wait(LIMIT)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def _read(self) -> bytes:
        assert select.select([self._end], [], [], LIMIT)[0], f"nothing came any more:\n{self.text}"
        data = os.read(self._end, 2**16)
        self.written += data
        self._stream.feed(data)
        return data


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fanout", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


# how whoever runs something is shown where it stands


class Stream(io.StringIO):
    """A stderr that is a terminal, or is not."""

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool) -> None:
        super().__init__()
        self._encoding = encoding
        self._is_terminal = is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has it as an attribute
        return self._encoding

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("term", "is_terminal", "kind"),
    [("xterm", True, LiveView), ("xterm", False, Lines), ("dumb", True, Lines), ("", True, Lines)],
)
def test_a_view_is_for_a_terminal_that_can_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str, *, is_terminal: bool, kind: type[Progress]
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", Stream(is_terminal=is_terminal))
    with RunFile.create(tmp_path / "a.fanout") as file, progress_of(file, ROSTER, quiet=False) as progress:
        assert type(progress) is kind


def test_a_terminal_that_lacks_the_letters_of_the_view_is_told_in_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Stream("ascii", is_terminal=True))
    with RunFile.create(tmp_path / "a.fanout") as file, progress_of(file, ROSTER, quiet=False) as progress:
        assert type(progress) is Lines


def test_who_wants_to_see_nothing_sees_no_view_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Stream(is_terminal=True))
    with RunFile.create(tmp_path / "a.fanout") as file, progress_of(file, ROSTER, quiet=True) as progress:
        assert type(progress) is Silent


@pytest.mark.spawns
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_run_on_a_terminal_shows_a_view_of_which_nothing_is_left(
    folder: Path, variables: dict[str, str], *, coloured: bool
) -> None:
    seen = Seen(folder, *RUN, **variables)
    seen.wait_for("null-00000007")
    text = seen.text
    (folder / "go").touch()

    code = seen.end()

    assert code == 0
    assert text.splitlines()[:3] == ["imported\ufffd[2J here", "run file: a.fanout", "job of null:20"]
    assert re.search(r"^worker +pid +open", text, re.MULTILINE)
    assert bool(re.search(rb"\x1b\[[\d;]*3\dm", seen.written)) is coloured
    assert seen.text.splitlines() == ["imported\ufffd[2J here", "run file: a.fanout", "20 done, 0 failed, of 20"]


@pytest.mark.spawns
def test_an_interrupt_is_answered_in_the_view(folder: Path) -> None:
    seen = Seen(folder, *RUN, "-w", "1")
    seen.wait_for("null-00000007")
    seen.process.send_signal(signal.SIGINT)
    seen.wait_for("interrupted: the mailboxes under way are finished;")
    (folder / "go").touch()

    assert seen.end() == 128 + signal.SIGINT
    assert "to go on with it: fanout resume a.fanout" in seen.text


# watch


@pytest.fixture
def going_on(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A run that waits at a mailbox, in the test's folder, where a file `go` lets it on."""
    folder = request.getfixturevalue("folder_for_all" if "folder_for_all" in request.fixturenames else "folder")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "fanout", *RUN, "-q"], cwd=folder, env=environment)
    yield process
    (folder / "go").touch()
    assert process.wait(LIMIT) == 0


@pytest.mark.spawns
def test_a_run_is_watched_on_another_terminal_until_it_ends(folder: Path, going_on: subprocess.Popen[bytes]) -> None:
    wait_until_begun(folder)
    seen = Seen(folder, "watch", "a.fanout")
    seen.wait_for("null-00000007")
    (folder / "go").touch()
    ran = going_on.wait(LIMIT)

    assert (ran, seen.end()) == (0, 0)
    assert seen.text.splitlines() == ["the run has ended", "20 done, 0 failed, of 20"]
    assert [path.name for path in folder.glob("a.fanout*")] == ["a.fanout"]


@pytest.mark.spawns
def test_a_run_is_watched_into_a_pipe_in_lines(folder: Path, going_on: subprocess.Popen[bytes]) -> None:
    wait_until_begun(folder)
    command = [sys.executable, "-m", "fanout", "watch", "a.fanout"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        (folder / "go").touch()
        rest = watching.stdout.read()

    assert going_on.wait(LIMIT) == 0
    assert re.fullmatch(r"\d+ done, 0 failed, of 20\n", first)
    assert rest.splitlines()[-2:] == ["the run has ended", "20 done, 0 failed, of 20"]
    assert watching.returncode == 0


@pytest.mark.spawns
@pytest.mark.usefixtures("going_on")
def test_whoever_stops_watching_stops_nothing_else(folder: Path) -> None:
    wait_until_begun(folder)
    seen = Seen(folder, "watch", "a.fanout")
    seen.wait_for("null-00000007")
    seen.process.send_signal(signal.SIGINT)

    assert seen.end() == 128 + signal.SIGINT
    assert seen.text == ""


@pytest.mark.spawns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_another_account_watches_that_may_read_and_not_write(
    folder_for_all: Path, going_on: subprocess.Popen[bytes]
) -> None:
    wait_until_begun(folder_for_all)
    for path in folder_for_all.glob("a.fanout*"):
        path.chmod(0o644)
    theirs, ours = os.pipe()
    watching = os.fork()
    if not watching:
        watch_as(65534, folder_for_all / "a.fanout", ours)
    os.close(ours)
    with os.fdopen(theirs) as said:
        first = said.readline()
        (folder_for_all / "go").touch()
        rest = said.read()

    assert (os.waitpid(watching, 0)[1], going_on.wait(LIMIT)) == (0, 0)
    assert re.fullmatch(r"\d+ done, 0 failed, of 20\n", first)
    assert rest.splitlines()[-1] == "20 done, 0 failed, of 20"


def watch_as(account: int, path: Path, output: int) -> NoReturn:
    """Watch into a pipe, as another account, and end this process."""
    os.setgroups([])
    os.setgid(account)
    os.setuid(account)
    with os.fdopen(output, "w") as sys.stdout:
        try:
            assert not os.access(path, os.W_OK)
            cli(["watch", str(path)], standalone_mode=False)
        except BaseException as error:  # noqa: BLE001 - the test sees it
            sys.stdout.write(repr(error))
    os._exit(0)


def wait_until_begun(folder: Path) -> None:
    """Until a worker of the run is known to be at the mailbox that it waits at."""
    while 7 not in ordinals(folder / "a.fanout"):
        select.select([], [], [], 0.02)


def ordinals(path: Path) -> set[int | None]:
    """The mailboxes that workers are at, as far as that is known yet."""
    try:
        with RunFile.open(path) as file:
            return {standing.ordinal for standing in file.musters.standings()}
    except FanoutError:  # it is being made
        return set()


@pytest.mark.spawns
def test_a_run_that_was_killed_is_said_to_be_and_how_to_go_on_with_it(folder: Path) -> None:
    seen = Seen(folder, *RUN)
    seen.wait_for("null-00000007")
    seen.process.kill()
    seen.end()

    watched = run(folder, "watch", "a.fanout")

    assert watched.returncode == 0
    words, go_on, verdict = watched.stdout.splitlines()
    assert words == "nobody works on the run: it was killed, or the power failed"
    assert go_on == "to go on with it: fanout resume a.fanout"
    assert re.fullmatch(r"\d+ done, 0 failed, of 20", verdict)


def test_what_is_no_run_file_can_not_be_watched(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["watch", str(tmp_path / "nowhere.fanout")])

    assert "no run file can be read here" in str(found.exception)
