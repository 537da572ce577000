"""A job's Mailbox over IMAP. Nothing here marks or changes mail: EXAMINE and BODY.PEEK, never SELECT or STORE."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from imapclient.imap_utf7 import decode as decode_utf7

from workers.causes import Cause, MailboxError
from workers.imap.line import accepted, quoted
from workers.imap.responses import number, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from imaplib import IMAP4
    from types import TracebackType
    from typing import Self

    from workers.imap.line import Line
    from workers.imap.responses import Answer, Response
    from workers.mailbox import Folder

#: Messages of a page.
PAGE = 100

#: Attributes of folders that hold no mail (RFC 9051 section 7.3.1).
_NO_MAIL = {b"\\noselect", b"\\nonexistent"}

_HEADER = b"BODY.PEEK[HEADER.FIELDS (SUBJECT FROM MESSAGE-ID)]"
_PAGE_ITEMS = b"(UID RFC822.SIZE INTERNALDATE " + _HEADER + b")"

_BY_PATH = attrgetter("path")
_parser = BytesHeaderParser()

#: What a server must be able to do to tell of all folders in one answer, and of their sizes.
LIST_STATUS, STATUS_SIZE = "LIST-STATUS", "STATUS=SIZE"


def listing(capabilities: frozenset[str]) -> bytes:
    """The command that lists folders, with what the server can tell of each at the same time."""
    if LIST_STATUS not in capabilities:
        return b'LIST "" "*"'
    return b'LIST "" "*" RETURN (STATUS (%s))' % _items(capabilities)


def _items(capabilities: frozenset[str]) -> bytes:
    return b"MESSAGES UNSEEN SIZE" if STATUS_SIZE in capabilities else b"MESSAGES UNSEEN"


class ImapMessage:
    """A message as its page told of it."""

    __slots__ = ("_folder", "_header", "_uid", "received", "size")

    def __init__(self, folder: ImapFolder, fetched: dict[str, Any]) -> None:
        self._folder = folder
        self._uid = number(fetched.get("UID"), "a UID")
        self.size = number(fetched.get("RFC822.SIZE"), "a message's size")
        self.received = _date(fetched.get("INTERNALDATE"))
        header = next((value for name, value in fetched.items() if name.startswith("BODY[")), b"")
        self._header = _parser.parsebytes(header or b"")

    @property
    def subject(self) -> str:
        """As it is meant: encoded words are read."""
        return _decoded(self._header.get("Subject"))

    @property
    def sender(self) -> str:
        """`Name <address>`, or as much of that as there is."""
        name, address = parseaddr(_decoded(self._header.get("From")))
        if not address:
            return name
        return f"{name} <{address}>" if name and name != address else f"<{address}>"

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty where there is none."""
        return str(self._header.get("Message-ID") or "").strip()

    def read(self) -> bytes:
        """The whole message. Raises MailboxError; MISSING when it is gone."""
        return self._folder.read(self._uid)


class ImapFolder:
    """A folder as the listing told of it."""

    __slots__ = ("_mailbox", "_name", "message_count", "path", "size", "unread_count")

    def __init__(self, mailbox: ImapMailbox, path: str, name: bytes, status: dict[str, Any]) -> None:
        self._mailbox = mailbox
        self._name = name
        self.path = path
        self.message_count = number(status.get("MESSAGES"), f"the messages of {path}")
        self.unread_count = number(status.get("UNSEEN"), f"the unread messages of {path}")
        self.size = number(status.get("SIZE"), f"the size of {path}")

    def messages(self) -> Iterator[ImapMessage]:
        """Newest first, by the date of delivery (INTERNALDATE); of the same date, the one that came last. Raises MailboxError.

        The dates of all are asked for first, then the messages in pages; one that is gone meanwhile is left out.
        """
        if not self.message_count:
            return
        dates = [pairs(fetched[2]) for fetched in self._fetched(b"FETCH 1:* (UID INTERNALDATE)")]
        found = sorted(
            ((_date(each.get("INTERNALDATE")), number(each.get("UID"), "a UID")) for each in dates), reverse=True
        )
        for first in range(0, len(found), PAGE):
            uids = [uid for _, uid in found[first : first + PAGE]]
            command = b"UID FETCH " + b",".join(b"%d" % uid for uid in uids) + b" " + _PAGE_ITEMS
            page = {each["UID"]: each for each in (pairs(fetched[2]) for fetched in self._fetched(command))}
            for uid in uids:
                if fetched := page.get(b"%d" % uid):
                    yield ImapMessage(self, fetched)

    def read(self, uid: int) -> bytes:
        """A whole message. Raises MailboxError."""
        for fetched in self._fetched(b"UID FETCH %d (UID BODY.PEEK[])" % uid):
            values = pairs(fetched[2])
            if values.get("UID") == b"%d" % uid and isinstance(values.get("BODY[]"), bytes):
                return bytes(values["BODY[]"])
        raise MailboxError(f"message {uid} of {self.path} is gone", Cause.MISSING)

    def _fetched(self, command: bytes) -> Iterator[list[Any]]:
        """The FETCH responses to a command, with the folder examined before it if it is not already."""
        yield from fetches(self._mailbox.within(self._name, command))


