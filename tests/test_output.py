from __future__ import annotations

import pytest

from tests.fakes import empty_slot
from workers.messages import Printed
from workers.output import MAX_OUTPUT, Output


def test_what_is_written_at_a_mailbox_is_kept_with_it() -> None:
    slot = empty_slot()
    output = Output(slot)
    for ordinal in (7, 8, 7):
        slot[0] = ordinal
        print("at", ordinal, file=output)

    assert output.take() == [Printed(7, "at 7\nat 7\n"), Printed(8, "at 8\n")]


def test_nothing_is_told_twice() -> None:
    slot = empty_slot()
    slot[0] = 7
    output = Output(slot)
    output.write("once")
    output.take()

    assert output.take() == []


def test_what_is_written_at_no_mailbox_goes_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    output = Output(empty_slot())

    output.write("importing zoë \ud800\n")

    assert capfd.readouterr().err == "importing zoë \\ud800\n"
    assert output.take() == []


def test_output_without_end_is_cut_and_the_cut_is_said() -> None:
    slot = empty_slot()
    slot[0] = 7
    output = Output(slot)
    for _ in range(MAX_OUTPUT + 1000):
        output.write("x")

    assert output.take() == [Printed(7, "x" * MAX_OUTPUT + "\n[cut: 1,000 more characters]\n")]


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    slot = empty_slot()
    slot[0] = 7
    output = Output(slot)
    output.write("\ud800!")

    assert output.take() == [Printed(7, "?!")]


def test_the_stream_can_be_written_to_and_has_no_descriptor() -> None:
    output = Output(empty_slot())

    assert output.writable()
    with pytest.raises(OSError, match="fileno"):
        output.fileno()
