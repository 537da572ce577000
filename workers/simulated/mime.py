"""As much of a message as a mail server reads of it: a few header fields, and the text of its body.

Mail is what people sent in forty years: nothing here raises, whatever the bytes are. What can't be made sense of
is left as it stands, or out.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.utils import parseaddr, parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from email.message import Message

_FIELD = re.compile(rb"^(subject|from|date|message-id)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: What the parsers of the email package raise for nonsense.
_NONSENSE = (MessageError, Base64Error, ValueError, TypeError, IndexError, LookupError, OverflowError, RecursionError)


class HeaderFields(NamedTuple):
    """What a contents table shows of a header. None where the header does not say."""

    subject: str | None
    sender_name: str | None
    sender_address: str | None
    date: int | None  # seconds since 1970
    message_id: str | None


NO_HEADER = HeaderFields(None, None, None, None, None)


def header_fields(content: bytes) -> HeaderFields:
    """The fields of the header at the beginning of `content`; where one is given twice, the first."""
    found: dict[bytes, str] = {}
    for name, value in _FIELD.findall(content[: end_of_header(content)]):
        found.setdefault(name.lower(), _FOLD.sub(" ", text_of(value)).strip())
    name, address = _sender(found.get(b"from", ""))
    return HeaderFields(
        _decoded(found[b"subject"]) if b"subject" in found else None,
        _decoded(name) or None,
        address or None,
        _seconds(found.get(b"date", "")),
        found.get(b"message-id") or None,
    )


def end_of_header(content: bytes) -> int:
    """Where the body begins, behind the empty line; the end where there is no such line."""
    if content.startswith((b"\n", b"\r\n")):
        return content.index(b"\n") + 1
    ends = [place + len(mark) for mark in (b"\n\n", b"\n\r\n") if (place := content.find(mark)) >= 0]
    return min(ends, default=len(content))


def header_text(content: bytes) -> str:
    """The header as text, with the empty line that ends it."""
    return text_of(content[: end_of_header(content)])


def body_text(content: bytes) -> str:
    """The first plain text in the message; empty where there is none."""
    try:
        parts = message_from_bytes(content).walk()
        plain = next((part for part in parts if part.get_content_type() == "text/plain"), None)
        return "" if plain is None else _part_text(plain)
    except _NONSENSE:
        return text_of(content[end_of_header(content) :])


def text_of(octets: bytes, charset: str = "utf-8") -> str:
    """Text, whatever the octets are and claim to be. There is no NUL in it, since no property can hold one."""
    try:
        text = octets.decode(charset)
    except (UnicodeError, LookupError, ValueError):
        text = octets.decode("cp1252", "replace")
    return text.replace("\0", "")


def _part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return text_of(payload, part.get_content_charset("utf-8")) if isinstance(payload, bytes) else ""


def _sender(field: str) -> tuple[str, str]:
    try:
        return parseaddr(field)
    except _NONSENSE:
        return "", field


def _decoded(text: str) -> str:
    """With its encoded words ([RFC 2047]) in clear; as it stands where they are broken."""
    if "=?" not in text:
        return text
    try:
        parts = decode_header(text)
    except _NONSENSE:
        return text
    return "".join(part if isinstance(part, str) else text_of(part, charset or "utf-8") for part, charset in parts)


def _seconds(date: str) -> int | None:
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # -0000: in UTC, from nobody knows where
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // (_EPOCH.resolution * 1_000_000)
    except _NONSENSE:
        return None
