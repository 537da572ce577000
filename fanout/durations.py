"""How long something takes, in words. There are two ways, for two kinds of numbers. Pure.

What was measured, or is certain, is told by `duration`, to two digits or in two units. What is guessed, or is drawn anew twice
a second, is told by `rough`, in one unit: more would pretend to know what the next look denies, and the two ends of a spread
are compared at a glance.
"""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`5.2 ms`, `1.4 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 0.9995:
        return f"{_two_digits(seconds * 1000)} ms"
    if seconds < 59.5:
        return f"{_two_digits(seconds)} s"
    for large, small, name, below in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if seconds >= large - small / 2:
            whole, rest = divmod(round(seconds / small), large // small)
            return f"{whole} {name} {rest} {below}" if rest else f"{whole} {name}"
    raise AssertionError(seconds)


def rough(seconds: float) -> str:
    """`8 s`, `4 min`, `2.5 h`, `3 days`."""
    for size, unit, limit in ((1, "s", 99.5), (60, "min", 99.5), (3600, "h", 47.95)):
        number = seconds / size
        if number < limit:
            return f"{number:.1f} {unit}" if size == 3600 and number < 9.95 else f"{number:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):g}"
