"""`fanout merge`: the run files of several machines become one."""

from __future__ import annotations

from pathlib import Path

import click

from fanout import shards, summary
from fanout.cli import completing
from fanout.cli.words import say
from fanout.runfile import RunFile


@click.command()
@click.argument(
    "run_files",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=completing.run_file,
)
@click.option(
    "-o",
    "output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The run file that they become.",
)
@click.option("--force", is_flag=True, help="Replace the run file if it is there.")
@click.option("--partial", is_flag=True, help="Merge those that are given, though not all shards are.")
@click.option("--accept-changes", is_flag=True, help="Merge though the machines did not see the same roster.")
def merge(run_files: tuple[Path, ...], output: Path, *, force: bool, partial: bool, accept_changes: bool) -> None:
    """Make one run file of the shards that several machines made.

    \b
    fanout merge part-1.fanout part-2.fanout -o census.fanout
    """
    changes = shards.merge(run_files, output, force=force, partial=partial, accept_changes=accept_changes)
    for change in changes:
        say(f"changed, and accepted: {change}")
    say(f"run file: {output}")
    with RunFile.open(output) as file:
        for line in summary.of_idle(file):
            say(line)
