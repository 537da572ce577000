"""Columns of text that fit into a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Between two columns.
GAP = "  "

#: The weight of a column that is always shown.
ALWAYS = 9


class Column(NamedTuple):
    """A column: its head, of two lines, and a cell for each row."""

    head: tuple[str, str]
    cells: list[str]
    #: What is left out first where there is no room: the lightest.
    weight: int = ALWAYS
    #: Words stand at the left, numbers at the right.
    words: bool = False

    @property
    def lines(self) -> list[str]:
        """Every line, all of one width."""
        lines = [*self.head, *self.cells]
        width = max(map(len, lines))
        return [line.ljust(width) if self.words else line.rjust(width) for line in lines]


def table(columns: Sequence[Column], width: int | None) -> Iterator[str]:
    """The lines of a table, without the columns for which `width` has no room; None has room for all."""
    rows = _rows(columns)
    if width is not None and max(map(len, rows)) > width and any(column.weight < ALWAYS for column in columns):
        lightest = min(columns, key=lambda column: column.weight)
        yield from table([column for column in columns if column is not lightest], width)
    else:
        yield from rows


def _rows(columns: Sequence[Column]) -> list[str]:
    return [GAP.join(cells).rstrip() for cells in zip(*(column.lines for column in columns), strict=True)]


def numbers(values: Sequence[float]) -> list[str]:
    """Numbers with as many decimals as the greatest one needs to have three digits, and 3 at the most."""
    most = max(values, default=0.0)
    decimals = next((decimals for decimals, below in ((3, 1), (2, 10), (1, 100)) if most < below), 0)
    return [f"{value:,.{decimals}f}" for value in values]
