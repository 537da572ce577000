"""An assembly: the run file that the run files of several shards are put together in.

The roster comes first, in the order of the whole listing. What is kept by ordinal is then copied file by file, and gets
the ordinal that its mailbox has here: a table in a temporary database tells that, so that memory does not grow with the
roster. It does not know which files belong together.
"""

from __future__ import annotations

import heapq
import json
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from fanout import ordinals
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Names in one page of the roster.
PAGE = 1000

#: The ordinal here of what a part has under an ordinal.
_HERE = "(SELECT here FROM placed WHERE part = ? AND there = ?)"

#: What is kept by ordinal, a row each: the columns beside it, and the order.
_COPIED = {
    "attempts": ("attempt, line, at", "number"),
    "under_way": ("", "ordinal"),
    "output": ("text", "number"),
    "leaks": ("kind, count, file, line, function, logon_index", "ordinal"),
}

_PAGES = "SELECT first, addresses, places FROM roster WHERE first < ? AND first + count > ? ORDER BY first"

_LIVES = "SELECT number + ?, sitting + ?, worker + ?, begun, pid, ended, how FROM lives ORDER BY number"

#: Workers so far, and as many more as keep the servers' turns in their numbers.
_WORKERS = "SELECT (coalesce(max(worker), -1) + ?1) / ?1 * ?1 FROM lives"

_FAILED = "SELECT ordinal, life + ?, at, line FROM failed ORDER BY ordinal"

_DONE = "SELECT first, count, attempts, life + ?, at, lines FROM done ORDER BY first"

_RANGE = "SELECT here FROM placed WHERE part = ? AND there >= ? AND there < ? ORDER BY there"


class Assembly(RunFile):
    """A run file that takes what others hold. `part`: which of them, from 0 on; they are taken in that order."""

    def take_roster(self, parts: Sequence[RunFile], servers: Sequence[str]) -> int:
        """Put the names of all into the order of the whole that they are shards of; returns how many there are.

        `servers`: their order, where there are several.
        """
        self._execute("CREATE TEMP TABLE placed (part, there, here, PRIMARY KEY (part, there)) WITHOUT ROWID")
        entries = heapq.merge(*(_entries(part, file, servers) for part, file in enumerate(parts)))
        count = 0
        while page := list(islice(entries, PAGE)):
            self.add_names([entry.name for entry in page], [entry.place for entry in page])
            rows = [(entry.part, entry.there, here) for here, entry in enumerate(page, count)]
            self._execute_many("INSERT INTO placed VALUES (?, ?, ?)", rows)
            count += len(page)
        return count

    def take(self, part: int, file: RunFile) -> None:
        """Copy what a file holds of its mailboxes, and who worked on it."""
        lives = self.musters.count()
        self._take_workers(file, lives)
        for table, (columns, order) in _COPIED.items():
            names = ", ".join(filter(None, ("ordinal", columns)))
            values = ", ".join([_HERE, *("?" for name in columns.split(", ") if name)])
            rows = file._query(f"SELECT {names} FROM {table} ORDER BY {order}")
            self._execute_many(f"INSERT INTO {table} ({names}) VALUES ({values})", ((part, *row) for row in rows))
        failed = ((part, *row) for row in file._query(_FAILED, lives))
        self._execute_many(f"INSERT INTO failed VALUES ({_HERE}, ?, ?, ?)", failed)
        for row in file._query(_DONE, lives):
            self._take_done(part, row)
        self.commit()

    def _take_workers(self, file: RunFile, lives: int) -> None:
        """Copy who worked on a run, and each life of its workers, which are others than those that were taken before."""
        [(sittings,)] = self._query("SELECT count(*) FROM sittings")
        servers = len(file.facts("servers")["servers"] or [""])
        [(workers,)] = self._query(_WORKERS, servers)
        for sitting in file.sittings():
            self.sit_down(sitting)
        rows = file._query(_LIVES, lives, sittings, workers)
        self._execute_many("INSERT INTO lives VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _take_done(self, part: int, row: tuple[int, int, int, int, float, bytes]) -> None:
        """Copy a frame of records, in as many pieces as there are others' mailboxes in between."""
        first, count, attempts, life, at, lines = row
        here = (ordinal for (ordinal,) in self._query(_RANGE, part, first, first + count))
        records = iter(lines.splitlines(keepends=True))
        rows = [
            (piece.start, len(piece), attempts, life, at, b"".join(islice(records, len(piece))))
            for piece in ordinals.joined(here)
        ]
        self._execute_many("INSERT INTO done VALUES (?, ?, ?, ?, ?, ?)", rows)


class _Entry(NamedTuple):
    """A name of a shard. In their order, those of all shards are in the order of the whole."""

    #: Which of several servers it is on, and its place in the whole of that one.
    server: int
    place: int
    #: Which of the files has it, and under which ordinal.
    part: int
    there: int
    name: str


def _entries(part: int, file: RunFile, servers: Sequence[str]) -> Iterator[_Entry]:
    """The names of a shard, in order: a server that joined late stands behind the others in its file."""
    told = file.facts()
    legs = {leg["server"]: range(leg["first"], leg["first"] + leg["count"]) for leg in told["legs"]}
    for server, here in enumerate([legs[each] for each in servers] or [range(told["roster"]["count"])]):
        for first, addresses, places in file._query(_PAGES, here.stop, here.start):
            page = zip(json.loads(places), addresses.split("\n"), strict=True)
            for there, (place, name) in enumerate(page, first):
                if there in here:
                    yield _Entry(server, place, part, there, name)
