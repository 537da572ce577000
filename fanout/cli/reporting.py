"""`fanout report`: a run as one page, to be shown to others."""

from __future__ import annotations

from pathlib import Path

import click

from fanout.cli import completing
from fanout.cli.words import say
from fanout.errors import UsageError
from fanout.runfile import RunFile
from fanout.whole import whole_file


@click.command()
@click.argument("run_file", type=click.Path(path_type=Path), shell_complete=completing.run_file)
@click.option("-o", "output", required=True, type=click.Path(path_type=Path), metavar="FILE.html", help="The page.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def report(run_file: Path, output: Path, *, force: bool) -> None:
    """Make a page of a run: its course, its failures, what was found. What can be counted is shown in charts.

    The page needs no network, and fits a telephone, a screen and paper. It names mailboxes, as the run file does.

    \b
    fanout report census-20261122-120000.fanout -o census.html
    """
    from fanout.report.contents import contents_of
    from fanout.report.page import render

    if output.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"-o {output}: a report is a page, FILE.html")
    if output.exists() and not force:
        raise UsageError(f"-o {output}: the file is there already; --force replaces it")
    with RunFile.open(run_file) as file:
        contents = contents_of(file)
    with whole_file(output, "the report") as new, open(new, "w", encoding="utf-8") as page:
        page.writelines(render(contents))
    say(f"written: {output}")
