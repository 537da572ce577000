"""A password stays in the memory of fanout's own processes: no file, no log, no traceback, no list of processes has it."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest

from tests.imap.scripts import scripted
from tests.mapi.http.webs import FaultyHandler, web
from workers.simulated.web import Account

pytestmark = pytest.mark.spawns

ROOT = Path(__file__).parent.parent
USER = "admin@sim.example"
NAMES = [f"u0000000{number}@sim.example" for number in range(4)]

#: A job that tells all that it can see; then it fails where its local variables might be told, or takes its worker with it.
SPY = """
import logging
import os
import subprocess
from pathlib import Path


def spy(mailbox):
    print(mailbox, mailbox.store, dict(os.environ))
    logging.getLogger().setLevel(logging.DEBUG)
    mailbox.folders()
    seen = [subprocess.run(["env"], capture_output=True, text=True).stdout]
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                seen.append((process / name).read_bytes().decode("latin-1"))
            except OSError:
                pass
    if mailbox.address.startswith("u00000001"):
        raise RuntimeError(repr(mailbox))
    if mailbox.address.startswith("u00000002"):
        os.abort()
    return seen
"""

#: The same job for every mailbox that is held open; who calls has the password, as a program of one's own has it.
FLEET = """
import sys
from pathlib import Path
import fanout
from job import spy
from workers.access import Access

server, user, file, *names = sys.argv[1:]
access = Access(user=user, password=Path(file).read_text().strip())
if __name__ == "__main__":
    with fanout.open_all(server=server, mailboxes=names, workers=2, access=access) as fleet:
        print(fleet, access)
        for outcome in fleet.map(spy):
            print(outcome)
        fleet.submit(spy, names[0]).result()
        fleet.call(spy, names[1])
"""

FOLDERS = '* LIST () "." INBOX\r\n* STATUS INBOX (MESSAGES 2 UNSEEN 1 SIZE 300)\r\n{tag} OK done'


class Place:
    """Where a program runs and leaves files; what it is told in secret lies elsewhere."""

    def __init__(self, around: Path) -> None:
        self.secret = f"correct-horse-{token_hex(8)}"  # another one for each test: they see each other's processes
        self.folder, self.temporary, self.private = around / "here", around / "temporary", around / "private"
        for each in (self.folder, self.temporary, self.private):
            each.mkdir()
        (self.folder / "job.py").write_text(SPY)
        self.file = self.private / "secret"
        self.file.write_text(f"{self.secret}\n")
        self.file.chmod(0o600)

    def words(self, way: str) -> list[str]:
        """The options that say where the secret is."""
        if way == "keyring":
            told = f"def get_password(service, user):\n    return open({str(self.file)!r}).read().strip()\n"
            (self.private / "keyring.py").write_text(told)
        return {
            "environment": [],
            "file": ["--password-file", str(self.file)],
            "command": ["--password-command", f"cat {self.file}"],
            "keyring": ["--password-keyring", "mail"],
            "token": ["--token-command", f"cat {self.file}"],
        }[way]

    def run(self, *words: str, way: str = "") -> subprocess.CompletedProcess[str]:
        """Python with these words, where a crash may leave a core dump."""
        environment = os.environ | {"PYTHONPATH": f"{self.private}:{ROOT}", "TMPDIR": str(self.temporary)}
        return subprocess.run(
            ["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", sys.executable, *words],
            cwd=self.folder,
            env=environment | ({"FANOUT_PASSWORD": self.secret} if way == "environment" else {}),
            capture_output=True,
            text=True,
            check=False,
        )

    def traces(self, done: subprocess.CompletedProcess[str]) -> list[str]:
        """Where the secret is to be seen, as it is or within base64."""
        left = {"output": (done.stdout + done.stderr).encode()}
        for folder in (self.folder, self.temporary):
            left |= {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return [name for name, content in left.items() if any(each in content for each in shapes(self.secret))]


def shapes(secret: str) -> list[bytes]:
    """The secret, and what it becomes within base64, wherever it begins; the letters that its neighbours change are left out."""
    coded = [b64encode(b"\0" * before + secret.encode()) for before in range(3)]
    return [secret.encode(), *(each[4 if before else 0 : -4] for before, each in enumerate(coded))]


@contextmanager
def serving(kind: str, secret: str) -> Iterator[str]:
    if kind == "mapi":
        with web("sim:4", account=Account(USER, secret)) as server:
            yield server.url
    else:
        answers: dict[str, str | list[str]] = {"LIST": FOLDERS, "AUTHENTICATE": "+ "}
        with scripted(answers, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] ready") as script:
            yield f"imap://127.0.0.1:{script.port}"
        assert any(each in command.encode() for command in script.heard for each in shapes(secret))


def bearer(handler: FaultyHandler) -> str | None:
    """Who it is that brings the token."""
    return USER if handler.headers.get("Authorization") == f"Bearer {handler.server.account.password}" else None


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        *(("mapi", way) for way in ("environment", "file", "command", "keyring", "token")),
        *(("imap", way) for way in ("environment", "token")),
    ],
)
def test_a_run_leaves_its_secret_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, way: str) -> None:
    place = Place(tmp_path)
    (place.folder / "names.txt").write_text("\n".join(NAMES))
    if way == "token":
        monkeypatch.setattr(FaultyHandler, "_user", bearer)
    chosen = ["--mailboxes-from", "names.txt", "--user", USER, *place.words(way), "-w", "2", "--retries", "0"]
    with serving(kind, place.secret) as url:
        command = ["run", "job.py:spy", "--server", url, *chosen, "-o", "found.jsonl", "--run-file", "r.fanout"]
        done = place.run("-m", "fanout", *command, way=way)

    assert done.stderr.splitlines()[-1] == "2 done, 2 failed, of 4"
    assert {path.name for path in place.folder.iterdir()} >= {"found.jsonl", "r.fanout"}
    assert "--run-file" in (place.folder / "found.jsonl").read_text()  # the job did see other processes
    assert place.traces(done) == []


@pytest.mark.parametrize("kind", ["mapi", "imap"])
def test_a_fleet_leaves_its_secret_nowhere(tmp_path: Path, kind: str) -> None:
    place = Place(tmp_path)
    (place.folder / "fleet.py").write_text(FLEET)
    with serving(kind, place.secret) as url:
        done = place.run("fleet.py", url, USER, str(place.file), *NAMES)

    assert done.stderr.splitlines()[-1].startswith(f"fanout.fleet.fleet.CallError: {NAMES[1]}")
    assert f"<Access: {USER}>" in done.stdout
    assert place.traces(done) == []


@pytest.mark.parametrize("command", [["run", "census", "--run-file", "r.fanout"], ["reproduce", "S2"]])
def test_a_password_that_is_refused_is_told_of_without_it(tmp_path: Path, command: list[str]) -> None:
    place = Place(tmp_path)
    with web("sim:3", account=Account(USER, "another")) as server:
        done = place.run("-m", "fanout", *command, "--server", server.url, "--user", USER, way="environment")

    assert done.returncode == 77
    assert "refuses the account" in done.stderr
    assert place.traces(done) == []
    assert [path.name for path in place.folder.iterdir()] == ["job.py"]


def test_the_look_finds_what_it_looks_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "plain").write_text(f"a {place.secret} b")
    (place.temporary / "coded").write_bytes(b64encode(f"user:{place.secret}".encode()))
    done = place.run("-c", f"print({place.secret!r})")

    assert place.traces(done) == ["output", "plain", "coded"]
