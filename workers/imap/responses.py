"""What a server says, taken apart: lists, strings, numbers, and the end of a command (RFC 3501 section 9)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from workers.causes import Cause, MailboxError

#: A parsed value: bytes for an atom or a string, None for NIL, a list for what stands in parentheses.
Value = Any

_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|(\{\d+\+?\}(?:\r\n|$))|((?:[^ ()"{\[]|\[[^\]]*\])+))')
_ESCAPED = re.compile(rb"\\(.)")

#: `[CODE ...]` at the beginning of a text.
_CODE = re.compile(rb"\[([^] ]+)[^]]*\] ?")


class Ending(NamedTuple):
    """How a command ended: OK, NO or BAD, with the code in brackets where there is one."""

    status: str
    code: str
    text: str


def ending_of(rest: bytes) -> Ending:
    """The end of a command, out of what stands behind its tag."""
    status, _, text = rest.strip().partition(b" ")
    code = _CODE.match(text)
    name = code[1].decode("ascii", "replace").upper() if code else ""
    return Ending(status.decode("ascii", "replace").upper(), name, text.decode("utf-8", "replace"))


class Response(NamedTuple):
    """One response, in which each literal is left out behind its length."""

    data: bytes
    literals: tuple[bytes, ...] = ()

    def values(self, start: int = 0) -> list[Value]:
        """The values from byte `start` on. Raises MailboxError, PROTOCOL."""
        stack: list[list[Value]] = [[]]
        bodies = iter(self.literals)
        data, at = self.data.rstrip(), start
        while at < len(data):
            token = _TOKEN.match(data, at)
            if token is None or (token[2] and len(stack) < 2):
                raise broken(self.data)
            at = token.end()
            if token[1]:
                stack.append([])
            elif token[2]:
                whole = stack.pop()
                stack[-1].append(whole)
            else:
                stack[-1].append(next(bodies, b"") if token[4] else _single(token))
        if len(stack) > 1:
            raise broken(self.data)
        return stack[0]


def _single(token: re.Match[bytes]) -> bytes | None:
    """A string without its quotes, or an atom; None for NIL."""
    quoted, atom = token[3], token[5]
    if quoted is not None:
        return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted
    return None if atom.upper() == b"NIL" else atom


class Answer(NamedTuple):
    """What a command was answered: the untagged responses before its end, whole, and the end."""

    untagged: list[Response]
    ending: Ending


def pairs(listed: list[Value]) -> dict[str, Value]:
    """Names and values that follow one another, `MESSAGES 3 UNSEEN 1`, by their names in upper case."""
    names = (name.decode("ascii", "replace").upper() for name in listed[::2])
    return dict(zip(names, listed[1::2], strict=False))


def number(value: Value, what: str) -> int:
    """A number. Raises MailboxError, PROTOCOL, where there is none: nothing is taken for 0."""
    if not isinstance(value, bytes) or not value.isdigit():
        raise MailboxError(f"the server gave no number for {what}: {value!r}", Cause.PROTOCOL)
    return int(value)


def broken(data: bytes) -> MailboxError:
    """The error for what is no IMAP."""
    return MailboxError(f"a response that can't be read: {data[:80]!r}", Cause.PROTOCOL)
