"""The commands that look, and run nothing: at a roster, at a run."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanout import summary, tables
from fanout.cli import completing
from fanout.cli.words import MAILBOXES, give, say, words_of
from fanout.cli.words import show as show_line
from fanout.convoy import conductor_of
from fanout.errors import ReaderGoneError, StoppedError, UsageError
from fanout.ledger import TemporaryLedger
from fanout.partition import ByServer
from fanout.runfile import RunFile
from fanout.sink import STDOUT, Sink
from workers.messages import Recording

if TYPE_CHECKING:
    from fanout.partition import Partition
    from fanout.roster import Roster

#: Names written to stdout at a time.
LINES = 1000

_NO_WORKFORCE = {
    "workers": 1,
    "chunk_size": None,
    "concurrency": 1,
    "separate_connections": False,
    "start_method": None,
}


@click.command()
@give(MAILBOXES)
def mailboxes(**given: Any) -> None:  # noqa: ANN401 - the values of many options
    """List the mailboxes that a run would visit, one a line.

    Those of several servers are a list that --mailboxes-from takes.

    \b
    fanout mailboxes --server sim:2000 --include 'u0000001*'
    """
    roster, _ = survey(given | _NO_WORKFORCE)
    if roster.legs:
        show_line("mailbox,server")
    for first in range(0, roster.count, LINES):
        show_line(_lines(roster, range(first, min(first + LINES, roster.count))))
    say(f"{roster.count:,} mailboxes: {roster.source}")


def _lines(roster: Roster, ordinals: range) -> str:
    """The names of neighbours, a line each; each with its server, where there are several."""
    names = roster.names(ordinals)
    if not roster.legs:
        return "\n".join(names)
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(names, map(roster.server, ordinals), strict=True))
    return text.getvalue().removesuffix("\n")


def survey(given: dict[str, Any]) -> tuple[Roster, Partition]:
    """The roster that MAILBOXES ask for, and how WORKFORCE cuts it."""
    words = words_of(given)
    ledger = TemporaryLedger(Recording.RESULTS)
    with conductor_of(words.mailboxes, words.workforce, ledger) as conductor:
        roster, how = conductor.survey()
    for cut in how.cuts if isinstance(how, ByServer) else ():
        if cut.why:
            raise StoppedError(f"{cut.server}: {cut.why.message}")
    return roster, how


@click.command()
@click.argument("run_file", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.option("-o", "output", required=True, metavar="FILE", help="FILE.jsonl, .csv or .parquet, or - for stdout.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export(run_file: Path, output: str, *, force: bool) -> None:
    """Write the records of a run, in the order of its roster.

    \b
    fanout export census-20261122-120000.fanout -o census.csv
    """
    write = tables.WRITERS.get(Path(output).suffix)
    if not write and output != STDOUT and Path(output).suffix != ".jsonl":
        raise UsageError(f"-o {output}: an export is FILE.jsonl, FILE.csv or FILE.parquet, or - for stdout")
    with RunFile.open(run_file) as file:
        if write:
            if Path(output).exists() and not force:
                raise UsageError(f"-o {output}: the file is there already; --force replaces it")
            with file.standing_still():
                write(Path(output), file.outcomes)
            return
        sink = Sink.open(output, force=force)
        try:
            for lines in file.lines():
                sink.write(lines)
            sink.close()
        except StoppedError as error:
            if isinstance(error.__cause__, BrokenPipeError):
                raise ReaderGoneError from error
            raise


@click.command()
@click.argument("run_file", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.argument("mailbox", required=False, shell_complete=completing.mailbox)
@click.option("--failed", is_flag=True, help="Name each mailbox that failed, with its cause.")
@click.option("--slowest", type=click.IntRange(1), metavar="N", help="Name the N mailboxes that took longest.")
def show(run_file: Path, mailbox: str | None, *, failed: bool, slowest: int | None) -> None:
    """Show the summary of a run, its failures, or one of its mailboxes.

    Of a mailbox, whose name may be in capitals or not, each attempt is told, with what the job printed.

    \b
    fanout show census-20261122-120000.fanout --failed
    """
    if sum(map(bool, (mailbox, failed, slowest))) > 1:
        raise UsageError("a mailbox, --failed and --slowest are shown apart: give one of them")
    with RunFile.open(run_file) as file:
        if mailbox:
            lines = summary.of_mailbox(file, mailbox)
        elif failed:
            lines = summary.of_failures(file)
        elif slowest:
            lines = summary.of_slowest(file, slowest)
        else:
            with file.standing_still():  # the roster of a run over several servers may grow
                lines = iter([*summary.of_run(file)])
        for line in lines:
            show_line(line)
