"""What can happen to a run, and what can be done about it: the words between dispatch and the shell around it."""

from __future__ import annotations

import msgspec

from fanout.partition import Partition
from workers.messages import Chunk, Error, Found, Leaked, Printed, ToParent


class _Fact(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The common shape of events and commands. Some of them cross a line to another machine, so each says what it is."""


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
    #: How it ended, for people: `exit code 3`, `SIGSEGV`, `SIGKILL by the kernel, for want of memory`.
    how: str
    #: The ordinals in its slots, one for each thread that was at a mailbox.
    at: tuple[int, ...]
    #: Its last words on stderr.
    words: str = ""
    #: The number that its process had; None where it never was known to run.
    pid: int | None = None


class Spot(_Fact, frozen=True):
    """What one slot of a worker says."""

    #: The ordinal of the mailbox that a thread is at; None where it is at none.
    at: int | None
    #: Round trips that this thread has made.
    beats: int
    #: Mailboxes that it has opened ahead of that one.
    ahead: int = 0


class Reading(_Fact, frozen=True):
    """What can be seen of a worker from outside, without asking it."""

    worker: int
    #: One for each slot, always in the same order.
    spots: tuple[Spot, ...]
    #: Bytes of memory that are resident.
    rss: int
    #: Bytes of a message that it has begun to say, and not ended.
    half: int = 0
    #: The number of its process; None where it can't be seen.
    pid: int | None = None


class Looked(_Fact, frozen=True):
    """Time has passed, and somebody looked at every worker that has a process."""

    readings: list[Reading]


class Interrupted(_Fact, frozen=True):
    """Somebody asked the run to stop."""

    signal: int


class Closed(_Fact, frozen=True):
    """The run is to end when the mailboxes under way have, and to be gone on with at another time."""

    #: Who or what asked for it, for people.
    why: str


class Paused(_Fact, frozen=True):
    """Somebody asked the run to let the mailboxes under way end, and to begin no other one until it is continued."""


class Continued(_Fact, frozen=True):
    """Somebody asked the run to go on."""


class Resized(_Fact, frozen=True):
    """Somebody asked for another number of workers."""

    workers: int


class Joined(_Fact, frozen=True):
    """Of several servers, one that was still being asked when the run began has said what it has, or can't be asked."""

    #: Which of the servers, by its place among them.
    place: int
    #: The ordinal of its first mailbox, and how many there are; None where nobody knows.
    first: int
    count: int | None
    #: How they are cut; None where it is left out, and why it is.
    how: Partition | None
    why: Error | None = None


Event = Begun | Heard | Babbled | Ended | Looked | Interrupted | Closed | Paused | Continued | Resized | Joined


# --- commands ---------------------------------------------------------------------------------------------------------


class StartWorker(_Fact, frozen=True):
    """Start a process as this worker. Its first message will be Ready or Unable."""

    worker: int
    #: For which of the run's servers.
    server: int = 0


class StopWorker(_Fact, frozen=True):
    """Ask the worker, by its slots, to end after the mailboxes that it is at. It says Leaving, and leaves."""

    worker: int


class DumpStacks(_Fact, frozen=True):
    """Have the worker's stacks written to its stderr, whatever it is in."""

    worker: int


class TerminateWorker(_Fact, frozen=True):
    """Ask the worker's process to end, by SIGTERM."""

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

    worker: int
    ordinal: int
    attempts: int
    seconds: float
    error: Error


class Retry(_Fact, frozen=True):
    """An attempt that failed, and will be followed by another one."""

    ordinal: int
    attempt: int
    seconds: float
    error: Error


class Risk(_Fact, frozen=True):
    """A mailbox is about to be given out to a job that must not be called for it twice: durable before it is."""

    ordinal: int


class Safe(_Fact, frozen=True):
    """A mailbox that was at risk came back, and was not begun."""

    ordinal: int


class Note(_Fact, frozen=True):
    """What a job printed, or left unreleased, to be kept with its mailbox."""

    note: Printed | Leaked


#: What becomes of mailboxes for good, and what else is to be remembered of them.
Verdict = Keep | Settle
Word = Retry | Risk | Safe | Note

Command = StartWorker | StopWorker | DumpStacks | TerminateWorker | KillWorker | Send | Verdict | Word
