"""The forecast itself: the setting that is given, run in virtual time for several seeds, and what is beside it. Pure.

Every mailbox of the given setting is gone through. Where that would be more chunks than anybody would wait for, and for the
settings beside it, fewer are: all that begin and end a run, and of the middle, where each worker is at work all of the time,
enough to know the pace of it. Of several servers the same share is left out of each, so that they are side by side for as much of the
run as in the whole of it; but of none so much that its workers would not be at work all of the time.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from fanout.forecast.model import Outage, Setting
from fanout.forecast.server_run import World
from fanout.forecast.tape import LONGEST, LONGEST_OF_SEVERAL, Tape
from fanout.forecast.virtual import VirtualRun
from fanout.partition import Guided, partition
from fanout.staff import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fanout.forecast.model import Server
    from fanout.forecast.server_run import ServerRun
    from fanout.forecast.subject import Part, Subject
    from fanout.partition import Partition

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

#: Mailboxes of each of several servers at the least: all wait for the slowest, so what chance makes of a few must not count for much.
EACH_OF_SEVERAL = 20_000

#: Fewer workers are recommended where they take no more than so many times what most of them would take; guided chunks likewise.
WORTH_IT, AS_GOOD = 1.1, 1.02

#: No server is out.
NO_OUTAGE: Mapping[int, Outage] = MappingProxyType({})


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


class OutageCost(msgspec.Struct, frozen=True, omit_defaults=True):
    """What it costs that the server answers nobody for a while, in the middle of the run."""

    lasts: float
    #: Seconds by which all is done later; those that could not be reached are visited again behind the run.
    costs: float
    unreachable: int
    #: Whether the run gives up, and has to be gone on with when the server is back.
    stops: bool
    #: Which of several servers it is, the one that is done last.
    server: str = ""


class ServerForecast(msgspec.Struct, frozen=True):
    """What is to be expected of one server of several."""

    server: str
    mailboxes: int
    source: str
    #: From the begin of the run until its last mailbox has its outcome.
    seconds: Spread
    #: For which share of that time its workers are at work, 0 to 1; and how many of its mailboxes fail. Medians.
    busy: float
    failed: int


class Forecast(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be expected of a run. Workers are those of each server, where there are several."""

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
    #: Each of several servers, in the order in which they were named; none where there is one.
    servers: tuple[ServerForecast, ...] = ()


class End(msgspec.Struct, frozen=True):
    """How one server of a run in virtual time came to its end."""

    #: Seconds until then, and those for the mailboxes that were not gone through.
    done: float
    later: float
    #: For which share of `done` its workers were at work.
    busy: float
    failed: int

    @property
    def seconds(self) -> float:
        return self.done + self.later


class Ran(msgspec.Struct, frozen=True):
    """One run in virtual time, and what of it is of interest."""

    seconds: float
    failed: int
    gone_through: int
    workers: Use
    sessions: Use
    servers: tuple[End, ...]


