"""The job `search`."""

from __future__ import annotations

import email
import re
from typing import TYPE_CHECKING, Any

import regex as timed_re

from workers.causes import Cause, MailboxError
from workers.jobs.mail import check_limit, messages, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from email.message import Message as EmailPart

    from workers.mailbox import Mailbox

#: Messages told of for one mailbox, and seconds that an expression may take at one text, unless it is said otherwise.
LIMIT = 100
PATIENCE = 1.0


def search(  # noqa: PLR0913 - each is an option of the command line
    mailbox: Mailbox,
    *,
    subject: str = "",
    sender: str = "",
    body: str = "",
    since: date | None = None,
    before: date | None = None,
    regex: bool = False,
    patience: float = PATIENCE,
    limit: int = LIMIT,
) -> Iterator[dict[str, Any]]:
    """Finds messages by subject, sender, text and date; a row each, at most `limit` a mailbox.

    What is looked for may stand anywhere, in capitals or not; with `regex` it is a regular expression, and a mailbox fails
    where that takes more than `patience` seconds at one text. Messages delivered on the day `since` or later, and before
    the day `before` (UTC). `body` reads every message that the others leave, its attachments not.

    Example: fanout run search --server sim:20 -a subject=budget -a since=2025-12-01
    Result: [{"folder": "Inbox", "subject": "Budget", "sender": "<a@x.example>", "received": "2026-01-31T09:00:00Z", "size": 2311, "message_id": "<1@x.example>"}]
    """
    in_subject, in_sender, in_body = (
        _finder(name, words, patience if regex else None)
        for name, words in (("subject", subject), ("sender", sender), ("body", body))
    )
    found = 0
    for path, message in messages(mailbox, since, before):
        if in_subject(message.subject) and in_sender(message.sender) and (not body or in_body(text_of(message.read()))):
            yield row(path, message)
            found += 1
            if found == limit:
                return


def check(*, limit: int = LIMIT, regex: bool = False, patience: float = PATIENCE, **words: object) -> None:
    """Raise ValueError for options that can't be meant."""
    check_limit(limit)
    if not patience > 0:
        raise ValueError(f"patience={patience}: seconds, more than none")
    for name in ("subject", "sender", "body"):
        _finder(name, str(words.get(name, "")), patience if regex else None)


def _finder(name: str, words: str, patience: float | None) -> Callable[[str], object]:
    """Whether a text has these words, or, with `patience`, fits them as an expression. Raises ValueError where they are none."""
    if patience is None:
        return re.compile(re.escape(words), re.IGNORECASE).search
    try:
        expression = timed_re.compile(words, timed_re.IGNORECASE)
    except timed_re.error as error:
        raise ValueError(f"{name}={words}: no regular expression: {error}") from error

    def fits(text: str) -> object:
        try:
            return expression.search(text, timeout=patience, concurrent=True)
        except TimeoutError:
            raise MailboxError(
                f"{name}={words}: the expression takes more than {patience:g} s at a text of {len(text):,} characters; "
                "write it so that it has fewer ways to fit, or give it more -a patience",
                Cause.JOB,
            ) from None

    return fits


def text_of(content: bytes) -> str:
    """The text of a message: that of its text parts which are no attachments, whatever their charset is."""
    message = email.message_from_bytes(content)
    return "\n".join(_text(part) for part in message.walk() if _is_text(part))


def _is_text(part: EmailPart) -> bool:
    kind = part.get_content_maintype()
    broken = kind == "multipart" and not part.is_multipart()  # it names no boundary
    return (kind == "text" or broken) and part.get_content_disposition() != "attachment"


def _text(part: EmailPart) -> str:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    try:
        return octets.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):  # no charset of this world, or one that is no encoding of text
        return octets.decode("latin-1")
