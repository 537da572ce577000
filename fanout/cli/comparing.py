"""The commands over several run files: those of a folder, and what changed between two."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import click

from fanout import comparison, gathering
from fanout.cli import completing
from fanout.cli.words import say
from fanout.cli.words import show as show_line
from fanout.comparison import Kind
from fanout.gathering import Entry
from fanout.runfile import RunFile

#: The columns of `fanout runs`.
_COLUMNS = ("run file", "job", "server", "begun", "done", "failed", "of", "state")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
def runs(folder: Path) -> None:
    """List the run files of a folder, and what each came to.

    \b
    fanout runs
    """
    rows: list[tuple[str, ...]] = [_COLUMNS]
    unread = []
    for entry in gathering.entries(folder):
        if isinstance(entry, Entry):
            rows.append(_row(entry))
        else:
            unread.append(entry)
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            show_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in unread:
        say(line)
    count = len(rows) - 1
    say(f"{count:,} run{'s' if count != 1 else ''} in {folder}")


def _row(entry: Entry) -> tuple[str, ...]:
    numbers = (f"{number:,}" for number in (entry.done, entry.failed, entry.count))
    return (entry.name, entry.job, entry.server, entry.begun[:16].replace("T", " "), *numbers, entry.state)


@click.command()
@click.argument("before", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.argument("after", type=click.Path(path_type=Path), shell_complete=completing.run_file)
def diff(before: Path, after: Path) -> None:
    """Show what changed between two runs of a job. Mailboxes are new, gone, or came to something else.

    \b
    fanout diff census-20261121-120000.fanout census-20261122-120000.fanout
    """
    kinds: Counter[Kind] = Counter()
    with ExitStack() as stack:
        first, second = (stack.enter_context(RunFile.open(path)) for path in (before, after))
        comparison.check_comparable(first, second)
        for change in comparison.changes(*comparison.comparable(first, second)):
            kinds[change.kind] += 1
            if change.kind is not Kind.SAME:
                show_line(f"{change.mailbox}\t{change.kind}\t{change.what}")
        totals = (file.facts().get("totals") for file in (first, second))
        for line in comparison.differences(*totals):
            say(f"totals  {line}")
        for path, file in ((before, first), (after, second)):
            for server in file.facts()["unlisted"]:
                say(f"{path}: {server} was not listed: its mailboxes are only in the other run")
    say(comparison.summary(kinds))
