"""A run in virtual time: the real dispatch, over workers that are no more than the seconds which each mailbox takes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from fanout.dispatch import Dispatch
from fanout.events import Begun, Command, Event, Heard, Send, StartWorker
from fanout.partition import Partition
from workers.messages import Chunk, Found, Ready
from workers.visit import FLUSH_SECONDS

#: Seconds from the start of a worker to its first word, and from one end of a pipe to the other.
START, PIPE = 0.003, 0.0002


class VirtualRun:
    """Mailboxes that take so many seconds each, by their ordinals."""

    def __init__(self, seconds: list[float], how: Partition, workers: int) -> None:
        self._seconds = seconds
        self._dispatch = Dispatch(len(seconds), how, workers)
        #: When each worker will be done with all that it has.
        self._free = [0.0] * workers
        self._due: list[tuple[float, int, Event]] = []
        self._happened = 0

    def makespan(self) -> float:
        """Seconds until every mailbox is settled."""
        now = 0.0
        self._perform(self._dispatch.handle(Begun(), now), now)
        while not self._dispatch.finished:
            now, _, event = heapq.heappop(self._due)
            self._perform(self._dispatch.handle(event, now), now)
        return now

    def _perform(self, commands: Iterable[Command], now: float) -> None:
        for command in commands:
            if isinstance(command, StartWorker):
                self._happen(now + START, Heard(command.worker, Ready()))
            elif isinstance(command, Send):
                self._visit(command.worker, command.chunk, now)

    def _visit(self, worker: int, chunk: Chunk, now: float) -> None:
        """Have the worker tell of the chunk when it is done with it, and of parts as often as a visitor does."""
        time = told_at = max(self._free[worker], now + PIPE)
        first = chunk.first
        for ordinal in chunk.ordinals:
            time += self._seconds[ordinal]
            if time - told_at >= FLUSH_SECONDS or ordinal == chunk.ordinals[-1]:
                count = ordinal + 1 - first
                self._happen(time + PIPE, Heard(worker, Found(chunk.number, first, count, b"1\n" * count, b"1")))
                first, told_at = ordinal + 1, time
        self._free[worker] = time

    def _happen(self, time: float, event: Event) -> None:
        self._happened += 1  # events of the same time come in the order in which they were caused
        heapq.heappush(self._due, (time, self._happened, event))
