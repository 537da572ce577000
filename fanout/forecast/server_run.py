"""A run at one of its servers: who decides for it there, what its workers meet, and how far it has come. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanout.dispatch import Dispatch
from fanout.forecast.visits import Visits

if TYPE_CHECKING:
    from fanout.forecast.model import Outage, Server, Setting
    from fanout.forecast.tape import Tape
    from fanout.partition import Partition
    from fanout.policy import Policy

#: Shares of the mailboxes between which the pace of a run is taken: all workers are at work, and none has run out of it.
STEADY = (0.15, 0.45)


@dataclass(frozen=True, slots=True)
class World:
    """What a run meets at a server."""

    server: Server
    #: The server's mailboxes, how many of them there are to visit, and how they are cut.
    tape: Tape
    count: int
    how: Partition
    outage: Outage | None = None


class Steady:
    """The pace of a run while all of its workers are at work."""

    def __init__(self, count: int) -> None:
        self._shares = [share * count for share in STEADY]
        #: When so many were settled, for each of the shares.
        self._marks: list[tuple[float, int]] = []

    def note(self, now: float, settled: int) -> None:
        """So many are settled now."""
        if len(self._marks) < len(self._shares) and settled >= self._shares[len(self._marks)]:
            self._marks.append((now, settled))

    @property
    def each(self) -> float:
        """Seconds by which a mailbox more makes the run longer; 0 for a run that ended before it had a pace."""
        if len(self._marks) < len(self._shares):
            return 0.0
        (begin, few), (end, many) = self._marks
        return (end - begin) / max(1, many - few)


class ServerRun:
    """The part of a run that is about one server."""

    def __init__(self, world: World, setting: Setting, policy: Policy, first: int) -> None:
        """`first`: the ordinal of the server's first mailbox."""
        self.dispatch = Dispatch(world.count, world.how, setting.workers, policy, lanes=setting.lanes, first=first)
        self.visits = Visits(world.server, world.tape, world.outage)
        self.steady = Steady(world.count)
        #: Lanes of a worker that do not wait for one another.
        self.lanes = setting.lanes if world.server.separate else 1
        #: Workers that have a chunk, and the seconds for which each had one, added up.
        self.at_work = 0
        self._worked = 0.0
        #: Workers that have no chunk yet: those who have one will soon share the cores with them.
        self.coming: set[int] = set()
        #: Workers that have a process, and how many had one to begin with.
        self.living = self.begun = 0
        #: Mailboxes that wait for another attempt.
        self.waiting: set[int] = set()
        #: When the last mailbox was settled, or the server was given up; and for how long workers had been at work by then.
        self.done: float | None = None
        self.worked = 0.0

    def begin_work(self, now: float) -> None:
        """A worker has a chunk that had none."""
        self.at_work += 1
        self._worked -= now

    def end_work(self, now: float) -> None:
        """A worker has no chunk any more."""
        self.at_work -= 1
        self._worked += now

    def note(self, now: float) -> None:
        """Some of its mailboxes may have been settled by now."""
        self.steady.note(now, self.dispatch.settled)
        if self.done is None and self.dispatch.finished:
            self.done = now
            self.worked = self._worked + self.at_work * now

    @property
    def computing(self) -> int:
        """Lanes that share the cores."""
        return (self.at_work + len(self.coming)) * self.lanes

    @property
    def wants_a_look(self) -> bool:
        """Whether there may be something to be done for it when somebody looks."""
        return bool(self.waiting or self.living < self.begun) and not self.dispatch.finished
