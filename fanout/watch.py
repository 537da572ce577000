"""The watch over limits: who has been at a mailbox for too long, or has grown too large. Pure: it is told what was seen.

A worker that is over a limit is asked for its stacks; at the next look, when it has had time to write them, it is asked to
end, by SIGTERM, whose default action works while the job is in C code; after the grace it is killed, which works on a
stopped process, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanout.events import Command, DumpStacks, KillWorker, TerminateWorker
from workers.causes import Cause

if TYPE_CHECKING:
    from fanout.events import Reading
    from fanout.policy import Limits

#: A worker whose memory is this many times the limit is killed within a mailbox; below it, it leaves after the mailbox.
FAR_BEYOND = 1.5

#: Looks at a worker within one limit. A mailbox is first seen up to one interval late, and found over its limit up to
#: one interval late again: a hang is noticed within 1 + 2 / LOOKS, or 1.4, times its limit.
LOOKS = 5

#: Seconds between two looks at the most and at the least.
SLOWEST_LOOK, FASTEST_LOOK = 1.0, 0.05


class Doom(msgspec.Struct, frozen=True):
    """Why a worker was told to end."""

    ordinal: int
    cause: Cause
    message: str


class _Seen(msgspec.Struct):
    """What is known of one worker."""

    ordinal: int | None
    #: When it was first seen at that mailbox, and when its beats last changed.
    since: float
    beats: int
    beat_at: float
    doom: Doom | None = None
    #: When it was asked to end.
    asked_at: float | None = None


def _interval(limits: Limits) -> float:
    given = [limit for limit in (limits.timeout, limits.stall_timeout) if limit]
    return max(FASTEST_LOOK, min([SLOWEST_LOOK, *(limit / LOOKS for limit in given)]))


class Watch:
    """Over all workers of a run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[int, _Seen] = {}
        #: Seconds between two looks.
        self.interval = _interval(limits)

    def look(self, reading: Reading, now: float) -> list[Command]:
        """What is to be done about a worker, by what was seen of it."""
        seen = self._note(reading, now)
        if seen.doom is None:
            seen.doom = self._doom(seen, reading, now)
            return [DumpStacks(reading.worker)] if seen.doom else []
        if seen.asked_at is None:
            seen.asked_at = now
            return [TerminateWorker(reading.worker)]
        return [KillWorker(reading.worker)] if now - seen.asked_at >= self._limits.grace else []

    def doom(self, worker: int) -> Doom | None:
        """Why this worker was told to end; None if it was not."""
        seen = self._seen.get(worker)
        return seen.doom if seen else None

    def seconds(self, worker: int, ordinal: int, now: float) -> float:
        """How long the worker has been seen at a mailbox."""
        seen = self._seen.get(worker)
        return now - seen.since if seen and seen.ordinal == ordinal else 0.0

    def forget(self, worker: int) -> None:
        """It has ended."""
        self._seen.pop(worker, None)

    def _note(self, reading: Reading, now: float) -> _Seen:
        seen = self._seen.get(reading.worker)
        if seen is None or seen.ordinal != reading.at:
            doom, asked_at = (seen.doom, seen.asked_at) if seen else (None, None)
            seen = self._seen[reading.worker] = _Seen(reading.at, now, reading.beats, now, doom, asked_at)
        elif seen.beats != reading.beats:
            seen.beats, seen.beat_at = reading.beats, now
        return seen

    def _doom(self, seen: _Seen, reading: Reading, now: float) -> Doom | None:
        if seen.ordinal is None:
            return None
        limits = self._limits
        if limits.timeout and now - seen.since >= limits.timeout:
            return Doom(seen.ordinal, Cause.TIMEOUT, f"not done after {now - seen.since:.1f} s")
        if limits.stall_timeout and now - seen.beat_at >= limits.stall_timeout:
            return Doom(seen.ordinal, Cause.STALL, f"no round trip for {now - seen.beat_at:.1f} s")
        if limits.max_rss and reading.rss > FAR_BEYOND * limits.max_rss:
            grown = f"{reading.rss / 2**20:.0f} MiB of memory, far beyond the {limits.max_rss / 2**20:.0f} allowed"
            return Doom(seen.ordinal, Cause.MEMORY, grown)
        return None
