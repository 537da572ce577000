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
    from collections.abc import Iterable, Iterator, Sequence

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


def read_names(path: str, server: str) -> Iterator[str]:
    """The names in a file, or on stdin for `-`. Blank lines, and lines that begin with `#`, are passed over.

    A name that stands there twice is taken once, where it stands first. Raises UsageError, which names the line, for a
    file that can't be read, a text in another encoding, a table without a column that is known, and for one with a column
    `server` that names another one than `server`.
    """
    lines = _Written(path)
    first = next(lines, None)
    if first is None:
        return
    delimiter = _delimiter(first)
    names = _plain(chain([first], lines)) if delimiter is None else _column(lines, first, delimiter, server)
    with _Seen() as seen:
        yield from (name for name in names if name and seen.first_time(name))


class Shares:
    """The names in a table that says on which server each is, server by server."""

    def __init__(self, path: str, servers: tuple[str, ...]) -> None:
        """Raises UsageError as `read_names` does, for a list without a column `server`, and for a server beside `servers`."""
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
    lines = _Written(path)
    header = next(lines, "")
    delimiter = _delimiter(header)
    if delimiter is None or _SERVER not in _headers(header, delimiter):
        raise UsageError(f"{path}: of several servers each has names of its own; give a table with a column {_SERVER}")
    return ((row.server_of(servers), row.name) for row in _rows(lines, header, delimiter))


class _Lines:
    """The lines of a text, decoded."""

    def __init__(self, path: str) -> None:
        self._path = path
        #: Of the line that was given last, from 1 on.
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        pieces = _pieces(sys.stdin.buffer) if self._path == "-" else _open(self._path)
        first = next(pieces, b"")
        encoding = "UTF-16" if first.startswith(_MARKS) else "UTF-8"
        codec = "utf-16" if encoding == "UTF-16" else "utf-8-sig"
        rest = ""
        try:
            for text in codecs.iterdecode(chain([first], pieces), codec):
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    self.number += 1
                    yield self._checked(line)
                if len(rest) > LONGEST_LINE:
                    raise UsageError(
                        f"{self._path}, line {self.number + 1}: longer than {LONGEST_LINE:,} letters, so it is no list of names"
                    )
        except UnicodeDecodeError as error:
            raise self._unreadable(self.number + 1, encoding) from error
        self.number += 1
        yield self._checked(rest)

    def _checked(self, line: str) -> str:
        if "\0" in line:  # UTF-16 of plain letters is UTF-8, too
            raise self._unreadable(self.number, "UTF-8")
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


class _Written:
    """The lines of a file that say something, and where each row of a table begins, which may have several."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lines = _Lines(path)
        self._said = (line for line in self._lines if line.strip() and not line.lstrip().startswith("#"))
        #: The number of the first line since a row was begun.
        self.row = 0
        self._is_begun = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._said)
        if not self._is_begun:
            self.row, self._is_begun = self._lines.number, True
        return line

    def begin_row(self) -> None:
        self._is_begun = False


def _plain(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines)


def _delimiter(first: str) -> str | None:
    """What parts the cells, if the first line is one of a table; None for a plain list. A DN may have commas in it."""
    if first.lstrip().startswith("/"):
        return None
    inside = first.strip()
    found = next((each for each in _DELIMITERS if each in inside), None)
    return found or ("," if inside.startswith('"') or inside.casefold() in _COLUMNS else None)


def _column(lines: _Written, header: str, delimiter: str, server: str) -> Iterator[str]:
    """The cells that name a mailbox of this server."""
    for row in _rows(lines, header, delimiter):
        if row.server is not None:
            row.server_of((server,))
        yield row.name


class _Row(NamedTuple):
    """A row of a table that has something in it."""

    #: Where it begins, for people.
    where: str
    #: The cell that names the mailbox, and the one that names its server: None where there is no such column.
    name: str
    server: str | None

    def server_of(self, servers: Sequence[str]) -> str:
        """The server, which is one of these. Raises UsageError for another one, or none, and for one without a mailbox.

        So nobody is looked for on a server where he is not, and a password goes to none that is named in a file alone.
        """
        there = ", ".join(servers)
        if not self.name:
            raise UsageError(f"{self.where}: the row names no mailbox; give one, or take the row away")
        if not self.server:
            raise UsageError(
                f"{self.where}: the column {_SERVER} is empty, so nobody knows where {self.name} is: {there}?"
            )
        if self.server not in servers:
            raise UsageError(
                f"{self.where}: {self.name} is on {self.server!r}, which no --server names; named are {there}"
            )
        return self.server


def _headers(header: str, delimiter: str) -> list[str]:
    return [cell.strip().casefold() for cell in next(csv.reader([header], delimiter=delimiter))]


def _rows(lines: _Written, header: str, delimiter: str) -> Iterator[_Row]:
    """The rows that are not empty. Raises UsageError where no header says which cell names a mailbox, and for an open quote."""
    headers = _headers(header, delimiter)
    known = next((each for each in (*_COLUMNS, *_WORDS) if each in headers), None)
    if known is None:
        raise UsageError(
            f"{lines.path}: a table whose first line, {header.strip()!r}, names no column of mailboxes; "
            "call it address, say, or give one name a line"
        )
    place, whose = headers.index(known), headers.index(_SERVER) if _SERVER in headers else None
    for row in _cells(lines, delimiter):
        cells = [cell.strip() for cell in row] + [""] * (len(headers) - len(row))
        if any(cells):
            server = None if whose is None else cells[whose]
            yield _Row(f"{lines.path}, line {lines.row}", cells[place], server)


def _cells(lines: _Written, delimiter: str) -> Iterator[list[str]]:
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        while True:
            lines.begin_row()
            row = next(table, None)
            if row is None:
                return
            yield row
    except csv.Error as error:
        raise UsageError(
            f"{lines.path}, line {lines.row}: the row that begins here can't be read, a quote may be open: {error}"
        ) from error


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
