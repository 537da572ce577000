"""The lives of workers: each process that was one, from its start to its end, and what it was last seen at. Pure.

A worker is a place, which several processes may fill one after the other: one that ended is followed by another. Lives are
numbered over all sittings of a run, so that whatever a worker has told of can be told to come from one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanout.events import Ended, Looked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.crew import State
    from fanout.events import Event, Reading

#: How a life ends that nothing but the end of the run has ended.
RUN_ENDED = "the run ended"


def named(worker: int) -> int:
    """The number of a worker for people, who count from 1."""
    return worker + 1


def server_of(worker: int, servers: Sequence[str]) -> str | None:
    """The server of a worker of a run over these: they take turns in its numbers, see `legs`. None where there is one for all."""
    return servers[worker % len(servers)] if len(servers) > 1 else None


class Life(msgspec.Struct):
    """One process that was a worker. Times are seconds since the epoch."""

    number: int
    sitting: int
    #: Which worker it was.
    worker: int
    begun: float
    #: None as long as it is not known.
    pid: int | None = None
    #: None while it lives, and where it was killed with the run.
    ended: float | None = None
    #: How it ended, for people.
    how: str | None = None


class Stamp(msgspec.Struct, frozen=True):
    """By which life something was told, None for none, and when."""

    life: int | None
    at: float


class Standing(msgspec.Struct, frozen=True):
    """Where a worker stands that has a process."""

    worker: int
    life: int
    pid: int | None
    #: The state of its life, for people: starting, ready, leaving, dying.
    state: str
    #: Mailboxes that it has open.
    open: int
    #: Bytes of memory that are resident.
    rss: int
    #: The mailbox that it has been at for longest, and since when; None where it is at none.
    ordinal: int | None
    since: float | None
    #: When this was so.
    at: float


class _Seen(msgspec.Struct):
    """What was seen of a worker last."""

    rss: int = 0
    #: Mailboxes that it has open.
    open: int = 0
    #: Mailboxes that it is at, and since when it was seen at each, the longest first.
    at: dict[int, float] = msgspec.field(default_factory=dict)


class Lives:
    """The workers of one sitting."""

    def __init__(self, sitting: int = 0, before: int = 0) -> None:
        """`sitting`: its number in the run file. `before`: lives of earlier ones."""
        self._sitting = sitting
        self._count = before
        #: The latest life of each worker, and what was seen of it.
        self._latest: dict[int, Life] = {}
        self._seen: dict[int, _Seen] = {}
        #: Lives that have changed since somebody asked.
        self._changed: dict[int, Life] = {}

    def begin(self, worker: int, now: float) -> None:
        """A process was started as this worker."""
        self._count += 1
        life = Life(self._count, self._sitting, worker, now)
        self._latest[worker] = self._changed[life.number] = life
        self._seen[worker] = _Seen()

    def notice(self, event: Event, now: float) -> None:
        """Take from an event what it says of lives."""
        match event:
            case Looked(readings):
                for reading in readings:
                    self._look(reading, now)
            case Ended(worker, how):
                self._end(self._latest[worker], event.pid, now, how)
            case _:
                pass

    def end(self, now: float) -> None:
        """The run has ended, and all that still lived with it."""
        for worker in list(self._seen):
            self._end(self._latest[worker], None, now, RUN_ENDED)

    def stamp(self, worker: int, now: float) -> Stamp:
        """What a worker tells now, or told just before it ended."""
        return Stamp(self._latest[worker].number, now)

    def changed(self) -> list[Life]:
        """The lives that have begun, ended or become better known since this was last asked."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def standings(self, states: Sequence[State], now: float) -> Iterator[Standing]:
        """Where each worker stands that has a process. `states`: of each worker, by its number."""
        for worker, seen in sorted(self._seen.items()):
            life = self._latest[worker]
            ordinal, since = next(iter(seen.at.items()), (None, None))
            state = states[worker].value
            yield Standing(worker, life.number, life.pid, state, seen.open, seen.rss, ordinal, since, now)

    def _look(self, reading: Reading, now: float) -> None:
        if reading.worker not in self._seen:  # a roster worker, which visits nothing
            return
        life, before = self._latest[reading.worker], self._seen[reading.worker].at
        at = {spot.at: before.get(spot.at, now) for spot in reading.spots if spot.at is not None}
        is_open = sum(1 + spot.ahead for spot in reading.spots if spot.at is not None)
        self._seen[reading.worker] = _Seen(reading.rss, is_open, dict(sorted(at.items(), key=lambda each: each[1])))
        if reading.pid not in {None, life.pid}:
            life.pid = reading.pid
            self._changed[life.number] = life

    def _end(self, life: Life, pid: int | None, now: float, how: str) -> None:
        life.pid, life.ended, life.how = pid or life.pid, now, how
        self._changed[life.number] = life
        del self._seen[life.worker]
