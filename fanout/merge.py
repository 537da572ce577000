"""The merge: what dispatch has settled goes to the ledger, to the sink, and into the totals.

Lines pass through as they came from the worker; only the folds of the frames are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanout.errors import StoppedError
from fanout.events import Keep, Note, Retry, Risk, Safe, Settle
from fanout.outcomes import failure_line
from workers.totals import SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanout.events import Verdict, Word
    from fanout.ledger import Ledger
    from fanout.lives import Life, Stamp, Standing
    from fanout.roster import Roster
    from fanout.sink import Sink
    from workers.messages import Error
    from workers.totals import Totals


class Merge:
    """Where the outcomes of one run come together: those of this sitting, and what the ledger had before."""

    def __init__(self, ledger: Ledger, roster: Roster, sink: Sink | None, totals: Totals = SUMS) -> None:
        self._ledger = ledger
        self._roster = roster
        self._sink = sink
        self.before = before = ledger.before()
        self.succeeded = before.done
        self.causes = before.failed.copy()
        #: The results of all mailboxes that are done, folded.
        self._folded = before.total
        self._totals = totals

    @property
    def total(self) -> object:
        """What all results come to, for people."""
        return self._called(self._totals.told, self._folded)

    @property
    def failed(self) -> int:
        return self.causes.total()

    def accept(self, verdict: Verdict, stamp: Stamp) -> None:
        """Take what has become of mailboxes, for good."""
        match verdict:
            case Keep(found=found, attempts=attempts, total=total):
                self._ledger.keep(found, attempts, stamp)
                self._write(found.lines)
                self._folded = self._called(self._totals.add, self._folded, total)
                self.succeeded += found.count
            case Settle(_, ordinal, attempts, seconds, error):
                line = self._failure(ordinal, error, attempts, seconds)
                self._ledger.settle(ordinal, line, stamp)
                self._write(line)
                self.causes[error.cause] += 1

    def remember(self, word: Word) -> None:
        """Take what else is to be known of a mailbox. A Risk is durable on return."""
        match word:
            case Retry(ordinal, attempt, seconds, error):
                line = self._failure(ordinal, error, attempt, seconds)
                self._ledger.retried(ordinal, attempt, line)
            case Note(note):
                self._ledger.note(note)
            case Risk(ordinal):
                self._ledger.risk(ordinal)
                self.commit()
            case Safe(ordinal):
                self._ledger.safe(ordinal)

    def muster(self, changed: Iterable[Life], standings: Iterable[Standing]) -> None:
        """Take what is known of the workers; a commit follows."""
        self._ledger.muster(list(changed), list(standings))

    def pause(self, since: float | None) -> None:
        """Take since when the run is paused, for whoever watches it; None from when it goes on."""
        self._ledger.pause(since)

    def commit(self) -> None:
        """Make durable all that was accepted. The sink comes first: it may be ahead of the ledger, never behind it."""
        if self._sink:
            self._sink.sync()
        merged = None if self._totals is SUMS else self._folded
        self._ledger.standing(self.total, self._sink.place if self._sink else None, merged)
        self._ledger.commit()

    def _called(self, function: Callable[..., object], *totals: object) -> object:
        """What a function for totals gives, which may be the job's. Raises StoppedError where that raises."""
        try:
            return function(*totals)
        except Exception as error:
            raise StoppedError(f"the job's merge function raised {type(error).__name__}: {error}") from error

    def _failure(self, ordinal: int, error: Error, attempts: int, seconds: float) -> bytes:
        roster = self._roster
        return failure_line(roster.name(ordinal), error, attempts, seconds, roster.server(ordinal))

    def _write(self, lines: bytes) -> None:
        if self._sink:
            self._sink.write(lines)
