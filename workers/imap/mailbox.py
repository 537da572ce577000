"""A job's Mailbox over IMAP. Nothing here marks or changes mail: EXAMINE and BODY.PEEK, never SELECT or STORE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from imapclient.imap_utf7 import decode as decode_utf7

from workers.causes import Cause, MailboxError
from workers.imap.line import accepted, quoted
from workers.imap.responses import broken, number, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message as EmailMessage
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


class _Page:
    """Some messages of a folder, which are asked for together when the first of them is looked at."""

    def __init__(self, folder: ImapFolder, uids: list[int]) -> None:
        self._folder = folder
        self._uids = uids
        self._fetched: dict[int, dict[str, Any]] | None = None

    def of(self, uid: int) -> dict[str, Any]:
        """What its header and size are. Raises MailboxError; MISSING for one that is gone meanwhile."""
        if self._fetched is None:
            command = b"UID FETCH " + b",".join(b"%d" % each for each in self._uids) + b" " + _PAGE_ITEMS
            listed = map(pairs, (fetched[2] for fetched in self._folder.fetched(command)))
            self._fetched = {number(each.get("UID"), "a UID"): each for each in listed}
        if uid not in self._fetched:
            raise gone(uid, self._folder.path)
        return self._fetched[uid]


class ImapMessage:
    """A message of which the date is known; the rest comes with its page."""

    __slots__ = ("_folder", "_header", "_page", "_uid", "received")

    def __init__(self, folder: ImapFolder, page: _Page, uid: int, received: datetime) -> None:
        self._folder = folder
        self._page = page
        self._uid = uid
        self.received = received
        self._header: EmailMessage | None = None

    @property
    def size(self) -> int:
        """Bytes (RFC822.SIZE)."""
        return number(self._page.of(self._uid).get("RFC822.SIZE"), "a message's size")

    @property
    def subject(self) -> str:
        """As it is meant: encoded words are read."""
        return _decoded(self._field("Subject"))

    @property
    def sender(self) -> str:
        """`Name <address>`, or as much of that as there is."""
        name, address = parseaddr(_decoded(self._field("From")))
        if not address:
            return name
        return f"{name} <{address}>" if name and name != address else f"<{address}>"

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty where there is none."""
        return str(self._field("Message-ID") or "").strip()

    def read(self) -> bytes:
        """The whole message. Raises MailboxError; MISSING when it is gone."""
        return self._folder.read(self._uid)

    def _field(self, name: str) -> object:
        if self._header is None:
            fetched = self._page.of(self._uid)
            header = next((value for item, value in fetched.items() if item.startswith("BODY[")), b"")
            self._header = _parser.parsebytes(header or b"")
        return self._header.get(name)


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

        The dates of all are asked for first; what else there is to know of a message comes, by pages, when it is wanted.
        """
        if not self.message_count:
            return
        found = sorted(map(_dated, self._mailbox.dates(self._name)), reverse=True)
        for first in range(0, len(found), PAGE):
            some = found[first : first + PAGE]
            page = _Page(self, [uid for _, uid in some])
            for received, uid in some:
                yield ImapMessage(self, page, uid, received)

    def read(self, uid: int) -> bytes:
        """A whole message. Raises MailboxError."""
        for fetched in self.fetched(b"UID FETCH %d (UID BODY.PEEK[])" % uid):
            values = pairs(fetched[2])
            if values.get("UID") == b"%d" % uid and isinstance(values.get("BODY[]"), bytes):
                return bytes(values["BODY[]"])
        raise gone(uid, self.path)

    def fetched(self, command: bytes) -> Iterator[list[Any]]:
        """The FETCH responses to a command, with the folder examined before it if it is not already."""
        yield from fetches(self._mailbox.within(self._name, command))


def gone(uid: int, path: str) -> MailboxError:
    """The error for a message that was deleted since its folder was looked at."""
    return MailboxError(f"message {uid} of {path} is gone", Cause.MISSING)


@dataclass
class Habits:
    """What jobs asked of the mailboxes before: it is asked of the next ones at once, with fewer round trips."""

    #: The command that lists folders, once a job wanted them: it goes with the logon.
    listing: bytes | None = None
    #: Whether a job looks into several folders of a mailbox.
    all_folders: bool = False


class ImapMailbox:
    """One mailbox, logged on to by a connection of its own. Leaving it as a context logs out."""

    def __init__(self, address: str, line: Line, listed: Answer | None, habits: Habits, *, dry_run: bool) -> None:
        """`listed`: the answer to `listing`, where it went with the logon."""
        self.address = address
        self.dry_run = dry_run
        self._line = line
        self._listed = listed
        self._habits = habits
        self._examined: bytes | None = None
        #: Folders that hold mail, those whose dates were asked for, and what was answered and not taken yet.
        self._filled: list[bytes] = []
        self._looked_into: set[bytes] = set()
        self._dates: dict[bytes, tuple[Answer, Answer]] = {}

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
        self._habits.listing = listing(self._line.capabilities)
        answer, self._listed = self._listed, None
        if answer is None:
            [answer] = self._line.flight(listing(self._line.capabilities))
        paths, statuses = _told(accepted("LIST", answer))
        self._ask_for_status([name for name in paths if name not in statuses], statuses)
        if STATUS_SIZE not in self._line.capabilities:
            self._ask_for_sizes(statuses)
        folders: list[Folder] = [ImapFolder(self, path, name, statuses[name]) for name, path in paths.items()]
        folders.sort(key=_BY_PATH)
        self._filled = [name for name, status in statuses.items() if status["MESSAGES"] != b"0"]
        return folders

    def dates(self, name: bytes) -> list[Response]:
        """UID and INTERNALDATE of each message of a folder. Raises MailboxError.

        Where jobs look into one folder after the other, all are asked at the first time, in one flight.
        """
        if name not in self._dates:
            others = [each for each in self._filled if each != name and each not in self._looked_into]
            names = [name, *others] if self._habits.all_folders else [name]
            answers = self._line.flight(*(part for each in names for part in (b"EXAMINE " + quoted(each), _DATES)))
            self._examined = None
            self._dates.update(zip(names, zip(answers[::2], answers[1::2], strict=True), strict=True))
        self._looked_into.add(name)
        self._habits.all_folders = self._habits.all_folders or len(self._looked_into) > 1
        examined, answer = self._dates.pop(name)
        accepted("EXAMINE", examined)
        return [each for each in accepted("FETCH", answer) if _FETCH.match(each.data)]

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


_DATES = b"FETCH 1:* (UID INTERNALDATE)"
_UID = re.compile(rb"UID (\d+)", re.IGNORECASE)
_MONTHS = b"janfebmaraprmayjunjulaugsepoctnovdec"

#: `" 1-Jan-2026 10:00:00 +0100"`: strptime takes ten times as long.
_INTERNALDATE = re.compile(
    rb'INTERNALDATE " ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([-+])(\d\d)(\d\d)"', re.IGNORECASE
)


def _dated(response: Response) -> tuple[datetime, int]:
    """The date in UTC, and the UID, of a response to `dates`. Raises MailboxError, PROTOCOL."""
    uid, date = _UID.search(response.data), _INTERNALDATE.search(response.data)
    if not uid or not date:
        raise broken(response.data)
    day, month, year, hour, minute, second, sign, hours, minutes = date.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        month_number = _MONTHS.index(month.lower()) // 3 + 1
        local = datetime(int(year), month_number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return (local + offset if sign == b"-" else local - offset), int(uid[1])
    except (ValueError, OverflowError) as error:
        raise broken(response.data) from error


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
