"""The pace of a run: how many lanes may be at work, and how many mailboxes may be begun, at this time. Pure.

A lane is what visits one mailbox after the other: a worker, or a thread of it. When the server says that it is busy, half
of them rest; each chunk that is done without that word lets one in so many come back: additive increase, multiplicative
decrease, as TCP does (Jacobson, 1988; RFC 5681). A rate is a bucket of tokens that holds what one second gives.
"""

from __future__ import annotations

import math

#: Seconds in which further busy answers count as the same one: they were under way when the first was heard.
SAME_TROUBLE = 1.0


#: More mailboxes than any roster has.
UNLIMITED = 2**62


class Pace:
    """For up to `lanes` lanes, and `rate` mailboxes a second over all of them; None for no limit."""

    def __init__(self, lanes: int, rate: float | None) -> None:
        self._lanes = lanes
        self._rate = rate
        #: Lanes that may be at work; a fraction counts as nothing until it is whole.
        self.window = float(lanes)
        self._slowed_at = -math.inf
        self._tokens = 1.0
        self._filled_at: float | None = None

    def resize(self, lanes: int) -> None:
        """There are to be so many lanes. Where some rest for a busy server, more of them do not make it less busy."""
        self.window = float(lanes) if self.unhindered else min(self.window, float(lanes))
        self._lanes = lanes

    def busy(self, now: float) -> None:
        """The server said that it is busy."""
        if now - self._slowed_at >= SAME_TROUBLE:
            self.window = max(1.0, self.window / 2)
            self._slowed_at = now

    def fine(self, lanes: int) -> None:
        """A chunk that kept up to so many lanes at work was done, and the server was not busy."""
        self.window = min(float(self._lanes), self.window + min(1.0, lanes / self.window))

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
