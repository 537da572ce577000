"""The command line: words to values, results to lines and exit codes.

Records go to files or to stdout, all else to stderr. A user's mistake costs one clear sentence and exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fanout import facts, summary
from fanout import job as jobs
from fanout.conduct import Conductor, Mailboxes, Outlet, Report, Task, Workforce
from fanout.errors import FanoutError, UsageError
from fanout.events import Interrupted
from fanout.ledger import TemporaryLedger
from fanout.merge import Sink
from fanout.partition import chunks
from fanout.progress import Lines, Silent
from fanout.roster import Choice, read_names
from fanout.runfile import RunFile
from workers.causes import Cause
from workers.messages import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.partition import Partition
    from fanout.roster import Roster

#: Exit codes beside those of FanoutError, and 128 + the signal for an interrupted run.
SOME_FAILED = 1
STOPPED = 3
BUG = 70


def main() -> NoReturn:
    """The console script: every ending has its exit code, and only a bug in fanout a traceback."""
    try:
        code = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except FanoutError as error:
        _say(f"fanout: {error}")
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read our stdout has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except Exception:  # noqa: BLE001 - said as what it is
        _say(f"{traceback.format_exc()}\nfanout: this is a bug in fanout, please report it with the lines above")
        code = BUG
    sys.exit(code or 0)


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mailbox-fanout", prog_name="fanout")
def cli() -> None:
    """Run one function over every mailbox of a mail server, from as many processes as it takes."""
    sys.path.append(str(Path.cwd()))  # a job of a module in this directory can be imported, and shadows nothing


# --- words that several commands take ---------------------------------------------------------------------------------


def _shard(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    part, slash, parts = value.partition("/")
    if not slash or not part.isdecimal() or not parts.isdecimal() or not 1 <= int(part) <= int(parts):
        raise click.BadParameter(f"{value!r}: a shard is given as I/N, with 1 <= I <= N")
    return int(part), int(parts)


def _chunk_size(_: click.Context, __: click.Parameter, value: str) -> int | None:
    if value == "auto":
        return None
    if not value.isdecimal() or value == "0":
        raise click.BadParameter(f"{value!r}: a chunk size is a number of mailboxes, 1 or more, or auto")
    return int(value)


_MAILBOXES = [
    click.option("--server", required=True, metavar="URL", help="The server: sim:N, sim:PATH or null:N."),
    click.option(
        "--mailboxes-from",
        metavar="FILE",
        help="Names, one a line, instead of the server's roster; - reads stdin.",
    ),
    click.option("--include", multiple=True, metavar="GLOB", help="Only names like this; may be repeated."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="No names like this; may be repeated."),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N of what is chosen."),
    click.option("--sample", type=click.IntRange(1), metavar="N", help="N by chance, always the same ones."),
    click.option(
        "--shard",
        callback=_shard,
        metavar="I/N",
        help="The I-th of N parts, the same on every machine.",
    ),
]

_WORKFORCE = [
    click.option(
        "-w",
        "--workers",
        type=click.IntRange(1, 4096),
        metavar="N",
        help="Worker processes; by default one a core.",
    ),
    click.option(
        "--chunk-size",
        callback=_chunk_size,
        metavar="N|auto",
        default="auto",
        show_default=True,
        help="Mailboxes given to a worker together; auto: large chunks first, small ones last.",
    ),
    click.option(
        "--separate-connections",
        is_flag=True,
        help="A connection of its own for each mailbox: lifts the ceiling, costs a connection each.",
    ),
    click.option(
        "--start-method",
        type=click.Choice(["fork", "spawn"]),
        help="How workers are started; by default fork wherever that is safe.",
    ),
]


def _with(*groups: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Give a command the options of these groups."""

    def decorate(command: Any) -> Any:  # noqa: ANN401 - what click decorates
        for group in reversed(groups):
            for option in reversed(group):
                command = option(command)
        return command

    return decorate


@dataclass(frozen=True, slots=True)
class _Words:
    """The values of both groups."""

    mailboxes: Mailboxes
    workforce: Workforce


def _words(given: dict[str, Any]) -> _Words:
    """Take the values of both groups out of what click gave."""
    names_from = given.pop("mailboxes_from")
    choice = Choice(**{name: given.pop(name) for name in ("include", "exclude", "shard", "sample", "limit")})
    names = read_names(names_from) if names_from else None
    mailboxes = Mailboxes(given.pop("server"), choice, names, _source(names_from))
    force = {name: given.pop(name) for name in ("workers", "chunk_size", "separate_connections", "start_method")}
    if force["workers"] is None:
        del force["workers"]
    return _Words(mailboxes, Workforce(**force))


def _source(names_from: str | None) -> str:
    return {None: "", "-": "the names on stdin"}.get(names_from, f"the names in {names_from}")


