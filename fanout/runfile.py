"""The run file: everything about one run, in SQLite, and the truth about it.

A frame of records is one row, as the worker wrote it: neighbours of the roster that are done, from `first` on. So a
million mailboxes cost some thousand rows, what remains is what no row covers, and nothing that crossed a pipe is decoded
and encoded again. The view `outcomes` shows a row a mailbox to whoever opens the file with any SQLite.

While the run goes on the file is in WAL mode; when it ends it is one plain file. A commit is durable (`synchronous=FULL`:
one fsync of the log); it holds outcomes, totals and the sink's length together, so that wherever a run was cut off, what
is committed agrees with itself. The process that works on a run holds a lock on its file (`fanout/locks.py`).
"""

from __future__ import annotations

import heapq
import json
import os
import sqlite3
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from fanout import ordinals
from fanout.errors import StoppedError, UsageError
from fanout.leaks import LeakLine
from fanout.ledger import Before, SinkPlace
from fanout.locks import FileLock, check_file_system
from fanout.musters import Musters
from fanout.outcomes import Outcome, read_records
from fanout.schema import APPLICATION_ID, FORMAT, SETTLED, TABLES, check_format
from fanout.sitting import Sitting
from fanout.work import Todo
from workers.causes import Cause
from workers.messages import Leak, Leaked, Printed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.lives import Life, Stamp, Standing
    from workers.messages import Found

#: Rows read at a time where a reading goes on while the run does.
PAGE = 10_000

_NAMES = "SELECT first, addresses FROM roster WHERE first < ? AND first + count > ? ORDER BY first"

_ATTEMPTED = "SELECT number, ordinal FROM attempts WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"


