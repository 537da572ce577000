"""How a command that runs a job ends: with which exit code, and what is then started for whoever wants to know."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from fanout.credentials import VARIABLE
from fanout.errors import FanoutError, ReaderGoneError, ToldError, TooEarlyError
from fanout.runfile import RunFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from fanout.voices import Voice

#: The exit code of a bug in fanout; those of other endings are FanoutError's, and 128 + the signal.
BUG = 70


class SignalledError(FanoutError):
    """A signal asked the command to end while it prepared a run, or wrote of its end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def exit_code(error: BaseException) -> int:
    """With which exit code this ends the command."""
    match error:
        case click.ClickException() | FanoutError():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return 128 + signal.SIGINT
        case _:
            return BUG


def concluded(work: Callable[[], int], path: Path, command: str | None, voice: Voice) -> int:
    """Do the work of a run, which gives its exit code, and then start the command that was to be started at its end.

    None is started where nothing was begun, for want of an open window: cron would have it started again and again.
    """
    code = BUG
    try:
        with _signals_raise():
            code = work()
    except ReaderGoneError as error:
        code = error.exit_code
        raise
    except FanoutError as error:
        code = error.exit_code
        voice.tell(f"fanout: {error}", "error", exit_code=code)
        if isinstance(error, TooEarlyError):
            command = None
        raise ToldError(code) from error
    except (KeyboardInterrupt, click.ClickException, click.Abort) as error:
        code = exit_code(error)
        raise
    except Exception as error:
        voice.admit(traceback.format_exc(), code)
        raise ToldError(code) from error
    finally:
        if command is not None:
            _start(command, _told(path, code), voice)
    return code


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the work as Ctrl-C does, where they are not ignored. The loop heeds them by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _: FrameType | None) -> None:
    raise SignalledError(number)


def _told(path: Path, code: int) -> dict[str, str]:
    """What the command is told, by its environment. A run that never began has no run file, and nothing in it."""
    done = failed = total = 0
    there = False
    with suppress(FanoutError), RunFile.open(path) as file:
        there = bool(file.sittings())
        if there:
            (done, failed), total = file.counts(), file.facts()["roster"]["count"]
    return {
        "FANOUT_RUN_FILE": str(path.absolute()) if there else "",
        "FANOUT_EXIT_CODE": str(code),
        "FANOUT_DONE": str(done),
        "FANOUT_FAILED": str(failed),
        "FANOUT_TOTAL": str(total),
    }


def _start(command: str, told: dict[str, str], voice: Voice) -> None:
    """Start a shell's command and wait for its end, which changes nothing. What it prints is not taken for records."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | told
    how: object
    try:
        how = subprocess.run(
            ["sh", "-c", command], env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        ).returncode
    except OSError as error:
        how = error.strerror
    except KeyboardInterrupt:
        how = "interrupted"
    if how:
        voice.tell(f"--on-finish: the command ended with {_in_words(how)}", "on_finish_failed", how=how)


def _in_words(how: object) -> str:
    if not isinstance(how, int):
        return f"{how}"
    return f"exit code {how}" if how > 0 else signal.Signals(-how).name
