from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from fanout.report.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, zoë, 日本, 👍", "plain, zoë, 日本, 👍"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x00\x1b[31m\x7f", "␀␛[31m␡"),
        ("invoice\u202efdp.exe", "invoice⟨U+202E⟩fdp.exe"),
        ("\u2066a\u2069\u200f", "⟨U+2066⟩a⟨U+2069⟩⟨U+200F⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("half \ud800 of a pair", "half ⟨U+D800⟩ of a pair"),
        ("\x85\u2028", "⟨U+0085⟩⟨U+2028⟩"),
        ("a\u00a0b \u3000", "a\u00a0b \u3000"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    ],
)
def test_what_can_not_be_seen_stands_there_as_a_sign(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_the_template_made_is_left_as_it_is() -> None:
    markup = Markup("<b>\u202e</b>")

    assert visible(markup) is markup
    assert visible(12) == "12"


@given(st.text(st.characters(max_codepoint=sys.maxunicode, categories=None)))
def test_whatever_the_text_it_can_be_written_and_turns_nothing_around(text: str) -> None:
    shown = visible(text)

    assert shown.encode().decode() == shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b")
