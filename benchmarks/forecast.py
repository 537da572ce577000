"""Is the forecast right? Twelve settings, forecast and then run. `flock FILE python -m benchmarks.forecast`

Each round measures what a run takes to begin and to end, and what a census costs here, then forecasts and runs every setting, in an
order by chance, so that what else the machine does hits both alike. Told are medians of the rounds. Then a forecast of
10,000,000 mailboxes and 1,000 workers, and what it takes.
"""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import replace
from random import Random

import click
import msgspec

from benchmarks.measure import cost, machine
from fanout import jobs
from fanout.bench import settings
from fanout.bench.measuring import Work
from fanout.bench.settings import AUTO
from fanout.conduct import Mailboxes, Task
from fanout.forecast import sources
from fanout.forecast.model import Machine, Setting
from fanout.forecast.study import CHUNKS, Study
from fanout.forecast.subject import Part, Subject
from fanout.policy import Policy
from workers.mapi.logons import MAX_LOGONS
from workers.simulated.options import Delay

#: Mailboxes, the server's options, workers, chunk size: some seconds each, most of which are waiting.
CASES = (
    (1000, "latency=2ms", 2, 100),
    (2000, "latency=2ms", 4, None),
    (2000, "latency=2ms", 8, 10),
    (4000, "latency=2ms", 16, 100),
    (200, "latency=20ms", 2, 10),
    (400, "latency=20ms", 4, 100),
    (1000, "latency=20ms", 8, None),
    (2000, "latency=20ms", 32, 10),
    (2000, "latency=20ms", 32, None),
    (500, "latency=lognormal(20ms,1)", 8, 10),
    (1000, "latency=lognormal(20ms,1)", 16, 100),
    (2000, "latency=lognormal(20ms,1)", 32, None),
)

#: Numbers of workers between which the start and the end of one are measured, and how often in a round.
FEW, MANY, TIMES = 2, 32, 3

#: What a large forecast is about.
LARGE = Subject(
    (
        Part(
            "a server",
            sources.given(Delay(0.12, 1.2), separate=False).server,
            10_000_000,
            MAX_LOGONS,
            "lognormal(120ms,1.2)",
        ),
    ),
    Machine(cores=2),
    Policy(),
)
LARGE_SETTING = Setting(1000)


class Case(msgspec.Struct, frozen=True):
    """A setting of the table."""

    count: int
    options: str
    workers: int
    chunk_size: int | None

    @property
    def url(self) -> str:
        return f"sim:{self.count}?{self.options}"

    def measured(self) -> float:
        """Seconds that the run takes."""
        return _wall(self.url, self.workers, self.chunk_size)

    def forecast(self, here: Machine) -> float:
        """Seconds that it should take, the median of some runs in virtual time."""
        source = sources.of_server(self.url, self.count, separate=False)
        part = Part(self.url, source.server, self.count, MAX_LOGONS, source.words)
        study = Study(Subject((part,), here, Policy()), 0)
        setting = Setting(self.workers, self.chunk_size)
        return statistics.median(study.run(setting, number, CHUNKS).seconds for number in range(study.runs))


def _wall(url: str, workers: int, chunk_size: int | None) -> float:
    work = Work(Mailboxes(url), Task(jobs.named("census")))
    return work.measure(settings.Setting(chunk_size or AUTO, workers)).wall


def calibrated() -> Machine:
    """This machine, as far as a run's begin and end depend on it: runs with one mailbox for each worker."""
    few, many = (
        statistics.median(_wall(f"sim:{workers}", workers, 1) for _ in range(TIMES)) for workers in (FEW, MANY)
    )
    usual = Machine(cores=len(os.sched_getaffinity(0)))
    each = max(0.0, many - few) / (MANY - FEW)
    share = usual.start / (usual.start + usual.end)
    return replace(usual, begin=max(0.0, few - FEW * each), start=share * each, end=(1 - share) * each)


def rounds(number: int) -> dict[Case, list[tuple[float, float]]]:
    """For each case what was forecast and what was measured, round by round."""
    cases = [Case(*case) for case in CASES]
    found: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
    random = Random(0)
    for turn in range(number):
        here = calibrated()
        for case in random.sample(cases, len(cases)):
            found[case].append((case.forecast(here), case.measured()))
        print(f"round {turn + 1} of {number}; {here}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return found


def table(found: dict[Case, list[tuple[float, float]]]) -> str:
    """The figures as Markdown, and how far the forecasts are off."""
    rows = [
        "| mailboxes | server | workers | chunk size | forecast, s | measured, s | off, % |",
        "| --- |" + " --- |" * 6,
    ]
    off = []
    for case, pairs in found.items():
        forecast, measured = (statistics.median(values) for values in zip(*pairs, strict=True))
        off.append(100 * (forecast / measured - 1))
        words = (f"{case.count:,}", f"`{case.options}`", case.workers, case.chunk_size or AUTO)
        rows.append(f"| {' | '.join(map(str, words))} | {forecast:.2f} | {measured:.2f} | {off[-1]:+.1f} |")
    sizes = list(map(abs, off))
    return "\n".join([*rows, "", f"off by {statistics.median(sizes):.1f} % in the median, {max(sizes):.1f} % at worst"])


def large() -> str:
    """What the large forecast takes."""
    paid = cost(lambda: Study(LARGE, 0).forecast(LARGE_SETTING, 600.0))
    return (
        f"{LARGE.count:,} mailboxes, {LARGE_SETTING.workers:,} workers: {paid.wall:.1f} s, {paid.cpu:.1f} CPU s, "
        f"{paid.peak:.0f} MiB"
    )


@click.command()
@click.option("--rounds", "number", default=5, show_default=True)
def main(number: int) -> None:
    """Forecast, run, and compare."""
    print(machine())
    print(large(), flush=True)
    print(table(rounds(number)))
    print(machine())


if __name__ == "__main__":
    main()
