"""What a mailbox costs as mailboxes grow, and as workers grow. `python -m benchmarks.scale`

CPU microseconds of all processes a mailbox: those of a run less those of a run with a chunk for each worker, by the mailboxes
between them, so that the start of the workers, which does not grow with mailboxes, stands for itself. Runs are merged in
memory; `null:` mailboxes with a function that returns an int, and a census of `sim:`.

With `--instructions` what the parent decides and merges is counted, too (benchmarks/decisions.py under valgrind): exact to the
instruction where time differs by a fifth. The whole run can't be counted: valgrind knows no pidfd, and virtual machines often
have no counters for perf.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

import fanout
from benchmarks import decisions
from benchmarks.engine import one
from benchmarks.measure import cost, machine
from fanout import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

#: Mailboxes between the two runs where workers grow.
NULL_BETWEEN, SIM_BETWEEN = 1_000_000, 20_000

#: Rounds have about so many mailboxes in all; short runs are repeated, because they are the noisy ones.
ENOUGH = {"null": 2_000_000, "sim": 20_000}
MOST_TIMES = 25

#: Powers: of ten for mailboxes, of two for workers.
FEWEST, WORKERS = 10_000, (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Point(msgspec.Struct, frozen=True):
    """Two runs that are compared: a few mailboxes, and so many more."""

    #: `null`, `sim` or `decisions`.
    of: str
    #: What grows: `mailboxes` or `workers`.
    along: str
    few: int
    more: int
    workers: int

    @property
    def at(self) -> int:
        return self.workers if self.along == "workers" else self.more

    def each(self, measure: Callable[[int], float]) -> Measured:
        """What the start takes, and what a mailbox takes beyond that."""
        start = measure(self.few)
        return Measured(start, (measure(self.few + self.more) - start) / self.more)


class Measured(msgspec.Struct, frozen=True):
    """CPU seconds, or instructions."""

    start: float
    each: float


class Line(msgspec.Struct, frozen=True):
    """A point and its figures."""

    point: Point
    found: list[Measured]

    def start(self) -> float:
        return statistics.median(each.start for each in self.found)

    def each(self) -> list[float]:
        """What a mailbox takes: the quartiles of the rounds, the median between them."""
        all_of_it = [each.each for each in self.found]
        return statistics.quantiles(all_of_it, method="inclusive") if len(all_of_it) > 1 else 3 * all_of_it


def points(most: dict[str, int]) -> list[Point]:
    """All that is measured by time."""
    found = []
    for of, between in (("null", NULL_BETWEEN), ("sim", SIM_BETWEEN)):
        found += [Point(of, "mailboxes", 2 * _chunk(of), count, 2) for count in _decades(most[of])]
        found += [Point(of, "workers", _chunk(of) * workers, between, workers) for workers in WORKERS]
    return found


def exact_points(most: int) -> list[Point]:
    """All that is counted."""
    few = decisions.CHUNK
    along = [Point("decisions", "mailboxes", 2 * few, count, 2) for count in _decades(most)]
    return along + [Point("decisions", "workers", few * workers, NULL_BETWEEN, workers) for workers in WORKERS[::2]]


def _decades(most: int) -> list[int]:
    counts = [FEWEST]
    while counts[-1] * 10 <= most:
        counts.append(counts[-1] * 10)
    return counts


def _chunk(of: str) -> int:
    """Of a simulated server small ones, so that a chunk for each of 256 workers is no long run."""
    return {"null": decisions.CHUNK, "sim": 25}[of]


def cpu(point: Point) -> Measured:
    """CPU seconds of the run's processes."""

    def run(count: int) -> Callable[[], None]:
        return lambda: _run(point, count)

    return point.each(lambda count: cost(run(count)).cpu)


def _run(point: Point, count: int) -> None:
    found = fanout.run(
        one if point.of == "null" else "census",
        server=f"{point.of}:{count}",
        workers=point.workers,
        chunk_size=_chunk(point.of),
        recording=Recording.RESULTS,
    )
    found.raise_for_failures()


def instructions(point: Point) -> Measured:
    """Instructions of the parent, without any process."""

    def count(mailboxes: int) -> float:
        words = [sys.executable, "-m", "benchmarks.decisions", str(mailboxes), str(point.workers)]
        tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        env = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run([*tool, *words], env=env, capture_output=True, text=True, check=True)
        refs = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
        assert refs is not None
        return float(refs[1].replace(",", ""))

    return point.each(count)


def measured(these: list[Point], rounds: int) -> list[Line]:
    """Each point in each round; in a round so often that it has mailboxes enough."""
    found: dict[Point, list[Measured]] = {point: [] for point in these}
    for number in range(rounds):
        for point in these:
            times = min(MOST_TIMES, max(1, ENOUGH[point.of] // point.more))
            found[point] += [cpu(point) for _ in range(times)]
            _tell(f"round {number + 1} of {rounds}", point)
    return [Line(point, some) for point, some in found.items()]


def counted(these: list[Point]) -> list[Line]:
    """Each point once."""
    lines = []
    for point in these:
        lines.append(Line(point, [instructions(point)]))
        _tell("counted", point)
    return lines


def _tell(what: str, point: Point) -> None:
    print(f"{what}: {point.of}, {point.at:,} {point.along}", file=sys.stderr, flush=True)


def table(lines: list[Line]) -> str:
    """The figures as Markdown."""
    rows = ["| | mailboxes | workers | start, CPU s | a mailbox, CPU µs | quartiles |", "| --- |" + " --- |" * 5]
    for line in lines:
        point, (low, middle, high) = line.point, (1e6 * each for each in line.each())
        head = f"| {point.of}, more {point.along} | {point.more:,} | {point.workers} | {line.start():.2f} "
        rows.append(f"{head}| {middle:.3g} | {low:.3g} to {high:.3g} |")
    return "\n".join(rows)


def exact_table(lines: list[Line]) -> str:
    rows = ["| | mailboxes | workers | a mailbox, instructions |", "| --- | --- | --- | --- |"]
    for line in lines:
        point = line.point
        rows.append(f"| decisions, more {point.along} | {point.more:,} | {point.workers} | {line.each()[1]:.0f} |")
    return "\n".join(rows)


@click.command()
@click.option("--most", default=10_000_000, show_default=True, help="Null mailboxes.")
@click.option("--most-sim", default=100_000, show_default=True, help="Simulated mailboxes.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--instructions", "exact", is_flag=True, help="Count the parent's instructions, too; takes valgrind.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="All figures, of each round."
)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="FILE.svg or FILE.png; takes [plot].")
def main(  # noqa: PLR0913 - each is an option
    *, most: int, most_sim: int, rounds: int, exact: bool, json_file: Path | None, picture: Path | None
) -> None:
    """Measure what a mailbox costs as a run grows."""
    where = machine()
    lines = measured(points({"null": most, "sim": most_sim}), rounds)
    print(f"{rounds} rounds; {where}\n\n{table(lines)}")
    if exact:
        lines += (counts := counted(exact_points(most)))
        print(f"\n{exact_table(counts)}")
    if json_file:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": where, "lines": lines})))
    if picture:
        from benchmarks.scale_picture import draw

        draw(lines, where, picture)


if __name__ == "__main__":
    main()
