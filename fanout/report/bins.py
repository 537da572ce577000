"""Bins: a tally cut into columns of a histogram, by steps that suit what it holds. Pure.

Few whole numbers get a column each. Numbers of many orders of magnitude get logarithmic columns, with one of its own for what is
zero or less; all others linear ones.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from fanout.report.tally import EXACT
from fanout.report.units import MOST_TICKS, round_values, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fanout.report.tally import Tally
    from fanout.report.units import Unit

#: Columns at the most and at the least, and of whole numbers that get one each.
MOST = 36
_LEAST = 11
_MOST_EACH = 24

#: Columns that a power of ten, or of two, may have, the finest first; the first is for numbers that are not whole.
_FINENESS = {10: (20, 10, 5, 3, 2, 1, 0.5, 0.2, 0.1), 2: (2, 1, 0.5, 0.2, 0.1, 0.05)}

#: The finest that does not tear small whole numbers apart.
_FINE_FOR_WHOLE = 5


class Kind(Enum):
    """How columns follow from each other."""

    #: Each is for one whole number.
    EACH = "each"
    #: All are as wide, in what is counted.
    LINEAR = "linear"
    #: All are as wide in the logarithm, but for a first one of what is zero.
    LOGARITHMIC = "logarithmic"


@dataclass(frozen=True, slots=True)
class Bins:
    """Columns side by side, as wide as each other on the page: where each begins and ends, in what is counted."""

    unit: Unit
    kind: Kind
    edges: list[float]
    #: Whether only whole numbers are counted.
    whole: bool

    def __len__(self) -> int:
        return len(self.edges) - 1

    def index(self, value: float) -> int:
        """The column that a number belongs to."""
        return min(max(bisect_right(self.edges, value) - 1, 0), len(self) - 1)

    def place(self, value: float) -> float:
        """Where a number stands, from 0 at the left to 1 at the right."""
        index = self.index(value)
        low, high = self.edges[index], self.edges[index + 1]
        if self.kind is Kind.EACH or high == low:
            within = 0.5
        elif self.kind is Kind.LOGARITHMIC and low > 0 < value:
            within = math.log(value / low) / math.log(high / low)
        else:
            within = (value - low) / (high - low)
        return (index + min(max(within, 0.0), 1.0)) / len(self)

    def counts(self, tally: Tally) -> list[int]:
        counts = [0] * len(self)
        for value, times in tally.counts.items():
            counts[self.index(value)] += times
        return counts

    def ticks(self) -> list[float]:
        """The numbers that the scale names."""
        if self.kind is Kind.EACH:
            return self.edges[: -1 : math.ceil(len(self) / MOST_TICKS)]
        low, high = self.edges[0], self.edges[-1]
        if self.kind is Kind.LOGARITHMIC:
            zero = [0.0] if low <= 0 else []
            return zero + round_values(self.edges[len(zero)], high, self.unit.base)
        apart = step(high - low, MOST_TICKS - 1, self.unit.base)
        return list(_multiples(low, high, apart))

    def names(self) -> Iterator[str]:
        """What each column is for: `10`, `10 to 12`, `1 s to 1.3 s`."""
        for low, high in pairwise(self.edges):
            yield self._name(low, high)

    def _name(self, low: float, high: float) -> str:
        text = self.unit.text
        if self.kind is Kind.EACH or (self.kind is Kind.LOGARITHMIC and low <= 0):
            return text(low)
        if self.whole and self.unit.base == 10:
            first, last = math.ceil(low - 1e-9), math.ceil(high - 1e-9) - 1
            return text(first) if last <= first else f"{text(first)} to {text(last)}"
        return f"{text(low)} to {text(high)}"


def bins_of(tally: Tally, unit: Unit) -> Bins:
    """Columns for all that a tally holds; it has to hold something."""
    values = sorted(tally.counts)
    least, most, whole = values[0], values[-1], tally.whole
    greatest = max(abs(least), abs(most))
    if whole and unit.base == 10 and most - least < _MOST_EACH and greatest < EXACT:
        first, last = _with_room(int(least), int(most))
        return Bins(unit, Kind.EACH, [float(value) for value in range(first, last + 2)], whole)
    positive = [value for value in values if value > 0]
    if least >= 0 and positive and positive[-1] / positive[0] >= unit.spread:
        zero = [0.0] if least == 0 else []
        return Bins(unit, Kind.LOGARITHMIC, zero + _logarithmic(positive, unit, whole=whole), whole)
    apart = step(max(most - least, greatest / EXACT) or 1.0, MOST - 1, unit.base)
    if whole:
        apart = max(apart, 1.0)
    first, last = _with_room(math.floor(least / apart), math.floor(most / apart))
    return Bins(unit, Kind.LINEAR, [apart * number for number in range(first, last + 2)], whole)


def _with_room(first: int, last: int) -> tuple[int, int]:
    """The numbers of columns, with some on both sides where they are so few that each would be as wide as the chart.

    Where none is below zero, none gets there.
    """
    missing = max(0, _LEAST - (last - first + 1))
    begin = first - missing // 2
    if first >= 0:
        begin = max(begin, 0)
    return begin, max(last, begin + _LEAST - 1)


def _logarithmic(values: Sequence[float], unit: Unit, *, whole: bool) -> list[float]:
    """Edges around positive numbers: the finest of which there are not too many."""
    base, least, most = unit.base, values[0], values[-1]
    finest = _FINE_FOR_WHOLE if whole and base == 10 and least < 10 else math.inf
    ranges = (
        (
            fineness,
            math.floor(math.log(least, base) * fineness + 1e-9),
            math.floor(math.log(most, base) * fineness + 1e-9),
        )
        for fineness in _FINENESS[base]
        if fineness <= finest
    )
    fineness, first, last = next(each for each in ranges if each[2] - each[1] < MOST)
    if not whole:
        first, last = _with_room(first, last)
    return [float(base) ** (number / fineness) for number in range(first, last + 2)]


def _multiples(low: float, high: float, apart: float) -> Iterator[float]:
    number = math.ceil(low / apart - 1e-9)
    while number * apart <= high + apart * 1e-9:
        yield number * apart
        number += 1
