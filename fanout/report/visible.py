"""Text from outside as a page may show it: what can't be seen, and would change what is seen, stands there as a sign. Pure.

Escaping is the template's business. This is about the rest: control characters, which HTML does not allow, those that turn the
direction of writing around, so that a name reads as another one, those without width, and halves of surrogate pairs, which
UTF-8 can't say.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from markupsafe import Markup

#: What can't be seen and is kept: control characters that lay text out, and the joiners of Persian, Hindi and emoji.
_KEPT = "\n\t\u200c\u200d"

#: Categories of Unicode: control, format (direction, joiners), surrogate, line and paragraph separator, private, unassigned.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}


def visible(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    """The text of a value, every character to be seen; what the template itself has made is left as it is."""
    if isinstance(value, Markup):
        return value
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _sign(character) for character in text)


def _sign(character: str) -> str:
    """`␛` for a control character, `⟨U+202E⟩` for any other that can't be seen; spaces are those of their width."""
    number = ord(character)
    if character in _KEPT or unicodedata.category(character) not in _UNSEEN:
        return character
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"⟨U+{number:04X}⟩"
