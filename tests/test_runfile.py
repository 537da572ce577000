from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout.errors import StoppedError, UsageError
from fanout.ledger import Before, SinkPlace
from fanout.outcomes import Outcome, failure_line
from fanout.runfile import RunFile
from fanout.schema import APPLICATION_ID, FORMAT
from fanout.sitting import Sitting
from tests.fakes import STAMP
from workers.causes import Cause
from workers.messages import Error, Found, Printed
from workers.visit import Record

ROOT = Path(__file__).parent.parent

DENIED = Error("MailboxError", "not yours", Cause.DENIED, code="0x80070005")

#: Names that trouble JSON, LIKE or a terminal.
ODD_NAMES = ["zoë@example.org", 'q"uote', "back\\slash", "100%", "under_score", "a\tb", "\x7f", "\u2028", "o'hara", ""]

NAMES = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(ODD_NAMES)

#: Fills a run file until the largest file that this process may write is full.
FILL = """
import resource, sys
from pathlib import Path
from fanout.errors import StoppedError
from fanout.lives import Stamp
from fanout.runfile import RunFile
from workers.messages import Found

file = RunFile.create(Path(sys.argv[1]))
file.keep(Found(1, 0, 1, b'{"mailbox":"anna","ok":true}\\n', b"0"), 1, Stamp(1, 0.5))
file.commit()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    for ordinal in range(1, 1000):
        file.keep(Found(1, ordinal, 1, b'{"mailbox":"%s","ok":true}\\n' % (b"x" * 10_000), b"0"), 1, Stamp(1, 0.5))
        file.commit()
except StoppedError as error:
    print(error)
"""

#: Commits one mailbox, keeps a second one, and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from fanout.lives import Stamp
from fanout.runfile import RunFile
from workers.messages import Found

