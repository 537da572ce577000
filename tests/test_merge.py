from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from fanout.errors import StoppedError, UsageError
from fanout.events import Keep, Note, Settle
from fanout.merge import Merge, Sink
from fanout.outcomes import failure_line
from fanout.roster import Roster
from tests.fakes import FakeLedger
from workers.causes import Cause
from workers.messages import Error, Found, Printed

MISSING = Error("MailboxError", "no such mailbox", Cause.MISSING)
BUSY = Error("MailboxError", "come back later", Cause.BUSY, retryable=True)

ROSTER = Roster(100, "a test", lambda ordinals: [f"user-{ordinal}" for ordinal in ordinals], numbered=True)


def keep(first: int, count: int, total: bytes = b"0", attempts: int = 1) -> Keep:
    return Keep(0, Found(1, first, count, b"{}\n" * count, total), attempts, msgspec.json.decode(total))


def contents(path: Path) -> bytes:
    return path.read_bytes()


# merge


def test_what_is_done_is_counted_and_kept() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    merge.accept(keep(0, 3))
    merge.accept(keep(3, 2, attempts=2))

    assert (merge.succeeded, merge.failed) == (5, 0)
    assert ledger.taken == [(keep(0, 3).found, 1), (keep(3, 2).found, 2)]


def test_what_failed_is_counted_by_its_cause_and_settled_with_its_name() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    for ordinal, error in enumerate([MISSING, BUSY, MISSING]):
        merge.accept(Settle(ordinal, attempts=2, seconds=0.5, error=error))

    assert (merge.succeeded, merge.failed) == (0, 3)
    assert merge.causes == Counter({Cause.MISSING: 2, Cause.BUSY: 1})
    assert ledger.taken[1] == (1, failure_line("user-1", BUSY, 2, 0.5))


def test_what_was_printed_is_noted_and_counts_for_nothing() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    merge.accept(Note(Printed(7, "hello")))

    assert (merge.succeeded, merge.failed, ledger.taken) == (0, 0, [Printed(7, "hello")])


@pytest.mark.parametrize(
    ("folds", "total"),
    [
        ([b"3", b"4"], 7),
        ([b'{"messages":3}', b'{"messages":4,"bytes":1}'], {"messages": 7, "bytes": 1}),
        ([b"null", b"5"], 5),
        ([b"null", b"null"], None),
        ([], None),
        ([b"18446744073709551615", b"18446744073709551615"], 2 * (2**64 - 1)),
    ],
)
def test_the_folds_of_the_frames_are_added_up(folds: list[bytes], total: object) -> None:
    merge = Merge(FakeLedger(), ROSTER, None)

    for first, fold in enumerate(folds):
        merge.accept(keep(first, 1, fold))

    assert merge.total == total


def test_the_sink_gets_a_line_for_each_mailbox_in_the_order_in_which_they_are_settled(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sink = Sink.open(str(path), force=False)
    merge = Merge(FakeLedger(), ROSTER, sink)

    merge.accept(keep(5, 2))
    merge.accept(Settle(0, attempts=1, seconds=0.5, error=MISSING))
    merge.commit()

    assert contents(path) == b"{}\n{}\n" + failure_line("user-0", MISSING, 1, 0.5)
    assert sink.length == len(contents(path))
    sink.close()


def test_the_sink_is_never_behind_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"

    class Watching(FakeLedger):
        def commit(self) -> None:
            self.taken.append(contents(path))

    ledger = Watching()
    sink = Sink.open(str(path), force=False)
    merge = Merge(ledger, ROSTER, sink)
    merge.accept(keep(0, 1))
    merge.commit()

    assert ledger.taken[-1] == b"{}\n"
    sink.close()


def test_a_run_without_a_sink_commits_its_ledger() -> None:
    ledger = FakeLedger()

    Merge(ledger, ROSTER, None).commit()

    assert ledger.taken == ["commit"]


# sink


def test_a_file_that_is_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("my letters")

    with pytest.raises(UsageError, match=r"results\.jsonl: the file is there already; --force replaces it"):
        Sink.open(str(path), force=False)

    assert contents(path) == b"my letters"


def test_a_file_that_is_there_is_replaced_by_force(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("my letters, which are longer")
    sink = Sink.open(str(path), force=True)
    sink.write(b"{}\n")
    sink.close()

    assert contents(path) == b"{}\n"


@pytest.mark.parametrize("name", ["results.csv", "results", "jsonl"])
def test_a_name_that_promises_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"-o .*{name}: results are written as JSONL, to a file whose name ends in"):
        Sink.open(str(tmp_path / name), force=False)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/results\.jsonl: No such file or directory"):
        Sink.open(str(tmp_path / "nowhere" / "results.jsonl"), force=False)


def test_a_minus_is_standard_output_which_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    sink = Sink.open("-", force=False)
    sink.write(b"{}\n")
    sink.close()

    os.write(sys.stdout.fileno(), b"after\n")

    assert capfd.readouterr().out == "{}\nafter\n"


@pytest.fixture
def full(tmp_path: Path) -> Sink:
    """A sink on a disk that is always full."""
    path = tmp_path / "results.jsonl"
    path.symlink_to("/dev/full")
    return Sink.open(str(path), force=True)


FULL = "the results can't be written: .*results.jsonl: No space left on device"


def test_a_full_disk_stops_the_run_at_once_where_nothing_is_held_back(full: Sink) -> None:
    with pytest.raises(StoppedError, match=FULL):
        full.write(b"x" * 2**20)

    full.close()


def test_a_full_disk_stops_the_run_at_its_next_commit(full: Sink) -> None:
    full.write(b"{}\n")

    with pytest.raises(StoppedError, match=FULL):
        full.flush()
    with pytest.raises(StoppedError, match=FULL):
        full.close()


def test_a_reader_that_has_gone_stops_the_run() -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    sink = Sink(os.fdopen(ours, "wb"), "stdout")
    merge = Merge(FakeLedger(), ROSTER, sink)
    merge.accept(keep(0, 1))

    with pytest.raises(StoppedError, match="the results can't be written: stdout: Broken pipe"):
        merge.commit()
    with pytest.raises(StoppedError, match="Broken pipe"):
        sink.close()
