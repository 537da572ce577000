"""The built-in jobs over IMAP, run by workers on a real server; and what is left of them in the mailboxes: nothing."""

from __future__ import annotations

import imaplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import fanout
from tests.imap.dovecot import DOVECOT, MASTER, MISSING, PASSWORD, Dovecot, room, running
from tests.imap.mail import make
from workers.access import Access

pytestmark = [pytest.mark.skipif(DOVECOT is None, reason=MISSING), pytest.mark.spawns]

#: Folders as `tests.imap.mail` makes them, by their paths.
FOLDERS = {"Archüv", "Empty", "INBOX", "Projects/A & B", "Sent"}


@dataclass(frozen=True)
class Served:
    """A server, and what was put there."""

    server: Dovecot
    census: dict[str, dict[str, int]]

    @property
    def names(self) -> list[str]:
        return list(self.census)

    def run(self, job: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - a job's own
        found = fanout.run(
            job,
            server=self.server.url,
            mailboxes=self.names,
            workers=2,
            options=options,
            access=Access(user=MASTER, password=PASSWORD),
        )
        found.raise_for_failures()
        return {outcome.mailbox: outcome.result for outcome in found}

    def bodies(self, name: str) -> list[bytes]:
        """Every message of a mailbox, as it lies on the disk."""
        return sorted(path.read_bytes() for path in self._files() if name in path.parts)

    def marks(self) -> dict[str, list[str]]:
        """The flags of every message as IMAP tells them, and the files, whose folders and names tell them as well."""
        flags = {}
        for name in self.names:
            with imaplib.IMAP4("127.0.0.1", self.server.port) as client:
                client.login(f"{name}*{MASTER}", PASSWORD)
                client.select("INBOX", readonly=True)
                flags[name] = [str(row) for row in client.fetch("1:*", "(UID FLAGS)")[1]]
        return {**flags, "files": sorted(map(str, self._files()))}

    def _files(self) -> list[Path]:
        return [path for kind in ("cur", "new") for path in self.server.homes.rglob(f"{kind}/*")]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with room() as folder:
        census = make(folder / "homes", 12)
        with running(folder, list(census)) as server:
            yield Served(server, census)


def test_census_counts_what_was_put_there(served: Served) -> None:
    assert served.run("census") == served.census


def test_folders_lists_each_by_its_path_with_its_numbers(served: Served) -> None:
    found = served.run("folders")

    assert {frozenset(row["path"] for row in rows) for rows in found.values()} == {frozenset(FOLDERS)}
    for name, counted in served.census.items():
        sums = {key: sum(row[key] for row in found[name]) for key in ("messages", "bytes", "unread")}
        assert sums == {key: counted[key] for key in sums}


def test_logon_tells_how_many_folders_can_be_read(served: Served) -> None:
    assert served.run("logon") == {name: {"folders": len(FOLDERS)} for name in served.names}


def test_search_finds_a_message_in_each_mailbox_that_has_one(served: Served) -> None:
    found = served.run("search", subject="0.0", sender="jürgen")

    assert {name: [(row["folder"], row["subject"]) for row in rows] for name, rows in found.items()} == {
        name: [("INBOX", "0.0")] for name in served.names
    }


def test_save_writes_every_message_as_it_is(served: Served, tmp_path: Path) -> None:
    saved = served.run("save", directory=str(tmp_path))

    assert {name: each["new"] for name, each in saved.items()} == {
        name: each["messages"] for name, each in served.census.items()
    }
    for name in served.names:
        files = [path for path in tmp_path.rglob("*.eml") if name in path.parts]
        assert sorted(path.read_bytes() for path in files) == served.bodies(name)


@pytest.mark.parametrize("job", ["census", "folders", "logon", "search", "save"])
def test_no_job_marks_or_moves_a_message(served: Served, tmp_path: Path, job: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "search": {"body": "text"},
        "save": {"directory": str(tmp_path)},
        "census": {"newest": True},
    }
    before = served.marks()
    served.run(job, **options.get(job, {}))

    assert served.marks() == before
    assert "new" in {Path(each).parent.name for each in before["files"]}  # mail that nobody has seen


def test_without_names_the_command_says_where_they_come_from(served: Served, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    words = ["--server", served.server.url, "--user", MASTER, "--password-file", str(tmp_path / "password")]
    command = [sys.executable, "-m", "fanout", "mailboxes", *words]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    names = "\n".join(served.names)
    listed = subprocess.run(
        [*command, "--mailboxes-from", "-"], input=names, capture_output=True, text=True, check=True
    )

    assert refused.returncode == 2
    assert "doveadm user '*' | fanout run ... --mailboxes-from -" in refused.stderr
    assert listed.stdout.split() == served.names
