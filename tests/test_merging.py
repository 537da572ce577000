"""A merge function that a job brings: in workers, in the parent, in the run file, and when it is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import pytest

import fanout
from fanout import jobs
from fanout.errors import StoppedError, UsageError
from fanout.events import Keep
from fanout.merge import Merge
from fanout.roster import Roster
from fanout.runfile import RunFile
from fanout.summary import totals_in_words
from tests.fakes import STAMP, FakeLedger
from tests.test_visit import Scene, only_failure, ordinal_of, outcomes
from workers.causes import Cause
from workers.marks import marks_of
from workers.messages import FileJob, Found
from workers.totals import NOTHING, SUMS, Split, merging, written
from workers.visit import Terms

ROSTER = Roster(100, "a test", lambda ordinals: [f"user-{ordinal}" for ordinal in ordinals], numbered=True)

JOB = '''
import fanout

def longer(one, other):
    return max(one, other, key=lambda each: (len(each), each))

@fanout.job(merge=longer, conclude=lambda longest: {"longest": longest, "characters": len(longest)})
def longest(mailbox):
    """Finds the longest subject."""
    return max((message.subject for folder in mailbox.folders() for message in folder.messages()), default="")

def plain(mailbox):
    return 1

unseen = fanout.job(merge=longer)(plain)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "their_job.py").write_text(JOB)
    return tmp_path


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fanout", "run", *words, "--server", "sim:40?messages=5"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def maximum() -> Any:  # noqa: ANN401
    return merging(max, lambda total: {"most": total})


def test_what_is_merged_is_folded_in_any_grouping() -> None:
    totals = maximum()
    frames = [[3, 1], [], [9], [4, 2]]

    total = reduce(totals.add, map(totals.fold, frames), NOTHING)

    assert total == totals.fold([3, 1, 9, 4, 2]) == 9
    assert totals.told(total) == {"most": 9}
    assert (totals.fold([]), totals.told(NOTHING)) == (NOTHING, NOTHING)


def test_a_result_in_two_is_told_and_merged_apart() -> None:
    results = [Split(told="a", merged=2), Split(told="b", merged=5), 3]

    assert maximum().fold(results) == 5
    assert msgspec.json.Encoder(enc_hook=written).encode(results) == b'["a","b",3]'
    assert SUMS.fold(results) == 3


def test_what_json_can_not_say_is_still_refused() -> None:
    with pytest.raises(TypeError, match="object has no form in JSON"):
        written(object())


def test_a_job_says_how_it_is_merged() -> None:
    mark = fanout.job(merge=max)
    function = mark(lambda mailbox: len(mailbox.address))

    assert marks_of(function).totals.fold([1, 7, 2]) == 7
    assert marks_of(len).totals is SUMS
    with pytest.raises(TypeError, match="conclude without merge"):
        fanout.job(conclude=len)


def test_only_a_job_that_brings_a_merge_function_is_imported_by_the_parent(folder: Path) -> None:
    path = str(folder / "their_job.py")

    assert jobs.marks(FileJob(path, "plain")).totals is SUMS
    assert f"fanout job {path}" not in sys.modules
    assert jobs.marks(FileJob(path, "longest")).totals.fold(["a", "abc", "ab"]) == "abc"


def test_a_job_with_a_merge_function_that_can_not_be_imported_is_a_mistake(folder: Path) -> None:
    path = folder / "broken.py"
    path.write_text("import nothing_like_it, fanout\n@fanout.job(merge=max)\ndef job(mailbox): ...\n")

    with pytest.raises(UsageError, match=r"broken\.py can't be imported: ModuleNotFoundError"):
        jobs.marks(FileJob(str(path), "job"))


def keep(first: int, total: int) -> Keep:
    return Keep(0, Found(1, first, 1, b"{}\n", b"0"), 1, total)


def test_a_run_that_is_gone_on_with_merges_with_what_it_had(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "r.fanout") as file:
        merge = Merge(file, ROSTER, None, maximum())
        merge.accept(keep(0, 7), STAMP)
        merge.commit()
        assert file.facts()["totals"] == {"most": 7}

        again = Merge(file, ROSTER, None, maximum())
        again.accept(keep(1, 5), STAMP)

        assert again.total == {"most": 7}


def test_a_merge_function_that_raises_stops_the_run() -> None:
    merge = Merge(FakeLedger(), ROSTER, None, merging(lambda one, other: one / other))
    merge.accept(keep(0, 1), STAMP)

    with pytest.raises(StoppedError, match="the job's merge function raised ZeroDivisionError: division by zero"):
        merge.accept(keep(1, 0), STAMP)


@pytest.mark.spawns
@pytest.mark.parametrize(
    "words", [("-w", "1"), ("-w", "3", "--chunk-size", "1"), ("-w", "2", "--start-method", "spawn")]
)
def test_totals_by_a_merge_function_do_not_depend_on_workers_and_chunks(folder: Path, words: tuple[str, ...]) -> None:
    done = ran(folder, "their_job.py:longest", "--run-file", "r.fanout", "-o", "out.jsonl", *words)

    results = [json.loads(line)["result"] for line in (folder / "out.jsonl").read_text().splitlines()]
    longest = max(results, key=lambda each: (len(each), each))
    assert done.returncode == 0, done.stderr
    with RunFile.open(folder / "r.fanout") as file:
        assert file.facts()["totals"] == {"longest": longest, "characters": len(longest)}
    assert f"totals    {len(longest)} characters" in done.stderr
    assert longest in done.stderr


def test_a_merge_function_that_raises_in_a_worker_fails_the_mailbox() -> None:
    def picky(one: int, other: int) -> int:
        if 3 in {one, other}:
            raise ValueError("not three")
        return max(one, other)

    told = Scene(ordinal_of, terms=Terms(totals=merging(picky))).visit(5)

    assert outcomes(told) == [(0, 0), (1, 1), (2, 2), (3, Cause.RESULT), (4, 4)]
    assert "not three" in only_failure(told).error.message


@pytest.mark.spawns
def test_a_merge_function_that_the_source_does_not_show_is_a_mistake(folder: Path) -> None:
    done = ran(folder, "their_job.py:unseen", "--run-file", "r.fanout")

    assert done.returncode == 2
    assert "`@job(merge=...)` has to stand above the function" in done.stderr


@pytest.mark.spawns
def test_python_merges_by_a_function_of_its_own() -> None:
    @fanout.job(merge=max)
    def size(mailbox: Any) -> int:  # noqa: ANN401
        return sum(folder.size for folder in mailbox.folders())

    with fanout.run(size, server="sim:20?messages=3", workers=2) as found:
        assert found.totals == max(outcome.result for outcome in found)


def test_totals_are_said_by_numbers_in_a_line_and_rows_below() -> None:
    rows = [{"copies": 1200 - number, "in": ["anna", "bert"], "subject": "a, b"} for number in range(14)]

    lines = list(totals_in_words({"messages": 4000, "share": 0.5, "top": rows, "newest": "2026-01-31"}))

    assert lines[0] == "totals    4,000 messages, 0.5 share"
    assert "top       copies 1,200, in anna bert, subject a, b" in lines
    assert "top       and 2 more" in lines
    assert "newest    2026-01-31" in lines
    assert len(lines) == 1 + 12 + 1 + 1


@pytest.mark.parametrize(
    ("total", "lines"),
    [
        (None, []),
        ({}, []),
        (1234, ["total     1,234"]),
        ("abc", ["total     abc"]),
        ([3, "a"], ["total     3", "total     a"]),
    ],
)
def test_totals_of_any_kind_are_said(total: object, lines: list[str]) -> None:
    assert list(totals_in_words(total)) == lines
