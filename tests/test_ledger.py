from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.ledger import Ledger, TemporaryLedger
from fanout.outcomes import Outcome, failure_line
from fanout.roster import Roster
from fanout.runfile import RunFile
from tests.fakes import STAMP
from workers.causes import Cause
from workers.messages import Error, Found, Printed, Recording

MISSING = Error("MailboxError", "no such mailbox", Cause.MISSING)


@pytest.fixture
def temporary() -> Iterator[TemporaryLedger]:
    ledger = TemporaryLedger(Recording.RECORDS)
    yield ledger
    ledger.close()


@pytest.fixture(params=["temporary", "run file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Each kind of ledger."""
    if request.param == "temporary":
        kept = TemporaryLedger(Recording.RECORDS)
        yield kept
        kept.close()
    else:
        with RunFile.create(tmp_path / "a.fanout") as file:
            yield file


def record(mailbox: str, result: str = "0") -> bytes:
    return f'{{"mailbox":"{mailbox}","ok":true,"result":{result},"attempts":1,"seconds":0.5}}\n'.encode()


def roster(count: int, name: Callable[[int], str] = str) -> Roster:
    return Roster(count, "a test", lambda ordinals: [name(ordinal) for ordinal in ordinals], numbered=True)


# names


@settings(derandomize=True, deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6), data=st.data())
def test_names_are_found_again_across_pages(sizes: list[int], data: st.DataObject) -> None:
    count = sum(sizes)
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    ledger = TemporaryLedger(Recording.RECORDS)
    for size, end in zip(sizes, accumulate(sizes), strict=True):
        ledger.add_names([f"name {ordinal}" for ordinal in range(end - size, end)])

    names = ledger.names(range(start, stop))

    ledger.close()
    assert names == [f"name {ordinal}" for ordinal in range(start, stop)]


def test_names_come_from_the_pages_that_hold_them(ledger: Ledger) -> None:
    for first in range(0, 9, 3):
        ledger.add_names([f"zoë {ordinal}" for ordinal in range(first, first + 3)])

    assert ledger.names(range(2, 7)) == ["zoë 2", "zoë 3", "zoë 4", "zoë 5", "zoë 6"]
    assert ledger.names(range(3, 6)) == ["zoë 3", "zoë 4", "zoë 5"]
    assert ledger.names(range(8, 9)) == ["zoë 8"]


def test_a_name_that_unicode_would_break_stays_whole(ledger: Ledger) -> None:
    names = ["a\u2028b", "c\u0085d", "e\rf", ""]
    ledger.add_names(names)

    assert ledger.names(range(4)) == names


# outcomes


def test_outcomes_come_in_the_order_of_the_roster_and_not_of_their_arrival(temporary: TemporaryLedger) -> None:
    temporary.keep(Found(2, 3, 2, record("d") + record("e"), b"0"), 1, STAMP)
    temporary.settle(2, failure_line("c", MISSING, 1, 0.25), STAMP)
    temporary.keep(Found(1, 0, 2, record("a") + record("b"), b"0"), 1, STAMP)

    outcomes = list(temporary.outcomes(roster(5)))

    assert [outcome.mailbox for outcome in outcomes] == ["a", "b", "c", "d", "e"]
    assert outcomes[2] == Outcome("c", ok=False, error=MISSING, seconds=0.25)


def test_failures_come_in_the_order_of_the_roster(temporary: TemporaryLedger) -> None:
    for ordinal in (7, 3, 5):
        temporary.settle(ordinal, failure_line(str(ordinal), MISSING, 1, 0.0), STAMP)
    temporary.keep(Found(1, 0, 1, record("0"), b"0"), 1, STAMP)

    assert [outcome.mailbox for outcome in temporary.failures()] == ["3", "5", "7"]


def test_bare_results_are_named_by_the_roster_and_failures_by_their_records() -> None:
    ledger = TemporaryLedger(Recording.RESULTS)
    ledger.keep(Found(1, 0, 2, b"10\n11\n", b"21"), 3, STAMP)
    ledger.settle(2, failure_line("the third", MISSING, 1, 0.0), STAMP)

    outcomes = list(ledger.outcomes(roster(3, "user-{}".format)))

    ledger.close()
    assert outcomes[:2] == [
        Outcome("user-0", ok=True, result=10, attempts=3),
        Outcome("user-1", ok=True, result=11, attempts=3),
    ]
    assert outcomes[2].mailbox == "the third"


def test_outcomes_can_be_gone_through_while_more_are_taken(temporary: TemporaryLedger) -> None:
    temporary.keep(Found(1, 0, 1, record("a"), b"0"), 1, STAMP)
    outcomes = temporary.outcomes(roster(2))
    first = next(outcomes)
    temporary.keep(Found(1, 1, 1, record("b"), b"0"), 1, STAMP)

    assert first.mailbox == "a"
    assert [outcome.mailbox for outcome in temporary.outcomes(roster(2))] == ["a", "b"]


def test_what_was_printed_at_a_mailbox_is_joined(temporary: TemporaryLedger) -> None:
    for ordinal, text in [(1, "one\n"), (2, "two\n"), (1, "more\n")]:
        temporary.note(Printed(ordinal, text))

    assert temporary.output == {1: "one\nmore\n", 2: "two\n"}


def test_a_commit_of_a_temporary_ledger_changes_nothing(temporary: TemporaryLedger) -> None:
    temporary.keep(Found(1, 0, 1, record("a"), b"0"), 1, STAMP)
    temporary.commit()

    assert len(list(temporary.outcomes(roster(1)))) == 1


def test_more_than_the_buffer_holds_is_read_back(temporary: TemporaryLedger) -> None:
    lines = record("a", '"' + "x" * 100_000 + '"')
    for ordinal in range(30):
        temporary.keep(Found(1, ordinal, 1, lines, b"0"), 1, STAMP)

    assert sum(len(outcome.result) for outcome in temporary.outcomes(roster(30))) == 3_000_000
