"""Where the messages of a mailbox directory lie: its folders, and the files in them.

Knows the two layouts, plain and Maildir, as `maildir` tells them; knows nothing of what is in a file.
"""

from __future__ import annotations

import os
from binascii import Error as Base64Error
from binascii import a2b_base64
from contextlib import suppress
from enum import Enum
from re import sub
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from re import Match

#: A folder as the names on the way to it from the top of the mailbox.
FolderPath = tuple[str, ...]

#: Where files lie that are in no folder of a plain mailbox, or in `cur` and `new` of a Maildir.
INBOX_PATH: FolderPath = ("Inbox",)

#: What a Maildir's own directories are called; they are no folders.
_OWN = ("cur", "new", "tmp")


class Kind(Enum):
    """What the files of a directory say of themselves."""

    #: Every file is a message that was read.
    PLAIN = "plain"
    #: Every file is a message that nobody has seen.
    NEW = "new"
    #: The file's name ends with flags; S means read.
    CUR = "cur"


class MailFile(NamedTuple):
    """One message."""

    path: str
    size: int  # bytes
    modified: int  # seconds since 1970
    read: bool


class Source(NamedTuple):
    """A directory that holds messages of a folder."""

    directory: str
    kind: Kind


def find_sources(mailbox: str) -> dict[FolderPath, list[Source]]:
    """Every folder with the directories that its messages lie in, ordered by path, parents first.

    Raises OSError when a directory can't be read; one that vanishes meanwhile was never there.
    """
    found: dict[FolderPath, list[Source]] = {}
    waiting: list[tuple[FolderPath, str]] = [((), mailbox)]
    while waiting:
        path, directory = waiting.pop()
        try:
            directories, has_files = _entries(directory)
        except FileNotFoundError:
            if not path:
                raise
            continue
        sources = found.setdefault(path, []) if path else []
        if "cur" in directories and "new" in directories:
            inbox = found.setdefault(path or INBOX_PATH, sources)
            inbox += [Source(os.path.join(directory, kind.value), kind) for kind in (Kind.CUR, Kind.NEW)]
            waiting += _maildir_children(path, directory, directories)
        else:
            if path or has_files:
                found.setdefault(path or INBOX_PATH, sources).append(Source(directory, Kind.PLAIN))
            waiting += _plain_children(path, directory, directories)
    return _with_parents(found)


def files_in(sources: Iterable[Source]) -> Iterator[MailFile]:
    """The messages of a folder, ordered by file name. Raises OSError when a directory can't be read."""
    for directory, kind in sources:
        with suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in sorted(entries, key=_name_of):
                if entry.name[0] != "." and (file := _mail_file(entry, kind)):
                    yield file


def printable(name: str) -> str:
    """A file's name as text that can be sent and shown, also where its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def decode_mutf7(name: str) -> str:
    """A folder's name in modified UTF-7 ([RFC 3501] 5.1.3) in clear; as it stands where it is broken."""
    return sub("&([A-Za-z0-9+,]*)-", _decoded_run, name)


def _name_of(entry: os.DirEntry[str]) -> str:
    return entry.name


def _entries(directory: str) -> tuple[list[str], bool]:
    """The names of the subdirectories, and whether there are files that can be messages."""
    directories, has_files = [], False
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            elif entry.name[0] != "." and entry.is_file():
                has_files = True
    return sorted(directories), has_files


def _mail_file(entry: os.DirEntry[str], kind: Kind) -> MailFile | None:
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except FileNotFoundError:  # gone since the directory was read
        return None
    return MailFile(entry.path, status.st_size, int(status.st_mtime), _is_read(entry.name, kind))


def _is_read(name: str, kind: Kind) -> bool:
    match kind:
        case Kind.PLAIN:
            return True
        case Kind.NEW:
            return False
        case Kind.CUR:
            _, mark, flags = name.rpartition(":2,")
            return bool(mark) and "S" in flags


def _plain_children(path: FolderPath, directory: str, names: list[str]) -> Iterator[tuple[FolderPath, str]]:
    for name in names:
        if name[0] != ".":
            yield (*path, printable(name)), os.path.join(directory, name)


def _maildir_children(path: FolderPath, directory: str, names: list[str]) -> Iterator[tuple[FolderPath, str]]:
    """Subdirectories of a Maildir; those of Maildir++ have their whole path in the name, a dot before each part."""
    for name in names:
        if name[0] == ".":
            parts = [decode_mutf7(printable(part)) for part in name.split(".") if part]
            if parts:
                yield (*path, *parts), os.path.join(directory, name)
        elif name not in _OWN:
            yield (*path, printable(name)), os.path.join(directory, name)


def _with_parents(found: dict[FolderPath, list[Source]]) -> dict[FolderPath, list[Source]]:
    """A Maildir++ folder needs no parent on disk; a folder of a store does."""
    complete = {path[:depth]: list[Source]() for path in found for depth in range(1, len(path) + 1)}
    return dict(sorted((complete | found).items()))


def _decoded_run(run: Match[str]) -> str:
    if not run[1]:
        return "&"
    octets = run[1].replace(",", "/").encode("utf-8")
    try:
        return a2b_base64(octets + b"=" * (-len(octets) % 4)).decode("utf-16-be").replace("\0", "")
    except (Base64Error, UnicodeError):
        return run[0]