# --- commands ---------------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("job")
@_with(_MAILBOXES)
@click.option(
    "-a",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the job; may be repeated.",
)
@click.option("-o", "output", metavar="FILE", help="Write records to FILE.jsonl as they come; - for stdout.")
@click.option("--force", is_flag=True, help="Replace the -o file if it is there.")
@click.option(
    "--run-file",
    metavar="FILE",
    help="Where everything about the run is kept; by default JOB-TIME.fanout here.",
)
@_with(_WORKFORCE)
@click.option(
    "--tolerate",
    multiple=True,
    type=click.Choice([cause.value for cause in Cause]),
    metavar="CAUSE",
    help="Failures of this cause do not change the exit code; may be repeated.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
def run(job: str, **given: Any) -> int:  # noqa: ANN401 - the values of many options
    """Run JOB over every mailbox of a server.

    JOB is a built-in (census, folders, logon), package.module:function, or path/to/file.py:function.

    \b
    fanout run census --server sim:2000 -o census.jsonl
    """
    words = _words(given)
    told = jobs.named(job)
    task = Task(told, jobs.options(told, given["options"]), Recording.RECORDS)
    path = Path(given["run_file"] or facts.file_name(jobs.name(told)))
    with RunFile.create(path) as file:
        try:
            report = _run(words, task, file, given)
        except UsageError:
            file.discard()
            raise
        facts.end(file, report)
    for line in summary.of_report(report, path):
        _say(line)
    return _exit_code(report, given["tolerate"])


def _run(words: _Words, task: Task, file: RunFile, given: dict[str, Any]) -> Report:
    with Conductor(words.mailboxes, words.workforce, file) as conductor:
        roster, how = conductor.survey()
        sink = Sink.open(given["output"], force=given["force"]) if given["output"] else None
        facts.begin(file, words.mailboxes, words.workforce, task, roster)
        _say(f"run file: {file.path}")
        progress = Silent() if given["quiet"] else Lines(roster.count, _say)
        try:
            return conductor.run(task, roster, how, Outlet(progress, sink))
        finally:
            if sink:
                sink.close()


def _exit_code(report: Report, tolerated: tuple[str, ...]) -> int:
    if isinstance(report.stopped_by, Interrupted):
        return 128 + report.stopped_by.signal
    if report.stopped_by is not None:
        return STOPPED
    return SOME_FAILED if set(report.merge.causes) - set(tolerated) else 0


@cli.command()
@_with(_MAILBOXES)
def mailboxes(**given: Any) -> None:  # noqa: ANN401 - the values of many options
    """List the mailboxes that a run would visit, one a line.

    \b
    fanout mailboxes --server sim:2000 --include 'u0000001*'
    """
    roster, _ = _survey(given | _NO_WORKFORCE)
    for first in range(0, roster.count, LINES):
        click.echo("\n".join(roster.names(range(first, min(first + LINES, roster.count)))))
    _say(f"{roster.count:,} mailboxes: {roster.source}")


@cli.command()
@_with(_MAILBOXES, _WORKFORCE)
def plan(**given: Any) -> None:  # noqa: ANN401 - the values of many options
    """Show how a roster would be cut into chunks, before any mailbox is opened.

    \b
    fanout plan --server sim:2000 -w 4 --chunk-size auto
    """
    roster, how = _survey(given)
    click.echo("chunk\tmailboxes\tfirst\tlast")
    sizes = []
    for number, ordinals in enumerate(chunks(how, roster.count), 1):
        click.echo(f"{number}\t{len(ordinals)}\t{roster.name(ordinals[0])}\t{roster.name(ordinals[-1])}")
        sizes.append(len(ordinals))
    _say(f"{roster.count:,} mailboxes in {len(sizes):,} chunks of {min(sizes):,} to {max(sizes):,}: {roster.source}")


#: Names written to stdout at a time.
LINES = 1000

_NO_WORKFORCE = {
    "workers": 1,
    "chunk_size": None,
    "separate_connections": False,
    "start_method": None,
}


def _survey(given: dict[str, Any]) -> tuple[Roster, Partition]:
    words = _words(given)
    ledger = TemporaryLedger(Recording.RESULTS)
    with Conductor(words.mailboxes, words.workforce, ledger) as conductor:
        return conductor.survey()


@cli.command()
@click.argument("run_file", type=click.Path(path_type=Path))
@click.option("-o", "output", required=True, metavar="FILE", help="FILE.jsonl, or - for stdout.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export(run_file: Path, output: str, *, force: bool) -> None:
    """Write the records of a run, in the order of its roster.

    \b
    fanout export census-20261122-120000.fanout -o census.jsonl
    """
    with RunFile.open(run_file) as file:
        sink = Sink.open(output, force=force)
        for lines in file.lines():
            sink.write(lines)
        sink.close()


@cli.command()
@click.argument("run_file", type=click.Path(path_type=Path))
@click.argument("mailbox", required=False)
@click.option("--failed", is_flag=True, help="Name each mailbox that failed, with its cause.")
def show(run_file: Path, mailbox: str | None, *, failed: bool) -> None:
    """Show the summary of a run, its failures, or one mailbox with what the job printed.

    \b
    fanout show census-20261122-120000.fanout --failed
    """
    with RunFile.open(run_file) as file:
        if mailbox:
            lines = summary.of_mailbox(file, mailbox)
        elif failed:
            lines = summary.of_failures(file)
        else:
            lines = summary.of_run(file)
        for line in lines:
            click.echo(line)
