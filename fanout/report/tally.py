"""How often each number was, in bounded memory: to three digits, but for small whole numbers. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Whole numbers below stand for themselves.
EXACT = 10_000

#: What is greater than any number that means something, and what is as good as zero.
_GREATEST = 1e100
_LEAST = 1e-100


class Tally:
    """A count of numbers, each to three digits: a million of them have some thousand."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.counts: Counter[float] = Counter(map(to_three_digits, values))

    def add(self, value: float) -> None:
        self.counts[to_three_digits(value)] += 1

    def with_those_of(self, other: Tally) -> Tally:
        """A tally of the numbers of both."""
        both = Tally()
        both.counts = self.counts + other.counts
        return both

    @property
    def total(self) -> int:
        """How many numbers there were."""
        return self.counts.total()

    @property
    def whole(self) -> bool:
        """Whether all of them are whole numbers."""
        return all(value == int(value) for value in self.counts)

    def quantile(self, share: float) -> float:
        """The least number that such a share of all numbers does not exceed. There has to be one."""
        wanted, reached = share * self.total, 0
        for value in sorted(self.counts):
            reached += self.counts[value]
            if reached >= wanted:
                return value
        raise ValueError("there are no numbers")


def to_three_digits(value: float) -> float:
    if isinstance(value, int) and -EXACT < value < EXACT:
        return value
    if not -_GREATEST < value < _GREATEST:  # a whole number that no float holds is among them
        return _GREATEST if value > 0 else -_GREATEST
    return float(f"{value:.3g}") if abs(value) > _LEAST else 0.0
