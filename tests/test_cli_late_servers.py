"""Servers that do not answer when a run over several begins, as a user has it.

The second server is frozen: its system takes connections, and nobody answers. Each test lets it go on, or end, when the first
server's mailboxes are all done: that they are says that nobody was held up.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mapi.http.test_served import PASSWORD, serving
from tests.test_cli import ENVIRONMENT, fanout, records

pytestmark = pytest.mark.spawns

FIRST = "sim:30?messages=3"
SECOND = "sim:20?messages=3&seed=2"

USER = ("--user", "admin@sim.example")
ACCOUNT = (*USER, "--password-file", "password")
FEW = ("-w", "1", "-q")


@dataclass
class Frozen:
    """A server that is stopped."""

    url: str
    process: subprocess.Popen[str]

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def frozen(url: str = SECOND) -> Iterator[Frozen]:
    command = [sys.executable, "-m", "fanout", "serve", url, *USER]
    environment = ENVIRONMENT | {"FANOUT_PASSWORD": PASSWORD}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[0]
        process.send_signal(signal.SIGSTOP)
        try:
            yield Frozen(url, process)
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    return tmp_path


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "fanout", *words, *FEW]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def beginning(url: str) -> list[str]:
    return ["run", "census", "--server", url, "--server", FIRST, *ACCOUNT, "--run-file", "r.fanout", "-o", "all.jsonl"]


def wait_for(path: Path, count: int, run: subprocess.Popen[str], text: str = "\n") -> None:
    """Until so many records are in a file, or so many with a text, while the run goes on."""
    while not path.exists() or path.read_text().count(text) < count:
        with suppress(subprocess.TimeoutExpired):
            run.wait(0.05)
        assert run.returncode is None


def said(run: subprocess.Popen[str]) -> list[str]:
    """What a run says until its end."""
    assert run.stderr is not None
    return run.stderr.read().splitlines()


def visited(folder: Path) -> Counter[object]:
    """How many mailboxes of which server are in the records; each stands there once."""
    found = records((folder / "all.jsonl").read_text())
    assert len({(record["server"], record["mailbox"]) for record in found}) == len(found)
    return Counter(record["server"] for record in found)


def test_a_server_that_answers_late_joins_the_run_and_has_held_up_nobody(folder: Path) -> None:
    with frozen() as server, running(folder, *beginning(server.url)) as run:
        wait_for(folder / "all.jsonl", 30, run)
        server.thaw()
        lines = said(run)

    assert (run.returncode, lines[-1]) == (0, "50 done, 0 failed, of 50")
    assert f"awaited: {server.url}: it joins the run when it has answered" in lines
    assert f"joined: {server.url}: 20 mailboxes" in lines
    assert visited(folder) == {server.url: 20, FIRST: 30}
    shown = fanout(folder, "show", "r.fanout").stdout.splitlines()
    assert f"server    {server.url}: 20 done, 0 failed, of 20" in shown
    assert f"server    {FIRST}: 30 done, 0 failed, of 30" in shown
    assert "roster    listed by 2 servers" in shown


def test_a_server_that_never_answers_is_left_out_and_a_resume_takes_it_in(folder: Path) -> None:
    with frozen() as server, running(folder, *beginning(server.url)) as run:
        wait_for(folder / "all.jsonl", 30, run)
        server.die()
        lines = said(run)

    assert (run.returncode, lines[-1]) == (3, "30 done, 0 failed, of 30 and those of 1 server not listed yet")
    assert any(line.startswith(f"left out: {server.url}: the mailboxes can't be listed: ") for line in lines)
    port = server.url.split(":")[2].split("/")[0]
    with serving(SECOND, "--port", port, *USER):
        again = fanout(folder, "resume", "r.fanout", *FEW, *ACCOUNT[2:])
    assert (again.returncode, again.stderr.splitlines()[-1]) == (0, "50 done, 0 failed, of 50")
    assert visited(folder) == {server.url: 20, FIRST: 30}


def test_a_run_that_is_killed_while_a_server_is_awaited_is_gone_on_with_on_both(folder: Path) -> None:
    with frozen() as server:
        with running(folder, *beginning(server.url)) as killed:
            wait_for(folder / "all.jsonl", 1, killed)
            killed.kill()
        with running(folder, "resume", "r.fanout", *ACCOUNT[2:]) as run:
            wait_for(folder / "all.jsonl", 30, run)
            server.thaw()
            lines = said(run)

    assert (run.returncode, lines[-1]) == (0, "50 done, 0 failed, of 50")
    assert visited(folder) == {server.url: 20, FIRST: 30}


def test_a_server_that_is_silent_when_a_run_is_gone_on_with_keeps_its_mailboxes_and_holds_up_nobody(
    folder: Path,
) -> None:
    """It was listed when the run began, so that its mailboxes are known."""
    with frozen() as server:
        server.thaw()
        with running(folder, *beginning(server.url)[:-2], "-o", "first.jsonl", "--rate", "4/s") as killed:
            wait_for(folder / "first.jsonl", 1, killed)
            killed.kill()
        server.process.send_signal(signal.SIGSTOP)
        with running(folder, "resume", "r.fanout", *ACCOUNT[2:]) as run:
            wait_for(folder / "first.jsonl", 30, run)
            server.thaw()
            lines = said(run)

    assert (run.returncode, lines[-1]) == (0, "50 done, 0 failed, of 50")
    assert f"joined: {server.url}: 20 mailboxes" in lines


def test_a_server_that_is_silent_when_nothing_of_it_is_left_is_not_waited_for(folder: Path) -> None:
    with frozen("sim:1?messages=3") as server:
        server.thaw()
        with running(folder, *beginning(server.url), "--rate", "4/s") as stopped:
            wait_for(folder / "all.jsonl", 1, stopped, server.url)
            stopped.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGSTOP)
        with running(folder, "resume", "r.fanout", *ACCOUNT[2:]) as run:
            lines = said(run)

    assert (run.returncode, lines[-1]) == (0, "31 done, 0 failed, of 31")
    assert [line for line in lines if server.url in line] == [f"server    {server.url}: 1 done, 0 failed, of 1"]
    assert visited(folder) == {server.url: 1, FIRST: 30}


def test_an_interrupt_does_not_wait_for_a_server_that_does_not_answer(folder: Path) -> None:
    with frozen() as server, running(folder, *beginning(server.url)) as run:
        wait_for(folder / "all.jsonl", 30, run)
        run.send_signal(signal.SIGINT)
        lines = said(run)

    assert (run.returncode, lines[-1]) == (130, "30 done, 0 failed, of 30 and those of 1 server not listed yet")
    assert f"server    {server.url}: not listed yet, its mailboxes are not known" in lines


def test_a_shard_is_merged_when_each_server_has_been_listed(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    down = f"mapi+http://127.0.0.1:{port}/mapi/emsmdb"
    words = ["run", "census", "--server", down, "--server", FIRST, *ACCOUNT, *FEW]
    shards = ["merge", "1.fanout", "2.fanout", "-o", "merged.fanout"]

    fanout(folder, *words, "--shard", "1/2", "--run-file", "1.fanout")
    with serving(SECOND, "--port", str(port), *USER):
        fanout(folder, *words, "--shard", "2/2", "--run-file", "2.fanout")
        refused = fanout(folder, *shards)
        fanout(folder, "resume", "1.fanout", *FEW, *ACCOUNT[2:])
        merged = fanout(folder, *shards)

    assert refused.returncode == 2
    assert f"nobody knows yet which mailboxes are on {down}: 1.fanout; fanout resume lists them" in refused.stderr
    assert (merged.returncode, merged.stderr.splitlines()[-1]) == (0, "50 done, 0 failed, of 50")
    exported = records(fanout(folder, "export", "merged.fanout", "-o", "-").stdout)
    order = [(record["server"], record["mailbox"]) for record in exported]
    assert order == [(down, f"u{n:08}@sim.example") for n in range(20)] + [
        (FIRST, f"u{n:08}@sim.example") for n in range(30)
    ]
