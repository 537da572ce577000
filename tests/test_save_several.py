"""`save` in a run over several servers that have mailboxes of the same names."""

from __future__ import annotations

import mailbox as mailboxes
from pathlib import Path

import pytest

from tests.test_cli import fanout, records
from tests.test_save_mbox import holding
from workers.jobs.save import file_name, save
from workers.own_server import work_for

#: Where they have mailboxes of one name these hold the same mail: one of them is only longer.
ONE = "sim:4?messages=5"
TWO = "sim:5?messages=5"


@pytest.fixture
def of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.own_server._Own.server", None)  # it is put back behind the test


@pytest.mark.usefixtures("of_two")
def test_a_mailbox_is_saved_below_its_server_where_there_are_several(tmp_path: Path) -> None:
    told = []
    for server in (ONE, TWO, None):
        work_for(server)
        told.append(save(holding(b"Subject: one\n\n1\n"), directory=tmp_path, format="mbox")["new"])

    assert told == [2, 2, 2]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("Inbox.mbox")) == [
        "anna@example.org/Inbox.mbox",
        "sim%3A4%3Fmessages%3D5/anna@example.org/Inbox.mbox",
        "sim%3A5%3Fmessages%3D5/anna@example.org/Inbox.mbox",
    ]


def messages_in(path: Path) -> int:
    """How many a saved file holds, as Python reads it."""
    if path.suffix == ".eml":
        return 1
    found = mailboxes.mbox(path, create=False)
    try:
        return len(found)
    finally:
        found.close()


@pytest.mark.spawns
@pytest.mark.parametrize("kind", ["eml", "mbox"])
def test_as_many_messages_are_saved_of_each_server_as_it_has(tmp_path: Path, kind: str) -> None:
    words = ["-a", "directory=mail", "-a", f"format={kind}", "--server", ONE, "--server", TWO]
    done = fanout(tmp_path, "run", "save", *words, "-w", "1", "-q", "-o", "-")

    has = {ONE: 0, TWO: 0}
    for record in records(done.stdout):
        has[str(record["server"])] += record["result"]["messages"]  # type: ignore[index]
    assert done.returncode == 0
    assert min(has.values()) > 0
    saved = {
        server: sum(messages_in(path) for path in (tmp_path / "mail" / file_name(server)).rglob(f"*.{kind}"))
        for server in (ONE, TWO)
    }
    assert saved == has
    assert {path.name for path in (tmp_path / "mail").iterdir()} == {file_name(ONE), file_name(TWO)}
