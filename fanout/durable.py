"""A run file as a file: how it is made, opened, held, committed, closed and done away with. What is in it, `runfile` knows.

While the run goes on the file is in WAL mode; when it ends it is one plain file. A commit is durable (`synchronous=FULL`:
one fsync of the log). The process that works on a run holds a lock on its file (`fanout/locks.py`).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fanout.errors import StoppedError, UsageError
from fanout.locks import FileLock, check_file_system
from fanout.schema import APPLICATION_ID, FORMAT, TABLES, check_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class DurableFile:
    """An open file. Every error of SQLite or of the disk is a StoppedError that names it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._is_open = True

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file, readable by its owner alone, and hold it.

        Raises UsageError when there is one already, it can't be made, or locks would not hold there.
        """
        check_file_system(path)
        try:
            lock = FileLock(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        except FileExistsError as error:
            raise UsageError(f"there is a file already: {path}; give another name, or move it away") from error
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
    def open(cls, path: Path) -> Self:
        """Open the file of a run to read it. Raises UsageError when it is none."""
        try:
            lock = FileLock(path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"no run file can be read here: {path}: {error.strerror}") from error
        return cls._opened(path, "ro", lock)

    @classmethod
    def resume(cls, path: Path) -> Self:
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
    def _opened(cls, path: Path, mode: str, lock: FileLock) -> Self:
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
        next(self._query("SELECT count(*) FROM run"))
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

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """What is read within is of one moment, though the run goes on. For a file that was opened to be read."""
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._execute("COMMIT")

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

    def _execute_many(self, statement: str, rows: Iterable[tuple[Any, ...]] | None) -> None:
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
