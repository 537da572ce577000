"""What can happen to a run, and what can be done about it: the words between dispatch and the shell around it."""

from __future__ import annotations

import msgspec

from workers.messages import Chunk, Error, Found, Printed, ToParent


class _Fact(msgspec.Struct, frozen=True, gc=False):
    """The common shape of events and commands."""


# --- events -----------------------------------------------------------------------------------------------------------


class Begun(_Fact, frozen=True):
    """The run begins."""


class Heard(_Fact, frozen=True):
    """A worker said something that is a message."""

    worker: int
    message: ToParent


class Babbled(_Fact, frozen=True):
    """A worker said something that is no message."""

    worker: int
    what: str


class Ended(_Fact, frozen=True):
    """A worker's process is no more, and everything that it said before has been heard."""

    worker: int
    #: How it ended, for people: `exit code 3`, `SIGSEGV`.
    how: str
    #: The ordinal in its slot; None where it was at no mailbox.
    at: int | None


class Interrupted(_Fact, frozen=True):
    """Somebody asked the run to stop."""

    signal: int


Event = Begun | Heard | Babbled | Ended | Interrupted


# --- commands ---------------------------------------------------------------------------------------------------------


class StartWorker(_Fact, frozen=True):
    """Start a process as this worker. Its first message will be Ready or Unable."""

    worker: int


class KillWorker(_Fact, frozen=True):
    """End the worker's process at once."""

    worker: int


class Send(_Fact, frozen=True):
    """Give the worker a chunk, after those that it has."""

    worker: int
    chunk: Chunk


class Keep(_Fact, frozen=True):
    """Mailboxes that are done, for good."""

    worker: int
    found: Found
    attempts: int
    #: The fold of the results.
    total: object


class Settle(_Fact, frozen=True):
    """A mailbox that failed, for good."""

    ordinal: int
    attempts: int
    seconds: float
    error: Error


class Note(_Fact, frozen=True):
    """What a job printed, to be kept with its mailbox."""

    printed: Printed


Command = StartWorker | KillWorker | Send | Keep | Settle | Note
