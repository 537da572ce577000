"""What pieces of work cost, as `fanout.bench.apart` measures it, beside one another."""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from fanout.bench.apart import Cost, WorkFailedError, apart
from fanout.bench.host import Host, Moment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cost", "cost", "interleaved", "machine", "median", "ratio"]


def cost(work: Callable[[], object]) -> Cost:
    """What the work costs in a process of its own. Raises SystemExit when it fails."""

    def told() -> bytes:
        work()
        return b""

    try:
        return apart(told)[0]
    except WorkFailedError:
        sys.exit(f"{work} failed")


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
    now = Moment.now()
    return f"{now.at:.10}, {Host.here().in_words()}, load {now.load:.1f}"
