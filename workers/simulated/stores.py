"""What the server needs of a population: mailboxes, and the facts of their folders and messages.

The order of the fields of FolderFacts and MessageFacts is the order in which tables find them, so a row of a
table is picked out of the facts without a look at their names. Where mail comes from is not known here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The organisation of every simulated mailbox, as the legacyExchangeDN spells it.
DN_PREFIX = "/o=sim/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="

#: What stands for itself in the name of a mailbox; the rest is percent-encoded in its DN.
_PLAIN = "@+ "
_is_plain = re.compile(f"[{_PLAIN}A-Za-z0-9_.~-]*").fullmatch

#: FILETIME counts units of 100 ns since 1601, POSIX time seconds since 1970.
TICKS = 10_000_000
POSIX_EPOCH = 11_644_473_600  # seconds from 1601 to 1970

#: The low 16 bits of an id on the wire: which replica made it. Ours are all of the first.
REPLICA_ID = 1

#: Set in the counter of every message id.
_MESSAGE_BIT = 1 << 47

#: The server's clock, which stands still at 2026-01-01. Seconds since 1970.
CLOCK = 1_767_225_600

#: Folders that every store has, by the counters that the recorded server gives them; the order is
#: that of the 13 FolderIds of a logon ([MS-OXCSTOR] 2.2.1.1.3).
ROOT, DEFERRED_ACTION, SPOOLER_QUEUE, SHORTCUTS, SEARCH, VIEWS, COMMON_VIEWS, SCHEDULE = range(1, 9)
IPM_SUBTREE, SENT_ITEMS, DELETED_ITEMS, OUTBOX, INBOX = range(9, 14)
LOGON_FOLDERS = (
    ROOT,
    DEFERRED_ACTION,
    SPOOLER_QUEUE,
    IPM_SUBTREE,
    INBOX,
    OUTBOX,
    SENT_ITEMS,
    DELETED_ITEMS,
    COMMON_VIEWS,
    SCHEDULE,
    SEARCH,
    VIEWS,
    SHORTCUTS,
)
#: The first counter that is free for folders of a mailbox's own.
FIRST_OWN = 14

#: Folders beside the IPM subtree: they are never shown to a person, and hold nothing here.
OUTSIDE = {
    DEFERRED_ACTION: "Deferred Action",
    SPOOLER_QUEUE: "Spooler Queue",
    SHORTCUTS: "Shortcuts",
    SEARCH: "Finder",
    VIEWS: "Views",
    COMMON_VIEWS: "Common Views",
    SCHEDULE: "Schedule",
}

GENERIC_FOLDER, ROOT_FOLDER = 1, 0  # PidTagFolderType


class FolderFacts(NamedTuple):
    """One folder, as a hierarchy table knows it."""

    folder_id: int
    parent_id: int
    name: str
    message_count: int
    unread_count: int
    size: int  # bytes of its own messages
    newest: int | None  # FILETIME; None where there is no message
    depth: int  # 0 for the IPM subtree's own folder
    has_subfolders: bool
    folder_type: int = GENERIC_FOLDER
    container_class: str = "IPF.Note"


class MessageFacts(NamedTuple):
    """One message, as a contents table knows it. None stands for what the message does not have."""

    folder_id: int
    message_id: int
    subject: str | None
    sender_name: str | None
    sender_address: str | None
    delivered: int | None  # FILETIME
    size: int  # bytes
    read: bool
    internet_message_id: str | None


class Messages(Protocol):
    """The messages of one folder. A row is a place in the order in which the folder keeps them."""

    def __len__(self) -> int: ...

    def newest_first(self) -> Sequence[int]:
        """The rows, ordered by time of delivery, newest first."""
        ...

    def facts(self, row: int) -> MessageFacts:
        """What is told of a message without its text; what can't be found out is None."""
        ...

    def row_of(self, identifier: int) -> int | None:
        """Where a message is; None when it is not here."""
        ...

    def read(self, row: int) -> bytes:
        """The whole message, `facts(row).size` bytes. Raises OSError when it can't be read."""
        ...


