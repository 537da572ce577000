"""The live view: a progress that draws where a run stands on a terminal, a few times a second at the most.

It is told the time and the counts with every turn of the loop, and reads the rest in the run file; it has no thread, and where
nothing is due it costs a comparison.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fanout.estimate import Estimate
from fanout.observer import Observer
from fanout.progress import DRAINING, Going

if TYPE_CHECKING:
    from fanout.roster import Roster
    from fanout.runfile import RunFile
    from fanout.screen import Screen

#: Seconds between two drawings, and before the first: what ends sooner needs no view.
INTERVAL, FIRST = 0.5, 0.5


class LiveView:
    """Of the run of this process."""

    def __init__(self, file: RunFile, roster: Roster, screen: Screen) -> None:
        self._file = file
        self._roster = roster
        self._observer = Observer(file.facts())
        self._screen = screen
        self._note, self._going = "", Going.ON
        self._due: float | None = None

    def show(self, now: float, settled: int, failed: int, count: int) -> None:  # noqa: ARG002 - the roster knows it
        if self._due is None:
            self._due = now + FIRST
        if now < self._due:
            return
        self._due = now + INTERVAL
        from fanout.drawing import drawing  # not for what ends sooner: see Screen

        overview = self._observer.look(self._file, self._roster, now, (settled - failed, failed))
        estimate = Estimate(overview.estimate.rate) if self._going is Going.ENDING else overview.estimate
        told = msgspec.structs.replace(overview, estimate=estimate, note=self._note or overview.note)
        self._screen.draw(partial(drawing, told))

    def goes(self, how: Going) -> None:
        self._going = how

    def draining(self) -> None:
        self._note, self._going = DRAINING, Going.ENDING
        self._due = 0.0
