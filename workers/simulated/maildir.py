"""Real mail from a directory: PATH holds one directory a mailbox, whose name is the mailbox's address.

A mailbox may be laid out in two ways, also mixed:

- plain: a subdirectory is a folder, nested ones are nested folders, and every file in it is a message;
- Maildir: a directory that has both `cur` and `new` holds its messages in these; `tmp` and files beside them mean
  nothing. Where the mailbox itself is one, that is the Inbox, and `.Name.Sub` beside it are folders (Maildir++,
  names in modified UTF-7). A message is unread in `new`, or in `cur` without the flag S. Plain files are all read.

Names that begin with a dot are otherwise ignored, and links to directories are not followed below a mailbox. A
message's size is that of its file. The time of delivery is its Date header, since copying mail changes the time of
a file; where the header is missing or nonsense, it is the file's.
"""

from __future__ import annotations

import os
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from workers.simulated.mailfiles import files_in, find_sources, printable
from workers.simulated.mime import NO_HEADER, HeaderFields, end_of_header, header_fields
from workers.simulated.stores import (
    DELETED_ITEMS,
    FIRST_OWN,
    INBOX,
    IPM_SUBTREE,
    OUTBOX,
    SENT_ITEMS,
    FolderFacts,
    MessageFacts,
    counter_of,
    filetime,
    mailbox_dn,
    message_id,
    row_of,
    wire_id,
)
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from workers.simulated.mailfiles import FolderPath, MailFile, Source

#: Folders at the top of a mailbox that are special ones of a store, by their names in lower case.
_SPECIAL = {"inbox": INBOX, "sent items": SENT_ITEMS, "deleted items": DELETED_ITEMS, "outbox": OUTBOX}

#: Bytes read of a file to find its header; more only where it does not end there.
_HEADER = 8 * 1024
_LONGEST_HEADER = 256 * 1024

#: FILETIMEs begin in 1601. Seconds since 1970.
_OLDEST = -11_644_473_600


class MaildirPopulation:
    """The mailboxes below a directory, ordered by name."""

    def __init__(self, root: Path) -> None:
        """Raises ServerUrlError when there are none."""
        self._root = os.path.abspath(root)  # a job may change the directory that it runs in
        self._names = _mailbox_names(os.fspath(root))
        self._addresses = [printable(name) for name in self._names]
        dns = [mailbox_dn(address) for address in self._addresses]
        # A DN as it is written finds its mailbox even where another differs in letter case alone.
        self._ordinals = {dn.casefold(): ordinal for ordinal, dn in reversed([*enumerate(dns)])}
        self._ordinals |= {dn: ordinal for ordinal, dn in enumerate(dns)}

    def __len__(self) -> int:
        return len(self._names)

    def address(self, ordinal: int) -> str:
        return self._addresses[ordinal]

    def ordinal(self, dn: str) -> int | None:
        return self._ordinals.get(dn, self._ordinals.get(dn.casefold()))

    def mailbox(self, ordinal: int) -> MaildirMailbox:
        """Raises OSError when the directory can't be read."""
        directory = os.path.join(self._root, self._names[ordinal])
        os.scandir(directory).close()
        return MaildirMailbox(ordinal, self._addresses[ordinal], directory)

    def last_logon(self, ordinal: int) -> datetime | None:  # noqa: ARG002 - directories don't know
        return None


class MaildirMailbox:
    """One mailbox, as its directory is when it is first looked into after logon."""

    def __init__(self, ordinal: int, address: str, directory: str) -> None:
        self.address = address
        self.display_name = address
        self.id_bits = wire_id(ordinal + 1 << 16)
        self._directory = directory
        self._listed: dict[int, MaildirMessages] = {}

    @property
    def guid(self) -> bytes:
        return blake2b(self.address.encode(), digest_size=16, person=b"mailbox guid").digest()

    def subtree(self) -> list[FolderFacts]:
        ids = {path: folder_id for folder_id, path in self._paths.items()}
        parents = {path[:-1] for path in ids}
        top = self.id_bits | wire_id(IPM_SUBTREE)
        return [
            FolderFacts(
                folder_id,
                ids.get(path[:-1], top),
                path[-1],
                *_totals(self._sources[path]),
                depth=len(path),
                has_subfolders=path in parents,
            )
            for path, folder_id in ids.items()
        ]

    def messages(self, folder_id: int) -> MaildirMessages:
        """Listed once, so that a row means the same message as long as somebody is logged on."""
        if folder_id not in self._listed:
            files = [*files_in(self._sources[self._paths[folder_id]])]
            self._listed[folder_id] = MaildirMessages(folder_id, files)
        return self._listed[folder_id]

    @cached_property
    def _sources(self) -> dict[FolderPath, list[Source]]:
        return find_sources(self._directory)

    @cached_property
    def _paths(self) -> dict[int, FolderPath]:
        """The folders by their ids, parents first."""
        free = dict(_SPECIAL)
        found = {}
        for place, path in enumerate(self._sources):
            special = free.pop(path[0].casefold(), None) if len(path) == 1 else None
            found[self.id_bits | wire_id(special or FIRST_OWN + place)] = path
        return found


class MaildirMessages:
    """The messages of one folder, ordered by file name."""

    def __init__(self, folder_id: int, files: Sequence[MailFile]) -> None:
        self._folder_id = folder_id
        self._counter = counter_of(folder_id) & 0xFFFF
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def newest_first(self) -> Sequence[int]:
        """Reads the header of every file, the first time."""
        return self._newest_first

    def facts(self, row: int) -> MessageFacts:
        """Of a file that can't be read any more there is only what its directory told."""
        file = self._files[row]
        header = _header_of(file.path)
        return MessageFacts(
            self._folder_id,
            message_id(self._counter, row),
            header.subject,
            header.sender_name,
            header.sender_address,
            filetime(_delivered(header, file)),
            file.size,
            file.read,
            header.message_id,
        )

    def row_of(self, identifier: int) -> int | None:
        return row_of(identifier, self._counter, len(self))

    def read(self, row: int) -> bytes:
        with open(self._files[row].path, "rb") as file:
            return file.read()

    @cached_property
    def _newest_first(self) -> list[int]:
        dates = [_delivered(_header_of(file.path), file) for file in self._files]
        return sorted(range(len(dates)), key=dates.__getitem__, reverse=True)


def _mailbox_names(root: str) -> list[str]:
    """Links are followed here, and nowhere below."""
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
    except OSError as error:
        meant = "sim: takes a number of mailboxes, as in sim:2000, or a directory that holds one for each"
        raise ServerUrlError(f"sim:{root}: {error.strerror}; {meant}") from error
    if not names:
        raise ServerUrlError(f"sim:{root}: there is no directory in it; each mailbox is one")
    return names


def _totals(sources: Sequence[Source]) -> tuple[int, int, int, int | None]:
    """Messages, unread messages, bytes, and when the last file was written (FILETIME)."""
    count = read = size = 0
    newest = None
    for file in files_in(sources):
        count += 1
        read += file.read
        size += file.size
        if newest is None or file.modified > newest:
            newest = file.modified
    return count, count - read, size, None if newest is None else filetime(newest)


def _header_of(path: str) -> HeaderFields:
    try:
        with open(path, "rb") as file:
            content = file.read(_HEADER)
            if end_of_header(content) == len(content):
                content += file.read(_LONGEST_HEADER - _HEADER)
    except OSError:
        return NO_HEADER
    return header_fields(content)


def _delivered(header: HeaderFields, file: MailFile) -> int:
    """Seconds since 1970."""
    if header.date is None or header.date < _OLDEST:
        return max(file.modified, _OLDEST)
    return header.date
