"""What becomes of a mailbox that failed, or at which a worker died: another attempt, and when, or its end. Pure.

Three budgets, for three kinds of trouble. Attempts are for what may be the mailbox's own doing: causes that can pass, and
workers that crashed, hung or grew at it. A busy server is asked again for long, with no attempt counted, for it is no
fault of the mailbox. So is a mailbox whose worker was ended from outside: a SIGKILL or SIGTERM that nobody here sent blames
no one, until it happens at the same mailbox again and again.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import msgspec

from fanout.crew import HUNG_UP, LOST
from fanout.endings import too_many
from fanout.watch import Doom
from workers.causes import Cause
from workers.messages import Error

if TYPE_CHECKING:
    from fanout.policy import Policy

#: Times that a busy server is asked again for one mailbox. With waits that double up to a minute: a quarter of an hour.
BUSY_PATIENCE = 20

#: Workers that may be ended from outside while they are at one mailbox. With a random kill every second of a run of hours
#: nobody meets this number; a mailbox whose job kills its own worker does, at once.
OUTSIDE_DEATHS = 8

#: How a death from outside looks.
_FROM_OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "the template process ended", LOST})

#: Outcomes that must be settled before a share of failures means anything.
ENOUGH_TO_JUDGE = 20

#: Characters of a worker's last words in an error's message.
WORDS = 600

#: The innermost frame of a lane that waits for a mailbox.
_IDLE = re.compile(r'\A[^\n]*\n[^\n]*/workers/lanes\.py"')


class Again(msgspec.Struct, frozen=True):
    """Another attempt: which it is, and how long to wait for it."""

    attempt: int
    seconds: float


class Fate(msgspec.Struct, frozen=True):
    """What is said of an attempt, and the attempt that follows; None when it was the last."""

    error: Error
    again: Again | None


class Death(msgspec.Struct, frozen=True):
    """What is known of a worker that died at a mailbox."""

    worker: int
    how: str
    words: str
    #: How long it had been seen at it.
    seconds: float
    #: Why it was told to end, if it was.
    doom: Doom | None
    #: Whether the job may have written something that must not be written twice.
    uncertain: bool
    #: Whether it was killed because what it said made no sense.
    by_us: bool
    #: Whether the worker had no other mailbox.
    alone: bool


class Fates:
    """Remembers the mailboxes that had trouble, and no other."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._random = Random(policy.seed)
        self._busy: Counter[int] = Counter()
        self._outside: Counter[int] = Counter()
        self._lost: set[int] = set()

    def failed(self, ordinal: int, attempt: int, error: Error) -> Again | None:
        """The attempt that follows a failure; None when there is to be none."""
        if error.cause is Cause.BUSY and error.retryable and self._busy[ordinal] < BUSY_PATIENCE:
            self._busy[ordinal] += 1
            return Again(attempt, self._wait(self._busy[ordinal]))
        if error.retryable and attempt <= self._policy.retries:
            return Again(attempt + 1, self._wait(attempt))
        self._busy.pop(ordinal, None)
        return None

    def put_off(self, ordinal: int) -> int:
        """How often a mailbox was put off because the server was busy."""
        return self._busy[ordinal]

    def died(self, ordinal: int, attempt: int, death: Death) -> Fate:
        """What becomes of the mailbox that a worker was at when it died."""
        error = _error_of(death)
        if death.uncertain:
            return Fate(error, None)
        if death.doom is not None and death.doom.ordinal not in {None, ordinal}:
            return Fate(error, Again(attempt, 0.0))  # it was told to end for a mailbox that then ended after all
        if (death.how == HUNG_UP or death.by_us) and not death.alone:
            return Fate(error, Again(attempt, 0.0))  # it may have been one before it: alone there is no doubt
        if _came_from_outside(death):
            self._outside[ordinal] += 1
            return Fate(error, Again(attempt, 0.0) if self._outside[ordinal] < OUTSIDE_DEATHS else None)
        if attempt <= self._policy.retries:
            return Fate(error, Again(attempt + 1, 0.0))
        return Fate(error, None)

    def lost(self, ordinals: set[int]) -> set[int]:
        """Those of some mailboxes whose worker was lost that have been lost before: machines are lost without a mailbox's
        doing, and a mailbox that takes its own along does it again."""
        again = self._lost & ordinals
        self._lost |= ordinals
        return again

    def too_many(self, failed: int, settled: int) -> Error | None:
        """Why that many failures end the run, if they do."""
        most = self._policy.max_failures
        if most is None:
            return None
        number = most.number is not None and failed > most.number
        share = most.share is not None and settled >= ENOUGH_TO_JUDGE and failed > most.share * settled
        return too_many(failed, settled) if number or share else None

    def _wait(self, times: int) -> float:
        """Exponential backoff with jitter: half of it is certain, half is chance, so that not all come back at once."""
        longest = min(self._policy.backoff * 2.0 ** (times - 1), self._policy.longest_backoff)
        return longest * (0.5 + self._random.random() / 2)


def _came_from_outside(death: Death) -> bool:
    return death.doom is None and not death.by_us and death.how in _FROM_OUTSIDE


def last_words(text: str) -> str:
    """What of a worker's last words says most: the end of them, or, where stacks were dumped, one's innermost frames.

    faulthandler writes the newest thread first, and of each the innermost frame. Lanes are newer than the main thread,
    and one that waits for a mailbox is not what is looked for. Of a crash, it marks the thread that crashed as current.
    """
    before, *stacks = re.split(r"^(?=(?:Current thread|Thread) 0x)", text, flags=re.MULTILINE)
    if not stacks:
        return text.strip()[-WORDS:]
    crashed = [stack for stack in stacks if stack.startswith("Current") and "Fatal Python error" in before]
    at_work = [stack for stack in stacks if not _IDLE.search(stack)]
    stack = [*crashed, *at_work, *stacks][0]
    return f"{before[-WORDS // 2 :]}{stack}"[:WORDS].strip()


def _error_of(death: Death) -> Error:
    words = last_words(death.words)
    said = f"; its last words: {words}" if words else ""
    if death.doom is not None:
        return Error("Limit", f"{death.doom.message}; the worker was told to end{said}", _cause_of(death))
    spent = f" after {death.seconds:.1f} s" if death.seconds else ""
    return Error("WorkerDied", f"the worker died at this mailbox{spent}, by {death.how}{said}", _cause_of(death))


def _cause_of(death: Death) -> Cause:
    if death.uncertain:
        return Cause.UNCERTAIN
    if death.doom is not None:
        return death.doom.cause
    return Cause.MEMORY if "memory" in death.how else Cause.CRASH
