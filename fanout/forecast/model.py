"""What a forecast is made of: a server, a machine, and what can be wrong with a mailbox. Values only, and pure.

A mailbox takes what its round trips take, which is waiting, and CPU seconds, which workers share. It knows no run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

#: Seconds that what a lane has found waits in the worker (`workers.visit.FLUSH_SECONDS`).
HELD = 0.1


class Seconds(Protocol):
    """How long something takes, by chance."""

    def draw(self, random: Random) -> float:
        """One duration in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Trips:
    """So many round trips, one after the other."""

    each: Seconds
    number: int
    #: Seconds after which a process goes on that has waited, beside the wait.
    late: float = 0.0

    def draw(self, random: Random) -> float:
        return sum([self.each.draw(random) for _ in range(self.number)]) + self.number * self.late


@dataclass(frozen=True, slots=True)
class Slowed:
    """As `usual`; but for some it is so many times as much, and so many seconds at least for each of some trips."""

    usual: Seconds
    share: float
    times: float
    least: float

    def draw(self, random: Random) -> float:
        drawn = self.usual.draw(random)
        return max(self.times * drawn, self.least) if random.random() < self.share else drawn


@dataclass(frozen=True, slots=True)
class Beside:
    """What is left of a whole beside its CPU seconds."""

    whole: Seconds
    cpu: float

    def draw(self, random: Random) -> float:
        return max(0.0, self.whole.draw(random) - self.cpu)


@dataclass(frozen=True, slots=True)
class Sample:
    """As any of those that were measured."""

    measured: tuple[float, ...]

    def draw(self, random: Random) -> float:
        return random.choice(self.measured)


class Trouble(Enum):
    """What can be wrong with a mailbox."""

    #: It fails at once, and for good.
    REFUSED = "refused"
    #: The server says for some times that it is busy.
    BUSY = "busy"
    #: The connection is cut in the first attempt.
    CUT = "cut"
    #: The server never answers.
    HANG = "hang"
    #: The worker dies at it.
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Server:
    """What the mailboxes of a server take."""

    #: Seconds of a mailbox that are waiting, and its CPU seconds.
    waits: Seconds
    cpu: float = 0.0
    #: Seconds that a connection takes, and those of a mailbox that is refused.
    connect: float = 0.0
    refusal: float = 0.0
    #: Shares of the mailboxes, 0 to 1.
    troubles: Mapping[Trouble, float] = field(default_factory=dict)
    #: How often a busy mailbox is refused.
    backoff: int = 1
    #: Sessions at a time; None for no limit.
    sessions: int | None = None
    #: Whether every mailbox has a connection of its own, so that those of a worker need not wait for one another.
    separate: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """What runs the workers. Seconds are those of 2 cores of an AMD EPYC; `python -m benchmarks.forecast` measures them anew."""

    cores: int
    #: From the call of a run until its first worker is started: the roster is listed.
    begin: float = 0.027
    #: Of the start of a worker, and of its end: one is started, and let go, after the other.
    start: float = 0.0012
    end: float = 0.0016
    #: From one end of a pipe to the other.
    pipe: float = 0.0002
    #: Of the parent's only thread, for a frame and for each mailbox in it (benchmarks/README.md, the engine alone).
    hear: float = 20e-6
    note: float = 1.5e-6


@dataclass(frozen=True, slots=True)
class Setting:
    """Who does the work, and in what portions."""

    workers: int
    #: None for guided chunks.
    chunk_size: int | None = None
    #: Mailboxes that a worker visits at a time.
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Outage:
    """From when until when a server answers nobody: seconds since the run began."""

    begin: float
    end: float


def computing(server: Server, wait: float, cores: int, most: int) -> list[float]:
    """Seconds in which a mailbox has had its CPU seconds, when 0, 1, ... `most` lanes are at work.

    Lanes that wait, and then share the cores in equal parts, are a closed queueing network with a delay and one station of
    several servers: exact mean value analysis (Reiser and Lavenberg, 1980), which holds for any distribution of both times
    where the cores are shared so. `wait`: seconds that a mailbox waits, on average.

    That nobody computes is as likely as with a lane less, times the pace as part of what it would be without this station (Reiser,
    1981): as what is left of all other chances it would be lost in rounding from eight cores on.
    """
    times, in_line = [server.cpu], 0.0
    #: How likely it is that so many lanes compute, for less than there are cores.
    likely = [1.0] + [0.0] * (cores - 1)
    for lanes in range(1, most + 1):
        idle = sum([(cores - 1 - computing) * chance for computing, chance in enumerate(likely)])
        time = server.cpu / cores * (1 + in_line + idle)
        pace = lanes / (wait + time) if time else 0.0
        in_line = pace * time
        some = [server.cpu / (number + 1) * pace * chance for number, chance in enumerate(likely[:-1])]
        likely = [likely[0] * pace * wait / lanes, *some]
        times.append(time)
    return times
