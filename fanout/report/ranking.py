"""The largest of many, in bounded memory, and a table of them with a bar each. Pure."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Rows of a ranking.
SHOWN = 10

#: Characters of a cell: a subject, or a name of a mailbox, may be longer.
_LONGEST = 160


class Row(NamedTuple):
    """One of a ranking."""

    cells: Sequence[str]
    #: What it comes to, in words, and as a share of the first one's in percent.
    value: str
    share: float


class Ranking(NamedTuple):
    """A table, the largest first."""

    title: str
    #: Heads of the cells, and of the value.
    head: Sequence[str]
    rows: list[Row]
    #: What else there is to say; may be empty.
    note: str = ""


class Largest:
    """Keeps the largest; of equals those that came first."""

    def __init__(self, shown: int = SHOWN) -> None:
        self._shown = shown
        self._seen = 0
        self._kept: list[tuple[float, int, Sequence[str]]] = []

    def add(self, value: float, cells: Sequence[str]) -> None:
        self._seen += 1
        if len(self._kept) < self._shown:
            heapq.heappush(self._kept, (value, -self._seen, cells))
        elif value > self._kept[0][0]:
            heapq.heapreplace(self._kept, (value, -self._seen, cells))

    def rows(self, text: Callable[[float], str]) -> list[Row]:
        ranked = sorted(self._kept, reverse=True)
        most = ranked[0][0] if ranked else 0
        return [
            Row(
                [short(cell) for cell in cells],
                text(value),
                round(max(100 * value / most, 0.0), 1) if most > 0 else 0.0,
            )
            for value, _, cells in ranked
        ]


def ranked(counts: Sequence[tuple[str, int]]) -> list[Row]:
    """A row for each count, in their order."""
    most = max((times for _, times in counts), default=0) or 1
    return [Row([short(text)], f"{times:,}", round(100 * times / most, 1)) for text, times in counts]


def short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
