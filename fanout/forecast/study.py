"""The forecast itself: the setting that is given, run in virtual time for several seeds, and what is beside it. Pure.

Every mailbox of the given setting is gone through. Where that would be more chunks than anybody would wait for, and for the
settings beside it, fewer are: all that begin and end a run, and of the middle, where each worker is at work all of the time,
enough to know the pace of it.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Literal

import msgspec

from fanout.forecast.model import Machine, Outage, Server, Setting
from fanout.forecast.tape import Tape
from fanout.forecast.virtual import VirtualRun, World
from fanout.partition import Guided, partition
from fanout.staff import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fanout.partition import Partition
    from fanout.policy import Policy

#: Chunk sizes beside the given one, as far as a session can hold them.
SIZES = (10, 25, 50, 100, 250)

#: Workers beside the given number of them: so many times as many.
TIMES = (0.25, 0.5, 1, 2, 4)

#: Runs of the given setting and of each beside it, by the mailboxes of the roster: spread is small where there are many.
RUNS = ((20_000, 21, 5), (500_000, 9, 3))
RUNS_OF_MANY = (5, 1)

#: Chunks that are gone through, of the given setting and of one beside it; and mailboxes, where lanes are many.
CHUNKS, CHUNKS_BESIDE, LANED = 100_000, 10_000, 20_000

#: Chunks for each worker at the least, so that all are of the largest size until half of them are done, guided ones, too.
EACH = 16

#: Fewer workers are recommended where they take no more than so many times what most of them would take; guided chunks likewise.
WORTH_IT, AS_GOOD = 1.1, 1.02


class Spread(msgspec.Struct, frozen=True):
    """Seconds: the median of some runs, and between what nine of ten of them lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        twentieths = statistics.quantiles(values, n=20, method="inclusive")
        return cls(statistics.median(values), twentieths[0], twentieths[-1])


class Row(msgspec.Struct, frozen=True):
    """A setting, and what it takes."""

    workers: int
    chunk_size: int | Literal["auto"]
    seconds: Spread


class Use(msgspec.Struct, frozen=True):
    """How many were in use over time, of one run."""

    #: Seconds that each of `numbers` is the average of.
    span: float
    numbers: list[float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.numbers) if self.numbers else 0.0


class OutageCost(msgspec.Struct, frozen=True):
    """What it costs that the server answers nobody for a while, in the middle of the run."""

    lasts: float
    #: Seconds by which all is done later; those that could not be reached are visited again behind the run.
    costs: float
    unreachable: int
    #: Whether the run gives up, and has to be gone on with when the server is back.
    stops: bool


class Forecast(msgspec.Struct, frozen=True):
    """What is to be expected of a run."""

    server: str
    mailboxes: int
    source: str
    #: What stands for the machine.
    cores: int
    concurrency: int
    given: Row
    #: Runs in virtual time of the given setting; mailboxes that each went through; mailboxes that failed, the median.
    runs: int
    gone_through: int
    failed: int
    workers: Use
    sessions: Use
    #: Sessions that the server allows; None for no limit.
    sessions_allowed: int | None
    outage: OutageCost
    chunk_sizes: list[Row]
    workforces: list[Row]
    recommended: Row


@dataclass(frozen=True, slots=True)
class Subject:
    """What a forecast is about."""

    server: Server
    machine: Machine
    count: int
    #: Mailboxes that a session can hold; None for no limit.
    capacity: int | None
    policy: Policy


class Ran(msgspec.Struct, frozen=True):
    """One run in virtual time, and what of it is of interest."""

    seconds: float
    failed: int
    gone_through: int
    workers: Use
    sessions: Use


