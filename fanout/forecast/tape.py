"""The mailboxes of a forecast, drawn by chance: what each takes, and what is wrong with it. Pure: chance follows from a seed.

Drawn are as many as a tape holds, and a roster that is longer goes over it again and again: no roster takes more memory than
that. What some neighbours take together is the difference of two sums, so a chunk costs the same whatever its size.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import accumulate
from math import log
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from fanout.forecast.model import Server, Trouble

#: Mailboxes that are drawn at the most. Of a longer roster the slowest in 262,144 stands for the slowest of all.
LONGEST = 2**18

#: The same for each of several servers, at the least: that many would say of a server by how much its mean is off from run to run.
LONGEST_OF_SEVERAL = 2**15


class Tape:
    """So many mailboxes, over and over."""

    def __init__(self, waits: Iterable[float], troubles: Iterable[tuple[int, Trouble]] = ()) -> None:
        """`waits`: seconds that each waits. `troubles`: the places, ascending, of those with which something is wrong."""
        self._sums = array("d", accumulate(waits, initial=0.0))
        self._length = len(self._sums) - 1
        found = list(troubles)
        self._places = array("l", [place for place, _ in found])
        self._kinds = [kind for _, kind in found]

    @classmethod
    def of(cls, server: Server, count: int, random: Random) -> Self:
        """Draw the mailboxes of a server."""
        length = min(count, LONGEST)
        troubles = _troubles(server, length, random)
        return cls([server.waits.draw(random) for _ in range(length)], troubles)

    @property
    def mean(self) -> float:
        """Seconds that a mailbox waits, on average."""
        return self._sums[-1] / self._length

    def waits(self, first: int, count: int) -> float:
        """Seconds that some neighbours wait, one after the other."""
        turns, start = divmod(first, self._length)
        last_turns, stop = divmod(first + count, self._length)
        return (last_turns - turns) * self._sums[-1] + self._sums[stop] - self._sums[start]

    def troubles(self, ordinals: range) -> Iterator[tuple[int, Trouble]]:
        """Those among some neighbours with which something is wrong, in their order."""
        if not self._kinds:
            return
        turns, start = divmod(ordinals.start, self._length)
        base, place = turns * self._length, bisect_left(self._places, start)
        while True:
            if place == len(self._kinds):
                base, place = base + self._length, 0
            if base + self._places[place] >= ordinals.stop:
                return
            yield base + self._places[place], self._kinds[place]
            place += 1


def _troubles(server: Server, length: int, random: Random) -> list[tuple[int, Trouble]]:
    """Who has which, without a look at those who have none."""
    kinds, weights = list(server.troubles), list(server.troubles.values())
    share = min(1.0, sum(weights))
    found: list[tuple[int, Trouble]] = []
    place = -1
    while share:
        place += 1 if share == 1 else 1 + int(log(1.0 - random.random()) / log(1.0 - share))
        if place >= length:
            break
        found.append((place, random.choices(kinds, weights)[0]))
    return found
