"""Failures by cause, on plain values."""

from __future__ import annotations

from fanout.outcomes import Outcome
from fanout.report.failures import NAMED, TRACEBACKS, Failures, Frequent, Group
from workers.causes import Cause
from workers.messages import Error


def failed(mailbox: str, error: Error) -> Outcome:
    return Outcome(mailbox, ok=False, error=error, attempts=2, seconds=0.25)


def groups(*outcomes: Outcome) -> list[Group]:
    failures = Failures()
    for outcome in outcomes:
        failures.add(outcome)
    return failures.groups()


def missing(mailbox: str) -> Outcome:
    return failed(mailbox, Error("MapiError", f"no mailbox {mailbox}", Cause.MISSING, code="0x8004010F"))


def raised(mailbox: str, where: str) -> Outcome:
    traceback = f"Traceback (most recent call last):\n  {where}\nKeyError: '{mailbox}'"
    return failed(mailbox, Error("KeyError", f"'{mailbox}'", Cause.JOB, traceback=traceback))


def test_where_there_are_several_servers_a_mailbox_is_named_with_its_own() -> None:
    error = Error("MapiError", "no mailbox b", Cause.MISSING)
    (group,) = groups(Outcome("b", ok=False, error=error, server="sim:5"), missing("c"))

    assert [case.mailbox for case in group.cases] == ["b on sim:5", "c"]


def test_failures_are_grouped_by_cause_the_most_frequent_first() -> None:
    found = groups(raised("a", "x"), missing("b"), missing("c"))

    assert [(group.cause, group.count) for group in found] == [("missing", 2), ("job", 1)]


def test_what_differs_by_the_name_of_the_mailbox_alone_is_said_once() -> None:
    (group,) = groups(missing("b@x"), missing("c@x"))

    assert group.said == [Frequent("MapiError: no mailbox … (0x8004010F)", 2)]
    assert [case.said for case in group.cases] == [
        "MapiError: no mailbox b@x (0x8004010F)",
        "MapiError: no mailbox c@x (0x8004010F)",
    ]


def test_a_group_is_alike_where_the_same_was_said_for_all() -> None:
    other = failed("d@x", Error("MapiError", "gone", Cause.MISSING))

    assert [group.alike for group in groups(missing("b@x"), missing("c@x"))] == [True]
    assert [group.alike for group in groups(missing("b@x"), missing("c@x"), other)] == [False]
    assert [group.alike for group in groups(missing("b@x"))] == [False]


def test_a_code_that_the_message_has_is_not_said_twice() -> None:
    (group,) = groups(failed("a", Error("E", "refused (0x8007)", Cause.DENIED, code="0x8007")))

    assert [case.said for case in group.cases] == ["E: refused (0x8007)"]


def test_tracebacks_that_are_the_same_are_one() -> None:
    (group,) = groups(raised("a@x", "line 1"), raised("b@x", "line 1"), raised("c@x", "line 2"))

    assert [(each.mailboxes, each.last_line) for each in group.tracebacks] == [
        ("2 mailboxes", "KeyError: '…'"),
        ("1 mailbox", "KeyError: '…'"),
    ]
    assert group.more_tracebacks == 0


def test_however_many_fail_some_are_named_and_the_number_is_told() -> None:
    (group,) = groups(*(raised(f"u{number}@x", f"line {number}") for number in range(5000)))

    assert (group.count, len(group.cases), len(group.tracebacks)) == (5000, NAMED, TRACEBACKS)
    assert group.more_tracebacks > 0


def test_a_long_traceback_keeps_its_end() -> None:
    (group,) = groups(failed("a", Error("E", "m" * 10_000, Cause.JOB, traceback="x" * 100_000 + "\nE: the end")))

    assert group.tracebacks[0].last_line == "E: the end"
    assert len(group.tracebacks[0].text) < 10_000
    assert len(group.cases[0].said) < 1_000
