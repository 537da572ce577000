from __future__ import annotations

from workers.causes import Cause, MailboxError
from workers.failures import MAX_FRAMES, MAX_MESSAGE, describe, unwritable
from workers.messages import Error


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def fail(error: BaseException) -> None:
    raise error


def dig(depth: int) -> None:
    if depth == 0:
        raise ValueError("the bottom")
    dig(depth - 1)


def raised_by(function: object, *arguments: object) -> BaseException:
    assert callable(function)
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - to be described
        return error
    raise AssertionError("nothing was raised")


def test_a_failure_of_the_outside_world_is_told_with_its_code_and_without_a_traceback() -> None:
    failure = raised_by(fail, MailboxError("no such mailbox", Cause.MISSING, code=0x8004010F))

    assert describe(failure) == Error("MailboxError", "no such mailbox", Cause.MISSING, code="0x8004010F")


def test_a_small_code_is_told_with_eight_digits() -> None:
    assert describe(MailboxError("busy", Cause.BUSY, code=0x47D)).code == "0x0000047D"


def test_a_code_of_zero_is_a_code_and_none_is_none() -> None:
    assert describe(MailboxError("", Cause.SERVER, code=0)).code == "0x00000000"
    assert describe(MailboxError("", Cause.SERVER)).code is None


def test_what_may_pass_is_retryable_and_nothing_else_is() -> None:
    retryable = {cause for cause in Cause if describe(MailboxError("", cause)).retryable}

    assert retryable == {Cause.BUSY, Cause.UNREACHABLE, Cause.PROTOCOL}


def test_an_exception_of_the_job_is_told_with_its_traceback() -> None:
    error = describe(raised_by(fail, KeyError("Inbox")))

    assert (error.type, error.message, error.cause, error.code) == ("KeyError", "'Inbox'", Cause.JOB, None)
    assert error.traceback is not None
    assert error.traceback.startswith("Traceback (most recent call last):")
    assert error.traceback.endswith("KeyError: 'Inbox'\n")


def test_an_exception_without_a_message_is_told_by_its_class() -> None:
    assert describe(raised_by(fail, SystemExit())).message == "SystemExit"


def test_an_exception_whose_text_raises_is_told_nevertheless() -> None:
    error = describe(raised_by(fail, SpeechlessError()))

    assert error.type == "SpeechlessError"
    assert error.message == "(its message can't be told: ValueError)"


def test_a_message_without_end_is_cut() -> None:
    assert describe(ValueError("x" * 2 * MAX_MESSAGE)).message == "x" * MAX_MESSAGE


def test_what_is_no_utf_8_is_told_escaped() -> None:
    error = describe(raised_by(fail, ValueError("half a pair: \ud800")))

    assert error.message == "half a pair: \\ud800"
    assert error.traceback is not None
    assert error.traceback.endswith("half a pair: \\ud800\n")


def test_of_a_deep_traceback_the_innermost_frames_are_kept() -> None:
    traceback = describe(raised_by(dig, 2 * MAX_FRAMES)).traceback

    assert traceback is not None
    assert "raised_by" not in traceback
    assert traceback.rstrip().endswith("ValueError: the bottom")


def test_a_result_that_cannot_be_written_says_what_could_be() -> None:
    error = describe(unwritable(TypeError("Encoding objects of type object is unsupported")))

    assert (error.type, error.cause, error.retryable) == ("UnwritableResultError", Cause.RESULT, False)
    assert error.message == (
        "the job's result can't be kept: Encoding objects of type object is unsupported; "
        "a result is what JSON can say: numbers, text, lists, dicts"
    )
