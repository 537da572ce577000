"""THE HEART: (event, now) -> commands. Everything a run decides is decided here.

Pure: no process, no pipe, no clock; the same events at the same times give the same commands. `loop` carries events in
and commands out, an engine performs them. What can be told apart stands in modules of its own, as pure as this one: who
works at what (`crew`), how many of them there may be (`staff`), what goes out next (`work`), how fast (`pace`), who is
over a limit (`watch`), what becomes of a mailbox that failed (`fate`).

What it guarantees, whatever the events and their order:

1. Every ordinal that is to be visited is settled exactly once, by a Keep or by a Settle.
2. A worker has work for each of its lanes, and one chunk more, which hides the pipe (or several, where chunks are done in
   less time than the pipe takes); none is larger than the partition says, and so than the capacity.
3. A worker that dies costs the mailbox it was at, by the slot, one attempt, and it goes out again alone; the others it had
   are given to anyone, with no attempt counted. Where it was at several, they are suspects: they go out again in two
   halves, each to a worker that has nothing else, until one is alone. A mailbox that ends its workers again and again is
   settled with that cause. Of a worker that is lost with its machine nobody knows where it was: all that it had are suspects
   when they are lost a second time.
4. What a worker says must fit what it was given: with one lane its chunks in order, and in each the mailboxes in order,
   with several each mailbox once. If not, or if it says no message or half of one, the worker is killed and not believed;
   all that it had begun are suspects.
5. A job that must not be called for a mailbox twice gets one mailbox a lane, each behind a Risk. If its worker ends at
   it, or may have, it is settled as uncertain; a Keep, Settle, Retry or Safe takes the Risk away.
6. A run that is paused, resized or asked to end takes no mailbox from whoever is at it: its worker ends it, leaves, and
   gives back the rest. What is paused waits without end, and no time counts meanwhile.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, assert_never

from fanout.crew import LOST, NO_ROOM, Crew, Flight, State, Worker, fold_of
from fanout.endings import Reach
from fanout.events import (
    Babbled,
    Begun,
    Closed,
    Command,
    Continued,
    Ended,
    Event,
    Heard,
    Interrupted,
    Joined,
    Keep,
    KillWorker,
    Looked,
    Note,
    Paused,
    Reading,
    Resized,
    Retry,
    Risk,
    Safe,
    Send,
    Settle,
    StartWorker,
    StopWorker,
)
from fanout.fate import Death, Fates
from fanout.pace import UNLIMITED, Pace
from fanout.policy import ORDINARY
from fanout.staff import Asked, Staff, Standing, Steered
from fanout.watch import Watch
from fanout.work import Neighbours, Todo, Work
from workers.messages import (
    Announced,
    Answered,
    Chunk,
    Error,
    Failed,
    Found,
    Held,
    Leaked,
    Leaving,
    Listed,
    Printed,
    Ready,
    Refused,
    Unable,
)

if TYPE_CHECKING:
    from fanout.partition import Partition
    from fanout.policy import Policy
    from workers.messages import ToParent

#: What a worker says that is not of one of its mailboxes.
OfItself = Ready | Leaving | Announced | Listed | Refused | Held | Answered | Unable


class Dispatch:
    """A run's decisions, from Begun to the last mailbox."""

    def __init__(  # noqa: PLR0913 - each is a fact of its own
        self,
        count: int,
        partition: Partition,
        workers: int,
        policy: Policy = ORDINARY,
        todo: Todo | None = None,
        *,
        lanes: int = 1,
        first: int = 0,
    ) -> None:
        """`todo`: what is left of the `count` mailboxes, where a run goes on; the others are settled.

        `lanes`: mailboxes that a worker visits at a time. `first`: the ordinal of the first mailbox.
        """
        self._policy = policy
        self._lanes = lanes
        self._ordinals = range(first, first + count)
        self._work = Work(todo or Todo([self._ordinals], count), partition)
        self._pace = Pace(workers * lanes, policy.rate)
        self._watch = Watch(policy.limits)
        self._fates = Fates(policy)
        self._staff = Staff(workers, policy)
        self._crew = Crew(workers, lanes)
        self._chunks = 0
        self._reach = Reach()
        #: Mailboxes that it is about, and how many of them are settled; how many of those failed while this object decided.
        self.count = count
        self.settled = self._settled_before = count - self._work.fresh
        self.failed = 0
        #: Why the run ended early; None while it goes on and when it ended well.
        self.stopped_by: Error | Asked | None = None

    @property
    def states(self) -> list[State]:
        """Of each worker, by its number."""
        return [worker.state for worker in self._crew.workers]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to be told: every mailbox is settled, or the run was stopped."""
        return self.settled == self.count or self.stopped_by is not None

    @property
    def standing(self) -> Standing:
        """Where it stands, for whoever steers it."""
        return self._staff.standing(self._crew.busy())

    def wake_at(self, now: float) -> float:
        """When it wants to be told Looked again, whatever happens until then. Seconds, like every time here."""
        wake = now + self._watch.interval
        for time in (self._work.due(), self._pace.next_token(now), self._staff.restart_at):
            if time is not None and now < time < wake:  # what was due before now waits for a worker, not for a time
                wake = time
        return wake

    def handle(self, event: Event, now: float) -> list[Command]:  # noqa: C901 - a case for each kind of event
        """The commands that an event asks for, in the order in which they are to be performed.

        Raises RuntimeError for an event that cannot be (a worker speaks that has no process), and changes nothing.
        """
        match event:
            case Heard(worker, message):
                return self._heard(worker, message, now)
            case Looked(readings):
                return self._looked(readings, now)
            case Ended():
                return self._ended(event, now)
            case Babbled(worker, _):
                return self._kill(worker)
            case Begun():
                return [self._start(number) for number in range(self._work.chunks_left(self._staff.wanted))]
            case Interrupted() | Closed():
                return self._close(event)
            case Paused() | Continued() | Resized():
                return self._steer(event, now)
            case Joined():
                raise RuntimeError("one server decides for itself alone: no other one can join it")
            case _:
                assert_never(event)

    # --- what a worker says -------------------------------------------------------------------------------------------

    def _heard(self, number: int, message: ToParent, now: float) -> list[Command]:
        worker = self._crew.workers[number]
        if worker.state is State.GONE:
            raise RuntimeError(f"worker {number} speaks and has no process: {message}")
        if worker.state is State.DYING:
            return []
        match message:
            case Found():
                return self._found(number, worker, message, now)
            case Failed():
                return self._failed(number, worker, message, now)
            case Printed() | Leaked():
                return self._noted(number, message)
            case _:
                return self._told_of_itself(number, worker, message, now)

    def _told_of_itself(self, number: int, worker: Worker, message: OfItself, now: float) -> list[Command]:
        match message:
            case Ready(uncertain):
                worker.uncertain = uncertain
                if worker.state is State.STARTING:
                    worker.state = State.READY
                return self._feed(number, worker, now)
            case Leaving():
                worker.state = State.LEAVING
            case Unable(error):
                worker.state = State.LEAVING
                self._staff.unable = error
                if not error.retryable:
                    self.stopped_by = error
            case Announced() | Listed() | Refused() | Held() | Answered():
                return self._kill(number)  # it was asked for no roster, and to hold nothing
            case _:
                assert_never(message)
        return []

    def _found(self, number: int, worker: Worker, found: Found, now: float) -> list[Command]:
        flight = worker.flight(found.chunk, found.ordinals)
        total = fold_of(found)
        if flight is None or total is None:
            return self._kill(number)
        self.settled += found.count
        self._reach.done()
        kept = Keep(number, found, flight.chunk.attempt, total.value)
        more = self._pace.done(found.count)
        commands = [kept, *self._advance(number, worker, flight, found.ordinals, now)]
        return [*commands, *self._rouse(more, now)] if more else commands

    def _failed(self, number: int, worker: Worker, failed: Failed, now: float) -> list[Command]:
        flight = worker.flight(failed.chunk, range(failed.ordinal, failed.ordinal + 1))
        if flight is None:
            return self._kill(number)
        more = self._pace.failed(failed.error.cause)
        attempt = flight.chunk.attempt
        put_off = self._fates.failed(failed.ordinal, attempt, failed.error)
        if put_off is None:
            verdict: Command = self._settle(Settle(number, failed.ordinal, attempt, failed.seconds, failed.error))
        else:
            verdict = Retry(failed.ordinal, attempt, failed.seconds, failed.error)
            self._work.put_off(failed.ordinal, put_off.attempt, now + put_off.seconds)
        silent = self._reach.attempted(failed.error, failed.seconds, int(self._pace.window))
        self.stopped_by = self.stopped_by or silent
        told = range(failed.ordinal, failed.ordinal + 1)
        return [verdict, *self._advance(number, worker, flight, told, now), *self._rouse(more, now)]

    def _noted(self, number: int, note: Printed | Leaked) -> list[Command]:
        if note.ordinal not in self._ordinals:  # the mailbox may be done: threads of a job print when they like
            return self._kill(number)
        return [Note(note)]

    def _advance(self, number: int, worker: Worker, flight: Flight, told: range, now: float) -> list[Command]:
        """Note that the worker has told of some mailboxes of a chunk; give it the next one when that is due."""
        self._staff.did_something()
        worker.told += len(told)
        flight.tell(told)
        if flight.next < flight.stop:
            return self._feed(number, worker, now) if self._lanes > 1 else []
        worker.end_chunk(flight, now)
        return self._recycle(number, worker) or self._feed(number, worker, now)

    def _settle(self, verdict: Settle) -> Settle:
        """Settle a mailbox as failed; perhaps it is one too many."""
        error = verdict.error
        self.settled += 1
        self.failed += 1
        too_many = self._fates.too_many(self.failed, self.settled - self._settled_before)
        self.stopped_by = self.stopped_by or too_many or self._reach.failed(error)
        return verdict

    # --- life and death -----------------------------------------------------------------------------------------------

    def _start(self, number: int) -> Command:
        self._crew.renew(number)
        return StartWorker(number)

    def _kill(self, number: int) -> list[Command]:
        """End a worker that is not to be believed. What it has goes out again when it has ended."""
        worker = self._crew.workers[number]
        if worker.state is State.DYING:
            return []
        worker.state = State.DYING
        return [KillWorker(number)]

    def _recycle(self, number: int, worker: Worker) -> list[Command]:
        """Let go of a worker that has told of as many mailboxes as one may."""
        most = self._policy.limits.recycle_after
        if most is None or worker.told < most or worker.state is not State.READY:
            return []
        worker.state = State.LEAVING
        return [StopWorker(number)]

    def _looked(self, readings: list[Reading], now: float) -> list[Command]:
        commands: list[Command] = []
        if self._staff.paused:
            self._watch.hold(now)
        else:
            self._watch.open_eyes(now)
        for reading in readings:
            worker = self._crew.workers[reading.worker]
            if worker.state is State.GONE:
                continue
            asked = self._watch.look(reading, now, has_work=bool(worker.flights))
            if worker.state is State.READY and StopWorker(reading.worker) in asked:
                worker.state = State.LEAVING
            commands += asked
            if self._watch.trails_off(reading.worker, now):
                commands += self._kill(reading.worker)
        return [*commands, *self._feed_all(now), *self._restart(now)]

    def _steer(self, event: Steered, now: float) -> list[Command]:
        self._staff.steer(event)
        if isinstance(event, Resized):
            self._crew.grow(event.workers)
            self._pace.resize(event.workers * self._lanes)
            self._work.share(event.workers)
        return [*self._release(), *self._restart(now)]

    def _close(self, event: Asked) -> list[Command]:
        """Let the mailboxes under way end. Interrupted while they do, stop at once."""
        if self._staff.closing is None:
            self._staff.close(event)
        elif isinstance(event, Interrupted):
            self.stopped_by = event
        self._end_if_drained()
        return self._release()

    def _release(self) -> list[Command]:
        """Have those workers leave that are more than there may be now, after the mailboxes that they are at."""
        surplus = self._crew.of(State.STARTING, State.READY)[self._staff.allowed :]
        for number in surplus:
            self._crew.workers[number].leave()
        return [StopWorker(number) for number in surplus]

    def _end_if_drained(self) -> None:
        if self._staff.closing and self.stopped_by is None and not self._crew.living:
            self.stopped_by = self._staff.closing

    def _ended(self, event: Ended, now: float) -> list[Command]:
        worker = self._crew.workers[event.worker]
        if worker.state is State.GONE:
            raise RuntimeError(f"worker {event.worker} ended and had no process")
        verdicts, blamed = self._take_back(worker, event, now)
        left, worker.state = worker.state is State.LEAVING, State.GONE
        self._watch.forget(event.worker)
        if blamed or (left and worker.told):
            self._staff.did_something()
        elif not worker.asked:
            self.stopped_by = self.stopped_by or self._in_vain(event, now)
        self._end_if_drained()
        return [*verdicts, *self._feed_all(now), *self._restart(now)]

    def _in_vain(self, event: Ended, now: float) -> Error | None:
        """A worker ended, and nothing came of it: why to give up, if that is to be."""
        if event.how in {LOST, NO_ROOM}:
            return self._staff.lost_in_vain(event, now, self._crew.busy())
        return self._staff.ended_in_vain(event, now)

    def _take_back(self, worker: Worker, event: Ended, now: float) -> tuple[list[Command], bool]:
        """Have what a worker had given out again, or settled; tell whether a mailbox has to answer for its end."""
        verdicts: list[Command] = []
        suspects = self._suspects(worker, event)
        apart: list[Neighbours] = []
        alone = worker.apart and worker.untold == 1
        flights, worker.flights = worker.flights, deque()
        for flight in flights:
            attempt = flight.chunk.attempt
            for part in flight.rest(suspects):
                self._work.put_back(Neighbours(part.start, part.stop, attempt))
                verdicts += [Safe(part.start)] if worker.uncertain else []
            for at in sorted(ordinal for ordinal in suspects if ordinal in flight):
                if len(suspects) > 1 and not worker.uncertain:
                    apart.append(Neighbours(at, at + 1, attempt))
                    continue
                seconds = self._watch.seconds(event.worker, at, now)
                verdicts += self._blame(at, attempt, self._death(worker, event, seconds, alone=alone), now)
        self._work.put_apart(apart)
        return verdicts, bool(suspects)

    def _suspects(self, worker: Worker, event: Ended) -> set[int]:
        """The mailboxes that may have to answer for a worker's end: the doomed one, where it is known."""
        suspects = worker.suspects(event.at, event.how)
        doom = self._watch.doom(event.worker)
        if worker.uncertain:
            return suspects
        if doom and doom.ordinal in suspects:
            return {doom.ordinal}
        return self._fates.lost(suspects) if event.how == LOST else suspects

    def _death(self, worker: Worker, event: Ended, seconds: float, *, alone: bool) -> Death:
        return Death(
            worker=event.worker,
            how=event.how,
            words=event.words,
            seconds=seconds,
            doom=self._watch.doom(event.worker),
            uncertain=worker.uncertain,
            by_us=worker.state is State.DYING,
            alone=alone,
        )

    def _blame(self, ordinal: int, attempt: int, death: Death, now: float) -> list[Command]:
        """What becomes of the mailbox at which a worker died."""
        fate = self._fates.died(ordinal, attempt, death)
        if fate.again is None:
            return [self._settle(Settle(death.worker, ordinal, attempt, death.seconds, fate.error))]
        if fate.again.seconds:
            self._work.put_off(ordinal, fate.again.attempt, now + fate.again.seconds)
        else:
            self._work.put_apart([Neighbours(ordinal, ordinal + 1, fate.again.attempt)])
        return [Retry(ordinal, attempt, death.seconds, fate.error)] if fate.again.attempt > attempt else []

    def _restart(self, now: float) -> list[Command]:
        """Start workers again while there is more to give out than the living can take."""
        room = self._staff.allowed - self._crew.living
        if room <= 0 or self.finished or not self._staff.may_start(now):
            return []
        return [self._start(number) for number in self._crew.of(State.GONE)[: self._work.chunks_left(room)]]

    # --- work ---------------------------------------------------------------------------------------------------------

    def _feed_all(self, now: float) -> list[Command]:
        """Fill every worker's credit: there may be work again for those that had run out of it."""
        commands: list[Command] = []
        for number, worker in self._crew.hungry:
            if not self._has_something(now):
                break
            commands += self._feed(number, worker, now)
        return commands

    def _has_something(self, now: float) -> bool:
        """Whether there is something to give out that a lane more may be at. Many may rest for a busy server, and need no look."""
        if self.finished or not self._work.offers(now):
            return False
        return self._pace.unhindered or self._work.has_suspects or self._pace.room(self._crew.busy()) > 0

    def _rouse(self, most: int, now: float) -> list[Command]:
        """Give something to some of the workers that rest, which say nothing that they could be fed after."""
        resting = islice(self._crew.resting, most) if most else ()
        return [command for number, worker in resting for command in self._feed(number, worker, now)]

    def _feed(self, number: int, worker: Worker, now: float) -> list[Command]:
        """Fill the worker's credit, as far as the pace allows; or give it suspects, and nothing beside them."""
        if worker.state is not State.READY:
            return []
        if not worker.flights:
            group = self._work.take_group()
            worker.apart = group is not None
            if group:
                chunks = [self._chunk(neighbours) for neighbours in group]
                return [command for chunk in chunks for command in self._send(number, worker, chunk, now)]
        commands: list[Command] = []
        while not worker.is_full and not worker.apart and (lanes := self._room(worker)):
            chunk = self._next_chunk(now, 1 if worker.uncertain else lanes)
            if chunk is None:
                break
            commands += self._send(number, worker, chunk, now)
        return commands

    def _room(self, worker: Worker) -> int:
        """Mailboxes that the worker's next chunk may have, by the lanes that may be at work; 0 for no chunk."""
        if self._pace.unhindered:
            return UNLIMITED
        room = self._pace.room(self._crew.busy(beside=worker))
        return UNLIMITED if room >= self._lanes else max(0, room - worker.untold)

    def _next_chunk(self, now: float, largest: int) -> Chunk | None:
        """What goes out next, `largest` mailboxes at the most."""
        most = min(self._pace.most(now), largest)
        neighbours = self._work.take(now, most) if most else None
        return self._chunk(neighbours) if neighbours else None

    def _chunk(self, neighbours: Neighbours) -> Chunk:
        self._chunks += 1
        size = neighbours.stop - neighbours.first
        self._pace.spend(size)
        put_off = self._fates.put_off(neighbours.first) if size == 1 else 0
        return Chunk(self._chunks, neighbours.first, size, neighbours.attempt, put_off=put_off)

    def _send(self, number: int, worker: Worker, chunk: Chunk, now: float) -> list[Command]:
        if not worker.flights:
            worker.since = now
        worker.flights.append(Flight(chunk, chunk.first))
        return [Risk(chunk.first), Send(number, chunk)] if worker.uncertain else [Send(number, chunk)]
