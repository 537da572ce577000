"""Ranges of ordinals: what is left of a roster. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: All that there can be.
EVERY = range(2**62)


def gaps(settled: Iterable[tuple[int, int]], count: int, first: int = 0) -> Iterator[range]:
    """The ordinals from `first` on and below `count` that none of `settled` covers, neighbours together, in order.

    `settled`: first ordinal and number of mailboxes, by the first ordinal. Takes one at a time.
    """
    end = first
    for begin, length in settled:
        if end < min(begin, count):
            yield range(end, min(begin, count))
        end = max(end, begin + length)
    if end < count:
        yield range(end, count)


def joined(ordinals: Iterable[int]) -> Iterator[range]:
    """Ordinals in ascending order, as ranges: neighbours together."""
    found = range(0)
    for ordinal in ordinals:
        if found and found.stop == ordinal:
            found = range(found.start, ordinal + 1)
        else:
            if found:
                yield found
            found = range(ordinal, ordinal + 1)
    if found:
        yield found
