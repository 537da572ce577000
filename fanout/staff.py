"""How many workers a run may have at this time, and when one may be started again. Pure.

None may be, beside those that end what they are at, while the run is paused, and from when it was asked to end. One that
ended in vain has the next one wait for its time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, assert_never

import msgspec

from fanout.endings import DEATHS_IN_VAIN, cannot_work
from fanout.events import Closed, Continued, Interrupted, Paused, Resized
from fanout.progress import Going

if TYPE_CHECKING:
    from fanout.events import Ended
    from fanout.policy import Policy
    from workers.messages import Error

#: The most workers of a run.
MOST = 4096

#: What somebody asks of a run while it goes on, and what asks it to end.
Steered = Paused | Continued | Resized
Asked = Interrupted | Closed


class Standing(msgspec.Struct, frozen=True):
    """Where a run stands, for whoever steers it."""

    #: Workers that it may have while it is not paused.
    workers: int
    #: Mailboxes that its workers are at.
    under_way: int
    paused: bool = False
    #: Whether it was asked to end.
    closing: bool = False
    #: Servers that each have so many workers.
    servers: int = 1

    @property
    def going(self) -> Going:
        if self.closing:
            return Going.ENDING
        return Going.PAUSED if self.paused else Going.ON


class Staff:
    """The workers that a run is to have: a number, and reasons to have none."""

    def __init__(self, wanted: int, policy: Policy) -> None:
        #: Workers that it may have while nothing speaks against it.
        self.wanted = wanted
        self.paused = False
        #: What asked the run to end when the mailboxes under way have; None while nothing did.
        self.closing: Asked | None = None
        #: Until when no worker is started, after one that ended in vain; None for no time.
        self.restart_at: float | None = None
        #: Why a worker said last that it can't work.
        self.unable: Error | None = None
        self._in_vain = 0
        #: The same of those that their machine is to blame for, by their number.
        self._lost: Counter[int] = Counter()
        self._backoff, self._longest = policy.backoff, policy.longest_backoff

    @property
    def allowed(self) -> int:
        """Workers that it may have now."""
        return 0 if self.paused or self.closing else self.wanted

    def standing(self, under_way: int) -> Standing:
        return Standing(self.wanted, under_way, self.paused, self.closing is not None)

    def steer(self, event: Steered) -> None:
        """Note what was asked. A run that ends is not paused: it would never end."""
        match event:
            case Paused():
                self.paused = self.closing is None
            case Continued():
                self.paused = False
            case Resized(workers):
                self.wanted = workers
            case _:
                assert_never(event)

    def close(self, event: Asked) -> None:
        """Note that the run is to end, and by what it was asked to."""
        self.closing = event
        self.paused = False

    def may_start(self, now: float) -> bool:
        """Whether a worker may be started again now, if there are fewer than there may be."""
        if self.restart_at and now < self.restart_at:
            return False
        self.restart_at = None
        return True

    def did_something(self) -> None:
        """A worker told of a mailbox, or one has to answer for its end."""
        self._in_vain = 0
        self._lost.clear()

    def ended_in_vain(self, event: Ended, now: float) -> Error | None:
        """A worker did nothing, and no mailbox has to answer for it: wait before the next one; or why to give up."""
        self._in_vain += 1
        self._wait(self._in_vain, now)
        return (self.unable or cannot_work(event)) if self._in_vain >= DEATHS_IN_VAIN else None

    def lost_in_vain(self, event: Ended, now: float, at_work: int) -> Error | None:
        """The same of one that its machine is to blame for. That has many workers at a time, so those of one number count;
        and while somebody is `at_work` it is not the only machine."""
        self._lost[event.worker] += 1
        self._wait(self._lost[event.worker], now)
        return cannot_work(event) if self._lost[event.worker] >= DEATHS_IN_VAIN and not at_work else None

    def _wait(self, times: int, now: float) -> None:
        if times > 1:
            self.restart_at = now + min(self._backoff * 2.0 ** (times - 2), self._longest)
