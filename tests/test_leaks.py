"""A leaky job, as its author meets it: on the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import fanout
from fanout import UsageError
from fanout.leaks import LeakCount, LeakLine, in_words
from tests.test_cli import fanout as command
from tests.test_cli import records
from workers.messages import Leak, Leaked

LEAKY = '''"""How many messages are in each inbox."""

from workers.mapi.properties import PR_SUBJECT_W


def count(mailbox):
    store = mailbox.store
    inbox = store.receive_folder()
    table = inbox.get_contents_table()
    table.set_columns((PR_SUBJECT_W,))
    found = 0
    while rows := table.query_rows(50):
        found += len(rows)
    inbox.release()
    return found
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audit.py").write_text(LEAKY)
    return tmp_path


@pytest.mark.spawns
def test_a_leaky_job_is_told_the_line_to_mend(folder: Path) -> None:
    server = "sim:400?folders=1&messages=5"
    done = command(folder, "run", "audit.py:count", "--server", server, "-w", "2", "--run-file", "r.fanout")

    told = f"leaked    400 IMAPITable in 400 mailboxes, obtained at {folder}/audit.py:9 in count"
    assert done.returncode == 0
    assert told in done.stderr.splitlines()
    assert told in command(folder, "show", "r.fanout").stdout.splitlines()
    one = command(folder, "show", "r.fanout", "u00000007@sim.example").stdout.splitlines()
    assert f"leaked    1 IMAPITable, obtained at {folder}/audit.py:9 in count, on logon index 0" in one


@pytest.mark.spawns
def test_a_leaky_job_fails_its_mailboxes_where_that_is_asked_for(folder: Path) -> None:
    words = (
        "run",
        "audit.py:count",
        "--server",
        "sim:3",
        "-o",
        "r.jsonl",
        "--on-leak",
        "fail",
        "--run-file",
        "r.fanout",
    )
    done = command(folder, *words)

    assert done.returncode == 1
    assert "failed    3 leak" in done.stderr.splitlines()
    (error,) = {str(record["error"]) for record in records((folder / "r.jsonl").read_text())}
    assert "which hold logon index 0: 1 IMAPITable obtained at" in error


@pytest.mark.spawns
@pytest.mark.parametrize("on_leak", ["reclaim", "warn"])
@pytest.mark.parametrize("concurrency", [1, 20])
def test_many_more_mailboxes_than_there_are_indexes_are_done_by_a_leaky_job(on_leak: str, concurrency: int) -> None:
    found = fanout.run(
        lambda mailbox: mailbox.store.receive_folder() and 1,
        server="sim:1500",
        workers=2,
        on_leak=on_leak,
        concurrency=concurrency,
    )

    assert found.totals == 1500
    (line,) = found.leaks
    assert (line.kind, line.interfaces, line.mailboxes) == ("IMAPIFolder", 1500, 1500)


@pytest.mark.spawns
def test_an_unknown_way_to_treat_leaks_is_refused() -> None:
    with pytest.raises(UsageError, match="on_leak='ignore': it is reclaim, fail or warn"):
        fanout.run("census", server="sim:1", on_leak="ignore")


def test_leaks_of_one_line_are_added_up_and_the_worst_comes_first() -> None:
    count = LeakCount()
    count.add(Leaked(0, [Leak("IMAPITable", 1, "a.py", 3, "job", 0), Leak("IMAPIFolder", 2, "a.py", 2, "job", 0)]))
    count.add(Leaked(1, [Leak("IMAPIFolder", 2, "a.py", 2, "job", 0)]))

    assert count.lines() == [
        LeakLine("IMAPIFolder", "a.py", 2, "job", 4, 2),
        LeakLine("IMAPITable", "a.py", 3, "job", 1, 1),
    ]
    assert list(in_words(count.lines(), shown=1)) == [
        "leaked    4 IMAPIFolder in 2 mailboxes, obtained at a.py:2 in job",
        "          and more, see fanout show",
    ]
