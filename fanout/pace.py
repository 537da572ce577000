"""The pace of a run: how many lanes may be at work, and how many mailboxes may be begun, at this time. Pure.

A lane is what visits one mailbox after the other: a worker, or a thread of it. When the server says that it is busy, lanes rest,
and they come back as it answers. What counts are mailboxes, and neither chunks nor time:

- Each that the server has an answer for lets one in so many lanes come back, which is one lane more for each round of all that
  are at work: additive increase, as in TCP (Jacobson, 1988; RFC 5681).
- Each that is busy has half a lane rest. A round of nothing else halves them, as TCP does; but where it is one among many it
  costs next to nothing: the decrease is in proportion to the share that is busy, as in DCTCP (RFC 8257).

For mailboxes are busy by themselves, too: in transit, locked, opened too often by their owner. Where a share p of the answers is
busy whatever the load, lanes balance where (1 - p) / lanes = p / 2, which is at 198 for 1 % and at 38 for 5 %. Were they halved
for each, it would be at sqrt(2 / p), which is at 14 and at 6 however many workers there are. Where it is the load, the share
tells so: a server that has room for C lanes and is busy for the others is asked by one too many now and then, which makes 2 of
C + 2 answers busy; one that is busy for everybody is asked by one lane soon.

A rate is a bucket of tokens that holds what one second gives.
"""

from __future__ import annotations

import math

from workers.causes import Cause

#: Lanes that rest for a busy answer.
BUSY_COSTS = 0.5

#: More mailboxes than any roster has.
UNLIMITED = 2**62


class Pace:
    """For up to `lanes` lanes, and `rate` mailboxes a second over all of them; None for no limit."""

    def __init__(self, lanes: int, rate: float | None) -> None:
        self._lanes = lanes
        self._rate = rate
        #: Lanes that may be at work; a fraction counts as nothing until it is whole.
        self.window = float(lanes)
        self._tokens = 1.0
        self._filled_at: float | None = None

    def resize(self, lanes: int) -> None:
        """There are to be so many lanes. Where some rest for a busy server, more of them do not make it less busy."""
        self.window = float(lanes) if self.unhindered else min(self.window, float(lanes))
        self._lanes = lanes

    def done(self, mailboxes: int) -> int:
        """So many are done. Returns how many lanes more may be at work."""
        if self.window >= self._lanes:
            return 0
        before = int(self.window)
        self.window = min(float(self._lanes), math.sqrt(self.window**2 + 2 * mailboxes))  # 1 / window for each of them
        return int(self.window) - before

    def failed(self, cause: Cause) -> int:
        """One failed. Returns how many lanes more may be at work: whatever the server answers, it is not too busy to."""
        match cause:
            case Cause.BUSY:
                self.window = max(1.0, self.window - BUSY_COSTS)
            case Cause.UNREACHABLE:
                pass  # nobody answered
            case _:
                return self.done(1)
        return 0

    @property
    def unhindered(self) -> bool:
        """Whether every lane may be at work."""
        return self.window >= self._lanes

    def room(self, working: int) -> int:
        """Lanes that may be at work beside `working` others."""
        return max(0, int(self.window) - working)

    def tokens(self, now: float) -> float:
        """Mailboxes that may be begun now."""
        if self._rate is None:
            return math.inf
        if self._filled_at is not None:
            self._tokens = min(max(self._rate, 1.0), self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens

    def most(self, now: float) -> int:
        """Mailboxes that a chunk may have now; 0 when none may be begun."""
        return UNLIMITED if self._rate is None else int(self.tokens(now))

    def spend(self, mailboxes: int) -> None:
        """Note that so many were begun."""
        self._tokens -= mailboxes

    def next_token(self, now: float) -> float | None:
        """When the next mailbox may be begun; None when one may be now."""
        if self._rate is None or self.tokens(now) >= 1:
            return None
        return now + (1 - self._tokens) / self._rate
