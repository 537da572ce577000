"""Where a run stands, while it goes on: on the terminal of whoever runs it, and of others.

What shows it is imported where it is shown: other commands begin no later for it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from fanout.cli import completing
from fanout.cli.words import say, show
from fanout.progress import Lines, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanout.progress import Progress
    from fanout.roster import Roster
    from fanout.runfile import RunFile
    from fanout.screen import Screen

#: Kinds of terminals that can't go back to a line.
_DUMB = {"", "dumb", "unknown"}


@contextmanager
def progress_of(file: RunFile, roster: Roster, *, quiet: bool) -> Iterator[Progress]:
    """How whoever runs something is shown where it stands: live on a terminal, else in lines."""
    if quiet:
        yield Silent()
    elif _is_live(sys.stderr):
        from fanout.liveview import LiveView

        screen = _screen(sys.stderr)
        with screen.shared():
            yield LiveView(file, roster, screen)
    else:
        yield Lines(say)


@click.command()
@click.argument("run_file", metavar="RUN", type=click.Path(path_type=Path), shell_complete=completing.run_file)
def watch(run_file: Path) -> None:
    """Show where a run stands, until it ends. It only reads, from another terminal or account, and holds up nobody.

    \b
    fanout watch census-20261122-120000.fanout
    """
    from fanout.watcher import Watcher

    watcher = Watcher(run_file)
    if _is_live(sys.stdout):
        watcher.draw(_screen(sys.stdout))
    else:
        watcher.tell(show)
    for line in watcher.ending():
        show(line)


def _is_live(stream: TextIO) -> bool:
    """Whether lines can be drawn there again and again, with the letters that the view is made of."""
    if not stream.isatty() or os.environ.get("TERM", "") in _DUMB:
        return False
    from fanout.overview import BARS

    try:
        BARS.encode(stream.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _screen(stream: TextIO) -> Screen:
    from fanout.screen import Screen

    return Screen(stream)