class Study:
    """Runs of one subject with one setting or another."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self._subject = subject
        self._seed = seed
        #: Those that were drawn. All settings are run over the same ones.
        self._tapes: list[Tape] = []
        self.runs, self._beside = _runs(subject.count)
        self._rows: dict[Setting, Row] = {}

    def forecast(self, setting: Setting, outage: float, server: str, source: str) -> Forecast:
        """The whole of it. `outage`: seconds."""
        runs = [self.run(setting, number, CHUNKS) for number in range(self.runs)]
        seconds = Spread.of([ran.seconds for ran in runs])
        self._rows[setting] = _row(setting, seconds)
        middle = min(runs, key=lambda ran: abs(ran.seconds - seconds.median))
        sizes = [self.row(replace(setting, chunk_size=size)) for size in self._sizes(setting)]
        forces = [self.row(replace(setting, workers=workers)) for workers in _forces(setting, self._subject.server)]
        best = Setting(_fewest(forces), _best_size(sizes), setting.lanes)
        return Forecast(
            server=server,
            mailboxes=self._subject.count,
            source=source,
            cores=self._subject.machine.cores,
            concurrency=setting.lanes,
            given=self.row(setting),
            runs=self.runs,
            gone_through=middle.gone_through,
            failed=round(statistics.median(ran.failed for ran in runs)),
            workers=middle.workers,
            sessions=middle.sessions,
            sessions_allowed=self._subject.server.sessions,
            outage=self.outage(setting, outage),
            chunk_sizes=sizes,
            workforces=forces,
            recommended=_recommended(self.row(best), [*sizes, *forces]),
        )

    def row(self, setting: Setting) -> Row:
        """The given setting, or one beside it."""
        if setting not in self._rows:
            seconds = [self.run(setting, number, CHUNKS_BESIDE).seconds for number in range(self._beside)]
            self._rows[setting] = _row(setting, Spread.of(seconds))
        return self._rows[setting]

    def run(self, setting: Setting, number: int, chunks: int) -> Ran:
        """One run, over the tape of that number and up to so many chunks."""
        count = min(self._subject.count, self._enough(setting, chunks))
        run = self._virtual(setting, number, count)
        seconds = run.seconds()
        whole = seconds + (self._subject.count - count) * run.steady.each
        return Ran(
            whole,
            round(run.dispatch.failed * self._subject.count / count),
            count,
            Use(*run.workers.averages(seconds)),
            Use(*run.sessions.averages(seconds)),
        )

    def outage(self, setting: Setting, lasts: float) -> OutageCost:
        """What an outage costs in the middle of a run, with what has to be done behind it: nothing is left out in the end."""
        count = min(self._subject.count, self._enough(setting, CHUNKS_BESIDE))
        usual = self._virtual(setting, 0, count)
        usually = usual.seconds()
        out = Outage(usually / 2, usually / 2 + lasts)
        run = self._virtual(setting, 0, count, out)
        seconds = run.seconds()
        missed = max(0, run.dispatch.failed - usual.dispatch.failed)
        if left := count - run.dispatch.settled + missed:
            seconds = max(seconds, out.end) + self._virtual(setting, 0, left).seconds()
        return OutageCost(lasts, seconds - usually, missed, run.dispatch.stopped_by is not None)

    def _virtual(self, setting: Setting, number: int, count: int, outage: Outage | None = None) -> VirtualRun:
        subject = self._subject
        world = World(subject.server, self._tape(number), subject.machine, outage)
        return VirtualRun(count, setting, self._partition(setting), world, subject.policy)

    def _partition(self, setting: Setting) -> Partition:
        return partition(setting.chunk_size, setting.workers, self._subject.capacity)

    def _tape(self, number: int) -> Tape:
        while len(self._tapes) <= number:
            random = Random(f"{self._seed}/{len(self._tapes)}")
            self._tapes.append(Tape.of(self._subject.server, self._subject.count, random))
        return self._tapes[number]

    def _enough(self, setting: Setting, chunks: int) -> int:
        """Mailboxes that are gone through so that the rest is known, too."""
        how = self._partition(setting)
        if setting.lanes > 1:
            return max(LANED, EACH * setting.workers * setting.lanes)
        largest = how.largest if isinstance(how, Guided) else how.size(self._subject.count)
        return max(chunks, EACH * setting.workers) * largest

    def _sizes(self, setting: Setting) -> list[int | None]:
        """The given size and those beside it, ascending; guided chunks come last."""
        most = min(self._subject.capacity or self._subject.count, self._subject.count)
        sizes = {size for size in (*SIZES, setting.chunk_size) if size and size <= most}
        return [*sorted(sizes), None]


def _runs(count: int) -> tuple[int, int]:
    return next((numbers for most, *numbers in RUNS if count <= most), RUNS_OF_MANY)  # type: ignore[return-value]


def _forces(setting: Setting, server: Server) -> list[int]:
    """Numbers of workers to look at, ascending: none beyond what the server has sessions for, but the given one."""
    most = MOST
    if server.sessions:
        most = max(1, server.sessions // (setting.lanes if server.separate else 1))
    beside = {min(most, max(1, round(times * setting.workers))) for times in TIMES}
    return sorted({min(workers, MOST) for workers in beside} | {setting.workers})


def _row(setting: Setting, seconds: Spread) -> Row:
    return Row(setting.workers, setting.chunk_size or "auto", seconds)


def _recommended(both: Row, rows: Iterable[Row]) -> Row:
    """The best number of workers with the best chunk size, unless `both` together are worse than a row that was looked at."""
    fastest = min(rows, key=lambda row: row.seconds.median)
    return both if both.seconds.median <= WORTH_IT * fastest.seconds.median else fastest


def _fewest(rows: Iterable[Row]) -> int:
    """The fewest workers that are about as fast as any number of them."""
    rows = list(rows)
    best = min(row.seconds.median for row in rows)
    return min(row.workers for row in rows if row.seconds.median <= WORTH_IT * best)


def _best_size(rows: Iterable[Row]) -> int | None:
    """The chunk size that is best; guided chunks where that is not beyond doubt."""
    best = min(rows := list(rows), key=lambda row: row.seconds.median)
    guided = next(row.seconds for row in rows if row.chunk_size == "auto")
    doubtful = guided.median <= AS_GOOD * best.seconds.median or guided.low <= best.seconds.high
    return None if best.chunk_size == "auto" or doubtful else best.chunk_size
