"""What a piece of work costs: it runs in a process of its own, which is waited for.

CPU seconds are those of that process and of every descendant that was waited for, as the kernel adds them up: nothing is
sampled, and what died early counts. Memory is the peak of that process alone (`ru_maxrss`).
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of some work cost."""

    cpu: float  # seconds, user and system, of all processes
    wall: float  # seconds
    peak: float  # MiB resident in the first process


def cost(work: Callable[[], object]) -> Cost:
    """Run the work in a fork of this process. Raises SystemExit when it fails."""
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        _run(work)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    if status:
        sys.exit(f"{work} failed")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def _run(work: Callable[[], object]) -> None:
    try:
        work()
    except BaseException:  # noqa: BLE001 - it must not come back into the benchmark's own loop
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def interleaved(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[Cost]]:
    """The costs of each work, a round of all after another, so that what else the machine does hits all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            costs[name].append(cost(work))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return costs


def ratio(costs: list[Cost], to: list[Cost]) -> float:
    """The median over the rounds of one CPU time divided by another's of the same round."""
    return statistics.median(a.cpu / b.cpu for a, b in zip(costs, to, strict=True))


def median(costs: list[Cost], what: str) -> float:
    """The median of one of the figures."""
    figure: float = statistics.median(getattr(cost, what) for cost in costs)
    return figure


def machine() -> str:
    """One line on where and when figures were taken."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown CPU"
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores of {model}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
