"""Where a run stands, while it goes on: on the terminal of whoever runs it, and of others."""

from __future__ import annotations

import os
import select
import sys
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

from fanout import resume, summary
from fanout.cli.words import say, show
from fanout.estimate import rough
from fanout.observer import Observer
from fanout.progress import Lines, Silent
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.overview import Overview
    from fanout.progress import Progress
    from fanout.roster import Roster
    from fanout.screen import Screen

#: Seconds between two looks at a run from elsewhere: there is nothing new before the next commit.
LOOK = 1.0

#: Seconds without a commit after which that is said.
STALE = 10.0

#: Kinds of terminals that can't go back to a line.
_DUMB = {"", "dumb", "unknown"}


@contextmanager
def progress_of(file: RunFile, roster: Roster, *, quiet: bool) -> Iterator[Progress]:
    """How whoever runs something is shown where it stands: live on a terminal, else in lines."""
    if quiet:
        yield Silent()
    elif _is_live(sys.stderr):
        from fanout.liveview import LiveView  # rich takes a while to import, which is for those who see it

        screen = _screen(sys.stderr)
        with screen.shared():
            yield LiveView(file, roster, screen)
    else:
        yield Lines(roster.count, say)


@click.command()
@click.argument("run_file", metavar="RUN", type=click.Path(path_type=Path))
def watch(run_file: Path) -> None:
    """Show where a run stands, from another terminal or account, until it ends. It only reads, and holds up nobody.

    \b
    fanout watch census-20261122-120000.fanout
    """
    watcher = _Watcher(run_file)
    if _is_live(sys.stdout):
        watcher.draw(_screen(sys.stdout))
    else:
        watcher.tell()
    for line in watcher.ending():
        show(line)


class _Watcher:
    """Looks at a run file that somebody else works on.

    The file is opened for each look and closed again: a reader that stays would keep it from becoming one plain file when
    the run ends.
    """

    def __init__(self, path: Path) -> None:
        """Raises UsageError where there is no run file."""
        self._path = path
        self._observer: Observer | None = None

    def draw(self, screen: Screen) -> None:
        """Until nobody works on the run any more."""
        from fanout.drawing import drawing

        try:
            for overview in self._overviews():
                screen.draw(partial(drawing, overview))
        finally:
            screen.erase()

    def tell(self) -> None:
        """The same, in lines."""
        lines = None
        for overview in self._overviews():
            if lines is None:
                show(summary.verdict(overview.done, overview.failed, overview.count))
                lines = Lines(overview.count, show)
            lines.show(_now(), overview.done + overview.failed, overview.failed)

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
        self._observer = self._observer or Observer(file.facts())
        now = _now()
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


def _is_live(stream: TextIO) -> bool:
    """Whether lines can be drawn there again and again."""
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB


def _screen(stream: TextIO) -> Screen:
    from fanout.screen import Screen

    return Screen(stream)


def _now() -> float:
    return datetime.now(UTC).timestamp()
