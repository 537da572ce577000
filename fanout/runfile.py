"""The run file: everything about one run, in SQLite, and the truth about it.

A frame of records is one row, as the worker wrote it: neighbours of the roster that are done, from `first` on. So a
million mailboxes cost some thousand rows, what remains is what no row covers, and nothing that crossed a pipe is decoded
and encoded again. The view `outcomes` shows a row a mailbox to whoever opens the file with any SQLite.

A commit holds outcomes, totals and the sink's length together, so that wherever a run was cut off, what is committed agrees
with itself. How it is made durable is `durable`'s.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import ordinals
from fanout.durable import DurableFile
from fanout.leaks import LeakLine
from fanout.ledger import Before, SinkPlace
from fanout.musters import Musters
from fanout.outcomes import Outcome, read_records
from fanout.retrospect import Retrospect
from fanout.schema import SETTLED
from fanout.sitting import Sitting
from fanout.work import Rest, Todo
from workers.causes import Cause
from workers.messages import Leak, Leaked, Printed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from fanout.lives import Life, Stamp, Standing
    from fanout.locks import FileLock
    from fanout.roster import Roster
    from workers.messages import Found

#: Rows read at a time where a reading goes on while the run does.
PAGE = 10_000

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")

_NAMES = "SELECT first, addresses FROM roster WHERE first < ? AND first + count > ? ORDER BY first"

_LINES = (
    "SELECT first, lines FROM done WHERE first >= ?1 AND first < ?2"
    " UNION ALL SELECT ordinal, line FROM failed WHERE ordinal >= ?1 AND ordinal < ?2 ORDER BY 1"
)

_BY_SECOND = """
SELECT CAST(at AS INTEGER), sum(count) FROM (SELECT at, count FROM done UNION ALL SELECT at, 1 FROM failed)
WHERE at >= ? GROUP BY 1 ORDER BY 1
"""

_ATTEMPTED = (
    "SELECT number, ordinal FROM attempts"
    " WHERE number > ? AND number <= ? AND ordinal >= ? AND ordinal < ? ORDER BY number LIMIT ?"
)

_COUNTS = (
    "SELECT (SELECT coalesce(sum(count), 0) FROM done INDEXED BY done_ranges WHERE first >= ?1 AND first < ?2),"
    " (SELECT count(*) FROM failed WHERE ordinal >= ?1 AND ordinal < ?2)"
)


class RunFile(DurableFile):
    """An open run file. Every error of SQLite or of the disk is a StoppedError that names the file."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock) -> None:
        super().__init__(path, connection, lock)
        #: The ordinal behind the last name of the roster; None where nobody has looked.
        self._names_end: int | None = None
        #: Ordinals that may stand in `under_way`: empty for a job that does not write, so that it costs nothing.
        self._at_risk: set[int] = set()
        #: What is told of the workers.
        self.musters = Musters(self._query, self._execute_many)
        #: What is told of how the run went.
        self.retrospect = Retrospect(self._query)

    # --- facts --------------------------------------------------------------------------------------------------------

    def tell(self, **facts: object) -> None:
        """Write down facts about the run: names and values that JSON can say."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        self._execute_many("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)

    def facts(self, *names: str) -> dict[str, Any]:
        """All that was told, or of it what has these names: totals may be large."""
        which = f" WHERE name IN ({', '.join('?' * len(names))})" if names else ""
        return {name: json.loads(value) for name, value in self._query(f"SELECT name, value FROM run{which}", *names)}

    def pause(self, since: float | None) -> None:
        self.tell(paused=since)

    def paused_since(self) -> float | None:
        """Since when the run is paused, in seconds since the epoch; None while it is not."""
        told = next(self._query("SELECT value FROM run WHERE name = 'paused'"), ("null",))
        since: float | None = json.loads(told[0])
        return since

    def sit_down(self, sitting: Sitting) -> None:
        """Write down that a process works on the run now, which is not paused."""
        self.pause(None)
        row = sitting.row()
        statement = f"INSERT INTO sittings ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        self._execute_many(statement, [tuple(row.values())])

    def stand_up(self, ended: str, stopped_by: str | None) -> None:
        """Write down when and how the last sitting ended."""
        statement = "UPDATE sittings SET ended = ?, stopped_by = ? WHERE number = (SELECT max(number) FROM sittings)"
        self._execute_many(statement, [(ended, stopped_by)])

    def sittings(self) -> list[Sitting]:
        """Every sitting, the first one first."""
        columns = Sitting.__struct_fields__
        rows = self._query(f"SELECT {', '.join(columns)} FROM sittings ORDER BY number")
        return [Sitting.of_row(dict(zip(columns, row, strict=True))) for row in rows]

    # --- the roster ---------------------------------------------------------------------------------------------------

    def add_names(self, addresses: list[str], places: list[int] | None = None) -> None:
        if self._names_end is None:
            [(self._names_end,)] = self._query("SELECT coalesce(max(first + count), 0) FROM roster")
        row = (self._names_end, len(addresses), "\n".join(addresses), places and json.dumps(places))
        self._execute_many("INSERT INTO roster VALUES (?, ?, ?, ?)", [row])
        self._names_end += len(addresses)

    def names(self, ordinals: range) -> list[str]:
        names: list[str] = []
        pages = self._query(_NAMES, ordinals.stop, ordinals.start)
        for first, addresses in pages:
            start = max(ordinals.start - first, 0)
            names += addresses.split("\n")[start : ordinals.stop - first]
        return names

    def grow(self, roster: Roster) -> None:
        self.tell(**roster.facts, roster_digest=roster.digest)

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def keep(self, found: Found, attempts: int, stamp: Stamp) -> None:
        row = (found.first, found.count, attempts, stamp.life, stamp.at, found.lines)
        self._execute_many("INSERT INTO done VALUES (?, ?, ?, ?, ?, ?)", [row])
        self.safe(found.first)  # what is at risk goes out alone

    def settle(self, ordinal: int, line: bytes, stamp: Stamp) -> None:
        self._execute_many("INSERT INTO failed VALUES (?, ?, ?, ?)", [(ordinal, stamp.life, stamp.at, line)])
        self.safe(ordinal)

    def retried(self, ordinal: int, attempt: int, line: bytes) -> None:
        self._execute_many("INSERT INTO attempts (ordinal, attempt, line) VALUES (?, ?, ?)", [(ordinal, attempt, line)])
        self.safe(ordinal)

    def note(self, note: Printed | Leaked) -> None:
        if isinstance(note, Printed):
            self._execute_many("INSERT INTO output (ordinal, text) VALUES (?, ?)", [(note.ordinal, note.text)])
            return
        self._execute_many("DELETE FROM leaks WHERE ordinal = ?", [(note.ordinal,)])
        rows = [(note.ordinal, *msgspec.structs.astuple(leak)) for leak in note.leaks]
        self._execute_many("INSERT OR IGNORE INTO leaks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def leaks(self) -> list[LeakLine]:
        rows = self._query(
            "SELECT kind, file, line, function, sum(count), count(*) FROM leaks GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 2, 3"
        )
        return [LeakLine(*row) for row in rows]

    def leaks_of(self, ordinal: int) -> list[Leak]:
        """What the job left unreleased at one mailbox, the worst first."""
        rows = self._query("SELECT * FROM leaks WHERE ordinal = ? ORDER BY count DESC, file, line", ordinal)
        return [Leak(*row[1:]) for row in rows]

    def risk(self, ordinal: int) -> None:
        self._at_risk.add(ordinal)
        self._execute_many("INSERT OR IGNORE INTO under_way VALUES (?)", [(ordinal,)])

    def safe(self, ordinal: int) -> None:
        if ordinal in self._at_risk:
            self._at_risk.remove(ordinal)
            self._execute_many("DELETE FROM under_way WHERE ordinal = ?", [(ordinal,)])

    def at_risk(self) -> list[int]:
        """The ordinals that were at risk when the last sitting ended or was killed. Taken up here, to be told of."""
        self._at_risk.update(ordinal for (ordinal,) in self._query("SELECT ordinal FROM under_way"))
        return sorted(self._at_risk)

    def standing(self, total: object, sink: SinkPlace | None, merged: object = None) -> None:
        self.tell(totals=total)
        if merged is not None:
            self.tell(merged=merged)
        if sink is not None:
            self.tell(sink=msgspec.structs.asdict(sink))

    def muster(self, changed: list[Life], standings: list[Standing]) -> None:
        self.musters.take(changed, standings)

    def before(self) -> Before:
        causes = self._query("SELECT CAST(line AS TEXT) ->> '$.error.cause', count(*) FROM failed GROUP BY 1")
        failed = Counter({Cause(cause): count for cause, count in causes})
        [(sitting,)] = self._query("SELECT coalesce(max(number), 0) FROM sittings")
        told = self.facts()
        total = told.get("merged", told.get("totals"))
        return Before(self.counts()[0], failed, total, sitting, self.musters.count())

    def settled_by_second(self, begin: float) -> Iterator[tuple[int, int]]:
        """How many mailboxes were settled in which second from a time on. Every row is looked at, and no record."""
        return self._query(_BY_SECOND, begin)

    def gaps(self, count: int, first: int = 0) -> Iterator[range]:
        """The ordinals from `first` on and below `count` that have no outcome, neighbours together, in order."""
        return ordinals.gaps(self._settled(first), count, first)

    def left(self, within: range) -> Todo:
        """Those of some neighbours that have no outcome."""
        return Todo(self.gaps(within.stop, within.start), len(within) - sum(self.counts_of(within)))

    def _settled(self, first: int) -> Iterator[tuple[int, int]]:
        """Ranges that have their outcome. By pages, for a reader that takes its time would keep the log from being emptied."""
        last = first - 1
        while page := list(self._query(SETTLED, last, PAGE)):
            yield from page
            last = page[-1][0]

    def forget_failed(self, causes: frozenset[Cause] | None) -> Rest:
        """Take back the outcomes that failed, those of some causes or of all: the mailboxes are gaps again.

        What failed is remembered among the attempts. The sink holds lines too many now, so it must be written anew: that
        is noted in the same transaction. Returns what has no outcome any more.
        """
        wanted = "?1 IS NULL OR CAST(line AS TEXT) ->> '$.error.cause' IN (SELECT value FROM json_each(?1))"
        words = None if causes is None else json.dumps(sorted(causes))
        [(before,)] = self._query("SELECT coalesce(max(number), 0) FROM attempts")
        self._execute_many(
            "INSERT INTO attempts (ordinal, attempt, line)"
            f" SELECT ordinal, CAST(line AS TEXT) ->> '$.attempts', line FROM failed WHERE {wanted} ORDER BY ordinal",
            [(words,)],
        )
        self._execute_many(f"DELETE FROM failed WHERE {wanted}", [(words,)])
        [(after,)] = self._query("SELECT coalesce(max(number), 0) FROM attempts")
        if after > before:
            self._execute(
                "UPDATE run SET value = json_set(value, '$.length', NULL) WHERE name = 'sink' AND value <> 'null'"
            )
        return Rest(after - before, partial(self._taken_back, before, after))

    def _taken_back(self, after: int, last: int, within: range) -> Todo:
        """The ordinals of some attempts, those of some neighbours."""
        [(count,)] = self._query(f"SELECT count(*) FROM ({_ATTEMPTED})", after, last, within.start, within.stop, -1)
        return Todo(ordinals.joined(self._attempted(after, last, within)), count)

    def _attempted(self, after: int, last: int, within: range) -> Iterator[int]:
        while page := list(self._query(_ATTEMPTED, after, last, within.start, within.stop, PAGE)):
            yield from (ordinal for _, ordinal in page)
            after = page[-1][0]

    def counts(self) -> tuple[int, int]:
        """Mailboxes that are done, and that failed."""
        [(done, failed)] = self._query(
            "SELECT (SELECT coalesce(sum(count), 0) FROM done), (SELECT count(*) FROM failed)"
        )
        return done, failed

    def counts_of(self, within: range) -> tuple[int, int]:
        """The same, of the mailboxes of a server, or of all."""
        [(done, failed)] = self._query(_COUNTS, within.start, within.stop)
        return done, failed

    def lines(self, within: range = ordinals.EVERY) -> Iterator[bytes]:
        """The records of all mailboxes, or of those of one server, in the order of the roster, some at a time."""
        return (lines for _, lines in self._query(_LINES, within.start, within.stop))

    def outcomes(self, within: range = ordinals.EVERY) -> Iterator[Outcome]:
        """Every outcome, or those of one server, in the order of the roster."""
        for lines in self.lines(within):
            yield from read_records(lines)

    def failures(self) -> Iterator[Outcome]:
        """The outcomes that failed, in the order of the roster."""
        for (line,) in self._query("SELECT line FROM failed ORDER BY ordinal"):
            yield from read_records(line)

    def latest_failures(self, count: int) -> list[Outcome]:
        """The last outcomes that failed, the latest first."""
        rows = self._query("SELECT line FROM failed ORDER BY at DESC LIMIT ?", count)
        return [outcome for (line,) in rows for outcome in read_records(line)]

    def slowest(self, count: int) -> list[Outcome]:
        """The outcomes whose last visit took longest, the slowest first. Every record is looked at."""
        return heapq.nlargest(count, self.outcomes(), key=lambda outcome: outcome.seconds or 0.0)

    def attempts(self, ordinal: int) -> Iterator[tuple[str, Outcome]]:
        """When each attempt at a mailbox failed that was followed by another one, and its record."""
        rows = self._query("SELECT at, line FROM attempts WHERE ordinal = ? ORDER BY number", ordinal)
        return ((at, outcome) for at, line in rows for outcome in read_records(line))

    def attempts_made(self) -> int:
        """Attempts that failed and were followed by another one."""
        return int(next(self._query("SELECT count(*) FROM attempts"))[0])

    def outcomes_of(self, address: str) -> list[tuple[int, Outcome]]:
        """The ordinal and the outcome of one mailbox, on each server where it has one.

        Where none is called exactly so, those are meant whose names differ from it in letter case alone.
        """
        name = json.dumps(address, ensure_ascii=False)
        pattern = f"%{_NOT_ASCII.sub('%', name)}%"  # LIKE knows the case of ASCII letters alone
        rows = self._query(
            "SELECT first, lines FROM done WHERE CAST(lines AS TEXT) LIKE ?1"
            " UNION ALL SELECT ordinal, line FROM failed WHERE CAST(line AS TEXT) LIKE ?1",
            pattern,
        )
        found = [
            (ordinal, outcome)
            for first, lines in rows
            for ordinal, outcome in enumerate(read_records(lines), first)
            if outcome.mailbox.casefold() == address.casefold()
        ]
        return [each for each in found if each[1].mailbox == address] or found

    def output(self, ordinal: int) -> str:
        """What the job printed while it was at a mailbox."""
        rows = self._query("SELECT text FROM output WHERE ordinal = ? ORDER BY number", ordinal)
        return "".join(text for (text,) in rows)