class NoMessages:
    """The messages of a folder that holds none."""

    def __len__(self) -> int:
        return 0

    def newest_first(self) -> Sequence[int]:
        return ()

    def facts(self, row: int) -> MessageFacts:
        raise IndexError(row)

    def row_of(self, identifier: int) -> int | None:  # noqa: ARG002 - whatever it is
        return None

    def read(self, row: int) -> bytes:
        raise IndexError(row)


class Mailbox(Protocol):
    """One mailbox, as long as somebody is logged on to it."""

    @property
    def address(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def guid(self) -> bytes:
        """16 bytes, the same whenever and wherever the mailbox is opened."""
        ...

    @property
    def id_bits(self) -> int:
        """What the ids of all its folders have in common; `| wire_id(INBOX)` makes it the id of the Inbox."""
        ...

    def subtree(self) -> Sequence[FolderFacts]:
        """All folders below the IPM subtree's own, parents first. Raises OSError when they can't be read."""
        ...

    def messages(self, folder_id: int) -> Messages:
        """The messages of a folder below the IPM subtree. Raises OSError when they can't be read."""
        ...


class Population(Protocol):
    """Which mailboxes there are, in a fixed order."""

    def __len__(self) -> int: ...

    def address(self, ordinal: int) -> str:
        """The name of mailbox `ordinal`, 0 <= ordinal < len."""
        ...

    def mailbox(self, ordinal: int) -> Mailbox:
        """Open a mailbox. Raises OSError when it can't be read."""
        ...

    def ordinal(self, dn: str) -> int | None:
        """Which mailbox a DN means, in any letter case; None when it means none."""
        ...

    def last_logon(self, ordinal: int) -> datetime | None:
        """When somebody used it last, in UTC; None for never, or not known."""
        ...


def mailbox_dn(address: str) -> str:
    """The legacyExchangeDN of a mailbox, whether there is one of this name or not. ASCII, as RopLogon wants it."""
    return DN_PREFIX + (address if _is_plain(address) else quote(address, safe=_PLAIN))


def wire_id(counter: int) -> int:
    """A folder or message id as the 64 bits that travel: REPLID, then a 48-bit counter, its high byte first."""
    return int.from_bytes(REPLICA_ID.to_bytes(2, "little") + counter.to_bytes(6, "big"), "little")


def counter_of(identifier: int) -> int:
    """The counter in an id as it travels."""
    return int.from_bytes((identifier >> 16 & 0xFFFF_FFFF_FFFF).to_bytes(6, "little"), "big")


def message_id(folder_counter: int, row: int) -> int:
    """The id of the message in `row` of a folder. One bit keeps it apart from the ids of folders."""
    return wire_id(_MESSAGE_BIT | folder_counter << 32 | row + 1)


def row_of(identifier: int, folder_counter: int, count: int) -> int | None:
    """Which of the `count` rows of a folder a message id means; None when it means none of them."""
    counter = counter_of(identifier)
    row = (counter & 0xFFFF_FFFF) - 1
    here = counter >> 32 == (_MESSAGE_BIT >> 32 | folder_counter) and identifier & 0xFFFF == REPLICA_ID
    return row if here and 0 <= row < count else None


def filetime(posix: int) -> int:
    """Whole seconds since 1970 as a FILETIME."""
    return (posix + POSIX_EPOCH) * TICKS


def moment(posix: int) -> datetime:
    """Whole seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(posix, UTC)


def store_folders(bits: int, subtree: Sequence[FolderFacts]) -> Iterator[FolderFacts]:
    """Every folder of the store with these `id_bits` and this `subtree`, the root first, parents before children."""
    root, top = bits | wire_id(ROOT), bits | wire_id(IPM_SUBTREE)
    yield FolderFacts(root, root, "", 0, 0, 0, None, -1, True, ROOT_FOLDER, "")  # noqa: FBT003 - a column
    for counter, name in OUTSIDE.items():
        yield FolderFacts(bits | wire_id(counter), root, name, 0, 0, 0, None, 0, False)  # noqa: FBT003 - a column
    yield FolderFacts(top, root, "Top of Information Store", 0, 0, 0, None, 0, bool(subtree))
    yield from subtree
