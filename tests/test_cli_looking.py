"""The commands over run files, in this process: nothing of them starts a worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fanout import facts
from fanout.cli import cli
from fanout.conduct import Mailboxes, Task, Workforce
from fanout.errors import UsageError
from fanout.roster import Roster
from fanout.runfile import RunFile
from tests.fakes import STAMP
from workers.messages import Found, ModuleJob


def make(path: Path, results: list[dict[str, int]], job: str = "census") -> Path:
    """A finished run over as many mailboxes as there are results, from u0 on."""
    names = [f"u{number}" for number in range(len(results))]
    roster = Roster(len(names), "a test", lambda ordinals: names[ordinals.start : ordinals.stop], numbered=True)
    lines = b"".join(
        json.dumps({"mailbox": name, "ok": True, "result": result, "attempts": 1, "seconds": 0.5}).encode() + b"\n"
        for name, result in zip(names, results, strict=True)
    )
    task = Task(ModuleJob(f"workers.jobs.{job}", job))
    with RunFile.create(path) as file:
        facts.begin(file, facts.Intent(Mailboxes(f"null:{len(names)}"), Workforce(1), task), roster)
        file.keep(Found(1, 0, len(names), lines, b"null"), 1, STAMP)
        file.standing({"messages": sum(each["messages"] for each in results)}, None)
    return path


def look(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_the_run_files_of_a_folder_are_listed_with_what_they_came_to(tmp_path: Path) -> None:
    make(tmp_path / "a.fanout", [{"messages": 1}, {"messages": 2}])
    (tmp_path / "b.fanout").write_text("no run file")

    found = look("runs", tmp_path)

    assert found.exit_code == 0
    header, row = found.stdout.splitlines()
    assert header.split() == ["run", "file", "job", "server", "begun", "done", "failed", "of", "state"]
    assert row.split()[:3] == ["a.fanout", "census", "null:2"]
    assert row.split()[-4:] == ["2", "0", "2", "finished"]
    assert f"no run file can be read here: {tmp_path / 'b.fanout'}" in found.stderr
    assert found.stderr.splitlines()[-1] == f"1 run in {tmp_path}"


def test_runs_of_what_is_no_folder_is_a_mistake(tmp_path: Path) -> None:
    found = look("runs", tmp_path / "nowhere")

    assert isinstance(found.exception, UsageError)
    assert str(found.exception) == f"this is no folder: {tmp_path / 'nowhere'}"


def test_a_diff_tells_what_changed_side_by_side_and_sums_up(tmp_path: Path) -> None:
    before = make(tmp_path / "a.fanout", [{"messages": 1}, {"messages": 2}])
    after = make(tmp_path / "b.fanout", [{"messages": 1}, {"messages": 5}, {"messages": 7}])

    found = look("diff", before, after)

    assert found.stdout.splitlines() == ["u1\tchanged\tmessages 2 -> 5 (+3)", 'u2\tnew\t{"messages":7}']
    assert found.stderr.splitlines() == [
        "totals  messages 3 -> 13 (+10)",
        "1 new, 0 gone, 1 changed, 0 failed, 0 mended, 1 same",
    ]


def test_runs_of_different_jobs_are_not_compared(tmp_path: Path) -> None:
    before = make(tmp_path / "a.fanout", [{"messages": 1}])
    after = make(tmp_path / "b.fanout", [{"messages": 1}], job="folders")

    found = look("diff", before, after)

    assert isinstance(found.exception, UsageError)
    assert "different jobs" in str(found.exception)


def test_the_slowest_mailboxes_are_named_the_slowest_first(tmp_path: Path) -> None:
    lines = b"".join(
        b'{"mailbox":"u%d","ok":true,"result":1,"attempts":1,"seconds":%d}\n' % (number, seconds)
        for number, seconds in enumerate([1, 9, 4])
    )
    with RunFile.create(tmp_path / "a.fanout") as file:
        file.keep(Found(1, 0, 3, lines, b"3"), 1, STAMP)

    found = look("show", tmp_path / "a.fanout", "--slowest", "2")

    assert found.stdout.splitlines() == ["u1\t9.000 s\tdone", "u2\t4.000 s\tdone"]


def test_what_is_read_of_a_run_at_work_is_of_one_moment(tmp_path: Path) -> None:
    line = b'{"mailbox":"u%d","ok":true,"result":1,"attempts":1,"seconds":0.5}\n'
    with RunFile.create(tmp_path / "a.fanout") as file:
        file.keep(Found(1, 0, 1, line % 0, b"1"), 1, STAMP)
        file.commit()
        with RunFile.open(tmp_path / "a.fanout") as reader:
            with reader.standing_still():
                before = reader.counts()
                file.keep(Found(1, 1, 1, line % 1, b"1"), 1, STAMP)
                file.commit()
                meanwhile = reader.counts()
            after = reader.counts()

    assert (before, meanwhile, after) == ((1, 0), (1, 0), (2, 0))


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_run_is_exported_as_a_table_and_a_file_that_is_there_is_kept(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    run = make(tmp_path / "a.fanout", [{"messages": 1}])
    first = look("export", run, "-o", tmp_path / name)
    again = look("export", run, "-o", tmp_path / name)
    forced = look("export", run, "-o", tmp_path / name, "--force")

    assert (first.exit_code, forced.exit_code) == (0, 0)
    assert str(again.exception) == f"-o {tmp_path / name}: the file is there already; --force replaces it"