class Study:
    """Runs of one subject with one setting or another."""

    def __init__(self, subject: Subject, seed: int) -> None:
        self._subject = subject
        self._seed = seed
        #: Those that were drawn, of each server. All settings are run over the same ones.
        self._tapes: list[list[Tape]] = []
        self.runs, self._beside = _runs(subject.count)
        self._rows: dict[Setting, Row] = {}

    def forecast(self, setting: Setting, outage: float) -> Forecast:
        """The whole of it. `outage`: seconds."""
        subject = self._subject
        runs = [self.run(setting, number, CHUNKS) for number in range(self.runs)]
        seconds = Spread.of([ran.seconds for ran in runs])
        self._rows[setting] = _row(setting, seconds)
        middle = min(runs, key=lambda ran: abs(ran.seconds - seconds.median))
        sizes = [self.row(replace(setting, chunk_size=size)) for size in self._sizes(setting)]
        forces = [self.row(replace(setting, workers=workers)) for workers in _forces(setting, subject.parts)]
        best = Setting(_fewest(forces), _best_size(sizes), setting.lanes)
        return Forecast(
            server=", ".join(part.url for part in subject.parts),
            mailboxes=subject.count,
            source=_source(subject.parts),
            cores=subject.machine.cores,
            concurrency=setting.lanes,
            given=self.row(setting),
            runs=self.runs,
            gone_through=middle.gone_through,
            failed=round(statistics.median(ran.failed for ran in runs)),
            workers=middle.workers,
            sessions=middle.sessions,
            sessions_allowed=subject.sessions,
            outage=self.outage(setting, outage, _last(runs)),
            chunk_sizes=sizes,
            workforces=forces,
            recommended=_recommended(self.row(best), [*sizes, *forces]),
            servers=tuple(_by_server(subject.parts, runs)),
        )

    def row(self, setting: Setting) -> Row:
        """The given setting, or one beside it."""
        if setting not in self._rows:
            seconds = [self.run(setting, number, CHUNKS_BESIDE).seconds for number in range(self._beside)]
            self._rows[setting] = _row(setting, Spread.of(seconds))
        return self._rows[setting]

    def run(self, setting: Setting, number: int, chunks: int) -> Ran:
        """One run, over the tapes of that number and up to so many chunks."""
        counts = self._enough(setting, chunks)
        run = self._virtual(setting, number, counts)
        seconds = run.seconds()
        each = zip(self._subject.parts, counts, run.servers, strict=True)
        ends = tuple(_end(part, count, server, setting.workers) for part, count, server in each)
        last = max(end.done for end in ends)
        return Ran(
            seconds + max(end.later - (last - end.done) for end in ends),
            sum(end.failed for end in ends),
            sum(counts),
            Use(*run.workers.averages(seconds)),
            Use(*run.sessions.averages(seconds)),
            ends,
        )

    def outage(self, setting: Setting, lasts: float, last: int) -> OutageCost:
        """What an outage costs in the middle of a run, with what has to be done behind it: nothing is left out in the end.

        `last`: the place of the server that is out.
        """
        counts = self._enough(setting, CHUNKS_BESIDE)
        usual = self._virtual(setting, 0, counts)
        usually = usual.seconds()
        out = Outage(usually / 2, usually / 2 + lasts)
        run = self._virtual(setting, 0, counts, {last: out})
        seconds = run.seconds()
        at_last, usual_last = run.servers[last].dispatch, usual.servers[last].dispatch
        missed = max(0, at_last.failed - usual_last.failed)
        if left := counts[last] - at_last.settled + missed:
            behind = [left if place == last else 0 for place in range(len(counts))]
            seconds = max(seconds, out.end) + self._virtual(setting, 0, behind).seconds()
        url = self._subject.parts[last].url if len(counts) > 1 else ""
        return OutageCost(lasts, seconds - usually, missed, at_last.stopped_by is not None, url)

    def _virtual(
        self, setting: Setting, number: int, counts: Sequence[int], outages: Mapping[int, Outage] = NO_OUTAGE
    ) -> VirtualRun:
        """A run over the first so many mailboxes of each server. `outages`: of servers, by their place."""
        subject = self._subject
        worlds = [
            World(part.server, tape, count, _partition(setting, part), outages.get(place))
            for place, (part, tape, count) in enumerate(zip(subject.parts, self._tape(number), counts, strict=True))
        ]
        return VirtualRun(worlds, setting, subject.machine, subject.policy)

    def _tape(self, number: int) -> list[Tape]:
        """Of each server the one of that number."""
        while len(self._tapes) <= number:
            self._tapes.append([*self._drawn(f"{self._seed}/{len(self._tapes)}")])
        return self._tapes[number]

    def _drawn(self, seed: str) -> Iterator[Tape]:
        parts = self._subject.parts
        longest = max(LONGEST // len(parts), LONGEST_OF_SEVERAL)
        for place, part in enumerate(parts):
            random = Random(f"{seed}/{place}" if place else seed)
            yield Tape.of(part.server, min(part.count, longest), random)

    def _enough(self, setting: Setting, chunks: int) -> list[int]:
        """Mailboxes of each server that are gone through so that the rest is known, too."""
        parts, lanes = self._subject.parts, setting.lanes
        most = [_largest(setting, part) for part in parts]
        enough = LANED if lanes > 1 else chunks * min(most)
        each = [EACH * setting.workers * (lanes if lanes > 1 else size) for size in most]
        if len(parts) > 1:
            each = [max(least, EACH_OF_SEVERAL) for least in each]
        count = self._subject.count
        return [
            min(part.count, max(part.count * min(count, enough) // count, least))
            for part, least in zip(parts, each, strict=True)
        ]

    def _sizes(self, setting: Setting) -> list[int | None]:
        """The given size and those beside it, ascending; guided chunks come last."""
        subject = self._subject
        count = max(part.count for part in subject.parts)
        most = min(subject.capacity or count, count)
        sizes = {size for size in (*SIZES, setting.chunk_size) if size and size <= most}
        return [*sorted(sizes), None]


def _end(part: Part, count: int, server: ServerRun, workers: int) -> End:
    """How a server came to its end, of whose mailboxes so many were gone through by so many workers."""
    done = server.done or 0.0
    return End(
        done,
        (part.count - count) * server.steady.each,
        server.worked / (workers * done) if done else 0.0,
        round(server.dispatch.failed * part.count / count),
    )


def _partition(setting: Setting, part: Part) -> Partition:
    return partition(setting.chunk_size, setting.workers, part.capacity)


def _largest(setting: Setting, part: Part) -> int:
    """Mailboxes of the largest chunk of a server."""
    how = _partition(setting, part)
    return how.largest if isinstance(how, Guided) else how.size(part.count)


def _source(parts: Sequence[Part]) -> str:
    """Where what is known of the mailboxes comes from: told once where it is the same of all servers."""
    sources = {part.source for part in parts}
    return sources.pop() if len(sources) == 1 else "what is known of each server"


def _last(runs: Sequence[Ran]) -> int:
    """The place of the server that is done last."""
    places = range(len(runs[0].servers))
    return max(places, key=lambda place: statistics.median(ran.servers[place].seconds for ran in runs))


def _by_server(parts: Sequence[Part], runs: Sequence[Ran]) -> Iterator[ServerForecast]:
    """What is to be expected of each of several servers."""
    for place, part in enumerate(parts if len(parts) > 1 else ()):
        ends = [ran.servers[place] for ran in runs]
        yield ServerForecast(
            part.url,
            part.count,
            part.source,
            Spread.of([end.seconds for end in ends]),
            statistics.median(end.busy for end in ends),
            round(statistics.median(end.failed for end in ends)),
        )


def _runs(count: int) -> tuple[int, int]:
    return next((numbers for most, *numbers in RUNS if count <= most), RUNS_OF_MANY)  # type: ignore[return-value]


def _forces(setting: Setting, parts: Sequence[Part]) -> list[int]:
    """Numbers of workers to look at, ascending: none beyond what some server has sessions for, but the given one."""
    most = max(_most(setting, part.server) for part in parts)
    beside = {min(most, max(1, round(times * setting.workers))) for times in TIMES}
    there_may_be = max(1, MOST // len(parts))
    return sorted({min(workers, there_may_be) for workers in beside} | {setting.workers})


def _most(setting: Setting, server: Server) -> int:
    """Workers for which the server has sessions."""
    if not server.sessions:
        return MOST
    return max(1, server.sessions // (setting.lanes if server.separate else 1))


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
