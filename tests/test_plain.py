from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout.plain import laid_out, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("zoë@example.org", "zoë@example.org"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x9b2J", "\ufffd2J"),
        ("turned \u202eround", "turned \ufffdround"),
        ("\x07\x00", "\ufffd\ufffd"),
    ],
)
def test_a_terminal_is_told_nothing_that_it_would_obey(text: str, shown: str) -> None:
    assert printable(text) == shown


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_whatever_is_printed_is_one_line_of_what_can_be_printed(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


def test_what_is_laid_out_keeps_its_lines_and_columns() -> None:
    assert laid_out("box\t\x1b[31mred\rline\n\n\tend\x9b\n") == "box\t\ufffd[31mred line\n\n\tend\ufffd\n"
