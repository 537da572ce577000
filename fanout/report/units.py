"""Numbers as people read them, and where a scale of them has its round values. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fanout.durations import duration

if TYPE_CHECKING:
    from collections.abc import Callable

#: Marks of a scale at the most: more would not fit on a telephone.
MOST_TICKS = 7

#: Seconds as people read them.
seconds = duration

_BYTES = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


class Unit(NamedTuple):
    """What a number counts."""

    text: Callable[[float], str]
    #: The same in few characters, for a scale.
    mark: Callable[[float], str]
    #: The base of what is round: 10, or 2 for bytes.
    base: int
    #: From which ratio of the greatest to the least on the scale is logarithmic.
    spread: float


def count(value: float) -> str:
    """`1,234`, `0.25`, `12.5`: whole numbers as they are, others to three digits."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e15:
        decimals = max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:,.0f}"
    return f"{value:.3g}"


def octets(value: float) -> str:
    """`812 bytes`, `4.2 MiB`."""
    power = 0
    while abs(value) >= 1023.5 and power < len(_BYTES) - 1:
        value, power = value / 1024, power + 1
    return f"{count(float(f'{value:.3g}'))} {_BYTES[power]}" if value != 1 or power else "1 byte"


def share(part: float, whole: float) -> str:
    """`12 %`, `0.3 %`; never 0 % of what there is, nor 100 % of what is not all."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.1f} %".replace(".0 ", " ")


def short(value: float) -> str:
    """`30`, `1,000`, `10k`, `2.5M`: a number on a scale."""
    for power, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if 1e4 <= abs(value) < 1e15 and abs(value) >= power:
            return f"{count(value / power)}{letter}"
    return count(value)


def _zero(text: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: text(value) if value else "0"


COUNT = Unit(count, short, 10, 20)
BYTES = Unit(octets, _zero(octets), 2, 20)
SECONDS = Unit(seconds, _zero(seconds), 10, 1)

#: Round times of an axis, in seconds.
TIMES = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)


def step_of_time(span: float, most: int) -> float:
    """The least round time of which a span has at most so many; beyond those listed, days."""
    for step in TIMES:
        if span / step <= most:
            return step
    return 86400.0 * math.ceil(span / 86400 / most)


def step(span: float, most: int, base: int = 10) -> float:
    """The least round step of which a span has at most so many: 1, 2 or 5 times a power of ten, or a power of two."""
    least = span / most
    if least <= 0:
        return 1.0
    if base == 2:
        return 2.0 ** math.ceil(math.log2(least) - 1e-9)
    power = 10.0 ** math.floor(math.log10(least))
    return next(round_ * power for round_ in (1, 2, 5, 10) if round_ * power >= least * (1 - 1e-9))


#: What is tried for the names of a logarithmic scale, the closest first: factors of every so manieth power.
_LADDERS: dict[int, tuple[tuple[tuple[int, ...], int], ...]] = {
    10: (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 6), ((1,), 12), ((1,), 50)),
    2: (((1,), 1), ((1,), 2), ((1,), 5), ((1,), 10), ((1,), 20), ((1,), 100), ((1,), 200)),
}


def round_values(low: float, high: float, base: int) -> list[float]:
    """The round values between two that a logarithmic scale names: as many as fit."""
    found: list[float] = []
    for factors, powers in _LADDERS[base]:
        first = math.floor(math.log(low, base) / powers) * powers
        last = math.ceil(math.log(high, base))
        values = [factor * float(base) ** power for power in range(first, last + 1, powers) for factor in factors]
        found = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= MOST_TICKS:
            break
    return found
