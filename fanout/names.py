"""A list of mailboxes that somebody has written: a name a line, or a table with a header; UTF-8, or UTF-16 with its mark.

It does not know what a name means: an SMTP address, a DN, a user.
"""

from __future__ import annotations

import codecs
import csv
import sqlite3
import sys
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from fanout.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Headers of the column that names the mailbox, without regard to case, the best one first; those that Exchange exports.
_COLUMNS = (
    "primarysmtpaddress",
    "smtpaddress",
    "emailaddress",
    "windowsemailaddress",
    "userprincipalname",
    "legacyexchangedn",
)

#: The same, of words that may be a user's name, too: where nothing else says that it is a table, they are one.
_WORDS = ("address", "mailbox", "email", "mail", "user")

#: Header of the column that names the server.
_SERVER = "server"

#: What parts the cells of a table, the likeliest first.
_DELIMITERS = ",;\t"

#: Bytes that are read at a time, and letters of a line beyond which it is none of a list: a row of Exchange's has some thousands.
PIECE, LONGEST_LINE = 2**16, 2**20

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_names(path: str) -> Iterator[str]:
    """The names in a file, or on stdin for `-`. Blank lines, and lines that begin with `#`, are passed over.

    A name that stands there twice is taken once, where it stands first. Raises UsageError, which names the line, for a
    file that can't be read, a text in another encoding, a table without a column that is known.
    """
    lines = _written(_Lines(path))
    first = next(lines, None)
    if first is None:
        return
    delimiter = _delimiter(first)
    names = _plain(chain([first], lines)) if delimiter is None else _column(path, first, lines, delimiter)
    with _Seen() as seen:
        yield from (name for name in names if name and seen.first_time(name))


class Shares:
    """The names in a table that says on which server each is, server by server."""

    def __init__(self, path: str, servers: tuple[str, ...]) -> None:
        """Raises UsageError as `read_names` does, for a list without a column `server`, and for a server beside `servers`.

        So an account's password goes to no server that is named in a file alone.
        """
        self._rows = sqlite3.connect("")  # a private file, deleted when closed: a list may be larger than memory
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute("CREATE TABLE names (server TEXT, key TEXT, name TEXT, PRIMARY KEY (server, key))")
        for server, name in _pairs(path, servers):
            self._rows.execute("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", (server, name.casefold(), name))

    def of(self, server: str) -> Iterator[str]:
        """The names on one server, in the order of the list; one that stands there twice is taken once."""
        return (
            name for (name,) in self._rows.execute("SELECT name FROM names WHERE server = ? ORDER BY rowid", (server,))
        )


def _pairs(path: str, servers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    lines = _written(_Lines(path))
    header = next(lines, "")
    delimiter = _delimiter(header)
    headers = _headers(header, delimiter) if delimiter else []
    if _SERVER not in headers:
        raise UsageError(f"{path}: of several servers each has names of its own; give a table with a column {_SERVER}")
    whose = headers.index(_SERVER)
    for row in _rows(path, header, lines, delimiter or ","):
        server, name = row.cells[whose].strip() if len(row.cells) > whose else "", row.name
        if name and server not in servers:
            raise UsageError(
                f"{path}: {name} is on {server!r}, which no --server names; there are {', '.join(servers)}"
            )
        if name:
            yield server, name


class _Lines:
    """The lines of a text, decoded."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __iter__(self) -> Iterator[str]:
        pieces = _pieces(sys.stdin.buffer) if self._path == "-" else _open(self._path)
        first = next(pieces, b"")
        encoding = "UTF-16" if first.startswith(_MARKS) else "UTF-8"
        codec = "utf-16" if encoding == "UTF-16" else "utf-8-sig"
        number, rest = 0, ""
        try:
            for text in codecs.iterdecode(chain([first], pieces), codec):
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    number += 1
                    yield self._checked(line, number)
                if len(rest) > LONGEST_LINE:
                    raise UsageError(
                        f"{self._path}, line {number + 1}: longer than {LONGEST_LINE:,} letters, so it is no list of names"
                    )
        except UnicodeDecodeError as error:
            raise self._unreadable(number + 1, encoding) from error
        yield self._checked(rest, number + 1)

    def _checked(self, line: str, number: int) -> str:
        if "\0" in line:  # UTF-16 of plain letters is UTF-8, too
            raise self._unreadable(number, "UTF-8")
        return line

    def _unreadable(self, number: int, encoding: str) -> UsageError:
        return UsageError(f"{self._path}, line {number}: not {encoding} text; save the list as UTF-8")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Lines, and parts of those that are long: what is given for a list may be a device, or a disk."""
    return iter(partial(file.readline, PIECE), b"")


def _open(path: str) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as file:
            yield from _pieces(file)
    except OSError as error:
        raise UsageError(f"the list of mailboxes can't be read: {path}: {error.strerror}") from error


def _written(lines: Iterable[str]) -> Iterator[str]:
    """Those that say something."""
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _plain(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines)


def _delimiter(first: str) -> str | None:
    """What parts the cells, if the first line is one of a table; None for a plain list. A DN may have commas in it."""
    if first.lstrip().startswith("/"):
        return None
    inside = first.strip()
    found = next((each for each in _DELIMITERS if each in inside), None)
    return found or ("," if inside.startswith('"') or inside.casefold() in _COLUMNS else None)


def _column(path: str, header: str, lines: Iterable[str], delimiter: str) -> Iterator[str]:
    """The cells that name a mailbox."""
    return (row.name for row in _rows(path, header, lines, delimiter))


class _Row(NamedTuple):
    """A line of a table."""

    cells: list[str]
    #: The cell that names the mailbox.
    name: str


def _headers(header: str, delimiter: str) -> list[str]:
    return [cell.strip().casefold() for cell in next(csv.reader([header], delimiter=delimiter))]


def _rows(path: str, header: str, lines: Iterable[str], delimiter: str) -> Iterator[_Row]:
    """The lines that name a mailbox. Raises UsageError where no header says which cell does."""
    headers = _headers(header, delimiter)
    known = next((each for each in (*_COLUMNS, *_WORDS) if each in headers), None)
    if known is None:
        raise UsageError(
            f"{path}: a table whose first line, {header.strip()!r}, names no column of mailboxes; "
            "call it address, say, or give one name a line"
        )
    place = headers.index(known)
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if len(row) > place:
                yield _Row(row, row[place].strip())
    except csv.Error as error:
        raise UsageError(f"{path}: a table that can't be read: {error}") from error


class _Seen:
    """A set of names that lives on disk: a list may be larger than memory."""

    def __enter__(self) -> _Seen:
        self._names = sqlite3.connect("")  # a private file, deleted when closed
        self._names.execute("PRAGMA synchronous = OFF")
        self._names.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    def first_time(self, name: str) -> bool:
        """Whether it is new; a server takes a name without regard to case."""
        return self._names.execute("INSERT OR IGNORE INTO names VALUES (?)", (name.casefold(),)).rowcount == 1
