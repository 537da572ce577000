"""The contest: which trials make up a row, who takes part in them, and in what order.

Rounds are interleaved: all contenders at one row stand beside each other, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from benchmarks.measure import Cost
from benchmarks.peers.contenders import CONTENDERS, LIMIT, OURS
from benchmarks.peers.family import Finding, Patience, ended_early, tried
from benchmarks.peers.trials import Row, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.peers.contenders import Contender

#: What each contender came to, a round after another, by the name of the cell and that of the contender.
Findings = dict[str, dict[str, list[Finding]]]


#: With whoever takes part, in full and in the short form.
LONG, SHORT = Patience(end=100.0, idle=5.0, grace=5.0), Patience(end=60.0, idle=2.0, grace=1.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is compared: one row, at one number of workers and one size of chunks."""

    row: Row
    count: int
    workers: int = 2
    chunk: int = 250
    patience: Patience = LONG
    #: Seconds for which a consumer stalls.
    stall: float = 3.0
    #: Whether another round would say the same.
    once: bool = False

    @property
    def name(self) -> str:
        many = {Row.SKEWED: f" chunk {self.chunk}", Row.START: f" {self.workers}"}
        return self.row.value + many.get(self.row, "")

    def admits(self, contender: Contender) -> bool:
        """The floor keeps no books, so that it has nothing to say about ends; fanout chooses its chunks itself, once."""
        if contender.name == LIMIT:
            return self.row.value[0] != "g"
        return not (contender.name == OURS and self.row is Row.SKEWED and self.chunk > 1)

    def trial_of(self, name: str) -> Trial:
        """What a contender is given."""
        guided = name == OURS and self.row in {Row.SKEWED, Row.START}
        count = max(self.workers, round(self.count * self.share(name)))
        return Trial(self.row, name, count, self.workers, None if guided else self.chunk, self.stall)

    def share(self, name: str) -> float:
        """Which part of the items a contender is given; in the short form nobody needs less."""
        return 1.0 if self.patience is SHORT else CONTENDERS[name].shares.get(self.row, 1.0)


#: The cells in full, by their letters.
FULL = {
    "a": [Cell(Row.NOOPS, 1_000_000), Cell(Row.TOLD, 1_000_000)],
    "b": [Cell(Row.FIELDS, 200_000)],
    "c": [Cell(Row.LARGE, 20_000)],
    "d": [Cell(Row.SKEWED, 2000, 16, chunk) for chunk in (1, 50)],
    "e": [Cell(Row.START, 4 * workers, workers, 1) for workers in (2, 64)],
    "f": [Cell(Row.POISONED, 100_000, once=True)],
    "g": [
        Cell(Row.KILLED, 10_000, chunk=1, once=True),
        Cell(Row.INTERRUPTED, 10_000, chunk=1, once=True),
        Cell(Row.STALLED, 20_000, once=True),
    ],
}

#: Of a cell in its short form: the items.
FEW = {
    Row.NOOPS: 5000,
    Row.TOLD: 5000,
    Row.FIELDS: 1000,
    Row.LARGE: 100,
    Row.SKEWED: 100,
    Row.START: 8,
    Row.POISONED: 6000,
    Row.STALLED: 1000,
}


def cells(letters: Iterable[str]) -> list[Cell]:
    return [cell for letter in letters for cell in FULL[letter]]


def short_cells(letters: Iterable[str]) -> list[Cell]:
    """One for each row, in its short form."""
    first_of_row = {cell.row: cell for cell in reversed(cells(letters))}
    return [_shortened(cell) for cell in cells(letters) if cell is first_of_row[cell.row]]


def _shortened(cell: Cell) -> Cell:
    """The same in a moment: fewer items and workers, and less patience."""
    few = FEW.get(cell.row, cell.count)
    return replace(cell, count=few, workers=min(cell.workers, 4), patience=SHORT, stall=0.1)


def contest(these: list[Cell], contenders: list[Contender], rounds: int) -> Findings:
    """All cells in each round. Who did not come to an end in one is not asked again."""
    findings: Findings = {cell.name: {} for cell in these}
    for number in range(rounds):
        for cell in these:
            for contender in filter(cell.admits, contenders):
                known = findings[cell.name].setdefault(contender.name, [])
                if not known or not (cell.once or known[-1].trouble):
                    known.append(_found(cell, contender))
                    _tell(f"round {number + 1} of {rounds}: {cell.name}, {contender.name}")
    return findings


def _tell(where: str) -> None:
    print(where, file=sys.stderr, flush=True)


def _found(cell: Cell, contender: Contender) -> Finding:
    share, trial = cell.share(contender.name), cell.trial_of(contender.name)
    if cell.row in {Row.KILLED, Row.INTERRUPTED}:
        return ended_early(trial, cell.patience)
    finding = tried(trial, cell.patience)
    if share == 1.0 or finding.trouble or cell.once:
        return finding
    start = tried(msgspec.structs.replace(trial, count=max(trial.workers, trial.count // 10)), cell.patience)
    return _scaled(start, finding, cell.count, share)


def _scaled(few: Finding, many: Finding, count: int, share: float) -> Finding:
    """What all items would have cost, by the line through what some and what a tenth of those cost."""
    tried_at = count * share
    beyond = (count - tried_at) / (0.9 * tried_at)
    cpu, wall = (
        getattr(many.cost, what) + beyond * (getattr(many.cost, what) - getattr(few.cost, what))
        for what in ("cpu", "wall")
    )
    return Finding(Cost(cpu, wall, many.cost.peak), many.notes | {"share": share}, few.trouble)