class RunFile:
    """An open run file. Every error of SQLite or of the disk is a StoppedError that names the file."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._is_open = True
        self._names_end = 0
        #: Ordinals that may stand in `under_way`: empty for a job that does not write, so that it costs nothing.
        self._at_risk: set[int] = set()
        #: What is told of the workers.
        self.musters = Musters(self._query, self._execute_many)

    @classmethod
    def create(cls, path: Path) -> RunFile:
        """Make the file, readable by its owner alone, and hold it.

        Raises UsageError when there is one already, it can't be made, or locks would not hold there.
        """
        check_file_system(path)
        try:
            lock = FileLock(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        except FileExistsError as error:
            raise UsageError(f"there is a run file already: {path}; give another name, or move it away") from error
        except OSError as error:
            raise UsageError(f"the run file can't be made: {path}: {error.strerror}") from error
        file = cls(path, sqlite3.connect(path, isolation_level=None), lock)
        try:
            file._build()
            file._hold()
            _sync_folder(path)
        except (StoppedError, OSError) as error:
            file.discard()
            raise UsageError(f"the run file can't be made: {path}: {error}") from error
        return file

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """Open the file of a run to read it. Raises UsageError when it is none."""
        try:
            lock = FileLock(path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"no run file can be read here: {path}: {error.strerror}") from error
        return cls._opened(path, "ro", lock)

    @classmethod
    def resume(cls, path: Path) -> RunFile:
        """Open the file of a run to go on with it, and hold it. What a killed process had committed is in it.

        Raises UsageError when it is none, locks would not hold there, or a living process works on it.
        """
        check_file_system(path)
        try:
            lock = FileLock(path, os.O_RDWR)
        except OSError as error:
            raise UsageError(f"no run can be gone on with here: {path}: {error.strerror}") from error
        file = cls._opened(path, "rw", lock)
        try:
            file._hold()
        except (StoppedError, UsageError):
            file._let_go()
            raise
        return file

    @classmethod
    def _opened(cls, path: Path, mode: str, lock: FileLock) -> RunFile:
        connection = None
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
            [(application,)] = connection.execute("PRAGMA application_id")
            [(version,)] = connection.execute("PRAGMA user_version")
            check_format(path, application, version)
        except (sqlite3.Error, UsageError) as error:
            if connection:
                connection.close()
            lock.release()
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"no run file can be read here: {path}: {error}") from error
        return cls(path, connection, lock)

    def _build(self) -> None:
        """Make the tables, in one transaction: a file that is cut off here is empty."""
        self._execute("PRAGMA synchronous = FULL")
        try:
            self._connection.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; {TABLES} COMMIT;"
            )
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _hold(self) -> None:
        """Go to work on the file, unless somebody does. The look at it has to come before the lock, see there."""
        self._execute("PRAGMA journal_mode = WAL")
        self._execute("PRAGMA synchronous = FULL")
        self.counts()
        self._lock.take()
        self._execute("BEGIN")

    @property
    def worked_on_by(self) -> int | None:
        """The pid of the process that works on the run; None for nobody, 0 for one that has no pid here."""
        return self._lock.holder()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.roll_back()
        self.close()

    # --- facts --------------------------------------------------------------------------------------------------------

    def tell(self, **facts: object) -> None:
        """Write down facts about the run: names and values that JSON can say."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        self._execute_many("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)

    def facts(self) -> dict[str, Any]:
        """All that was told."""
        return {name: json.loads(value) for name, value in self._query("SELECT name, value FROM run")}

    def sit_down(self, sitting: Sitting) -> None:
        """Write down that a process works on the run now."""
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

    def add_names(self, addresses: list[str]) -> None:
        row = (self._names_end, len(addresses), "\n".join(addresses))
        self._execute_many("INSERT INTO roster VALUES (?, ?, ?)", [row])
        self._names_end += len(addresses)

    def names(self, ordinals: range) -> list[str]:
        names: list[str] = []
        pages = self._query(_NAMES, ordinals.stop, ordinals.start)
        for first, addresses in pages:
            start = max(ordinals.start - first, 0)
            names += addresses.split("\n")[start : ordinals.stop - first]
        return names

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

    def gaps(self, count: int) -> Iterator[range]:
        """The ordinals below `count` that have no outcome, neighbours together, in order."""
        return ordinals.gaps(self._settled(), count)

    def _settled(self) -> Iterator[tuple[int, int]]:
        """Ranges that have their outcome. By pages, for a reader that takes its time would keep the log from being emptied."""
        last = -1
        while page := list(self._query(SETTLED, last, PAGE)):
            yield from page
            last = page[-1][0]

    def forget_failed(self, causes: frozenset[Cause] | None) -> Todo:
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
        return Todo(ordinals.joined(self._attempted(before, after)), after - before)

    def _attempted(self, after: int, last: int) -> Iterator[int]:
        """The ordinals of some attempts, by pages."""
        while page := list(self._query(_ATTEMPTED, after, last, PAGE)):
            yield from (ordinal for _, ordinal in page)
            after = page[-1][0]

    def counts(self) -> tuple[int, int]:
        """Mailboxes that are done, and that failed."""
        [(done, failed)] = self._query(
            "SELECT (SELECT coalesce(sum(count), 0) FROM done), (SELECT count(*) FROM failed)"
        )
        return done, failed

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """What is read within is of one moment, though the run goes on. For a file that was opened to be read."""
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._execute("COMMIT")

    def lines(self) -> Iterator[bytes]:
        """The records, in the order of the roster, some at a time."""
        rows = self._query("SELECT first, lines FROM done UNION ALL SELECT ordinal, line FROM failed ORDER BY 1")
        return (lines for _, lines in rows)

    def outcomes(self) -> Iterator[Outcome]:
        """Every outcome, in the order of the roster."""
        for lines in self.lines():
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

    def outcome(self, address: str) -> tuple[int, Outcome] | None:
        """The ordinal and the outcome of one mailbox; None when it has none."""
        pattern = f"%{json.dumps(address, ensure_ascii=False)}%"
        rows = self._query(
            "SELECT first, lines FROM done WHERE CAST(lines AS TEXT) LIKE ?1"
            " UNION ALL SELECT ordinal, line FROM failed WHERE CAST(line AS TEXT) LIKE ?1",
            pattern,
        )
        for first, lines in rows:
            for ordinal, outcome in enumerate(read_records(lines), first):
                if outcome.mailbox == address:
                    return ordinal, outcome
        return None

    def output(self, ordinal: int) -> str:
        """What the job printed while it was at a mailbox."""
        rows = self._query("SELECT text FROM output WHERE ordinal = ? ORDER BY number", ordinal)
        return "".join(text for (text,) in rows)

    # --- durability ---------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        self._execute("COMMIT")
        self._execute("BEGIN")

    def roll_back(self) -> None:
        """Back to the last commit: what came after it was cut off, and the sink may not have it."""
        if not (self._is_open and self._lock.held):
            return
        if self._connection.in_transaction:  # SQLite itself rolls back when the disk is full
            self._execute("ROLLBACK")
        self._execute("BEGIN")

    def close(self) -> None:
        """Commit, and leave one plain file. May be called again, and after `discard`."""
        try:
            if self.path.exists() and self._is_open and self._connection.in_transaction:
                self._execute("COMMIT")
                with suppress(sqlite3.OperationalError):  # a reader is there still; all is committed, but not one file
                    self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._let_go()

    def discard(self) -> None:
        """Close the file and delete it: the run never began."""
        with suppress(StoppedError, sqlite3.Error):
            self.roll_back()
            self._connection.execute("PRAGMA journal_mode = DELETE")
        # While it is held still, and itself last: what has that name then is another's.
        for suffix in ("-wal", "-shm", ""):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        self._is_open = False
        self._connection.close()
        self._lock.release()

    def _query(self, statement: str, *values: object) -> Iterator[Any]:
        try:
            for row in self._connection.execute(statement, values):  # noqa: UP028 - `yield from` would close the cursor, too
                yield row
        except sqlite3.Error as error:
            raise StoppedError(f"the run file can't be read: {self.path}: {error}") from error

    def _execute(self, statement: str) -> None:
        self._execute_many(statement, None)

    def _execute_many(self, statement: str, rows: list[tuple[Any, ...]] | None) -> None:
        try:
            if rows is None:
                self._connection.execute(statement)
            else:
                self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> StoppedError:
        return StoppedError(f"the run file can't be written: {self.path}: {error}")


def _sync_folder(path: Path) -> None:
    """Make it durable that the file has its name."""
    descriptor = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
