"""What was found, as figures: medians over the rounds, and tables of Markdown, one a letter, a line a contender."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.measure import ratio
from benchmarks.peers.contenders import LIMIT
from benchmarks.peers.trials import Row, ideal

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.contest import Cell, Findings
    from benchmarks.peers.family import Finding

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Figures:
    """What each contender came to in one cell."""

    cell: Cell
    found: dict[str, list[Finding]]

    def median(self, contender: str, figure: Callable[[Finding], float]) -> float | None:
        """Over the rounds; None for a contender that took no part, or came to no good end."""
        found = self.found.get(contender)
        return None if not found or found[-1].trouble else statistics.median(map(figure, found))

    def ratio(self, contender: str) -> float | None:
        """CPU seconds by those of the floor."""
        found, floor = self.found.get(contender, []), self.found[LIMIT]
        if not found or found[-1].trouble:
            return None
        return ratio([each.cost for each in found], [each.cost for each in floor])

    def note(self, contender: str, note: str) -> Any:  # noqa: ANN401 - whatever a trial tells of itself
        found = self.found.get(contender)
        return found[-1].notes.get(note) if found else None

    def trouble(self, contender: str) -> str:
        found = self.found.get(contender)
        return found[-1].trouble if found else ""


def figures(cells: list[Cell], findings: Findings) -> list[Figures]:
    return [Figures(cell, findings[cell.name]) for cell in cells]


def cpu(finding: Finding) -> float:
    return finding.cost.cpu


def wall(finding: Finding) -> float:
    return finding.cost.wall


def peak(finding: Finding) -> float:
    return finding.cost.peak


def noted(note: str) -> Callable[[Finding], float]:
    return lambda finding: float(finding.notes[note])


def tables(these: list[Figures]) -> list[str]:
    """One for each cell, or for cells that stand beside each other."""
    written = [_sums(each) for each in these if each.cell.row in TITLES]
    for rows, write in ((_SKEWED, _skewed), (_START, _start), (_POISONED, _poisoned), (_ENDS, _ends)):
        if beside := [each for each in these if each.cell.row in rows]:
            written.append(write(beside))
    return written


_SKEWED, _START, _POISONED = {Row.SKEWED}, {Row.START}, {Row.POISONED}
_ENDS = {Row.KILLED, Row.INTERRUPTED, Row.STALLED}

TITLES = {
    Row.NOOPS: "a) {:,} no-ops",
    Row.TOLD: "a+) {:,} no-ops, each with its cause, attempts and seconds",
    Row.FIELDS: "b) {:,} dicts of 10 fields",
    Row.LARGE: "c) {:,} results of 64 KiB",
}


def _sums(of: Figures) -> str:
    lines = []
    for name in of.found:
        remark = of.trouble(name)
        if share := of.note(name, "share"):
            remark = f"from {share * of.cell.count:,.0f} and a tenth of them"
        seconds = [_number(of.median(name, what), 2) for what in (cpu, wall)]
        lines.append(
            [name, seconds[0], _number(of.ratio(name), 2), seconds[1], _number(of.median(name, peak), 0), remark]
        )
    head = ["", "CPU, s", "CPU / limit", "wall, s", "parent's peak, MiB", ""]
    title = TITLES[of.cell.row].format(of.cell.count)
    return _table(f"{title}; {of.cell.workers} workers, chunks of {of.cell.chunk}", head, lines)


def best(these: list[Figures], contender: str) -> Figures:
    """Where a contender was quickest to the end."""
    return min(these, key=lambda each: each.median(contender, wall) or float("inf"))


def _skewed(these: list[Figures]) -> str:
    cell = these[0].cell
    least = ideal(cell.count, cell.workers)
    lines = []
    for name in these[0].found:
        of = best(these, name)
        taken, spanned = of.median(name, wall), of.median(name, noted("span"))
        chunk = "guided" if cell.trial_of(name).chunk is None else str(of.cell.chunk)
        times = [_number(seconds and seconds / least, 2) for seconds in (spanned, taken)]
        lines.append([name, chunk, _number(spanned, 3), times[0], _number(taken, 3), times[1]])
        lines[-1] += [_number(of.median(name, cpu), 2), of.trouble(name)]
    head = ["", "chunk", "first call to last end, s", "/ ideal", "call to return, s", "/ ideal", "CPU, s", ""]
    title = f"d) {cell.count:,} skewed sleeps, {cell.workers} workers; ideal {least:.3f} s"
    return _table(title, head, lines)


def _start(these: list[Figures]) -> str:
    head, lines = [""], []
    for of in these:
        of_these = f"{of.cell.workers} workers: "
        head += [f"{of_these}first result, s", "all at work, s", "end, s"]
    for name in these[0].found:
        line = [name]
        for of in these:
            line += [_number(of.median(name, noted("first")), 3), _at_work(of, name), _number(of.median(name, wall), 2)]
        lines.append([*line, "; ".join(filter(None, (of.trouble(name) for of in these)))])
    items = " and ".join(f"{of.cell.count}" for of in these)
    return _table(f"e) start, with {items} items of 50 ms", [*head, ""], lines)


def _at_work(of: Figures, contender: str) -> str:
    """When the last one began; how many there were, where that is not all."""
    seconds = _number(of.median(contender, noted("all")), 3)
    seen = of.note(contender, "seen")
    return seconds if seen in {None, of.cell.workers} else f"{seconds} ({seen} of them)"


def _poisoned(these: list[Figures]) -> str:
    (of,) = these
    lines = []
    for name in of.found:
        delivered, count = of.note(name, "delivered"), of.cell.trial_of(name).count
        named = of.note(name, "named")
        ended = of.trouble(name) or _number(of.note(name, "seconds"), 2)
        lines.append(
            [name, f"{delivered:,} of {count - 1:,}" if delivered else NOTHING, "yes" if named else "no", ended]
        )
    head = ["", "delivered", "the item is named", "seconds"]
    return _table(f"f) one item of {of.cell.count:,} ends its process", head, lines)


def _ends(these: list[Figures]) -> str:
    by_row = {each.cell.row: each for each in these}
    stalled = by_row[Row.STALLED]
    lines = []
    for name in these[0].found:
        line = [name]
        for row in (Row.KILLED, Row.INTERRUPTED):
            of = by_row[row]
            line.append(of.trouble(name) or f"{of.note(name, 'left')} of {of.note(name, 'of')}")
        drawn, results = stalled.note(name, "drawn"), stalled.note(name, "results")
        lines.append([*line, stalled.trouble(name) or f"{max(drawn, 0.0):.0f} of {results:.0f}"])
    head = ["", "processes left, parent killed", "processes left, Ctrl-C", f"drawn in {stalled.cell.stall:g} s, MiB"]
    title = f"g) ends: who is left after {stalled.cell.patience.grace:.0f} s, and what a stalled consumer is sent"
    return _table(title, head, lines)


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _table(title: str, head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows) + "\n"
