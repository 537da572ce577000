"""Charts as what is to be drawn: marks, with places across in percent and heights in pixels, and the numbers behind them. Pure.

Percent across and pixels down is what lets a chart have any width with text of one size: SVG takes both as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanout.report.units import count, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Pixels of the area in which columns stand.
HEIGHT = 150

#: Pixels of a row of flags above it, of a line of text, and of what is left free where there are no flags.
FLAG = 17
LINE = 10
FREE = 8

#: Pixels that a chart has across at the least: one alone, one beside others, and any on a telephone.
WIDE, NARROW, LEAST = 700, 250, 300

#: Pixels of a character of small text, about, and between two labels.
_CHARACTER, _BETWEEN = 7, 10

#: Of a column's room, what it takes.
_FULL = 0.92

#: Pixels that a mark has at the least, so that what is there is seen.
_SEEN = 1.0

#: Lines across, beside the one on which columns stand.
_MOST_LEVELS = 4

#: Where a label at a place across is anchored, so that it stays inside.
_NEAR_THE_START, _NEAR_THE_END = 4, 96


class Label(NamedTuple):
    """Words at a place across."""

    at: float
    text: str
    #: `start`, `middle` or `end`, as SVG has it.
    anchor: str
    #: Whether it is left out where there is little room.
    minor: bool = False
    #: Pixels down.
    y: float = 0


class Level(NamedTuple):
    """A line across, and what it stands for."""

    y: float
    text: str


class Mark(NamedTuple):
    """A rectangle."""

    x: float
    width: float
    y: float
    height: float
    #: The class of its style: `done`, `failed`.
    kind: str


class Column(NamedTuple):
    """Marks on top of each other, and what is said when one points at them."""

    marks: list[Mark]
    title: str


class Table(NamedTuple):
    """The numbers behind a chart."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Chart(NamedTuple):
    """Columns over a scale."""

    title: str
    #: What the columns and their scale say, for who does not see them.
    summary: str
    columns: list[Column]
    levels: list[Level]
    ticks: list[Label]
    flags: list[Label]
    #: What the heights count.
    counted: str
    table: Table
    #: The kinds that there are, where there are several.
    legend: list[str]

    @property
    def top(self) -> int:
        """Pixels above the columns: for flags, or half a line of text."""
        return room_for(self.flags)

    @property
    def scale_width(self) -> int:
        """Pixels of the names of levels."""
        return width_of(level.text for level in self.levels)


class Series(NamedTuple):
    """The heights of one kind, a number a column."""

    kind: str
    counts: Sequence[int]


def stacked(series: Sequence[Series], names: Sequence[str]) -> tuple[list[Column], list[Level]]:
    """A column for each name, and the lines across: of all columns the highest fills the height."""
    totals = [sum(counts) for counts in zip(*(each.counts for each in series), strict=True)]
    highest = max(totals, default=0) or 1
    columns = [_column(series, place, names[place], highest) for place, total in enumerate(totals) if total]
    apart = max(step(highest, _MOST_LEVELS), 1)
    heights = [number * apart for number in range(int(highest / apart + 1e-9) + 1)]
    return columns, [Level(HEIGHT * (1 - height / highest), count(height)) for height in heights]


def _column(series: Sequence[Series], place: int, name: str, highest: int) -> Column:
    marks, bottom = [], float(HEIGHT)
    width = 100 / len(series[0].counts)
    for kind, counts in series:
        if counts[place]:
            height = max(_SEEN, HEIGHT * counts[place] / highest)
            bottom -= height
            marks.append(
                Mark(round(place * width, 3), round(width * _FULL, 3), round(bottom, 1), round(height, 1), kind)
            )
    said = [f"{counts[place]:,} {kind}" for kind, counts in series if counts[place]] if len(series) > 1 else []
    return Column(marks, f"{name}: {', '.join(said) or f'{series[0].counts[place]:,}'}")


def labels(places: Sequence[tuple[float, str]], width: int) -> list[Label]:
    """Labels at places from 0 to 1, in their order, that do not touch each other in so many pixels.

    Those that would on a telephone are minor.
    """
    there = _apart([Label(round(100 * at, 2), text, anchor(100 * at)) for at, text in places], width)
    everywhere = _apart(there, min(width, LEAST))
    return [label._replace(minor=label not in everywhere) for label in there]


def _apart(labels: Sequence[Label], width: int) -> list[Label]:
    """Those of some labels that have room between the ones before them."""
    kept: list[Label] = []
    for label in labels:
        if not kept or _span(kept[-1], width)[1] + _BETWEEN <= _span(label, width)[0]:
            kept.append(label)
    return kept


def _span(label: Label, width: int) -> tuple[float, float]:
    """From which to which pixel a label goes."""
    size = _CHARACTER * len(label.text)
    start = label.at * width / 100 - {"start": 0, "middle": size / 2, "end": size}[label.anchor]
    return start, start + size


def anchor(percent: float) -> str:
    if percent < _NEAR_THE_START:
        return "start"
    return "end" if percent > _NEAR_THE_END else "middle"


def flags(places: Sequence[tuple[float, str]]) -> list[Label]:
    """Labels at lines from top to bottom, a row each: they stand beside the line, on the side that has more room."""
    return [
        Label(round(100 * at, 2), text, "end" if at > 0.5 else "start", y=FLAG * row + FLAG - 5)
        for row, (at, text) in enumerate(places)
    ]


def poles(places: Sequence[float]) -> list[Label]:
    """Lines from top to bottom at places, without words."""
    return [Label(round(100 * at, 2), "", "middle", y=LINE) for at in places]


def room_for(flags: Sequence[Label]) -> int:
    """Pixels of flags, a row each."""
    return max(FLAG * len(flags), FREE)


def width_of(texts: Iterable[str]) -> int:
    """Pixels that texts of small digits take, about."""
    return 4 + 8 * max(map(len, texts), default=1)


def numbers(head: Sequence[str], names: Sequence[str], series: Sequence[Series]) -> Table:
    """A row for each column that has something."""
    rows = [
        (name, *(f"{number:,}" for number in counts))
        for name, *counts in zip(names, *(each.counts for each in series), strict=True)
        if any(counts)
    ]
    return Table(head, rows)
