"""`fanout serve` in one process, and the commands against it in others: all is as without a network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fanout.reproduce import NAMES, reproduce
from tests.test_cli import ENVIRONMENT
from workers.access import Access
from workers.article import Figure, Finding

pytestmark = pytest.mark.spawns

PASSWORD = "s3cret"
ACCESS = Access(user="admin@sim.example", password=PASSWORD)
ACCOUNT = ["--user", ACCESS.user]

#: As many mailboxes as every statement takes, and as little in them.
ARTICLE = "sim:300?folders=1&messages=2"

#: Statements that take thousands of requests: 10 s of CPU each.
LONG = {"S10", "S12"}

#: Units of what is measured, which no two runs have alike.
MEASURED = {"ms CPU", "KiB"}


@contextmanager
def serving(url: str, *words: str) -> Iterator[str]:
    """The server's URL; Ctrl-C ends it."""
    command = [sys.executable, "-m", "fanout", "serve", url, *words]
    environment = ENVIRONMENT | {"FANOUT_PASSWORD": PASSWORD}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
    assert process.returncode == 0
    assert "calls were answered" in told


def fanout(folder: Path, *words: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "fanout", *words],
        cwd=folder,
        env=ENVIRONMENT | {"FANOUT_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )


def found(folder: Path, *words: str) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What a run finds of each mailbox, without how long it took; and the mail that it saves."""
    done = fanout(folder, "run", *words, "-w", "2", "-o", "found.jsonl", "--run-file", "r.fanout")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (folder / "found.jsonl").read_text().splitlines()]
    for record in records:
        del record["seconds"]
    saved = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.eml")}
    return sorted(records, key=lambda record: str(record["mailbox"])), saved


@pytest.mark.parametrize(
    "job",
    [
        ["census", "-a", "newest=true"],
        ["folders"],
        ["search", "-a", "subject=re", "-a", "body=e"],
        ["save", "-a", "directory=mail"],
    ],
    ids=lambda job: job[0],
)
def test_a_run_finds_the_same(tmp_path: Path, job: list[str]) -> None:
    here = "sim:30?folders=3&messages=10"
    with serving(here, *ACCOUNT) as url:
        there = found(tmp_path / "there", *job, "--server", url, *ACCOUNT)

    assert there == found(tmp_path / "here", *job, "--server", here)
    assert len(there[0]) == 30
    assert bool(there[1]) == (job[0] == "save")


def test_a_list_of_names_and_dns_is_a_roster(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_bytes("Name;Mailbox\r\nB;u00000002@sim.example\r\nC;nobody@x\r\n".encode("utf-16"))
    words = ["run", "census", "--mailboxes-from", "names.csv", *ACCOUNT, "-o", "-", "-w", "1"]
    with serving("sim:5") as url:
        done = fanout(tmp_path, *words, "--server", url)

    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["mailbox"], first["ok"]) == ("u00000002@sim.example", True)
    assert (second["mailbox"], second["error"]["cause"]) == ("nobody@x", "missing")
    assert done.returncode == 1


def test_the_roster_says_what_it_does_not_list(tmp_path: Path) -> None:
    with serving("sim:3") as url:
        done = fanout(tmp_path, "mailboxes", "--server", url, *ACCOUNT)

    assert done.stdout.splitlines() == [f"u{number:08}@sim.example" for number in range(3)]
    assert "the address book of 127.0.0.1, which does not list mailboxes that are hidden from it" in done.stderr


def test_a_server_that_is_interrupted_at_once_ends_as_one_that_has_served() -> None:
    with serving("sim:3") as url:  # which looks at its exit code and its last words
        assert url.startswith("mapi+http://127.0.0.1:")


@pytest.fixture(scope="module")
def article() -> Iterator[str]:
    with serving(ARTICLE) as url:
        yield url


@pytest.mark.parametrize(
    "statement", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in NAMES]
)
def test_a_statement_of_the_article_holds_as_it_does_without_a_network(article: str, statement: str) -> None:
    [there] = reproduce([statement], article, ACCESS)
    [here] = reproduce([statement], ARTICLE)

    assert there.holds
    assert without_measures(there) == without_measures(here)


def without_measures(finding: Finding) -> tuple[object, ...]:
    figures = [each if each.unit not in MEASURED else Figure(each.what, 0, each.unit) for each in finding.figures]
    return finding.statement, finding.tried, finding.answers, figures, finding.holds, finding.why


def test_a_password_that_is_wrong_costs_one_sentence(tmp_path: Path) -> None:
    with serving("sim:3", *ACCOUNT) as url:
        for words in (["run", "census"], ["reproduce", "S2"]):
            done = fanout(tmp_path, *words, "--server", url, *ACCOUNT, password="another")

            (sentence,) = done.stderr.splitlines()
            assert sentence.startswith("fanout: the server refuses the account: ")
            assert (done.returncode, done.stdout) == (77, "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        ("mapi+http", "/other/emsmdb", "HTTP 404 Not Found: is MAPI over HTTP enabled there, at this path?"),
        ("mapi+https", "", "there is no TLS at that port"),
    ],
)
def test_a_server_that_cannot_be_spoken_to_costs_one_sentence(
    tmp_path: Path, begins: str, ends: str, said: str
) -> None:
    with serving("sim:3") as url:
        done = fanout(tmp_path, "run", "census", "--server", url.replace("mapi+http", begins) + ends, *ACCOUNT)

    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("fanout: the mailboxes can't be listed: ")
    assert said in sentence
    assert (done.returncode, done.stdout, os.listdir(tmp_path)) == (3, "", [])


def test_a_server_that_is_not_there_costs_one_sentence(tmp_path: Path, unused_port: int) -> None:
    done = fanout(tmp_path, "reproduce", "S2", "--server", f"mapi+http://127.0.0.1:{unused_port}", *ACCOUNT)

    (sentence,) = done.stderr.splitlines()
    assert f"127.0.0.1:{unused_port}: [Errno 111] Connection refused" in sentence
    assert done.returncode == 3
