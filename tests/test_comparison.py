from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

import pytest

from fanout.comparison import Change, Kind, changes, differences, summary
from fanout.errors import StoppedError
from fanout.outcomes import Outcome
from workers.causes import Cause
from workers.messages import Error


def done(mailbox: str, result: object) -> Outcome:
    return Outcome(mailbox, ok=True, result=result)


def failed(mailbox: str, cause: Cause) -> Outcome:
    return Outcome(mailbox, ok=False, error=Error("MailboxError", "no", cause))


def told(before: list[Outcome], after: list[Outcome]) -> list[tuple[str, str, str]]:
    return [(each.mailbox, str(each.kind), each.what) for each in changes(before, after)]


def test_mailboxes_come_in_the_order_of_the_later_run_and_then_what_is_gone() -> None:
    before = [done("gone-2", 1), done("gone-1", 1), done("b", 1), done("a", 1)]
    after = [done("a", 1), done("new", 1), done("b", 1)]

    assert [each.mailbox for each in changes(before, after)] == ["a", "new", "b", "gone-2", "gone-1"]


def test_numbers_stand_side_by_side() -> None:
    before, after = (
        {"messages": 1200, "bytes": 5, "name": "x"},
        {"messages": 1190, "bytes": 5, "name": "y", "more": True},
    )

    assert list(differences(before, after)) == ["messages 1,200 -> 1,190 (-10)", "name x -> y", "more none -> true"]
    assert list(differences(3, 4.5)) == ["3 -> 4.5 (+1.5)"]


def test_each_kind_of_change_is_told_by_what_it_was_and_is() -> None:
    before = [
        done("a", 1),
        done("b", 1),
        failed("c", Cause.BUSY),
        failed("d", Cause.BUSY),
        failed("e", Cause.BUSY),
        done("f", 2),
    ]
    after = [done("a", 2), failed("b", Cause.DENIED), done("c", 3), failed("d", Cause.DENIED), failed("e", Cause.BUSY)]

    assert told(before, after) == [
        ("a", "changed", "1 -> 2 (+1)"),
        ("b", "failed", "1 -> failed: denied"),
        ("c", "mended", "failed: busy -> 3"),
        ("d", "changed", "failed: busy -> failed: denied"),
        ("e", "same", "failed: busy -> failed: busy"),
        ("f", "gone", "2"),
    ]


def test_a_long_value_is_cut_short() -> None:
    [change] = changes([], [done("a", ["word"] * 100)])

    assert change == Change("a", Kind.NEW, None, done("a", ["word"] * 100))
    assert len(change.what) == 60


def test_a_disk_that_takes_no_more_stops_the_comparison() -> None:
    def full() -> Iterator[Outcome]:
        yield done("a", 1)
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoppedError, match=r"can't be kept .*: database or disk is full"):
        list(changes(full(), []))


def test_the_summary_counts_every_kind() -> None:
    assert (
        summary(Counter({Kind.NEW: 1, Kind.SAME: 2000})) == "1 new, 0 gone, 0 changed, 0 failed, 0 mended, 2,000 same"
    )
