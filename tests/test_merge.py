from __future__ import annotations

import os
import zlib
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from fanout.errors import StoppedError
from fanout.events import Keep, Note, Retry, Risk, Safe, Settle
from fanout.ledger import Before, SinkPlace
from fanout.merge import Merge
from fanout.outcomes import failure_line
from fanout.roster import Roster
from fanout.sink import Sink
from tests.fakes import STAMP, FakeLedger
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

    merge.accept(keep(0, 3), STAMP)
    merge.accept(keep(3, 2, attempts=2), STAMP)

    assert (merge.succeeded, merge.failed) == (5, 0)
    assert ledger.taken == [(keep(0, 3).found, 1, STAMP), (keep(3, 2).found, 2, STAMP)]


def test_what_failed_is_counted_by_its_cause_and_settled_with_its_name() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    for ordinal, error in enumerate([MISSING, BUSY, MISSING]):
        merge.accept(Settle(0, ordinal, attempts=2, seconds=0.5, error=error), STAMP)

    assert (merge.succeeded, merge.failed) == (0, 3)
    assert merge.causes == Counter({Cause.MISSING: 2, Cause.BUSY: 1})
    assert ledger.taken[1] == (1, failure_line("user-1", BUSY, 2, 0.5), STAMP)


def test_what_was_printed_is_noted_and_counts_for_nothing() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    merge.remember(Note(Printed(7, "hello")))

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
        merge.accept(keep(first, 1, fold), STAMP)

    assert merge.total == total


def test_the_sink_gets_a_line_for_each_mailbox_in_the_order_in_which_they_are_settled(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sink = Sink.open(str(path), force=False)
    merge = Merge(FakeLedger(), ROSTER, sink)

    merge.accept(keep(5, 2), STAMP)
    merge.accept(Settle(0, 0, attempts=1, seconds=0.5, error=MISSING), STAMP)
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
    merge.accept(keep(0, 1), STAMP)
    merge.commit()

    assert ledger.taken[-1] == b"{}\n"
    sink.close()


def test_a_run_without_a_sink_commits_its_ledger() -> None:
    ledger = FakeLedger()

    Merge(ledger, ROSTER, None).commit()

    assert (ledger.standings, ledger.taken) == ([(None, None)], ["commit"])


def test_a_commit_tells_what_all_comes_to_and_how_far_the_sink_is(tmp_path: Path) -> None:
    ledger, sink = FakeLedger(), Sink.open(str(tmp_path / "results.jsonl"), force=False)
    merge = Merge(ledger, ROSTER, sink)
    merge.accept(keep(0, 2, b"7"), STAMP)
    merge.commit()
    sink.close()

    place = SinkPlace(str(tmp_path / "results.jsonl"), 6, zlib.crc32(b"{}\n{}\n"))
    assert (ledger.standings, ledger.taken[-1]) == ([(7, place)], "commit")


def test_what_earlier_sittings_came_to_is_added_up_with_this_one() -> None:
    before = Before(10, Counter({Cause.MISSING: 2}), {"messages": 5})
    merge = Merge(FakeLedger(earlier=before), ROSTER, None)
    merge.accept(keep(0, 3, b'{"messages":4}'), STAMP)
    merge.accept(Settle(0, 5, attempts=1, seconds=0.5, error=MISSING), STAMP)

    assert (merge.succeeded, merge.failed, merge.total) == (13, 3, {"messages": 9})


def test_an_attempt_that_is_followed_by_another_one_is_remembered_and_counts_for_nothing(tmp_path: Path) -> None:
    ledger, sink = FakeLedger(), Sink.open(str(tmp_path / "results.jsonl"), force=False)
    merge = Merge(ledger, ROSTER, sink)
    merge.remember(Retry(7, attempt=1, seconds=0.5, error=BUSY))
    sink.close()

    assert ledger.taken == [(7, 1, failure_line("user-7", BUSY, 1, 0.5))]
    assert (merge.succeeded, merge.failed, sink.length) == (0, 0, 0)


def test_a_risk_is_committed_at_once_and_what_is_safe_with_the_rest() -> None:
    ledger = FakeLedger()
    merge = Merge(ledger, ROSTER, None)

    merge.remember(Risk(7))
    merge.remember(Safe(7))

    assert ledger.taken == [("risk", 7), "commit", ("safe", 7)]


def test_a_reader_that_has_gone_stops_the_run() -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    sink = Sink(os.fdopen(ours, "wb"), "stdout")
    merge = Merge(FakeLedger(), ROSTER, sink)
    merge.accept(keep(0, 1), STAMP)

    with pytest.raises(StoppedError, match="the results can't be written: stdout: Broken pipe"):
        merge.commit()
    with pytest.raises(StoppedError, match="Broken pipe"):
        sink.close()
