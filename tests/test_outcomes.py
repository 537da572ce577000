from __future__ import annotations

import msgspec
import pytest

from fanout.outcomes import Outcome, failure_line, read_records, read_results
from workers.causes import Cause
from workers.messages import Error

DENIED = Error("MailboxError", "not yours,\nsays the server", Cause.DENIED, code="0x80070005")


def test_the_record_of_a_failure_is_one_line_with_the_fields_in_their_order() -> None:
    line = failure_line("zoë@example.org", DENIED, attempts=2, seconds=0.5)

    assert line.decode() == (
        '{"mailbox":"zoë@example.org","ok":false,"error":{"type":"MailboxError",'
        '"message":"not yours,\\nsays the server","cause":"denied","code":"0x80070005","traceback":null,'
        '"retryable":false},"attempts":2,"seconds":0.5}\n'
    )


def test_the_record_of_a_failure_is_read_back() -> None:
    line = failure_line("anna", DENIED, attempts=2, seconds=0.5)

    assert list(read_records(line)) == [Outcome("anna", ok=False, error=DENIED, attempts=2, seconds=0.5)]


def test_records_are_read_back_in_their_order() -> None:
    lines = (
        b'{"mailbox":"anna","ok":true,"result":{"messages":3},"attempts":1,"seconds":0.25}\n'
        b'{"mailbox":"berta","ok":true,"result":null,"attempts":2,"seconds":1.0}\n'
    )

    assert list(read_records(lines)) == [
        Outcome("anna", ok=True, result={"messages": 3}, seconds=0.25),
        Outcome("berta", ok=True, attempts=2, seconds=1.0),
    ]


def test_bare_results_get_their_names_from_the_roster_and_have_no_seconds() -> None:
    found = read_results(b'7\n{"messages":3}\n', 10, 2, "user-{}".format)

    assert list(found) == [
        Outcome("user-10", ok=True, result=7, attempts=2),
        Outcome("user-11", ok=True, result={"messages": 3}, attempts=2),
    ]


@pytest.mark.parametrize("text", ["\u2028", "\u0085", "\x0b", "\x1c", '"', "\\", "\n", "\r\n"])
def test_no_letter_of_a_name_or_a_result_ends_a_line(text: str) -> None:
    result = msgspec.json.encode(text) + b"\n"

    assert [outcome.mailbox for outcome in read_records(failure_line(text, DENIED, 1, 0.0) * 2)] == [text, text]
    assert [outcome.result for outcome in read_results(result * 2, 0, 1, str)] == [text, text]
