"""The merge: what dispatch has settled goes to the ledger, to the sink, and into the totals.

Lines pass through as they came from the worker; only the folds of the frames are looked at.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fanout.errors import StoppedError, UsageError
from fanout.events import Keep, Note, Settle
from fanout.outcomes import failure_line
from workers import totals

if TYPE_CHECKING:
    from fanout.ledger import Ledger
    from fanout.roster import Roster
    from workers.causes import Cause


class Sink:
    """A JSONL file, or stdout, that follows the run: a line for each mailbox, in the order in which they are settled."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        #: Bytes written.
        self.length = 0

    @classmethod
    def open(cls, path: str, *, force: bool) -> Sink:
        """Open `path`, `-` for stdout. Raises UsageError for a file that is there, unless `force` says to replace it."""
        if path == "-":
            return cls(os.fdopen(os.dup(sys.stdout.fileno()), "wb"), "stdout")
        if Path(path).suffix != ".jsonl":
            raise UsageError(
                f"-o {path}: results are written as JSONL, to a file whose name ends in .jsonl, or to - for stdout"
            )
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        try:
            return cls(os.fdopen(os.open(path, flags, 0o666), "wb"), path)
        except FileExistsError as error:
            raise UsageError(f"-o {path}: the file is there already; --force replaces it") from error
        except OSError as error:
            raise UsageError(f"-o {path}: {error.strerror}") from error

    def write(self, lines: bytes) -> None:
        """Raises StoppedError when the disk or the reader of a pipe takes no more."""
        try:
            self._file.write(lines)
        except OSError as error:
            raise self._stopped(error) from error
        self.length += len(lines)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise self._stopped(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._stopped(error) from error

    def _stopped(self, error: OSError) -> StoppedError:
        return StoppedError(f"the results can't be written: {self._name}: {error.strerror}")


class Merge:
    """Where the outcomes of one run come together."""

    def __init__(self, ledger: Ledger, roster: Roster, sink: Sink | None) -> None:
        self._ledger = ledger
        self._roster = roster
        self._sink = sink
        self.succeeded = 0
        self.causes: Counter[Cause] = Counter()
        #: The results of all mailboxes that are done, folded.
        self.total: object = totals.NOTHING

    @property
    def failed(self) -> int:
        return self.causes.total()

    def accept(self, command: Keep | Settle | Note) -> None:
        """Take what a command says is settled."""
        match command:
            case Keep(found=found, attempts=attempts, total=total):
                self._ledger.keep(found, attempts)
                self._write(found.lines)
                self.total = totals.add(self.total, total)
                self.succeeded += found.count
            case Settle(ordinal, attempts, seconds, error):
                line = failure_line(self._roster.name(ordinal), error, attempts, seconds)
                self._ledger.settle(ordinal, line)
                self._write(line)
                self.causes[error.cause] += 1
            case Note(printed):
                self._ledger.note(printed)

    def commit(self) -> None:
        """Make durable all that was accepted. The sink comes first: it may be ahead of the ledger, never behind it."""
        if self._sink:
            self._sink.flush()
        self._ledger.commit()

    def _write(self, lines: bytes) -> None:
        if self._sink:
            self._sink.write(lines)
