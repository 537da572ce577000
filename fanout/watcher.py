"""The watcher: looks from elsewhere at a run that somebody works on, until nobody does.

The run file is opened for each look and closed again: a reader that stays would keep it from becoming one plain file when
the run ends.
"""

from __future__ import annotations

import os
import select
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fanout import resume, summary
from fanout.durations import rough
from fanout.observer import Observer
from fanout.progress import Going, Lines
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fanout.overview import Overview
    from fanout.screen import Screen

#: Seconds between two looks: there is nothing new before the next commit.
LOOK = 1.0

#: Seconds without a commit after which that is said.
STALE = 10.0


class Watcher:
    """Of one run file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._observer: Observer | None = None

    def draw(self, screen: Screen) -> None:
        """Until nobody works on the run any more."""
        from fanout.drawing import drawing

        with screen.shared():
            for overview in self._overviews():
                screen.draw(partial(drawing, overview))

    def tell(self, say: Callable[[str], object]) -> None:
        """The same, in lines."""
        lines = None
        for overview in self._overviews():
            if lines is None:
                for line in summary.on_each(overview.servers):
                    say(line)
                say(summary.verdict(overview.done, overview.failed, overview.count))
                lines = Lines(say)
            lines.goes(Going.ON if overview.paused_since is None else Going.PAUSED)
            lines.show(_now(), overview.done + overview.failed, overview.failed, overview.count)

    def ending(self) -> list[str]:
        """What there is to say of a run that nobody works on."""
        with RunFile.open(self._path) as file:
            return list(summary.of_idle(file))

    def _overviews(self) -> Iterator[Overview]:
        """Where the run stands, once a second, as long as somebody works on it. Nothing before its roster is listed."""
        while True:
            with RunFile.open(self._path) as file, file.standing_still():
                pid = file.worked_on_by
                overview = self._overview(file) if pid is not None and file.sittings() else None
            if pid is None:
                return
            if overview:
                yield overview
            _wait_for(pid)

    def _overview(self, file: RunFile) -> Overview:
        now = _now()
        if self._observer is None:
            self._observer = Observer(file.facts())
            self._observer.recall(file, now)
        overview = self._observer.look(file, resume.roster(file), now, file.counts())
        if overview.at is None or now - overview.at < STALE:
            return overview
        return msgspec.structs.replace(overview, note=f"nothing was committed for {rough(now - overview.at)}")


def _wait_for(pid: int) -> None:
    """For the end of a process, or for it to be time for another look. One that can't be seen from here has the number 0."""
    with ExitStack() as stack:
        ends = []
        with suppress(OSError):
            ends.append(os.pidfd_open(pid))
            stack.callback(os.close, ends[0])
        select.select(ends, [], [], LOOK)


def _now() -> float:
    return datetime.now(UTC).timestamp()
