"""Text from outside as a terminal may be given it: what it would obey rather than show is replaced. Pure.

Names of mailboxes and files, subjects, what a server answers and what a job prints are written by others.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """The text in one line, and nothing in it that a terminal would obey rather than show."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in text)


def laid_out(text: str) -> str:
    """The same, of which lines and columns stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
