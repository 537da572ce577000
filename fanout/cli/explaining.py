"""`fanout jobs`: which jobs there are, and what each does."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fanout import jobhelp
from fanout.cli import completing
from fanout.cli.words import say, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fanout.jobhelp import JobHelp, Known

#: Characters of a line.
WIDTH = 100


@click.command("jobs")
@click.argument("job", required=False, shell_complete=completing.job)
def jobs(job: str | None) -> None:
    """List the jobs that have a name, or tell of one. Of one: what it does, its options, an example, a result.

    JOB is a name, package.module:function, path/to/file.py:function, or path/to/file.py for all that is in it. A job that is
    not fanout's own is read, and not imported.

    \b
    fanout jobs
    fanout jobs search
    """
    if job is None:
        _list(jobhelp.known())
        say("fanout jobs JOB tells of one; a job of your own: path/to/file.py:function")
    elif job.endswith(".py") and Path(job).is_file():
        _list(jobhelp.in_file(Path(job)))
    else:
        for line in _lines(jobhelp.help_of(job)):
            show(line)


def _list(known: Iterable[Known]) -> None:
    rows = list(known)
    width = max(len(each.name) for each in rows)
    for each in rows:
        show(f"{each.name:<{width}}  {each.what}{f' ({each.package})' if each.package else ''}".rstrip())


def _lines(told: JobHelp) -> Iterator[str]:
    first, _, rest = told.doc.partition("\n")
    yield from textwrap.wrap(f"{told.name}  {first}", WIDTH, break_on_hyphens=False)
    for paragraph in rest.strip().split("\n\n") if rest.strip() else ():
        yield ""
        yield from textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False)
    yield ""
    yield from _options(told)
    yield f"example   {told.example}"
    if told.result:
        yield f"result    {told.result}"
    yield f"source    {told.source}"


def _options(told: JobHelp) -> Iterator[str]:
    """A line an option: its name, what it takes, its default."""
    if not told.options:
        yield f"options   {'any' if told.others else 'none'}"
        return
    rows = [
        (each.name, each.kind.words if each.kind else "anything", "needed" if each.default is None else each.default)
        for each in told.options
    ]
    name_width, kind_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    yield "options   -a name=value" + (", and any other" if told.others else "")
    for name, kind, default in rows:
        yield f"          {name:<{name_width}}  {kind:<{kind_width}}  {default}"
