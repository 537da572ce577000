"""Is the forecast right? Settings of one server and of two, forecast and then run. `flock FILE python -m benchmarks.forecast`

Each round measures what a run takes to begin and to end, and what a census costs here, then forecasts and runs every setting, in an
order by chance, so that what else the machine does hits both alike. Told are medians of the rounds. Then a forecast of
10,000,000 mailboxes and 1,000 workers, and one of fifty servers with 20,000 mailboxes each, and what they take.
`--servers 1` takes the settings of one server alone, `--servers 2` those of two.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import click
import msgspec

from benchmarks.measure import cost, machine
from fanout import jobs
from fanout.bench.apart import apart
from fanout.bench.settings import AUTO
from fanout.conduct import Mailboxes, Outlet, Task, Workforce
from fanout.convoy import conductor_of
from fanout.forecast import sources
from fanout.forecast.model import Machine, Setting
from fanout.forecast.study import CHUNKS, Study
from fanout.forecast.subject import Part, Subject
from fanout.ledger import TemporaryLedger
from fanout.machine import share_of_memory
from fanout.policy import Limits, Policy
from fanout.progress import Silent
from workers.mapi.logons import MAX_LOGONS
from workers.simulated.options import Delay

#: The mailboxes and the options of each server, workers for each, chunk size: some seconds each, most of which are waiting; but the
#: first server of the last two only computes.
CASES = (
    (((1000, "latency=2ms"),), 2, 100),
    (((2000, "latency=2ms"),), 4, None),
    (((2000, "latency=2ms"),), 8, 10),
    (((4000, "latency=2ms"),), 16, 100),
    (((200, "latency=20ms"),), 2, 10),
    (((400, "latency=20ms"),), 4, 100),
    (((1000, "latency=20ms"),), 8, None),
    (((2000, "latency=20ms"),), 32, 10),
    (((2000, "latency=20ms"),), 32, None),
    (((500, "latency=lognormal(20ms,1)"),), 8, 10),
    (((1000, "latency=lognormal(20ms,1)"),), 16, 100),
    (((2000, "latency=lognormal(20ms,1)"),), 32, None),
    (((3000, "latency=2ms"), (300, "latency=20ms")), 2, None),
    (((3000, "latency=2ms"), (600, "latency=lognormal(20ms,1)")), 4, 10),
    (((20000, "seed=2"), (3000, "latency=2ms")), 2, 100),
    (((20000, "seed=2"), (1000, "latency=20ms")), 8, None),
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


#: Another one: fifty servers.
MANY_SERVERS = Subject(
    tuple(
        Part(
            f"server {number}",
            sources.given(Delay(0.12, 1.2), separate=False).server,
            20_000,
            MAX_LOGONS,
            "lognormal(120ms,1.2)",
        )
        for number in range(50)
    ),
    Machine(cores=2),
    Policy(),
)
MANY_SETTING = Setting(8)


class Case(msgspec.Struct, frozen=True):
    """A setting of the table."""

    servers: tuple[tuple[int, str], ...]
    workers: int
    chunk_size: int | None

    @property
    def urls(self) -> list[str]:
        return [f"sim:{count}?{options}" for count, options in self.servers]

    def measured(self) -> float:
        """Seconds that the run takes."""
        return _wall(self.urls, self.workers, self.chunk_size)

    def forecast(self, here: Machine) -> float:
        """Seconds that it should take, the median of some runs in virtual time."""
        parts = []
        for url, (count, _) in zip(self.urls, self.servers, strict=True):
            source = sources.of_server(url, count, separate=False)
            parts.append(Part(url, source.server, count, MAX_LOGONS, source.words))
        study = Study(Subject(tuple(parts), here, Policy()), 0)
        setting = Setting(self.workers, self.chunk_size)
        return statistics.median(study.run(setting, number, CHUNKS).seconds for number in range(study.runs))


def _wall(urls: Sequence[str], workers: int, chunk_size: int | None) -> float:
    """Seconds that a census takes, from the listing of its rosters until its last process is gone, in a process of its own."""
    _, told = apart(lambda: msgspec.json.encode(_census(urls, workers, chunk_size)))
    return msgspec.json.decode(told, type=float)


def _census(urls: Sequence[str], workers: int, chunk_size: int | None) -> float:
    begun = time.monotonic()
    server, *others = urls
    task = Task(jobs.named("census"), policy=Policy(Limits(max_rss=share_of_memory(workers * len(urls)))))
    mailboxes, force = Mailboxes(server, others=tuple(others)), Workforce(workers, chunk_size)
    with conductor_of(mailboxes, force, TemporaryLedger(task.recording)) as conductor:
        roster, how = conductor.survey()
        conductor.run(task, roster, how, Outlet(Silent()))
    return time.monotonic() - begun


def calibrated(servers: int) -> Machine:
    """This machine, as far as the begin and the end of a run over so many servers depend on it: with one mailbox for each worker."""
    few, many = (
        statistics.median(_small(workers // servers, servers) for _ in range(TIMES)) for workers in (FEW, MANY)
    )
    usual = Machine(cores=len(os.sched_getaffinity(0)))
    each = max(0.0, many - few) / (MANY - FEW)
    share = usual.start / (usual.start + usual.end)
    return replace(usual, begin=max(0.0, few - FEW * each), start=share * each, end=(1 - share) * each)


def _small(workers: int, servers: int) -> float:
    return _wall([f"sim:{workers}?seed={number}" for number in range(servers)], workers, 1)


def rounds(number: int, cases: Sequence[Case]) -> dict[Case, list[tuple[float, float]]]:
    """For each case what was forecast and what was measured, round by round."""
    found: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
    random = Random(0)
    for turn in range(number):
        here = {servers: calibrated(servers) for servers in sorted({len(case.servers) for case in cases})}
        for case in random.sample(cases, len(cases)):
            found[case].append((case.forecast(here[len(case.servers)]), case.measured()))
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
        counts = ", ".join(f"{count:,}" for count, _ in case.servers)
        options = ", ".join(f"`{options}`" for _, options in case.servers)
        words = (counts, options, case.workers, case.chunk_size or AUTO)
        rows.append(f"| {' | '.join(map(str, words))} | {forecast:.2f} | {measured:.2f} | {off[-1]:+.1f} |")
    sizes = list(map(abs, off))
    return "\n".join([*rows, "", f"off by {statistics.median(sizes):.1f} % in the median, {max(sizes):.1f} % at worst"])


def large(subject: Subject, setting: Setting) -> str:
    """What a large forecast takes."""
    paid = cost(lambda: Study(subject, 0).forecast(setting, 600.0))
    return (
        f"servers {len(subject.parts)}, mailboxes {subject.count:,}, workers of each {setting.workers:,}: {paid.wall:.1f} s, "
        f"{paid.cpu:.1f} CPU s, {paid.peak:.0f} MiB"
    )


@click.command()
@click.option("--rounds", "number", default=5, show_default=True)
@click.option("--servers", type=click.IntRange(1, 2), help="The settings of so many servers alone.")
def main(number: int, servers: int | None) -> None:
    """Forecast, run, and compare."""
    cases = [Case(*case) for case in CASES]
    print(machine())
    print(large(LARGE, LARGE_SETTING))
    print(large(MANY_SERVERS, MANY_SETTING), flush=True)
    print(table(rounds(number, [case for case in cases if servers in {None, len(case.servers)}])))
    print(machine())


if __name__ == "__main__":
    main()
