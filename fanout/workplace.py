"""Where workers work: on this machine, or on those of a cluster. A workplace gives a run its engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from fanout import machine
from fanout.engines.processes import ProcessEngine

if TYPE_CHECKING:
    from fanout.conduct import Workforce
    from fanout.loop import Engine


class Workplace(Protocol):
    """Where workers work."""

    @property
    def workers(self) -> int:
        """How many there are where nobody says how many."""
        ...

    def share_of_memory(self, workers: int) -> int | None:
        """Bytes that each of so many may grow to; None where nothing limits them."""
        ...

    def engine(self, force: Workforce) -> Engine:
        """What gives workers to a run. Raises UsageError for more of them than there is room for."""
        ...


class ThisMachine:
    """Processes of this machine."""

    @property
    def workers(self) -> int:
        """As many as this process may use cores."""
        return len(os.sched_getaffinity(0))

    def share_of_memory(self, workers: int) -> int | None:
        return machine.share_of_memory(workers)

    def engine(self, force: Workforce) -> ProcessEngine:
        return ProcessEngine(force.workers, force.start_method, force.concurrency)


THIS_MACHINE = ThisMachine()
