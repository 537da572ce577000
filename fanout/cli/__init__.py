"""The command line: words to values, results to lines and exit codes.

Records go to files or to stdout, all else to stderr. A user's mistake costs one clear sentence and exit code 2.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from fanout.cli.finishing import exit_code
from fanout.cli.words import say
from fanout.errors import FanoutError, ReaderGoneError, ToldError, UsageError
from fanout.plain import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where each command is.
_MODULES = {
    "run": "running",
    "resume": "running",
    "ctl": "steering",
    "watch": "watching",
    "mailboxes": "looking",
    "plan": "planning",
    "export": "looking",
    "show": "looking",
    "report": "reporting",
    "bench": "benching",
    "runs": "comparing",
    "diff": "comparing",
    "merge": "merging",
    "reproduce": "reproducing",
    "serve": "serving",
    "doctor": "doctoring",
    "jobs": "explaining",
}


def main() -> NoReturn:
    """The console script: every ending has its exit code, and only a bug in fanout a traceback."""
    try:
        _check(sys.argv)
        code = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (ReaderGoneError, ToldError) as error:
        _let_go_of_stdout()
        code = error.exit_code
    except FanoutError as error:
        say(f"fanout: {printable(str(error))}")
        _let_go_of_stdout()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        code = exit_code(error)
    except Exception as error:  # noqa: BLE001 - said as what it is
        from fanout.voices import Lines  # which no other command waits for

        code = exit_code(error)
        Lines(say).admit(traceback.format_exc(), code)
    sys.exit(code or 0)


def _check(words: list[str]) -> None:
    """Raise UsageError for what no command can take: an empty word, and bytes that are not UTF-8, as everything written is."""
    for before, word in pairwise(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UsageError(f"nothing is given after {word or before}: if it is a variable, it is not set")
        if not word.isprintable() and word != word.encode(errors="ignore").decode():
            raise UsageError(f"{word!r} is not UTF-8 text: give it in UTF-8, or rename what is called so")


def _let_go_of_stdout() -> None:
    """What stdout did not take is not written again at exit."""
    if sys.stdout is not None:
        with suppress(OSError):
            sys.stdout.flush()
            return
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Commands(Mapping[str, click.Command]):
    """The commands, each imported when it is asked for: none begins later for the others."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"fanout.cli.{_MODULES[name]}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@click.group(commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mailbox-fanout", prog_name="fanout")
def cli() -> None:
    """Run one function over every mailbox of a mail server, from as many processes as it takes.

    \b
    fanout run census --server sim:2000 -o census.jsonl
    """
    sys.path.append(str(Path.cwd()))  # a job of a module in this directory can be imported, and shadows nothing
