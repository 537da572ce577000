"""The sink: a JSONL file, or stdout, that follows a run: a line for each mailbox, in the order in which they are settled.

The run file is the truth. With each commit it notes how far the sink had come and a checksum of that, after the sink was
made durable; so a sink may be ahead of the run file, never behind it. Whoever goes on with a run cuts off what is ahead. A
sink that is gone, too short or was changed is written anew from the run file.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fanout.errors import StoppedError, UsageError
from fanout.ledger import SinkPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: What stands for stdout, on the command line and in a run file.
STDOUT = "-"

#: Bytes read at a time where a checksum is taken.
PIECE = 2**20


class Sink:
    """An open sink."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        #: Bytes written, and their CRC-32.
        self.length = 0
        self.checksum = 0

    @classmethod
    def open(cls, path: str, *, force: bool) -> Sink:
        """Open `path`, `-` for stdout. Raises UsageError for a file that is there, unless `force` says to replace it."""
        if path == STDOUT:
            if sys.stdout is None:
                raise UsageError("-o -: stdout is closed")
            return cls(os.fdopen(os.dup(sys.stdout.fileno()), "wb"), "stdout")
        if Path(path).suffix != ".jsonl":
            raise UsageError(
                f"-o {path}: results are written as JSONL, to a file whose name ends in .jsonl, or to - for stdout; `fanout export` makes CSV and Parquet of a run"
            )
        # A file that is empty is nothing to lose: a run that was killed before it began leaves one.
        replace = force or (os.path.isfile(path) and os.path.getsize(path) == 0)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
        try:
            return cls(os.fdopen(os.open(path, flags, 0o666), "wb"), path)
        except FileExistsError as error:
            raise UsageError(f"-o {path}: the file is there already; --force replaces it") from error
        except OSError as error:
            raise UsageError(f"-o {path}: {error.strerror}") from error

    def discard(self) -> None:
        """Close it; a file into which nothing was written is deleted."""
        self._file.close()
        if self._regular and not self.length:
            Path(self._name).unlink(missing_ok=True)

    @classmethod
    def follow(cls, place: SinkPlace, lines: Callable[[], Iterator[bytes]]) -> Sink:
        """Open a sink where a run is gone on with: cut at its place, or written anew from the run's `lines`.

        Raises StoppedError when it can't be written.
        """
        try:
            if _stands(place):
                return cls._cut(place)
            return cls._anew(place.path, lines())
        except OSError as error:
            raise StoppedError(f"the results can't be written: {place.path}: {error.strerror}") from error

    @classmethod
    def _cut(cls, place: SinkPlace) -> Sink:
        assert place.length is not None
        os.truncate(place.path, place.length)
        sink = cls(open(place.path, "ab"), place.path)  # noqa: SIM115 - it lives as long as the sink
        sink.length, sink.checksum = place.length, place.checksum
        return sink

    @classmethod
    def _anew(cls, path: str, lines: Iterable[bytes]) -> Sink:
        """Under another name first: whoever looks finds the old file or the new one, whole."""
        new = Path(path).with_name(f".{Path(path).name}.anew")
        sink = cls(open(new, "wb"), path)  # noqa: SIM115 - it lives as long as the sink
        for some in lines:
            sink.write(some)
        sink.sync()
        new.replace(path)
        return sink

    @staticmethod
    def path_of(name: str) -> str:
        """The path that a run file has for the sink of this name; `-` for all that is no file, and can't be cut."""
        return (
            STDOUT if name == STDOUT or (os.path.exists(name) and not os.path.isfile(name)) else os.path.realpath(name)
        )

    @property
    def place(self) -> SinkPlace:
        """How far it has come. To be asked for after `sync`."""
        if not self._regular:
            return SinkPlace(STDOUT, None)
        return SinkPlace(self.path_of(self._name), self.length, self.checksum)

    def write(self, lines: bytes) -> None:
        """Raises StoppedError when the disk or the reader of a pipe takes no more."""
        try:
            self._file.write(lines)
        except OSError as error:
            raise self._stopped(error) from error
        self.length += len(lines)
        self.checksum = zlib.crc32(lines, self.checksum)

    def sync(self) -> None:
        """Make durable what was written; hand on what goes to a pipe. Raises StoppedError."""
        try:
            self._file.flush()
            if self._regular:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._stopped(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._stopped(error) from error

    def _stopped(self, error: OSError) -> StoppedError:
        return StoppedError(f"the results can't be written: {self._name}: {error.strerror}")


def _stands(place: SinkPlace) -> bool:
    """Whether the file still holds, at its beginning, what was written to it."""
    if place.length is None or not os.path.isfile(place.path) or os.path.getsize(place.path) < place.length:
        return False
    left, checksum = place.length, 0
    with open(place.path, "rb") as file:
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            checksum = zlib.crc32(piece, checksum)
    return not left and checksum == place.checksum
