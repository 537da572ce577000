"""Several servers in one run: a dispatch for each of them, and what makes these one. Pure.

Each decides for its own server alone, over its own ordinals, with workers, a pace, limits and a circuit breaker of its own: one
server that is down or slow holds up nobody. All that is decided here is whom an event concerns.

Workers have two numbers. To its dispatch a worker is one of that server's, from 0 on; to everybody else worker `n` of server
`i` of `k` is `n * k + i`, so that a server may be given more workers, and none of another server changes its number.

One that was still being asked for its mailboxes when the run began is awaited, and joins the others when it has said what it has.

A server that is given up (it is gone, it refuses the account, too much failed) ends alone: its workers are killed, and what they
were at is left. A job that no worker can have ends them all. One whose mailboxes all have their outcome lets its workers go, and
the sessions that they hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

import msgspec

from fanout.crew import State
from fanout.endings import GivenUp, given_up
from fanout.events import (
    Babbled,
    Begun,
    Closed,
    Continued,
    DumpStacks,
    Ended,
    Heard,
    Interrupted,
    Joined,
    Keep,
    KillWorker,
    Looked,
    Note,
    Paused,
    Resized,
    Retry,
    Risk,
    Safe,
    Send,
    Settle,
    StartWorker,
    StopWorker,
    TerminateWorker,
)
from fanout.policy import ORDINARY
from fanout.staff import Staff, Standing
from workers.causes import Cause
from workers.messages import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fanout.dispatch import Dispatch
    from fanout.events import Command, Event, Reading
    from fanout.staff import Asked


class Awaited:
    """Stands for the dispatch of a server that has not said yet what it has. It remembers what that has missed."""

    def __init__(self, workers: int, count: int = 0, settled: int = 0) -> None:
        """`count`: its mailboxes, where they are known, and how many of them are `settled`."""
        self.count = count
        self.settled = settled
        self.failed = 0
        self.states: list[State] = []
        #: What asked the run to end before the server had said anything.
        self.stopped_by: Error | Asked | None = None
        self._workers = workers
        self._staff = Staff(workers, ORDINARY)

    @property
    def finished(self) -> bool:
        return self.stopped_by is not None

    @property
    def standing(self) -> Standing:
        return self._staff.standing(under_way=0)

    def wake_at(self, now: float) -> float:  # noqa: ARG002 - a dispatch is asked so
        return math.inf

    def handle(self, event: Event, now: float) -> list[Command]:  # noqa: ARG002
        match event:
            case Interrupted() | Closed():
                self.stopped_by = event
            case Paused() | Continued() | Resized():
                self._staff.steer(event)
            case _:
                pass
        return []

    @property
    def missed(self) -> list[Event]:
        """What the dispatch is to be told first. One that is paused begins when it is continued, one that is resized by that."""
        paused: list[Event] = [Paused()] if self._staff.paused else []
        resized: list[Event] = [Resized(self._staff.wanted)] if self._staff.wanted != self._workers else []
        return [*paused, *resized] or [Begun()]


class Legs:
    """A run's decisions, from Begun to the last mailbox of the last server."""

    def __init__(
        self,
        servers: Sequence[str],
        legs: Sequence[Dispatch | Awaited],
        leg_of: Callable[[Joined], Dispatch],
        unlisted: Iterable[int] = (),
    ) -> None:
        """`servers`: their names, for people, in the order of the legs. A leg that is finished already is passed over.

        `leg_of` makes the leg of a server that was awaited. `unlisted`: places of servers whose mailboxes nobody knows.
        """
        self._servers = servers
        self._legs = [*legs]
        self._leg_of = leg_of
        self._unlisted = set(unlisted)
        #: Servers that were given up, by their places, and why.
        self.given_up: list[tuple[int, Error]] = []
        #: Those that go on, by their place.
        self._open = {place: leg for place, leg in enumerate(legs) if not leg.finished}

    @property
    def count(self) -> int:
        """Mailboxes of the roster, as far as it is known."""
        return sum([leg.count for leg in self._legs])

    @property
    def settled(self) -> int:
        """Mailboxes that have their outcome."""
        return sum([leg.settled for leg in self._legs])

    @property
    def failed(self) -> int:
        """How many of those failed while this object decided."""
        return sum([leg.failed for leg in self._legs])

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to be told of any server."""
        return not self._open

    @property
    def stopped_by(self) -> Error | Asked | None:
        """Why the run ended with mailboxes left; None while it goes on, and when it ended well."""
        if self._open:
            return None
        ends = [leg.stopped_by for leg in self._legs if leg.stopped_by]
        for end in ends:
            if not isinstance(end, Error) or _is_of_the_job(end):  # the same for all
                return end
        lost = [
            GivenUp(self._servers[place], leg.stopped_by, leg.count - leg.settled, known=place not in self._unlisted)
            for place, leg in enumerate(self._legs)
            if isinstance(leg.stopped_by, Error) and (leg.settled < leg.count or place in self._unlisted)
        ]
        return given_up(lost, len(self._legs)) if lost else None

    @property
    def states(self) -> list[State]:
        """Of each worker, by its number. Those of a server that has ended are on their way out."""
        most = max(len(leg.states) for leg in self._legs)
        columns = [self._states_of(place, most) for place in range(len(self._legs))]
        return [state for row in zip(*columns, strict=True) for state in row]

    def _states_of(self, place: int, most: int) -> list[State]:
        states = self._legs[place].states
        if place not in self._open:
            states = [state if state is State.GONE else State.LEAVING for state in states]
        return states + [State.GONE] * (most - len(states))

    @property
    def standing(self) -> Standing:
        """Where it stands, for whoever steers it. Workers are those of each server."""
        each = [leg.standing for leg in self._open.values() or self._legs]
        return Standing(
            max(one.workers for one in each),
            sum(one.under_way for one in each),
            any(one.paused for one in each),
            any(one.closing for one in each),
            len(self._legs),
        )

    def wake_at(self, now: float) -> float:
        """When one of them wants to be told Looked again."""
        return min(leg.wake_at(now) for leg in self._open.values())

    def handle(self, event: Event, now: float) -> list[Command]:
        """The commands that an event asks for, in the order in which they are to be performed.

        Raises RuntimeError for an event that cannot be, and changes nothing.
        """
        match event:
            case Heard() | Babbled() | Ended():
                number, place = divmod(event.worker, len(self._legs))
                return [*self._told(place, msgspec.structs.replace(event, worker=number), now)]
            case Joined():
                return [*self._join(event, now)]
            case Looked(readings):
                looks = [(place, Looked([*self._readings(place, readings)])) for place in self._open]
                return [command for place, looked in looks for command in self._told(place, looked, now)]
            case _:  # what concerns the run concerns each server
                return [command for place in [*self._open] for command in self._told(place, event, now)]

    def _join(self, event: Joined, now: float) -> Iterator[Command]:
        """Have the dispatch of a server begin that was awaited; unless the run was asked to end meanwhile."""
        awaited = self._open.get(event.place)
        if not isinstance(awaited, Awaited):
            return
        leg = self._legs[event.place] = self._open[event.place] = self._leg_of(event)
        if event.count is not None:
            self._unlisted.discard(event.place)
        if leg.finished:
            del self._open[event.place]
            return
        for missed in awaited.missed:
            yield from self._told(event.place, missed, now)

    def _told(self, place: int, event: Event, now: float) -> Iterator[Command]:
        """Tell a leg of an event, unless it has ended; what it wants done, by the numbers that workers have outside."""
        leg = self._open.get(place)
        if leg is None:
            return
        for command in leg.handle(event, now):
            yield self._numbered(place, command)
        if leg.finished:
            yield from self._end(place)

    def _end(self, place: int) -> Iterator[Command]:
        """Have the workers of a leg end that has nothing more to do, or is not to do it."""
        leg = self._open.pop(place)
        end = StopWorker if leg.stopped_by is None else KillWorker
        for number, state in enumerate(leg.states):
            if state is not State.GONE:
                yield end(self._number(place, number))
        if isinstance(leg.stopped_by, Error):
            self.given_up.append((place, leg.stopped_by))
        if _is_of_the_job(leg.stopped_by):
            for other in [*self._open]:
                self._legs[other].stopped_by = leg.stopped_by
                yield from self._end(other)

    def _number(self, place: int, number: int) -> int:
        return number * len(self._legs) + place

    def _readings(self, place: int, readings: list[Reading]) -> Iterator[Reading]:
        for reading in readings:
            number, whose = divmod(reading.worker, len(self._legs))
            if whose == place:
                yield msgspec.structs.replace(reading, worker=number)

    def _numbered(self, place: int, command: Command) -> Command:
        match command:
            case StartWorker(worker):
                return StartWorker(self._number(place, worker), place)
            case StopWorker() | DumpStacks() | TerminateWorker() | KillWorker() | Send() | Keep() | Settle():
                return msgspec.structs.replace(command, worker=self._number(place, command.worker))
            case Retry() | Risk() | Safe() | Note():
                return command
            case _:
                assert_never(command)


def _is_of_the_job(end: Error | Asked | None) -> bool:
    """Whether a leg has ended because no worker can have the job, which is the same on every server."""
    return isinstance(end, Error) and end.cause is Cause.JOB
