"""What each worker did, and when: a lane each, with the lives of its processes, how busy they were, and what went wrong. Pure.

A worker tells of mailboxes some time after it was at them, by frames. How long it was at them the records say, so a frame stands
for the time before it came.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from fanout.crew import LEFT
from fanout.lives import RUN_ENDED, named, server_of
from fanout.report.charts import FREE, Label, Table, poles, width_of
from fanout.report.course import seams, time_ticks
from fanout.report.times import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fanout.lives import Life
    from fanout.report.axis import Axis

#: Parts of a lane.
PARTS = 160

#: Workers that have a lane, and lives that are drawn in all of them.
MOST_LANES = 40
MOST_LIVES = 400

#: Pixels of a lane and of the gap below it: where there are few, and where there are many.
_FEW = 12
_THICK, _THIN = (16, 8), (8, 4)

#: Where there are several servers.
_GROUPED = "Workers of one server stand together, in the order of the servers above."

#: Shades of a part of a lane, by how much of it the worker was at mailboxes.
SHADES = 4


class Strip(NamedTuple):
    """A part of a lane, in percent across; its kind is the class of its style, its title may be empty."""

    x: float
    width: float
    kind: str
    title: str = ""


class Lane(NamedTuple):
    """One worker."""

    #: Its number; empty where there is no room for it.
    name: str
    #: Pixels down.
    y: int
    lives: list[Strip]
    work: list[Strip]
    failures: list[Strip]
    deaths: list[Strip]


class Lanes(NamedTuple):
    """The workers of a run, as they are drawn."""

    lanes: list[Lane]
    height: int
    thickness: int
    ticks: list[Label]
    poles: list[Label]
    #: What there is to know about what is drawn, and what is not.
    notes: list[str]
    table: Table

    @property
    def top(self) -> int:
        """Pixels above the lanes."""
        return FREE

    @property
    def scale_width(self) -> int:
        """Pixels of the names of lanes."""
        return width_of(lane.name for lane in self.lanes)


class _Known:
    """What is known of the lives of all workers. Those that died are kept before those that lasted longest."""

    def __init__(self, lives: Iterable[Life]) -> None:
        self.lives: Counter[int] = Counter()
        self.deaths: Counter[int] = Counter()
        kept = heapq.nlargest(MOST_LIVES, self._counted(lives), key=_weight)
        self.kept = sorted(kept, key=lambda life: life.number)
        self.workers = sorted(self.lives)

    def _counted(self, lives: Iterable[Life]) -> Iterator[Life]:
        for life in lives:
            self.lives[life.worker] += 1
            self.deaths[life.worker] += died(life)
            yield life

    def left_out(self) -> Iterator[str]:
        if len(self.workers) > MOST_LANES:
            yield f"The first {MOST_LANES} of {len(self.workers):,} workers are shown."
        if len(self.kept) < self.lives.total():
            yield (
                f"Of {self.lives.total():,} processes {MOST_LIVES} are drawn, "
                "those that died before those that lasted longest."
            )


class Workers:
    """Takes what workers told of."""

    def __init__(self, axis: Axis, at_a_time: int, servers: Sequence[str] = ()) -> None:
        """`at_a_time`: mailboxes that a worker visits at a time. `servers`: those of the run, where there are several."""
        self._axis = axis
        self._servers = servers
        self._at_a_time = at_a_time
        self._part = axis.whole / PARTS  # seconds
        self._done: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()
        #: Of each worker and part, the share that it was at mailboxes; and the parts in which one failed.
        self._busy: dict[tuple[int, int], float] = {}
        self._trouble: set[tuple[int, int]] = set()

    def add(self, worker: int, at: float, spent: float, *, done: int, failed: int) -> None:
        """A worker has told of mailboxes, for which it took so many seconds all together."""
        self._done[worker] += done
        self._failed[worker] += failed
        if worker >= MOST_LANES * max(1, len(self._servers)):  # numbers have gaps where a server has no workers
            return
        end = self._axis.elapsed(at)
        first = (end - spent / self._at_a_time) / self._part
        for number in range(max(0, int(first)), self._index(end) + 1):
            within = min(number + 1, end / self._part) - max(number, first)
            if within > 0:
                self._busy[worker, number] = self._busy.get((worker, number), 0.0) + within
        if failed:
            self._trouble.add((worker, self._index(end)))

    def _index(self, elapsed: float) -> int:
        return min(int(elapsed / self._part), PARTS - 1)

    def draw(self, lives: Iterable[Life]) -> Lanes:
        known = _Known(lives)
        shown = known.workers[:MOST_LANES]
        thickness, gap = _THICK if len(shown) <= _FEW else _THIN
        every = 1 if len(shown) <= _FEW else 5
        groups = self._groups(shown)
        rows = [(worker, apart) for apart, group in enumerate(groups) for worker in group]
        lanes = [
            Lane(
                name="" if row and named(worker) % every else f"{named(worker)}",
                y=row * (thickness + gap) + apart * gap,
                lives=[self._life(life) for life in known.kept if life.worker == worker],
                work=list(self._work(worker)),
                failures=[
                    _parts(part, part + 1, "failed") for number, part in sorted(self._trouble) if number == worker
                ],
                deaths=[self._death(life) for life in known.kept if life.worker == worker and died(life)],
            )
            for row, (worker, apart) in enumerate(rows)
        ]
        marked = poles([at for at, _ in seams(self._axis)])
        height = len(lanes) * (thickness + gap) + max(0, len(groups) - 1) * gap
        notes = [*([_GROUPED] if len(groups) > 1 else []), *known.left_out()]
        return Lanes(lanes, height, thickness, time_ticks(self._axis), marked, notes, self._table(known))

    def _groups(self, workers: Sequence[int]) -> list[list[int]]:
        """The workers of each server, where there are several."""
        servers: Sequence[str | None] = self._servers or [None]
        groups = [[each for each in workers if server_of(each, self._servers) == server] for server in servers]
        return [group for group in groups if group]

    def _named(self, worker: int) -> str:
        """A worker, for people: where there are several servers, with its own."""
        server = server_of(worker, self._servers)
        return f"worker {named(worker)} of {server}" if server else f"worker {named(worker)}"

    def _life(self, life: Life) -> Strip:
        ended = self._axis.end_of_span(life.begun) if life.ended is None else life.ended
        begun, end = (100 * self._axis.place(at) for at in (life.begun, ended))
        until = "its end is not known" if life.ended is None else f"to {clock(life.ended)}, {life.how}"
        title = f"{self._named(life.worker)}, process {life.pid or 'unknown'}: {clock(life.begun)} {until}"
        return Strip(round(begun, 2), round(max(end - begun, 0.1), 2), "life", title)

    def _death(self, life: Life) -> Strip:
        assert life.ended is not None
        title = f"{clock(life.ended)}: {self._named(life.worker)}, process {life.pid or 'unknown'}, ended by {life.how}"
        return Strip(round(100 * self._axis.place(life.ended), 2), 0, "died", title)

    def _work(self, worker: int) -> Iterator[Strip]:
        """Neighbours of one shade are one strip."""
        begun, shade = 0, 0
        for part in range(PARTS + 1):
            busy = self._busy.get((worker, part))
            now = 0 if busy is None else min(SHADES, 1 + int(SHADES * busy))
            if now != shade:
                if shade:
                    yield _parts(begun, part, f"shade{shade}")
                begun, shade = part, now

    def _table(self, known: _Known) -> Table:
        counts = (self._done, self._failed, known.lives, known.deaths)
        whose = ("server",) if self._servers else ()
        rows = [
            (
                f"{named(worker)}",
                *(f"{each[worker]:,}" for each in counts),
                *(f"{server_of(worker, self._servers)}" for _ in whose),
            )
            for worker in known.workers[:MOST_LANES]
        ]
        return Table(("worker", "done", "failed", "processes", "died", *whose), rows)


def died(life: Life) -> bool:
    """Whether a life ended otherwise than it should."""
    return life.how not in {None, LEFT, RUN_ENDED}


def _weight(life: Life) -> tuple[bool, float]:
    return died(life), (life.ended or life.begun) - life.begun


def _parts(first: int, stop: int, kind: str) -> Strip:
    """Parts of a lane."""
    return Strip(round(100 * first / PARTS, 2), round(100 * (stop - first) / PARTS, 2), kind)
