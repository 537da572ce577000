"""The job `search`."""

from __future__ import annotations

import email
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message as EmailPart

    from workers.mailbox import Mailbox, Message

#: Messages told of for one mailbox, unless it is said otherwise.
LIMIT = 100


def search(  # noqa: PLR0913 - each is an option of the command line
    mailbox: Mailbox,
    *,
    subject: str = "",
    sender: str = "",
    body: str = "",
    since: str = "",
    before: str = "",
    regex: bool = False,
    limit: int = LIMIT,
) -> Iterator[dict[str, Any]]:
    """Finds messages by subject, sender, text and date; a row each, at most `limit` a mailbox.

    What is looked for may stand anywhere, in capitals or not; with `regex` it is a regular expression. `since` and
    `before` are dates (2026-01-31, UTC): delivered on that day or later, and on an earlier day. `body` reads every message
    that the others leave, its attachments not.
    """
    first, end = _day("since", since), _day("before", before)
    in_subject, in_sender, in_body = (
        _finder(name, words, regex=regex) for name, words in (("subject", subject), ("sender", sender), ("body", body))
    )
    found = 0
    for folder in mailbox.folders():
        for message in folder.messages() if folder.message_count else ():
            if first and message.received and message.received < first:
                break  # the newest come first
            if end and not (message.received and message.received < end):
                continue
            if (
                in_subject(message.subject)
                and in_sender(message.sender)
                and (not body or in_body(text_of(message.read())))
            ):
                yield _row(folder.path, message)
                found += 1
                if found == limit:
                    return


def check(*, limit: int = LIMIT, since: str = "", before: str = "", regex: bool = False, **words: str) -> None:
    """Raise ValueError for options that can't be meant."""
    if limit < 1:
        raise ValueError(f"limit={limit}: it is at least 1")
    _day("since", since)
    _day("before", before)
    for name, text in words.items():
        _finder(name, text, regex=regex)


def _row(path: str, message: Message) -> dict[str, Any]:
    return {
        "folder": path,
        "subject": message.subject,
        "sender": message.sender,
        "received": message.received,
        "size": message.size,
        "message_id": message.message_id,
    }


def _finder(name: str, words: str, *, regex: bool) -> Callable[[str], object]:
    """Whether a text has these words. Raises ValueError for an expression that is none."""
    try:
        return re.compile(words if regex else re.escape(words), re.IGNORECASE).search
    except re.error as error:
        raise ValueError(f"{name}={words}: no regular expression: {error}") from error


def _day(name: str, text: str) -> datetime | None:
    """The beginning of a day, in UTC. Raises ValueError."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        raise ValueError(f"{name}={text}: a date is given as in 2026-01-31") from None


def text_of(content: bytes) -> str:
    """The text of a message: that of its text parts which are no attachments, whatever their charset is."""
    message = email.message_from_bytes(content)
    return "\n".join(_text(part) for part in message.walk() if _is_text(part))


def _is_text(part: EmailPart) -> bool:
    return part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment"


def _text(part: EmailPart) -> str:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    try:
        return octets.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:  # no charset of this world
        return octets.decode("latin-1")
