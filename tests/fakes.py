"""Stand-ins for what a test must not need: a session with a server, a clock that runs, a ledger on disk."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from fanout.leaks import LeakLine
from fanout.ledger import Before, SinkPlace
from fanout.lives import Life, Stamp, Standing
from fanout.roster import Roster
from workers.mailbox import Folder, Mailbox
from workers.messages import Found, Leak, Leaked, OnLeak, Printed
from workers.slots import private_slot

#: Told by the first life, on a day in 2026.
STAMP = Stamp(1, 1_795_000_000.5)


@dataclass
class FakeClock:
    """Stands still until it is told to go on."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        assert seconds >= 0, "time can't go backwards"
        self.now += seconds


def empty_slot() -> memoryview:
    """A slot that nobody shares, at no mailbox."""
    return private_slot()


@dataclass
class FakeMailbox:
    address: str
    display_name: str = ""
    store: Any = None
    dry_run: bool = False

    def folders(self) -> list[Folder]:
        return []


@dataclass
class FakeSession:
    """Opens mailboxes that are named by their ordinals, and notes it."""

    clock: FakeClock = field(default_factory=FakeClock)
    #: What the log-on of an ordinal raises.
    refusals: dict[int, Exception] = field(default_factory=dict)
    #: Ordinals at which a walk ends without a word, once each.
    ends_at: set[int] = field(default_factory=set)
    #: Seconds that a log-on and a log-off take.
    opening: float = 0.0
    closing: float = 0.0
    dry_run: bool = False
    #: Mailboxes that may be open at a time.
    at_once: int = 1
    #: What else a log-off does.
    at_log_off: Callable[[], object] = field(default=lambda: None)
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def check(self, address: str = "") -> None:
        """Nobody is refused."""

    def open(self, address: str) -> AbstractContextManager[Mailbox]:
        return nullcontext(FakeMailbox(address))

    def mailboxes(
        self, ordinals: range, addresses: list[str] | None, slot: memoryview
    ) -> Generator[Mailbox, None, None]:
        names = [str(ordinal) for ordinal in ordinals] if addresses is None else addresses
        for ordinal, name in zip(ordinals, names, strict=True):
            slot[0] = ordinal
            self.clock.advance(self.opening)
            if ordinal in self.refusals:
                raise self.refusals[ordinal]
            if ordinal in self.ends_at:
                self.ends_at.remove(ordinal)
                return
            yield from self._visited(ordinal, name)

    def watched(
        self,
        job: Callable[[Mailbox], object],
        on_leak: OnLeak,  # noqa: ARG002 - nothing can be left
        report: Callable[[list[Leak]], None],  # noqa: ARG002
    ) -> Callable[[Mailbox], object]:
        return job

    def close(self) -> None:
        """Nothing is held."""

    def _visited(self, ordinal: int, name: str) -> Generator[Mailbox, None, None]:
        assert len(self.opened) - len(self.closed) < self.at_once, "too many mailboxes are open"
        self.opened.append(ordinal)
        try:
            yield FakeMailbox(name)
        finally:
            self.clock.advance(self.closing)
            self.at_log_off()
            self.closed.append(ordinal)


@dataclass
class FakeLedger:
    """Notes what it was given, in order."""

    roster: list[str] = field(default_factory=list)
    #: Each thing that was taken, and `commit`.
    taken: list[object] = field(default_factory=list)
    #: What was said before each commit.
    standings: list[tuple[object, SinkPlace | None]] = field(default_factory=list)
    #: What earlier sittings came to.
    earlier: Before = field(default_factory=Before)

    def add_names(self, addresses: list[str], places: list[int] | None = None) -> None:  # noqa: ARG002
        self.roster += addresses

    def names(self, ordinals: range) -> list[str]:
        return self.roster[ordinals.start : ordinals.stop]

    def grow(self, roster: Roster) -> None:
        self.taken.append(roster.count)

    def keep(self, found: Found, attempts: int, stamp: Stamp) -> None:
        self.taken.append((found, attempts, stamp))

    def settle(self, ordinal: int, line: bytes, stamp: Stamp) -> None:
        self.taken.append((ordinal, line, stamp))

    def retried(self, ordinal: int, attempt: int, line: bytes) -> None:
        self.taken.append((ordinal, attempt, line))

    def leaks(self) -> list[LeakLine]:
        return []

    def note(self, note: Printed | Leaked) -> None:
        self.taken.append(note)

    def risk(self, ordinal: int) -> None:
        self.taken.append(("risk", ordinal))

    def safe(self, ordinal: int) -> None:
        self.taken.append(("safe", ordinal))

    def standing(self, total: object, sink: SinkPlace | None, merged: object = None) -> None:  # noqa: ARG002
        self.standings.append((total, sink))

    def muster(self, changed: list[Life], standings: list[Standing]) -> None:
        self.taken.append((changed, standings))

    def pause(self, since: float | None) -> None:
        self.taken.append(("paused", since))

    def before(self) -> Before:
        return self.earlier

    def commit(self) -> None:
        self.taken.append("commit")