class ImapMailbox:
    """One mailbox, logged on to by a connection of its own. Leaving it as a context logs out."""

    def __init__(
        self, address: str, line: Line, listed: Answer | None, *, dry_run: bool, asked: Callable[[], None]
    ) -> None:
        """`listed`: the answer to `listing`, where it went with the logon; `asked` is called when folders are wanted."""
        self.address = address
        self.dry_run = dry_run
        self._line = line
        self._listed = listed
        self._asked = asked
        self._examined: bytes | None = None

    @property
    def display_name(self) -> str:
        """Its address: IMAP knows no other."""
        return self.address

    @property
    def store(self) -> IMAP4:
        """imaplib's client, logged on. What it selects is its own business."""
        self._examined = None
        return self._line.client

    def folders(self) -> list[Folder]:
        """Every folder that can hold mail, ordered by path.

        In one round trip where the server has LIST-STATUS and STATUS=SIZE. Raises MailboxError, also when a folder's
        numbers can't be had: none is taken for empty.
        """
        self._asked()
        answer, self._listed = self._listed, None
        if answer is None:
            [answer] = self._line.flight(listing(self._line.capabilities))
        paths, statuses = _told(accepted("LIST", answer))
        self._ask_for_status([name for name in paths if name not in statuses], statuses)
        if STATUS_SIZE not in self._line.capabilities:
            self._ask_for_sizes(statuses)
        folders: list[Folder] = [ImapFolder(self, path, name, statuses[name]) for name, path in paths.items()]
        folders.sort(key=_BY_PATH)
        return folders

    def within(self, name: bytes, command: bytes) -> list[Response]:
        """What a command is answered in a folder. Raises MailboxError."""
        commands = [command] if self._examined == name else [b"EXAMINE " + quoted(name), command]
        self._examined = None
        *examined, answer = self._line.flight(*commands)
        for each in examined:
            accepted("EXAMINE", each)
        self._examined = name
        return accepted(command.partition(b" (")[0].decode("ascii", "replace"), answer)

    def close(self) -> None:
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask_for_status(self, names: list[bytes], statuses: dict[bytes, dict[str, Any]]) -> None:
        """Of folders of which nothing was told: the server can't do so at once, or can't read them, and says why."""
        items = _items(self._line.capabilities)
        answers = self._line.flight(*(b"STATUS " + quoted(name) + b" (" + items + b")" for name in names))
        for name, answer in zip(names, answers, strict=True):
            _, told = _told(accepted(f"STATUS {name.decode('ascii', 'replace')}", answer))
            statuses[name] = next(iter(told.values()), {})

    def _ask_for_sizes(self, statuses: dict[bytes, dict[str, Any]]) -> None:
        """Bytes of each folder, by those of its messages. `FETCH 1:*` in an empty folder would be an error."""
        filled = [name for name, status in statuses.items() if number(status.get("MESSAGES"), "messages")]
        commands = [part for name in filled for part in (b"EXAMINE " + quoted(name), b"FETCH 1:* (RFC822.SIZE)")]
        answers = self._line.flight(*commands)
        self._examined = filled[-1] if filled else self._examined
        for status in statuses.values():
            status["SIZE"] = b"0"
        for name, examined, answer in zip(filled, answers[::2], answers[1::2], strict=True):
            accepted("EXAMINE", examined)
            sizes = [pairs(each[2]).get("RFC822.SIZE") for each in fetches(accepted("FETCH", answer))]
            statuses[name]["SIZE"] = b"%d" % sum(number(size, "a message's size") for size in sizes)


def _told(responses: list[Response]) -> tuple[dict[bytes, str], dict[bytes, dict[str, Any]]]:
    """The folders that hold mail, by their names on the wire, with their paths; and the STATUS of each that has one."""
    paths: dict[bytes, str] = {}
    statuses: dict[bytes, dict[str, Any]] = {}
    for response in responses:
        kind = response.data[:7].upper()
        if kind.startswith(b"LIST "):
            attributes, separator, name = response.values(5)[:3]
            if not _NO_MAIL & {each.lower() for each in attributes}:
                paths[_inbox(name)] = _path(_inbox(name), separator)
        elif kind == b"STATUS ":
            name, listed = response.values(7)[:2]
            statuses[_inbox(name)] = pairs(listed)
    return paths, {name: status for name, status in statuses.items() if name in paths or not paths}


def _inbox(name: bytes) -> bytes:
    """INBOX is the one name that is the same in any case (RFC 9051 section 5.1)."""
    return b"INBOX" if name.upper() == b"INBOX" else name


def _path(name: bytes, separator: bytes | None) -> str:
    """The name as people write it, its parts joined by `/`."""
    text = str(decode_utf7(name))
    return text.replace(separator.decode("ascii", "replace"), "/") if separator and separator != b"/" else text


def fetches(responses: list[Response]) -> Iterator[list[Any]]:
    """The FETCH responses: number, the word, names and values."""
    for response in responses:
        if _FETCH.match(response.data):
            yield response.values()


_FETCH = re.compile(rb"\d+ FETCH \(", re.IGNORECASE)


def _date(internal: Any) -> datetime:  # noqa: ANN401 - whatever stood in the response
    """INTERNALDATE in UTC. Raises MailboxError, PROTOCOL."""
    text = internal.decode("ascii", "replace") if isinstance(internal, bytes) else ""
    try:
        return datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MailboxError(f"the server gave no date of a message: {internal!r}", Cause.PROTOCOL) from error


def _decoded(value: object) -> str:
    """A header's text: encoded words of whatever charset, unfolded."""
    if value is None:
        return ""
    text = "".join(_part(part, charset) for part, charset in decode_header(str(value)))
    return " ".join(text.split())


def _part(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    try:
        return part.decode(charset or "ascii", "replace")
    except LookupError:  # no charset of this world
        return part.decode("latin-1")
