"""The cores of a machine, and the lanes that share them: how long it takes until a mailbox has had its CPU seconds. Pure.

Lanes wait, and then share the cores in equal parts. Those of one server are all alike: what they take is known exactly, for any
number of them (`model.computing`). Those of several servers are not, and the exact solution grows with the product of the numbers
of their lanes; so each is taken to find the others computing independently of one another, each for the share of its time that it
would compute with one lane less beside it. How many they are is then binomial. Where all lanes are alike this is off by less than 3 %
of what a mailbox takes (tests/forecast/test_cores.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanout.forecast.model import computing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.forecast.model import Server

#: How close what a mailbox takes has to come to its limit, and after how many steps it is close enough in any case: where the
#: cores are just enough the steps are small, and so is what is left of the way.
CLOSE, STEPS = 1e-3, 50


class Demand(NamedTuple):
    """A mailbox of a server, on average: its CPU seconds, and those that it waits."""

    cpu: float
    wait: float

    def busy(self, time: float) -> float:
        """For which share of its time a lane computes whose mailboxes have their CPU seconds within `time`."""
        return time / (self.wait + time) if time else 0.0


class Alone:
    """The lanes of one server."""

    def __init__(self, server: Server, wait: float, cores: int, most: int) -> None:
        """`wait`: seconds that a mailbox waits, on average. `most`: lanes at the most."""
        self._times = computing(server, wait, cores, most)

    def seconds(self, place: int, lanes: Sequence[int]) -> float:  # noqa: ARG002 - there is no other place
        """Seconds in which a mailbox has its CPU seconds, when so many lanes are at work."""
        return self._times[min(lanes[0], len(self._times) - 1)]


class Together:
    """The lanes of several servers."""

    def __init__(self, demands: Sequence[Demand], cores: int) -> None:
        self._demands = demands
        self._cores = cores
        #: Of each server: lanes at work when the times were taken, and the times.
        self._lanes: list[int] = []
        self._times = [demand.cpu for demand in demands]

    def seconds(self, place: int, lanes: Sequence[int]) -> float:
        """Seconds in which a mailbox of a server has its CPU seconds, when so many lanes of each server are at work."""
        if lanes != self._lanes:
            self._lanes = [*lanes]
            self._settle()
        return self._times[place]

    def _settle(self) -> None:
        """Go on from the times of the lanes before, of which there was one more or one less."""
        for _ in range(STEPS):
            times, self._times = self._times, self._step()
            steps = zip(self._demands, times, self._times, strict=True)
            if all(abs(after - before) <= CLOSE * (demand.wait + before) for demand, before, after in steps):
                break

    def _step(self) -> list[float]:
        """What each mailbox takes where the others take what they do now."""
        each = [*zip(self._lanes, self._demands, self._times, strict=True)]
        others = sum(self._lanes) - 1
        mine = sum([lanes * demand.busy(time) for lanes, demand, time in each]) / max(1, others + 1)
        busy = [demand.busy(max(demand.cpu, time - demand.cpu * mine / self._cores)) for _, demand, time in each]
        every = sum([lanes * one for lanes, one in zip(self._lanes, busy, strict=True)])
        return [
            demand.cpu * shared(self._cores, others, every - one)
            for demand, one in zip(self._demands, busy, strict=True)
        ]


def shared(cores: int, others: int, busy: float) -> float:
    """How many times as long who computes takes beside so many other lanes, of which `busy` compute on average."""
    if others < cores:
        return 1.0
    share = min(1.0, max(0.0, busy / others))
    times = (1 + share * others) / cores
    chance = (1 - share) ** others
    for number in range(cores - 1) if chance else ():
        times += chance * (1 - (1 + number) / cores)
        chance *= (others - number) / (number + 1) * share / (1 - share)
    return times


def sharing(servers: Sequence[tuple[Server, float]], cores: int, most: int) -> Alone | Together:
    """How the lanes of some servers, with what a mailbox of each waits on average, share the cores. `most`: as Alone has it."""
    if len(servers) == 1:
        return Alone(*servers[0], cores, most)
    return Together([Demand(server.cpu, wait) for server, wait in servers], cores)
