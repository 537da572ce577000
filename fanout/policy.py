"""What a run does about trouble: limits, second attempts, and when it gives up. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a mailbox may take, and how large a worker may grow."""

    #: Seconds that a mailbox may take, and that it may go without a round trip; None for no limit.
    timeout: float | None = None
    stall_timeout: float | None = 300.0
    #: Seconds between SIGTERM and SIGKILL.
    grace: float = 5.0
    #: Bytes of resident memory: beyond it a worker leaves between two mailboxes; far beyond it is killed.
    max_rss: int | None = None
    #: Mailboxes after which a worker is replaced; None for never.
    recycle_after: int | None = None


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """How many failed mailboxes end a run: a number, or a share of those that are settled (0 to 1)."""

    number: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run does about trouble."""

    limits: Limits = Limits()
    #: Attempts at a mailbox beyond the first, for causes that can pass and for workers that died at it.
    retries: int = 2
    #: Seconds before the first second attempt; each further one waits twice as long, up to the longest.
    backoff: float = 1.0
    longest_backoff: float = 60.0
    max_failures: MaxFailures | None = None
    #: Mailboxes a second that are begun, over all workers; None for as many as there are.
    rate: float | None = None
    #: What the jitter of waits follows from.
    seed: int = 0


#: Where nothing else is said.
ORDINARY = Policy()
