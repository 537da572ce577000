"""The ledger: where a run's roster and outcomes are kept. Two kinds: the run file, and a temporary file."""

from __future__ import annotations

import os
import tempfile
import weakref
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec

from fanout.errors import StoppedError
from fanout.leaks import LeakCount, LeakLine
from fanout.outcomes import Outcome, read_records, read_results
from workers.causes import Cause
from workers.messages import Found, Leaked, Printed, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.lives import Life, Stamp, Standing
    from fanout.roster import Roster

#: Bytes that a temporary ledger writes at a time.
BUFFER = 2**16


class SinkPlace(msgspec.Struct, frozen=True):
    """How far a sink is known to follow the run: what has to be at its place for the run to go on there."""

    path: str
    #: Bytes; None where what the file holds is not what the ledger says, and it is to be written anew.
    length: int | None
    #: CRC-32 of these bytes.
    checksum: int = 0


class Before(msgspec.Struct, frozen=True):
    """What earlier sittings of the same run came to."""

    done: int = 0
    failed: Counter[Cause] = msgspec.field(default_factory=Counter)
    #: The fold of the results.
    total: object = None
    #: The number of this sitting, and the lives that workers had before.
    sitting: int = 0
    lives: int = 0


class Ledger(Protocol):
    """Takes what dispatch has settled. Each mailbox is told of once; what was taken is kept at the next commit."""

    def add_names(self, addresses: list[str], places: list[int] | None = None) -> None:
        """Take the next page of the roster; `places`: where the names of a shard stand in the whole."""
        ...

    def names(self, ordinals: range) -> list[str]:
        """The names of neighbours in the roster."""
        ...

    def grow(self, roster: Roster) -> None:
        """Take that the roster has more mailboxes than when the run began, of which the names were taken already."""
        ...

    def keep(self, found: Found, attempts: int, stamp: Stamp) -> None:
        """Take mailboxes that are done."""
        ...

    def settle(self, ordinal: int, line: bytes, stamp: Stamp) -> None:
        """Take the record of a mailbox that failed."""
        ...

    def retried(self, ordinal: int, attempt: int, line: bytes) -> None:
        """Take the record of an attempt that failed and will be followed by another one."""
        ...

    def note(self, note: Printed | Leaked) -> None:
        """Take what a job printed, or left unreleased. Of the latter, what is told last of a mailbox counts."""
        ...

    def leaks(self) -> list[LeakLine]:
        """What jobs left unreleased, by line of code, the worst first."""
        ...

    def risk(self, ordinal: int) -> None:
        """Take that a mailbox is given out to a job that must not be called for it twice, until more is told of it."""
        ...

    def safe(self, ordinal: int) -> None:
        """Take that a mailbox at risk came back, and was not begun."""
        ...

    def standing(self, total: object, sink: SinkPlace | None, merged: object = None) -> None:
        """Take what all outcomes come to, and how far the sink follows, which belong to the next commit.

        `merged`: what further results are merged with, where that is another thing than the total that people read.
        """
        ...

    def muster(self, changed: list[Life], standings: list[Standing]) -> None:
        """Take the lives that have changed, and where every worker stands that has a process; all others have none."""
        ...

    def pause(self, since: float | None) -> None:
        """Take since when the run is paused; None from when it goes on."""
        ...

    def before(self) -> Before:
        """What was taken in earlier sittings."""
        ...

    def commit(self) -> None:
        """Make durable what was taken."""
        ...


class _Piece(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where some lines stand in the temporary file, and which mailboxes they tell of."""

    first: int
    count: int
    attempts: int
    offset: int
    length: int


class TemporaryLedger:
    """A ledger for a run that nobody wants to go on with: a temporary file that is gone with the process.

    Lines are kept as they came; a place for each frame of them is all that stays in memory.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._file = tempfile.TemporaryFile(buffering=BUFFER)  # noqa: SIM115 - it lives as long as this object
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._pages: list[_Piece] = []
        self._done: list[_Piece] = []
        self._failed: dict[int, _Piece] = {}
        #: What jobs printed, by ordinal.
        self.output: dict[int, str] = {}
        self._leaks = LeakCount()

    def add_names(self, addresses: list[str], places: list[int] | None = None) -> None:  # noqa: ARG002 - nobody merges it
        first = self._pages[-1].first + self._pages[-1].count if self._pages else 0
        self._pages.append(self._append(first, len(addresses), 0, "\n".join(addresses).encode()))

    def names(self, ordinals: range) -> list[str]:
        names: list[str] = []
        place = bisect_right(self._pages, ordinals.start, key=lambda page: page.first) - 1
        while len(names) < len(ordinals):
            page = self._pages[place]
            start = ordinals.start + len(names) - page.first
            names += self._read(page).decode().split("\n")[start : start + len(ordinals) - len(names)]
            place += 1
        return names

    def grow(self, roster: Roster) -> None:
        """Nobody asks it how many there are."""

    def keep(self, found: Found, attempts: int, stamp: Stamp) -> None:  # noqa: ARG002 - nobody asks when
        self._done.append(self._append(found.first, found.count, attempts, found.lines))

    def settle(self, ordinal: int, line: bytes, stamp: Stamp) -> None:  # noqa: ARG002
        self._failed[ordinal] = self._append(ordinal, 1, 0, line)

    def retried(self, ordinal: int, attempt: int, line: bytes) -> None:
        """Nobody asks for it here."""

    def note(self, note: Printed | Leaked) -> None:
        if isinstance(note, Printed):
            self.output[note.ordinal] = self.output.get(note.ordinal, "") + note.text
        else:
            self._leaks.add(note)

    def leaks(self) -> list[LeakLine]:
        return self._leaks.lines()

    def risk(self, ordinal: int) -> None:
        """Nobody goes on with this run."""

    def safe(self, ordinal: int) -> None:
        """Nor is it asked what was under way."""

    def standing(self, total: object, sink: SinkPlace | None, merged: object = None) -> None:
        """The merge knows it, and nobody goes on with this run."""

    def muster(self, changed: list[Life], standings: list[Standing]) -> None:
        """Nobody watches this run from elsewhere."""

    def pause(self, since: float | None) -> None:
        """Nobody watches this run."""

    def before(self) -> Before:
        return Before()

    def commit(self) -> None:
        """Nothing here is durable."""

    def outcomes(self, roster: Roster) -> Iterator[Outcome]:
        """Every outcome, in the order of the roster."""
        for piece in sorted([*self._done, *self._failed.values()]):
            lines = self._read(piece)
            if piece.first in self._failed or self._recording is Recording.RECORDS:
                yield from read_records(lines)
            else:
                yield from read_results(lines, piece.first, piece.attempts, roster.name, roster.server(piece.first))

    def failures(self) -> Iterator[Outcome]:
        """The outcomes that failed, in the order of the roster."""
        for _, piece in sorted(self._failed.items()):
            yield from read_records(self._read(piece))

    def close(self) -> None:
        self._file.close()

    def _append(self, first: int, count: int, attempts: int, data: bytes) -> _Piece:
        piece = _Piece(first, count, attempts, self._end, len(data))
        try:
            self._file.write(data)
        except OSError as error:
            raise StoppedError(
                f"the temporary file in {tempfile.gettempdir()} can't be written: {error.strerror}"
            ) from error
        self._end += len(data)
        return piece

    def _read(self, piece: _Piece) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), piece.length, piece.offset)