file = RunFile.create(Path(sys.argv[1]))
file.keep(Found(1, 0, 1, b'{"mailbox":"anna","ok":true}\\n', b"0"), 1, Stamp(1, 0.5))
file.commit()
file.keep(Found(1, 1, 1, b'{"mailbox":"berta","ok":true}\\n', b"0"), 1, Stamp(1, 0.5))
os.kill(os.getpid(), signal.SIGKILL)
"""

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "census.fanout"


@pytest.fixture
def file(path: Path) -> Iterator[RunFile]:
    with RunFile.create(path) as file:
        yield file


def record(mailbox: str, result: object = 0, attempts: int = 1, seconds: float = 0.5) -> bytes:
    return msgspec.json.encode(Record(mailbox, ok=True, result=result, attempts=attempts, seconds=seconds)) + b"\n"


def found(first: int, *mailboxes: str) -> Found:
    return Found(1, first, len(mailboxes), b"".join(map(record, mailboxes)), b"0")


def failure(mailbox: str) -> bytes:
    return failure_line(mailbox, DENIED, 2, 0.25)


# the file


def test_a_run_file_is_for_its_owner_alone(path: Path) -> None:
    RunFile.create(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_touched(path: Path) -> None:
    path.write_text("my letters")

    with pytest.raises(UsageError, match=r"there is a file already: .*census\.fanout"):
        RunFile.create(path)

    assert path.read_text() == "my letters"


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run file can be read here: .*: Is a directory"):
        RunFile.open(tmp_path)


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the run file can't be made: .*nowhere.*: No such file or directory"):
        RunFile.create(tmp_path / "nowhere" / "census.fanout")


def test_a_file_that_is_not_there_cannot_be_opened_and_is_not_made(path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run file can be read here: .*census\.fanout"):
        RunFile.open(path)

    assert not path.exists()


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"From: anna\n" * 100)

    with pytest.raises(UsageError, match=r"no run file can be read here: .*not a database"):
        RunFile.open(path)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE letters (text)")

    with pytest.raises(UsageError, match=r"this is no run file of fanout: .*census\.fanout"):
        RunFile.open(path)


def test_a_run_file_of_another_format_is_refused_with_both_numbers(path: Path) -> None:
    RunFile.create(path).close()
    with closing(sqlite3.connect(path)) as later:
        later.execute(f"PRAGMA user_version = {FORMAT + 1}")

    with pytest.raises(UsageError, match=f"has the run file format {FORMAT + 1}; this fanout reads {FORMAT}"):
        RunFile.open(path)


def test_a_run_file_knows_itself(path: Path) -> None:
    RunFile.create(path).close()

    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert APPLICATION_ID.to_bytes(4, "big") == b"fano"


def test_one_plain_file_is_left_when_the_run_has_ended(path: Path) -> None:
    with RunFile.create(path) as file:
        file.keep(found(0, "anna"), 1, STAMP)
        file.commit()
        while_it_goes_on = sorted(each.name for each in path.parent.iterdir())

    assert while_it_goes_on == ["census.fanout", "census.fanout-shm", "census.fanout-wal"]
    assert list(path.parent.iterdir()) == [path]


def test_a_run_that_never_began_leaves_nothing(path: Path) -> None:
    with RunFile.create(path) as file:
        file.keep(found(0, "anna"), 1, STAMP)
        file.discard()

    assert list(path.parent.iterdir()) == []


def test_a_name_that_a_url_would_not_take_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "100% what?#1.fanout"
    with RunFile.create(path) as file:
        file.tell(job="census")

    with RunFile.open(path) as file:
        assert file.facts() == {"job": "census"}


# what is in it


def test_what_was_committed_is_seen_by_others_while_the_run_goes_on(file: RunFile, path: Path) -> None:
    file.keep(found(0, "anna"), 1, STAMP)
    file.commit()
    file.keep(found(1, "berta"), 1, STAMP)

    with RunFile.open(path) as other:
        assert [outcome.mailbox for outcome in other.outcomes()] == ["anna"]


def test_what_was_not_committed_is_committed_by_the_end(path: Path) -> None:
    with RunFile.create(path) as file:
        file.keep(found(0, "anna"), 1, STAMP)

    with RunFile.open(path) as other:
        assert other.counts() == (1, 0)


def test_a_fact_that_is_told_again_replaces_the_first(file: RunFile) -> None:
    file.tell(job="census", options={"newest": True}, ended=None)
    file.tell(ended="2026-11-22", totals=[1, 2.5])

    assert file.facts() == {"job": "census", "options": {"newest": True}, "ended": "2026-11-22", "totals": [1, 2.5]}


def test_outcomes_come_in_the_order_of_the_roster_and_not_of_their_arrival(file: RunFile) -> None:
    file.keep(found(3, "dora", "emil"), 1, STAMP)
    file.settle(2, failure("clara"), STAMP)
    file.keep(found(0, "anna", "berta"), 1, STAMP)

    assert [outcome.mailbox for outcome in file.outcomes()] == ["anna", "berta", "clara", "dora", "emil"]
    assert file.counts() == (4, 1)
    assert b"".join(file.lines()).count(b"\n") == 5


def test_failures_come_in_the_order_of_the_roster(file: RunFile) -> None:
    for ordinal in (7, 3, 5):
        file.settle(ordinal, failure(str(ordinal)), STAMP)

    assert list(file.failures()) == [
        Outcome(mailbox, ok=False, error=DENIED, attempts=2, seconds=0.25) for mailbox in ("3", "5", "7")
    ]


def test_a_new_run_file_is_empty(file: RunFile) -> None:
    assert (file.counts(), list(file.outcomes()), list(file.failures())) == ((0, 0), [], [])


def test_a_mailbox_cannot_be_kept_twice(file: RunFile) -> None:
    file.keep(found(0, "anna"), 1, STAMP)

    with pytest.raises(StoppedError, match="UNIQUE"):
        file.keep(found(0, "anna"), 1, STAMP)


def test_what_was_printed_at_a_mailbox_is_joined(file: RunFile) -> None:
    for ordinal, text in [(1, "one\n"), (2, "two\n"), (1, "more\n")]:
        file.note(Printed(ordinal, text))

    assert [file.output(ordinal) for ordinal in range(3)] == ["", "one\nmore\n", "two\n"]


# one mailbox


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_every_mailbox_is_found_by_its_name(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "looked-up.fanout"
    with RunFile.create(path) as file:
        file.keep(found(10, *names[:-1]), 1, STAMP)
        file.settle(9 + len(names), failure(names[-1]), STAMP)

        places = {name: file.outcomes_of(name)[0] for name in names}

        file.discard()
    for ordinal, (name, place) in enumerate(places.items(), 10):
        assert place is not None
        assert (place[0], place[1].mailbox, place[1].ok) == (ordinal, name, name != names[-1])


def test_a_mailbox_without_an_outcome_is_not_found(file: RunFile) -> None:
    file.keep(found(0, "anna"), 1, STAMP)
    file.settle(1, failure("berta"), STAMP)

    assert [file.outcomes_of(name) for name in ("ann", "a%", "ANN", "_erta", "")] == [[]] * 5


def test_a_mailbox_is_found_whatever_the_case_of_its_letters(file: RunFile) -> None:
    file.keep(found(0, "Anna@x.example", "jürgen@x.example"), 1, STAMP)
    file.settle(2, failure("BERTA"), STAMP)

    assert [
        [(ordinal, outcome.mailbox) for ordinal, outcome in file.outcomes_of(name)]
        for name in ("anna@X.example", "JÜRGEN@X.EXAMPLE", "Berta")
    ] == [[(0, "Anna@x.example")], [(1, "jürgen@x.example")], [(2, "BERTA")]]


def test_of_mailboxes_that_differ_by_case_that_is_meant_which_is_called_so_or_else_all(file: RunFile) -> None:
    file.keep(found(0, "anna", "Anna", "berta"), 1, STAMP)

    assert [
        [(ordinal, outcome.mailbox) for ordinal, outcome in file.outcomes_of(name)] for name in ("Anna", "ANNA")
    ] == [[(1, "Anna")], [(0, "anna"), (1, "Anna")]]


def test_a_name_within_a_result_is_no_mailbox(file: RunFile) -> None:
    file.keep(Found(1, 0, 1, record("anna", result=["berta"]), b"0"), 1, STAMP)

    assert file.outcomes_of("berta") == []


# what is left


RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=12)


@settings(derandomize=True, deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=RANGES, failures=st.sets(st.integers(0, 45)), count=st.integers(0, 50), page=st.integers(1, 4))
def test_the_gaps_are_the_ordinals_without_an_outcome(
    tmp_path: Path, wanted: list[tuple[int, int]], failures: set[int], count: int, page: int
) -> None:
    """Against a set that every settled ordinal is taken out of."""
    left, path = set(range(100)), tmp_path / "gaps.fanout"
    with RunFile.create(path) as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("fanout.runfile.PAGE", page)
        for first, length in wanted:
            if left.issuperset(range(first, first + length)):
                file.keep(Found(1, first, length, b"{}\n" * length, b"0"), 1, STAMP)
                left -= set(range(first, first + length))
        for ordinal in failures & left:
            file.settle(ordinal, failure("x"), STAMP)
            left.remove(ordinal)

        gaps = list(file.gaps(count))

        file.discard()
    assert [ordinal for gap in gaps for ordinal in gap] == sorted(left & set(range(count)))
    assert all(gaps), "a gap has at least one ordinal"
    assert all(one.stop < other.start for one, other in pairwise(gaps)), "neighbours are one gap"


def test_what_is_left_of_some_neighbours_is_counted_and_found_without_the_others(file: RunFile) -> None:
    for first, length in ((0, 2), (4, 1), (6, 3)):
        file.keep(Found(1, first, length, b"{}\n" * length, b"0"), 1, STAMP)
    file.settle(5, failure("x"), STAMP)

    left = file.left(range(3, 10))

    assert (list(left.ranges), left.count) == ([range(3, 4), range(9, 10)], 2)
    assert file.counts_of(range(3, 10)) == (4, 1)


def test_gaps_can_be_gone_through_while_they_are_filled(file: RunFile) -> None:
    file.keep(found(2, "clara"), 1, STAMP)
    gaps = file.gaps(5)
    first = next(gaps)
    file.keep(found(0, "anna", "berta"), 1, STAMP)
    file.commit()

    assert [first, *gaps] == [range(2), range(3, 5)]


def test_ten_million_mailboxes_in_forty_thousand_rows_have_their_gaps_at_once(file: RunFile) -> None:
    for first in range(0, 10_000_000, 250):
        file.keep(Found(1, first, 249, b"", b"0"), 1, STAMP)
    file.commit()

    begun = time.perf_counter()
    assert sum(1 for _ in file.gaps(10_000_000)) == 40_000
    assert time.perf_counter() - begun < 1


# failures taken back


@pytest.fixture
def failed(file: RunFile) -> RunFile:
    """0 is done; 1, 2 and 4 were denied, 3 was busy."""
    file.keep(found(0, "anna"), 1, STAMP)
    for ordinal, name in enumerate(["berta", "clara"], 1):
        file.settle(ordinal, failure(name), STAMP)
    file.settle(3, failure_line("dora", Error("MailboxError", "later", Cause.BUSY, retryable=True), 3, 0.5), STAMP)
    file.settle(4, failure("emil"), STAMP)
    return file


def test_failures_that_are_taken_back_have_no_outcome_any_more(failed: RunFile) -> None:
    todo = failed.forget_failed(None)

    assert (list(todo.within(range(6)).ranges), todo.count) == ([range(1, 5)], 4)
    assert (list(todo.within(range(2, 4)).ranges), todo.within(range(2, 4)).count) == ([range(2, 4)], 2)
    assert list(failed.gaps(6)) == [range(1, 6)]
    assert failed.counts() == (1, 0)


def test_failures_of_one_cause_are_taken_back_alone(failed: RunFile) -> None:
    todo = failed.forget_failed(frozenset({Cause.DENIED}))

    assert (list(todo.within(range(6)).ranges), todo.count) == ([range(1, 3), range(4, 5)], 3)
    assert [outcome.mailbox for outcome in failed.failures()] == ["dora"]
    assert failed.before() == Before(1, Counter({Cause.BUSY: 1}))


def test_what_is_taken_back_is_remembered_behind_earlier_attempts(failed: RunFile) -> None:
    failed.retried(3, 1, failure_line("dora", DENIED, 1, 0.25))
    failed.forget_failed(frozenset({Cause.BUSY}))
    todo = failed.forget_failed(frozenset({Cause.BUSY}))

    assert [(attempt.attempts, attempt.error and attempt.error.cause) for _, attempt in failed.attempts(3)] == [
        (1, Cause.DENIED),
        (3, Cause.BUSY),
    ]
    assert (failed.attempts_made(), list(todo.within(range(6)).ranges), todo.count) == (2, [], 0)


@pytest.mark.parametrize(("cause", "length"), [(Cause.BUSY, None), (Cause.CRASH, 70)])
def test_a_sink_with_lines_too_many_is_to_be_written_anew(failed: RunFile, cause: Cause, length: int | None) -> None:
    failed.standing(5, SinkPlace("/results.jsonl", 70, 1))
    failed.forget_failed(frozenset({cause}))

    assert failed.facts() == {"totals": 5, "sink": {"path": "/results.jsonl", "length": length, "checksum": 1}}


def test_failures_are_taken_back_in_one_transaction(failed: RunFile) -> None:
    failed.commit()
    failed.forget_failed(None)
    failed.roll_back()

    assert (failed.counts(), failed.attempts_made()) == ((1, 4), 0)


# mailboxes at risk


@pytest.mark.parametrize("told", ["keep", "settle", "retried", "safe"])
def test_what_is_told_of_a_mailbox_at_risk_takes_the_risk_away_in_the_same_transaction(path: Path, told: str) -> None:
    with RunFile.create(path) as file:
        for ordinal in (3, 5):
            file.risk(ordinal)
        file.commit()
        match told:
            case "keep":
                file.keep(found(3, "dora"), 1, STAMP)
            case "settle":
                file.settle(3, failure("dora"), STAMP)
            case "retried":
                file.retried(3, 1, failure("dora"))
            case _:
                file.safe(3)
        at_risk = file.at_risk()
        file.roll_back()

    assert at_risk == [5]
    with RunFile.resume(path) as file:
        assert file.at_risk() == [3, 5]


def test_a_mailbox_may_be_at_risk_again(file: RunFile) -> None:
    file.risk(3)
    file.risk(3)

    assert file.at_risk() == [3]


# going on


def test_a_run_is_gone_on_with_where_it_was_closed(path: Path) -> None:
    with RunFile.create(path) as file:
        file.keep(found(0, "anna"), 1, STAMP)
        file.standing({"messages": 3}, None)
    with RunFile.resume(path) as file:
        assert file.before() == Before(1, Counter(), {"messages": 3})
        file.keep(found(1, "berta"), 1, STAMP)
        file.commit()
        while_it_goes_on = sorted(each.name for each in path.parent.iterdir())

    assert while_it_goes_on == ["census.fanout", "census.fanout-shm", "census.fanout-wal"]
    assert list(path.parent.iterdir()) == [path]
    with RunFile.open(path) as file:
        assert file.counts() == (2, 0)


@pytest.mark.spawns
@pytest.mark.parametrize("opened", [RunFile.resume, RunFile.open])
def test_what_a_killed_process_had_committed_is_there_and_nothing_else(
    path: Path, opened: Callable[[Path], RunFile]
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, env=ENVIRONMENT)

    assert killed.returncode == -signal.SIGKILL
    assert Path(f"{path}-wal").exists()
    with opened(path) as file:
        assert [outcome.mailbox for outcome in file.outcomes()] == ["anna"]


def test_an_exception_takes_back_what_was_not_committed(path: Path) -> None:
    """The sink may not have it yet: what is committed must agree with itself."""
    file = RunFile.create(path)
    file.keep(found(0, "anna"), 1, STAMP)
    file.commit()
    file.keep(found(1, "berta"), 1, STAMP)
    with pytest.raises(ValueError, match="a bug"), file:
        raise ValueError("a bug")

    with RunFile.open(path) as file:
        assert file.counts() == (1, 0)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_was_made_and_nothing_else_is_no_run_to_go_on_with(path: Path) -> None:
    path.touch()

    with pytest.raises(UsageError, match="this is no run file of fanout"):
        RunFile.resume(path)
    with RunFile.create(path.with_name("other.fanout")) as file:
        assert file.sittings() == []


def test_a_reader_that_stays_keeps_nobody_from_ending(path: Path) -> None:
    with RunFile.create(path) as file:
        file.keep(found(0, "anna"), 1, STAMP)
        file.commit()
        reader = sqlite3.connect(path)
        rows = reader.execute("SELECT * FROM done")
        rows.fetchone()
        file._connection.execute("PRAGMA busy_timeout = 1")

    rows.close()
    reader.close()
    with RunFile.resume(path) as file:
        assert file.counts() == (1, 0)


def test_every_commit_is_synced(file: RunFile) -> None:
    assert list(file._query("PRAGMA synchronous")) == [(2,)]


@pytest.mark.spawns
@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another account")
def test_another_account_reads_a_run_that_has_ended_where_it_may_not_write() -> None:
    folder = Path(tempfile.mkdtemp())  # one that other accounts can enter
    folder.chmod(0o755)
    with RunFile.create(folder / "census.fanout") as file:
        file.keep(found(0, "anna"), 1, STAMP)
    file.path.chmod(0o644)
    theirs, ours = os.pipe()
    if not os.fork():
        os.write(ours, _names_as_seen_by(65534, file.path))
        os._exit(0)
    os.wait()
    os.close(ours)

    shutil.rmtree(folder)
    assert os.read(theirs, 1000) == b"['anna']"
    os.close(theirs)


def _names_as_seen_by(account: int, path: Path) -> bytes:
    try:
        os.setgroups([])
        os.setgid(account)
        os.setuid(account)
        assert not os.access(path.parent, os.W_OK)
        with RunFile.open(path) as file:
            return repr([outcome.mailbox for outcome in file.outcomes()]).encode()
    except Exception as error:  # noqa: BLE001 - the test sees it
        return repr(error).encode()


# sittings


def test_every_sitting_is_told_of_in_order(file: RunFile) -> None:
    first = Sitting("anna", "host", 7, "fanout run", {"fanout": "1"}, "2026-11-22T10:00:00+00:00", "abc", "def")
    second = msgspec.structs.replace(first, pid=8, accepted=["the roster", "the job"], job_code="def job(): ...")
    file.sit_down(first)
    file.stand_up("2026-11-22T11:00:00+00:00", "interrupted")
    file.sit_down(second)

    ended = msgspec.structs.replace(first, ended="2026-11-22T11:00:00+00:00", stopped_by="interrupted")
    assert file.sittings() == [ended, second]


# for whoever opens it with any SQLite


def rows(path: Path) -> list[dict[str, Any]]:
    """The view, its JSON decoded."""
    with closing(sqlite3.connect(path)) as plain:
        plain.row_factory = sqlite3.Row
        seen = [dict(row) for row in plain.execute("SELECT * FROM outcomes ORDER BY ordinal")]
    for row in seen:
        for name in ("result", "error"):
            row[name] = None if row[name] is None else json.loads(row[name])
    return seen


RESULTS = st.none() | st.integers(-(2**60), 2**60) | NAMES | st.lists(st.booleans() | NAMES, max_size=3)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results=st.lists(RESULTS | st.dictionaries(NAMES, RESULTS, max_size=3), min_size=1, max_size=5))
def test_the_view_shows_what_the_records_say(tmp_path: Path, results: list[object]) -> None:
    path = tmp_path / "viewed.fanout"
    with RunFile.create(path) as file:
        lines = b"".join(record(f"zoë {n}", result, attempts=n + 1) for n, result in enumerate(results))
        file.keep(Found(1, 5, len(results), lines, b"0"), 1, STAMP)
        file.settle(4, failure("anna"), STAMP)
    with RunFile.open(path) as file:
        outcomes = list(file.outcomes())

    seen = rows(path)

    path.unlink()
    assert [row.pop("ordinal") for row in seen] == list(range(4, 5 + len(results)))
    assert {row.pop("at") for row in seen} == {"2026-11-18T11:06:40.500Z"}
    assert seen == [msgspec.to_builtins(outcome) | {"ok": int(outcome.ok)} for outcome in outcomes]


# trouble


def test_a_closed_file_is_a_stopped_run_and_no_bug(path: Path) -> None:
    file = RunFile.create(path)
    file.close()

    with pytest.raises(StoppedError, match=r"the run file can't be written: .*census\.fanout"):
        file.keep(found(0, "anna"), 1, STAMP)
    with pytest.raises(StoppedError, match=r"the run file can't be read: .*census\.fanout"):
        file.counts()


@pytest.mark.spawns
def test_a_full_disk_stops_the_run_and_what_was_committed_is_kept(path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)

    assert done.stdout.startswith(f"the run file can't be written: {path}: ")
    with RunFile.open(path) as file:
        count, failed = file.counts()
        assert count > 1
        assert failed == 0
        assert next(file.outcomes()).mailbox == "anna"
