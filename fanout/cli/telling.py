"""The options that say how a run is told of, when it may work and what follows it; and the values that they stand for."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from fanout.cli.watching import progress_of as view_of
from fanout.cli.words import say
from fanout.control import Control
from fanout.durations import duration
from fanout.errors import TooEarlyError, UsageError
from fanout.helm import Helm
from fanout.systemd import Notified
from fanout.voices import Chronicle, Lines, Measured, NoJournal, Objects, Voice
from fanout.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fanout.progress import Progress
    from fanout.roster import Roster
    from fanout.runfile import RunFile
    from fanout.systemd import Notifier
    from fanout.voices import Journal


def _window(_: click.Context, __: click.Parameter, value: str | None) -> Window | None:
    """`22:00-06:00`; None for `none`."""
    if value is None or value == "none":
        return None
    try:
        return Window.of(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from error


TELLING = [
    click.option(
        "--window",
        callback=_window,
        metavar="HH:MM-HH:MM",
        help="Work between these local times only, as in 22:00-06:00; then end with exit code 3, to be gone on with.",
    ),
    click.option(
        "--on-finish",
        metavar="COMMAND",
        help="A shell command to start when the run has ended, however; FANOUT_EXIT_CODE and others tell it how.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary."),
    click.option("-v", "--verbose", is_flag=True, help="Say when workers start and end, and each attempt that fails."),
    click.option(
        "--log-format",
        type=click.Choice(["plain", "json"]),
        default="plain",
        show_default=True,
        help="json: everything on stderr as an object a line, with time, event and message.",
    ),
]


def voice_of(given: dict[str, Any]) -> Voice:
    """The voice that was asked for. Raises UsageError."""
    if given["quiet"] and given["verbose"]:
        raise UsageError("-q wants fewer words and -v more: give one of them")
    if given["log_format"] == "json":
        return Objects(say, lambda: datetime.now(UTC))
    return Lines(say)


@contextmanager
def progress_of(
    file: RunFile, roster: Roster, given: dict[str, Any], voice: Voice, notifier: Notifier
) -> Iterator[Progress]:
    """How a run is shown: to a service manager, too."""
    objects = given["log_format"] == "json" and not given["quiet"]
    view = nullcontext(Measured(voice)) if objects else view_of(file, roster, quiet=given["quiet"])
    with view as progress:
        yield Notified(progress, notifier) if notifier.has_listener else progress


def journal_of(given: dict[str, Any], voice: Voice, roster: Roster, servers: Sequence[str]) -> Journal:
    """Who is told of workers and failures. `servers`: those of the run."""
    return Chronicle(voice, roster, servers) if given["verbose"] else NoJournal()


def check_open(window: Window | None, notifier: Notifier) -> None:
    """Raise TooEarlyError where a run may not begin now."""
    now = datetime.now(UTC)
    if window is None or window.is_open(now):
        return
    opens = window.next_opening(now)
    until = duration((opens - now).total_seconds())
    closed = f"the window {window} is closed now; it opens at {opens:%H:%M}, in {until}"
    notifier.ready(closed)
    raise TooEarlyError(closed)


@contextmanager
def helm_of(path: Path, window: Window | None, voice: Voice) -> Iterator[Helm]:
    """Who steers the run of this file: whoever gives orders, and the window."""

    def tell(line: str) -> None:
        voice.tell(line, "steered")

    try:
        control = Control(path)
    except OSError as error:
        voice.tell(f"fanout ctl can't reach this run: {error.strerror}")
        yield Helm(tell, None, window)
        return
    with control:
        yield Helm(tell, control, window)
