"""Why a mailbox failed: one word that a retry policy, a report and a person can act on."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """The cause in a record's error. Words of the outside world first, our own last."""

    #: The server knows no such mailbox.
    MISSING = "missing"
    #: The mailbox is there and this account may not read it.
    DENIED = "denied"
    #: The server refuses the account: nothing is tried again, so that nothing is locked.
    CREDENTIALS = "credentials"
    #: The server refused for now: busy, paused, too many sessions or objects.
    BUSY = "busy"
    #: The connection was refused, cut, or timed out.
    UNREACHABLE = "unreachable"
    #: The session's index table is full: nothing was sent (article Q260141).
    LOGONS = "logons"
    #: Any other refusal by the server; the code tells which.
    SERVER = "server"
    #: What the server sent could not be read, or was incomplete.
    PROTOCOL = "protocol"
    #: The job raised an exception of its own.
    JOB = "job"
    #: The job left interfaces unreleased, and `--on-leak fail` was given.
    LEAK = "leak"
    #: The job's result cannot be written as JSON, or is too large.
    RESULT = "result"
    #: Workers died while they were at this mailbox.
    CRASH = "crash"
    #: The mailbox took longer than the run allows.
    TIMEOUT = "timeout"
    #: It made no round trip for longer than the run allows.
    STALL = "stall"
    #: The worker grew far beyond the memory that the run allows, or the kernel killed it for want of memory.
    MEMORY = "memory"
    #: The worker died at this mailbox, and the job writes: what it has written is not known, and it is not run again.
    UNCERTAIN = "uncertain"

    @property
    def retryable(self) -> bool:
        """Whether the same mailbox may well succeed later, with nothing changed by a person."""
        return self in _PASSING


_PASSING = frozenset({Cause.BUSY, Cause.UNREACHABLE, Cause.PROTOCOL})


class MailboxError(Exception):
    """A mailbox that the outside world would not open or read: an outcome, never a bug in fanout.

    `code` is the server's own number where it gave one (an HRESULT, say).
    """

    def __init__(self, message: str, cause: Cause, *, code: int | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.code = code
