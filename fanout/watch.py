"""The watch over limits: who has been at a mailbox for too long, or has grown too large. Pure: it is told what was seen.

A worker that is over a limit is asked for its stacks; at the next look, when it has had time to write them, it is asked to
end, by SIGTERM, whose default action works while the job is in C code; after the grace it is killed, which works on a
stopped process, too. Where it visits several mailboxes at a time, the others may end before that: for no longer than the
limit itself, and not where it is memory that runs out. If they have not ended by then, any of them may be what holds up the
others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from fanout.events import Command, DumpStacks, KillWorker, StopWorker, TerminateWorker
from workers.causes import Cause

if TYPE_CHECKING:
    from fanout.events import Reading
    from fanout.policy import Limits

#: A worker whose memory is this many times the limit is killed within a mailbox; below it, it leaves after the mailbox.
FAR_BEYOND = 1.5

#: Looks at a worker within one limit. A mailbox is first seen up to one interval late, and found over its limit up to
#: one interval late again, and its worker asked to end one later: within 1 + 3 / LOOKS, or 1.375, times its limit.
LOOKS = 8

#: Seconds that a worker may pause within a message. It writes one in a piece, and the parent reads whatever is there.
PAUSE = 10.0

#: Seconds between two looks at the most and at the least.
SLOWEST_LOOK, FASTEST_LOOK = 1.0, 0.05


class Doom(msgspec.Struct, frozen=True):
    """Why a worker was told to end."""

    #: The mailbox that it was told to end for; None where it may have been any that it was at.
    ordinal: int | None
    cause: Cause
    message: str


class _Lane(msgspec.Struct):
    """What is known of one slot of a worker."""

    ordinal: int | None
    #: When it was first seen at that mailbox, and when its beats last changed.
    since: float
    beats: int
    beat_at: float


class _Seen(msgspec.Struct):
    """What is known of one worker."""

    lanes: list[_Lane]
    #: Since when it has been at no mailbox, though it had some.
    idle_since: float | None = None
    #: Bytes of a message that it has not ended, and since when there are so many.
    half: int = 0
    half_since: float = 0.0
    doom: Doom | None = None
    #: Until when the mailboxes beside the doomed one may end.
    drained_at: float = 0.0
    #: Whether it was asked for its stacks, and when it was asked to end.
    dumped: bool = False
    asked_at: float | None = None

    def shift(self, seconds: float) -> None:
        """Have all of this have happened later."""
        for lane in self.lanes:
            lane.since += seconds
            lane.beat_at += seconds
        self.drained_at += seconds
        self.half_since += seconds
        self.idle_since = self.idle_since and self.idle_since + seconds
        self.asked_at = self.asked_at and self.asked_at + seconds


def _interval(limits: Limits) -> float:
    given = [limit for limit in (limits.timeout, limits.stall_timeout) if limit]
    return max(FASTEST_LOOK, min([SLOWEST_LOOK, *(limit / LOOKS for limit in given)]))


class Watch:
    """Over all workers of a run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[int, _Seen] = {}
        self._looked_at = math.inf
        #: Seconds between two looks.
        self.interval = _interval(limits)

    def open_eyes(self, now: float) -> None:
        """Begin to look at all of them. Time for which nobody looked counts for nobody: this process may have been
        stopped, with its workers (Ctrl-Z), or a slow reader of its output may have held up both."""
        missed = now - self._looked_at - 2 * self.interval
        self._looked_at = now
        if missed > 0:
            for seen in self._seen.values():
                seen.shift(missed)

    def hold(self, now: float) -> None:
        """Look, and let the time since the last look count for nobody."""
        if math.isfinite(self._looked_at):
            for seen in self._seen.values():
                seen.shift(now - self._looked_at)
        self._looked_at = now

    def look(self, reading: Reading, now: float, *, has_work: bool) -> list[Command]:
        """What is to be done about a worker, by what was seen of it. `has_work`: whether it has mailboxes to visit."""
        seen = self._note(reading, now)
        number = reading.worker
        if not has_work or any(lane.ordinal is not None for lane in seen.lanes):
            seen.idle_since = None
        elif seen.idle_since is None:
            seen.idle_since = now
        if seen.doom is None:
            return self._judge(seen, reading, now)
        if not seen.dumped:
            return self._drain(seen, number, now)
        if seen.asked_at is None:
            seen.asked_at = now
            return [TerminateWorker(number)]
        return [KillWorker(number)] if now - seen.asked_at >= self._limits.grace else []

    def trails_off(self, worker: int, now: float) -> bool:
        """Whether the worker has said half a message, and says no more: what it said will never make sense."""
        seen = self._seen.get(worker)
        return seen is not None and seen.half > 0 and now - seen.half_since >= PAUSE

    def doom(self, worker: int) -> Doom | None:
        """Why this worker was told to end; None if it was not."""
        seen = self._seen.get(worker)
        return seen.doom if seen else None

    def seconds(self, worker: int, ordinal: int, now: float) -> float:
        """How long the worker has been seen at a mailbox."""
        seen = self._seen.get(worker)
        return next((now - lane.since for lane in seen.lanes if lane.ordinal == ordinal), 0.0) if seen else 0.0

    def forget(self, worker: int) -> None:
        """It has ended."""
        self._seen.pop(worker, None)

    def _note(self, reading: Reading, now: float) -> _Seen:
        seen = self._seen.get(reading.worker)
        if seen is None:
            lanes = [_Lane(spot.at, now, spot.beats, now) for spot in reading.spots]
            self._seen[reading.worker] = seen = _Seen(lanes, half=reading.half, half_since=now)
            return seen
        if seen.half != reading.half:
            seen.half, seen.half_since = reading.half, now
        for place, (lane, spot) in enumerate(zip(seen.lanes, reading.spots, strict=True)):
            if lane.ordinal != spot.at:
                seen.lanes[place] = _Lane(spot.at, now, spot.beats, now)
            elif lane.beats != spot.beats:
                lane.beats, lane.beat_at = spot.beats, now
        return seen

    def _judge(self, seen: _Seen, reading: Reading, now: float) -> list[Command]:
        """Find whoever is over a limit; let those beside it end first."""
        late = (self._too_long(lane, now) for lane in seen.lanes)
        seen.doom = next(filter(None, late), None) or self._too_large(seen, reading.rss) or self._too_idle(seen, now)
        if seen.doom is None:
            return []
        if seen.doom.cause is Cause.MEMORY:  # which is not to be waited with
            return self._dump(seen, reading.worker)
        seen.drained_at = now + (self._limits.timeout or self._limits.stall_timeout or 0.0)
        if self._alone(seen, seen.doom):
            return self._dump(seen, reading.worker)
        return [StopWorker(reading.worker)]

    def _drain(self, seen: _Seen, worker: int, now: float) -> list[Command]:
        assert seen.doom is not None
        if self._alone(seen, seen.doom):
            return self._dump(seen, worker)
        if now < seen.drained_at:
            return []
        seen.doom = msgspec.structs.replace(seen.doom, ordinal=None)  # by now each of them has been at it for too long
        return self._dump(seen, worker)

    def _dump(self, seen: _Seen, worker: int) -> list[Command]:
        seen.dumped = True
        return [DumpStacks(worker)]

    def _alone(self, seen: _Seen, doom: Doom) -> bool:
        return all(lane.ordinal in {None, doom.ordinal} for lane in seen.lanes)

    def _too_long(self, lane: _Lane, now: float) -> Doom | None:
        if lane.ordinal is None:
            return None
        limits = self._limits
        if limits.timeout and now - lane.since >= limits.timeout:
            return Doom(lane.ordinal, Cause.TIMEOUT, f"not done after {now - lane.since:.1f} s")
        if limits.stall_timeout and now - lane.beat_at >= limits.stall_timeout:
            return Doom(lane.ordinal, Cause.STALL, f"no round trip for {now - lane.beat_at:.1f} s")
        return None

    def _too_idle(self, seen: _Seen, now: float) -> Doom | None:
        """A worker that begins nothing was stopped between two mailboxes: nobody is to blame. Unless it is not understood."""
        limit = self._limits.timeout or self._limits.stall_timeout
        if not limit or seen.half or seen.idle_since is None or now - seen.idle_since < limit:
            return None
        return Doom(None, Cause.STALL, f"it began no mailbox for {now - seen.idle_since:.1f} s")

    def _too_large(self, seen: _Seen, rss: int) -> Doom | None:
        most = self._limits.max_rss
        at = [lane.ordinal for lane in seen.lanes if lane.ordinal is not None]
        if not most or rss <= FAR_BEYOND * most or not at:
            return None
        grown = f"{rss / 2**20:.0f} MiB of memory, far beyond the {most / 2**20:.0f} allowed"
        return Doom(at[0] if len(at) == 1 else None, Cause.MEMORY, grown)
