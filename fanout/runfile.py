"""The run file: everything about one run, in SQLite, and the truth about it.

A frame of records is one row, as the worker wrote it: neighbours of the roster that are done, from `first` on. So a
million mailboxes cost some thousand rows, what remains is what no row covers, and nothing that crossed a pipe is decoded
and encoded again. The view `outcomes` shows a row a mailbox to whoever opens the file with any SQLite.

While the run goes on the file is in WAL mode; when it ends it is one plain file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fanout.errors import StoppedError, UsageError
from fanout.outcomes import Outcome, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.messages import Found, Printed

#: `PRAGMA application_id`: "fano", so that `file` and we know our own.
APPLICATION_ID = 0x66616E6F

#: `PRAGMA user_version`: raised when the tables change.
FORMAT = 1

_SCHEMA = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    -- what is the same for the whole run, each value as JSON
CREATE TABLE roster (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, addresses TEXT NOT NULL);
    -- the names by pages, a line each; no rows where the server computes names from ordinals
CREATE TABLE done (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, attempts INTEGER NOT NULL, lines BLOB NOT NULL);
    -- the records of `count` mailboxes from ordinal `first` on, a line of JSON each
CREATE TABLE failed (ordinal INTEGER PRIMARY KEY, line BLOB NOT NULL);
    -- the record of a mailbox that failed for good
CREATE TABLE output (number INTEGER PRIMARY KEY, ordinal INTEGER NOT NULL, text TEXT NOT NULL);
    -- what jobs printed, in the order in which it came
CREATE INDEX output_by_ordinal ON output (ordinal);
CREATE VIEW outcomes AS
    WITH record (ordinal, value) AS (
        SELECT first + line.key, line.value
        FROM done, json_each('[' || replace(rtrim(CAST(lines AS TEXT), char(10)), char(10), ',') || ']') AS line
        UNION ALL
        SELECT ordinal, CAST(line AS TEXT) FROM failed
    )
    SELECT ordinal, value ->> 'mailbox' AS mailbox, value ->> 'ok' AS ok, value -> 'result' AS result,
        value -> 'error' AS error, value ->> 'attempts' AS attempts, value ->> 'seconds' AS seconds
    FROM record;
"""


class RunFile:
    """An open run file. Every error of SQLite or of the disk is a StoppedError that names the file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._is_open = True
        self._names_end = 0

    @classmethod
    def create(cls, path: Path) -> RunFile:
        """Make the file, readable by its owner alone. Raises UsageError when there is one already, or it can't be made."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError as error:
            raise UsageError(f"there is a run file already: {path}; give another name, or move it away") from error
        except OSError as error:
            raise UsageError(f"the run file can't be made: {path}: {error.strerror}") from error
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN")
        except sqlite3.Error as error:
            cls(path, connection).discard()
            raise UsageError(f"the run file can't be made: {path}: {error}") from error
        return cls(path, connection)

    @classmethod
    def open(cls, path: Path) -> RunFile:
        """Open the file of a run to read it. Raises UsageError when it is none."""
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise UsageError(f"no run file can be read here: {path}: {error}") from error
        try:
            _check_format(path, connection)
        except UsageError:
            connection.close()
            raise
        return cls(path, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- facts --------------------------------------------------------------------------------------------------------

    def tell(self, **facts: object) -> None:
        """Write down facts about the run: names and values that JSON can say."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        self._execute_many("INSERT OR REPLACE INTO run VALUES (?, ?)", rows)

    def facts(self) -> dict[str, Any]:
        """All that was told."""
        return {name: json.loads(value) for name, value in self._query("SELECT name, value FROM run")}

    # --- the roster ---------------------------------------------------------------------------------------------------

    def add_names(self, addresses: list[str]) -> None:
        row = (self._names_end, len(addresses), "\n".join(addresses))
        self._execute_many("INSERT INTO roster VALUES (?, ?, ?)", [row])
        self._names_end += len(addresses)

    def names(self, ordinals: range) -> list[str]:
        names: list[str] = []
        pages = self._query(
            "SELECT first, addresses FROM roster WHERE first < ? AND first + count > ? ORDER BY first",
            ordinals.stop,
            ordinals.start,
        )
        for first, addresses in pages:
            start = max(ordinals.start - first, 0)
            names += addresses.split("\n")[start : ordinals.stop - first]
        return names

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def keep(self, found: Found, attempts: int) -> None:
        row = (found.first, found.count, attempts, found.lines)
        self._execute_many("INSERT INTO done VALUES (?, ?, ?, ?)", [row])

    def settle(self, ordinal: int, line: bytes) -> None:
        self._execute_many("INSERT INTO failed VALUES (?, ?)", [(ordinal, line)])

    def note(self, printed: Printed) -> None:
        row = (printed.ordinal, printed.text)
        self._execute_many("INSERT INTO output (ordinal, text) VALUES (?, ?)", [row])

    def counts(self) -> tuple[int, int]:
        """Mailboxes that are done, and that failed."""
        [(done, failed)] = self._query(
            "SELECT (SELECT coalesce(sum(count), 0) FROM done), (SELECT count(*) FROM failed)"
        )
        return done, failed

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

    def close(self) -> None:
        """Commit, and leave one plain file. May be called again, and after `discard`."""
        try:
            if self.path.exists() and self._is_open and self._connection.in_transaction:
                self._execute("COMMIT")
                self._execute("PRAGMA journal_mode = DELETE")
        finally:
            self._is_open = False
            self._connection.close()

    def discard(self) -> None:
        """Close the file and delete it: the run never began."""
        self._is_open = False
        self._connection.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def _query(self, statement: str, *values: object) -> Iterator[Any]:
        try:
            yield from self._connection.execute(statement, values)
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
            raise StoppedError(f"the run file can't be written: {self.path}: {error}") from error


def _check_format(path: Path, connection: sqlite3.Connection) -> None:
    try:
        [(application,)] = connection.execute("PRAGMA application_id")
        [(version,)] = connection.execute("PRAGMA user_version")
    except sqlite3.Error as error:
        raise UsageError(f"no run file can be read here: {path}: {error}") from error
    if application != APPLICATION_ID:
        raise UsageError(f"this is no run file of fanout: {path}")
    if version != FORMAT:
        raise UsageError(f"{path} has the run file format {version}; this fanout reads {FORMAT}")
