"""Who holds which mailboxes, and which calls wait for whom: (event, now) -> commands. Pure: no process, no pipe, no clock.

What it guarantees, whatever the events and their order:

1. Every call gets exactly one Reply.
2. A worker holds one part of the roster, always the same one, and no more than the capacity.
3. A worker that died is started again, and opens its mailboxes again; the call that was under way fails, or is made again
   where its caller said so, and those behind it wait.
4. A mailbox whose opening ends its worker again and again is left out. A worker that can't be had is given up, and its
   calls are answered.
5. What a worker says must fit what it was asked, or it is killed.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.crew import State
from fanout.events import (
    Babbled,
    Begun,
    Closed,
    Continued,
    DumpStacks,
    Ended,
    Event,
    Heard,
    Interrupted,
    Joined,
    KillWorker,
    Looked,
    Paused,
    Reading,
    Resized,
    StartWorker,
)
from fanout.fate import last_words
from workers.causes import Cause
from workers.messages import Answered, Call, Error, Held, Hold, Ready, Refused, Unable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.messages import ToParent

#: Calls that a worker is given ahead, so that it never waits for one.
CREDIT = 8

#: Times that a call is made again, a mailbox's opening may end its worker, and a worker may end before it holds anything.
PATIENCE = 3

#: Seconds between two looks at the workers, while there is something to look for.
LOOK = 0.25

#: Seconds before a worker is started again that has ended twice in a row before it held anything; they double.
BACKOFF = 0.1


class Request(msgspec.Struct, frozen=True, gc=False):
    """A call as it was asked for."""

    number: int
    ordinal: int
    function: int
    options: dict[str, Any]
    #: Whether it may be made again when the worker dies at it.
    retry: bool = False
    #: Seconds that it may take, once it is under way; None for no limit.
    timeout: float | None = None


class Tell(msgspec.Struct, frozen=True):
    """Tell a worker something."""

    worker: int
    message: Hold | Call


class Learn(msgspec.Struct, frozen=True):
    """Have a worker learn a function, which it is about to be asked to call."""

    worker: int
    function: int


class Reply(msgspec.Struct, frozen=True):
    """What came of a call."""

    number: int
    #: What the function returned, as JSON; None where there is an error.
    value: bytes | None
    error: Error | None = None
    printed: str = ""


Command = StartWorker | KillWorker | DumpStacks | Tell | Learn | Reply


class _Worker(msgspec.Struct):
    #: The ordinals that are its part of the roster.
    part: range
    state: State = State.GONE
    #: Whether it has opened what it holds.
    held: bool = False
    #: The functions that its process knows.
    known: set[int] = msgspec.field(default_factory=set)
    #: Calls that it was given, the first of which is under way, and calls that wait.
    given: deque[Request] = msgspec.field(default_factory=deque)
    waiting: deque[Request] = msgspec.field(default_factory=deque)
    #: Since when the first call is under way.
    since: float = 0.0
    #: Round trips that were seen, and when their number last changed.
    beats: int = 0
    beat_at: float = 0.0
    #: Why it was told to end.
    doom: Error | None = None
    #: Times in a row that it has ended before it held anything, and when it is started again.
    in_vain: int = 0
    restart_at: float | None = None
    #: Why it is not started any more.
    lost: Error | None = None


class Holders:
    """The decisions of a fleet."""

    def __init__(self, count: int, size: int, stall_timeout: float | None) -> None:
        """For `count` mailboxes, `size` a worker. `stall_timeout`: seconds that opening or a call may go without a round trip."""
        self._size = size
        self._stall_timeout = stall_timeout
        self._workers = [_Worker(range(first, min(first + size, count))) for first in range(0, count, size)]
        self._openings: Counter[int] = Counter()
        self._tries: Counter[int] = Counter()
        #: Workers that have opened what they hold, or are lost; and those that are to be looked at.
        self._settled: set[int] = set()
        self._to_look_at: set[int] = set()
        #: Workers that wait to be started again.
        self._ended_ones: set[int] = set()
        #: Mailboxes that can't be opened, by their ordinals.
        self.refused: dict[int, Error] = {}
        #: Why no worker can work; None while they can.
        self.unable: Error | None = None

    @property
    def workers(self) -> int:
        return len(self._workers)

    @property
    def ready(self) -> bool:
        """Whether every mailbox is open, or can't be."""
        return len(self._settled) == len(self._workers)

    @property
    def looks(self) -> float | None:
        """Seconds until it wants to be told Looked; None when there is nothing to look for."""
        return LOOK if self._to_look_at else None

    def busy(self) -> list[int]:
        """The workers that are at a call."""
        return [number for number, worker in enumerate(self._workers) if worker.given]

    def holder(self, ordinal: int) -> int:
        """The worker that holds a mailbox."""
        return ordinal // self._size

    def ask(self, request: Request, now: float) -> list[Command]:
        """Take a call."""
        number = self.holder(request.ordinal)
        worker = self._workers[number]
        error = self.refused.get(request.ordinal) or worker.lost
        if error is not None:
            return [Reply(request.number, None, error)]
        worker.waiting.append(request)
        commands = self._feed(number, worker, now)
        self._mind(number)
        return commands

    def handle(self, event: Event, now: float) -> list[Command]:
        """The commands that an event asks for, in the order in which they are to be performed."""
        match event:
            case Begun():
                return [self._start(number) for number in range(len(self._workers))]
            case Heard(number, message):
                worker = self._workers[number]
                commands = [] if worker.state is State.DYING else self._heard(number, worker, message, now)
                self._mind(number)
                return commands
            case Babbled(number, _):
                return self._kill(number)
            case Ended(number):
                commands = [*self._ended(event, now), *self._restart(now)]
                self._mind(number)
                return commands
            case Looked(readings):
                commands = [*self._looked(readings, now), *self._restart(now)]
                for number in [*self._to_look_at]:
                    self._mind(number)
                return commands
            case Interrupted() | Closed() | Paused() | Continued() | Resized() | Joined():
                return []  # which are asked of a run

    def _mind(self, number: int) -> None:
        """Note what has become of a worker, so that nobody has to look at all of them."""
        worker = self._workers[number]
        for among, is_in in ((self._settled, worker.held or worker.lost), (self._to_look_at, self._needs_look(worker))):
            if is_in:
                among.add(number)
            else:
                among.discard(number)

    # --- what a worker says -------------------------------------------------------------------------------------------

    def _heard(self, number: int, worker: _Worker, message: ToParent, now: float) -> list[Command]:
        match message:
            case Ready():
                worker.state = State.READY
                worker.beat_at = now
                without = [ordinal for ordinal in worker.part if ordinal in self.refused]
                return [Tell(number, Hold(worker.part.start, len(worker.part), None, without))]
            case Refused(ordinal, error) if ordinal in worker.part and not worker.held:
                self.refused[ordinal] = error
                return self._turn_away(worker, ordinal, error)
            case Held() if worker.state is State.READY and not worker.held:
                worker.held, worker.in_vain = True, 0
                return self._feed(number, worker, now)
            case Answered(call, value, error, printed) if worker.given and worker.given[0].number == call:
                worker.given.popleft()
                worker.since = worker.beat_at = now
                self._tries.pop(call, None)
                return [Reply(call, value, error, printed), *self._feed(number, worker, now)]
            case Unable(error):
                worker.lost = error
                self.unable = error
                return self._answer_all(worker, error)
        return self._kill(number)

    def _turn_away(self, worker: _Worker, ordinal: int, error: Error) -> list[Command]:
        """Answer the calls to a mailbox that can't be opened."""
        turned = [request for request in worker.waiting if request.ordinal == ordinal]
        worker.waiting = deque(request for request in worker.waiting if request.ordinal != ordinal)
        return [Reply(request.number, None, error) for request in turned]

    def _feed(self, number: int, worker: _Worker, now: float) -> list[Command]:
        commands: list[Command] = []
        while worker.held and worker.waiting and len(worker.given) < CREDIT and worker.state is State.READY:
            request = worker.waiting.popleft()
            if not worker.given:
                worker.since = worker.beat_at = now
            worker.given.append(request)
            if request.function not in worker.known:
                worker.known.add(request.function)
                commands.append(Learn(number, request.function))
            commands.append(Tell(number, Call(request.number, request.function, request.ordinal, request.options)))
        return commands

    # --- life and death -----------------------------------------------------------------------------------------------

    def _start(self, number: int) -> Command:
        worker = self._workers[number]
        worker.state, worker.held, worker.doom, worker.restart_at = State.STARTING, False, None, None
        worker.known = set()
        return StartWorker(number)

    def _kill(self, number: int) -> list[Command]:
        worker = self._workers[number]
        if worker.state is State.DYING:
            return []
        worker.state = State.DYING
        return [KillWorker(number)]

    def _ended(self, event: Ended, now: float) -> list[Command]:
        worker = self._workers[event.worker]
        error = worker.doom or _died(event)
        commands = list(self._take_back(worker, error))
        worker.state = State.GONE
        if worker.held:
            worker.held = False
        else:
            commands += self._ended_in_vain(worker, event, error)
        if worker.lost is None:
            wait = BACKOFF * 2.0 ** (worker.in_vain - 2) if worker.in_vain > 1 else 0.0
            worker.restart_at = now + wait
            self._ended_ones.add(event.worker)
        return commands

    def _take_back(self, worker: _Worker, error: Error) -> Iterator[Command]:
        """Have what the worker was given wait again; but for the call that was under way, unless it may be made again."""
        if not worker.given:
            return
        first = worker.given.popleft()
        self._tries[first.number] += 1
        if first.retry and self._tries[first.number] < PATIENCE:
            worker.given.appendleft(first)
        else:
            del self._tries[first.number]
            yield Reply(first.number, None, error)
        worker.waiting.extendleft(reversed(worker.given))
        worker.given.clear()

    def _ended_in_vain(self, worker: _Worker, event: Ended, error: Error) -> list[Command]:
        """It held nothing yet: leave out the mailbox that it was opening, if that was too often; or give it up."""
        for ordinal in event.at:
            self._openings[ordinal] += 1
            if self._openings[ordinal] >= PATIENCE:
                self.refused[ordinal], worker.in_vain = error, 0
                return self._turn_away(worker, ordinal, error)
        worker.in_vain += not event.at
        if worker.in_vain < PATIENCE:
            return []
        worker.lost = error
        return self._answer_all(worker, error)

    def _answer_all(self, worker: _Worker, error: Error) -> list[Command]:
        replies: list[Command] = [Reply(request.number, None, error) for request in [*worker.given, *worker.waiting]]
        worker.given.clear()
        worker.waiting.clear()
        return replies

    def _restart(self, now: float) -> list[Command]:
        waiting = [(number, self._workers[number].restart_at) for number in sorted(self._ended_ones)]
        due = [number for number, at in waiting if at is not None and at <= now]
        self._ended_ones.difference_update(due)
        return [self._start(number) for number in due]

    # --- limits -------------------------------------------------------------------------------------------------------

    def _needs_look(self, worker: _Worker) -> bool:
        if worker.restart_at is not None or worker.doom is not None:
            return True
        if worker.given and worker.given[0].timeout:
            return True
        return bool(self._stall_timeout) and self._is_busy(worker)

    def _is_busy(self, worker: _Worker) -> bool:
        return bool(worker.given) or (worker.state is State.READY and not worker.held)

    def _looked(self, readings: list[Reading], now: float) -> Iterator[Command]:
        for reading in readings:
            worker = self._workers[reading.worker]
            beats = sum(spot.beats for spot in reading.spots)
            if beats != worker.beats:
                worker.beats, worker.beat_at = beats, now
            if worker.state is not State.READY:
                continue
            if worker.doom is not None:  # its stacks were asked for at the last look
                yield from self._kill(reading.worker)
            else:
                worker.doom = self._doom(worker, now)
                if worker.doom is not None:
                    yield DumpStacks(reading.worker)

    def _doom(self, worker: _Worker, now: float) -> Error | None:
        limit = worker.given[0].timeout if worker.given else None
        if limit and now - worker.since >= limit:
            return Error("Limit", f"the call was not done after {now - worker.since:.1f} s", Cause.TIMEOUT)
        if self._stall_timeout and self._is_busy(worker) and now - worker.beat_at >= self._stall_timeout:
            return Error("Limit", f"no round trip for {now - worker.beat_at:.1f} s", Cause.STALL)
        return None


def _died(event: Ended) -> Error:
    words = last_words(event.words)
    said = f"; its last words: {words}" if words else ""
    return Error(
        "WorkerDied", f"the worker died, by {event.how}; a call under way may have been made{said}", Cause.CRASH
    )
